"""One AWS process: ministack, started in process, plus a checkpoint and a watch on the parent.

The supervisor runs it (`python -m emulator.aws.host`) once for each region and once for the durable services,
each as the leader of a process group of its own, so that a region can be killed or frozen together with
its Lambda workers.

ministack saves its state on a clean shutdown only, and a killed region has none. So SIGUSR1 saves the
control plane (functions, mappings, the API and its keys, schedules, alarms) into STATE_DIR; after a SIGKILL
a new process on the same port and STATE_DIR has it again. Messages are left out: what sat in the region's
queues when it was killed is gone. That is harsher than AWS, whose SQS is durable, and it is what the
pipeline claims to bear, since a queue message is only a wake-up.

Settings come from the environment (see `emulator.supervisor.processes.host_environment`).
"""

import copy
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import ministack.app
from ministack.core import persistence

from emulator.aws import (
    alarms,
    apigateway,
    cloudtrail,
    event_sources,
    faults,
    function_metrics,
    iam,
    lambda_,
    metering,
    route53,
    s3,
    scheduler,
    sdk_calls,
    secretsmanager,
    sqs,
)
from emulator.aws.backup import calls as backup_calls
from emulator.aws.backup import jobs as backup_jobs
from emulator.aws.backup import restore_testing
from emulator.aws.backup import vaults as backup_vaults
from emulator.aws.capacity import Capacity
from emulator.aws.dynamodb import index_order, shortcuts
from emulator.aws.dynamodb.exports import Exports
from emulator.aws.dynamodb.point_in_time import Recovery
from emulator.aws.logs import embedded_metrics, filter_patterns
from emulator.aws.logs.insights import queries as insights_queries
from emulator.aws_capacity import capacity_file
from emulator.aws_faults import fault_file
from emulator.fault_log import FaultLog

COPY_TRIES: Final = 20
"""A service's state may change while it is copied (RuntimeError of a dict); the next try is milliseconds
later, so this many means that something else is wrong."""

NEVER_SAVED: Final = frozenset({"secretsmanager"})
"""Secrets stay in memory."""

PR_SET_PDEATHSIG: Final = 1
"""https://man7.org/linux/man-pages/man2/prctl.2.html"""


def main() -> None:
    """Serve until killed."""
    die_with_parent()
    checkpoint_on_signal(Path(os.environ["STATE_DIR"]), Path(os.environ.pop("CHECKPOINT_REPORT")))
    if interpreter := os.environ.pop("LAMBDA_PYTHON", None):
        # ministack starts Python functions with sys.executable. An interpreter without site-packages makes a
        # package that lacks one of its dependencies fail here as it would on AWS.
        sys.executable = interpreter
    log = FaultLog(Path(os.environ.pop("FAULT_LOG")))
    lambda_.share_reserved_concurrency()
    lambda_.report_in_log_tails()
    apigateway.count_throttling_as_failed_integration()
    apigateway.queue_for_busy_functions()
    lambda_.share_unpacked_packages(Path(os.environ.pop("LAMBDA_PACKAGES")))
    sqs.honour_queue_denials(log)
    cloudtrail.record_purges()
    iam.count_connections_as_encrypted()
    secretsmanager.leave_new_secrets_empty()
    shortcuts.install()
    index_order.install()
    route53.keep_health_checks_as_configured()
    apigateway.write_access_logs()
    apigateway.serve_deployments()
    apigateway.join_stages_to_usage_plans()
    install_disaster_recovery()
    function_metrics.take_over()
    capacity = Capacity(capacity_file(Path(os.environ.pop("AWS_CAPACITY"))))
    capacity.install()
    metering.install(capacity.usage)
    embedded_metrics.install()
    alarms.install()
    filter_patterns.install()
    insights_queries.install()
    event_sources.install()
    faults.inject(fault_file(Path(os.environ.pop("AWS_FAULTS"))), log)
    function_metrics.measure_invocations()
    sys.argv = ["ministack"]
    ministack.app.main()


def install_disaster_recovery() -> None:
    """Install what backups and their rehearsal need and ministack lacks."""
    recovery = Recovery()
    recovery.install()
    Exports(recovery).install()
    backup_calls.install({**backup_vaults.ROUTES, **backup_jobs.ROUTES, **restore_testing.ROUTES})
    restore_testing.install_tags()
    s3.keep_retention()
    s3.take_retention_off()
    s3.refuse_past_retention()
    sdk_calls.install()
    iam.add_metric_namespaces()
    scheduler.install()


def die_with_parent() -> None:
    """End the whole process group when the parent ends, however it ends.

    The parent holds the other end of stdin. A frozen process cannot notice that it closed, so on Linux the
    parent's death also sends SIGCONT, which does nothing to a process that runs.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def checkpoint_on_signal(state_dir: Path, report: Path) -> None:
    """On each SIGUSR1, save the state, then count it in `report`: `{"count": 1, "failed": [service, ...]}`.

    A signal handler runs between two steps of the server, so it only wakes a thread.
    """
    requests = threading.Semaphore(0)
    signal.signal(signal.SIGUSR1, lambda *_: requests.release())

    def serve() -> None:
        count = 0
        while True:
            requests.acquire()
            count += 1
            failed = save(ministack.app._build_persistence_save_dict(), state_dir)  # noqa: SLF001 - what ministack's own shutdown saves
            draft = report.with_suffix(".tmp")
            draft.write_text(json.dumps({"count": count, "failed": failed}), encoding="utf-8")
            draft.replace(report)

    threading.Thread(target=serve, daemon=True, name="checkpoint").start()


def save(services: dict[str, Callable[[], Any]], state_dir: Path) -> list[str]:
    """Save each service's state; return the names of those that could not be saved.

    ministack's `save_all` logs a failure and goes on, which would lose a region's functions without notice.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    for name, get_state in services.items():
        if name in NEVER_SAVED:
            continue
        file = state_dir / f"{name}.json"
        before = _inode(file)
        try:
            state = _copied(get_state)
        except RuntimeError:
            failed.append(name)
            continue
        if state is None:
            continue
        persistence.save_state(name, without_messages(state) if name == "sqs" else state)
        if _inode(file) == before:
            failed.append(name)
    return failed


def without_messages(sqs_state: dict[str, Any]) -> dict[str, Any]:
    """The queues without their messages: one that came back at a start would be neither lost nor kept."""
    state = copy.copy(sqs_state)
    for queue in state["queues"]._data.values():  # noqa: SLF001 - the store's own iterator sees one region only
        queue["messages"] = []
    return state


def _copied(get_state: Callable[[], Any]) -> Any:
    for _ in range(COPY_TRIES - 1):
        try:
            return get_state()
        except RuntimeError:
            continue
    return get_state()


def _inode(file: Path) -> int | None:
    """The file's inode, which changes with every save; ministack logs a failed save and reports none."""
    return file.stat().st_ino if file.exists() else None


if __name__ == "__main__":
    main()
