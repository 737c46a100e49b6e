"""Starting, finding, stopping, and what is left when something dies: nothing.

This module starts emulators by itself, one at a time, and so does not use the shared fixture.
"""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from emulator.client import Emulator
from emulator.errors import (
    AlreadyRunningError,
    NotRunningError,
    PortInUseError,
    RefusedError,
    StartFailedError,
)
from emulator.ports import PortPlan
from emulator.supervisor.processes import Host, HostSpec

pytestmark = pytest.mark.emulator

REGIONS = ("us-east-1", "us-west-2")


def processes_of(run_dir: Path) -> list[psutil.Process]:
    """Everything that the run file names, with its children."""
    record = json.loads((run_dir / "emulator.json").read_text())
    leaders = [psutil.Process(pid) for pid in (record["supervisor_pid"], *record["processes"].values())]
    return list({*leaders, *(child for one in leaders for child in one.children(recursive=True))})


def assert_all_end(processes: list[psutil.Process]) -> None:
    """All are gone soon."""
    _, alive = psutil.wait_procs(processes, timeout=30)
    left = [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    assert left == []


def test_start_attach_and_stop(tmp_path: Path) -> None:
    """One emulator for a folder; others find it there; stopping leaves no process, port or temporary file."""
    running = Emulator.start(tmp_path, regions=REGIONS)
    processes = processes_of(tmp_path)
    assert len(processes) == 1 + 1 + len(REGIONS), "supervisor, durable services, regions"
    mode = stat.S_IMODE((tmp_path / "emulator.json").stat().st_mode)
    assert mode == stat.S_IRUSR | stat.S_IWUSR

    found = Emulator.attach(tmp_path)
    assert (found.edge_url, found.instance_id) == (running.edge_url, running.instance_id)
    assert [one.power for one in found.status().regions] == ["running", "running"]
    with pytest.raises(AlreadyRunningError, match="already runs"):
        Emulator.start(tmp_path, regions=REGIONS)
    assert found.status().layout == "regions", "the refused start has not harmed it"

    running.stop()
    assert_all_end(processes)
    assert {one.name for one in tmp_path.iterdir()} == {"logs", "emulator.lock", "slack-messages.jsonl"}
    with pytest.raises(NotRunningError, match="start one"):
        Emulator.attach(tmp_path)
    running.stop()


def test_taken_port_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    """One line that names the port; what had started by then is ended."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port} \(webhooks of us-west-2\) is in use"):
            Emulator.start(tmp_path, regions=REGIONS, ports=PortPlan(webhooks=(0, port)))
    assert not (tmp_path / "emulator.json").exists()
    with Emulator.start(tmp_path, regions=REGIONS, ports=PortPlan(webhooks=(0, port))) as running:
        assert running.webhook_base_url("us-west-2") == f"http://127.0.0.1:{port}"


def test_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    """Whatever goes wrong, the reason is in the message, and nothing is left."""
    (tmp_path / "emulator.lock").touch()
    (tmp_path / "lambda-python").write_text("in the way")
    with pytest.raises(StartFailedError, match="lambda-python"):
        Emulator.start(tmp_path, regions=REGIONS)
    assert not (tmp_path / "emulator.json").exists()


def test_host_whose_port_another_program_answers_on_is_not_healthy(tmp_path: Path) -> None:
    """Health is this process's own, not whatever answers at its address."""
    with Emulator.start(tmp_path, regions=REGIONS) as running:
        taken = next(one.pid for one in running.status().processes if one.name == "us-east-1")
        port = int(psutil.Process(taken).environ()["GATEWAY_PORT"])
        spec = HostSpec(
            name="second",
            instance_id="second",
            region="us-east-1",
            port=port,
            folder=tmp_path / "second",
            log=tmp_path / "logs" / "second.log",
            lambda_python=Path(sys.executable),
            aws_faults=tmp_path / "aws-faults.json",
            aws_capacity=tmp_path / "aws-capacity.json",
            fault_log=tmp_path / "fault-log.jsonl",
        )
        with pytest.raises(StartFailedError, match="already in use"):
            asyncio.run(Host(spec).start())


def test_killed_supervisor_takes_everything_with_it_even_what_is_frozen(tmp_path: Path) -> None:
    """SIGKILL of the one process that could clean up leaves no process, and the next start works."""
    running = Emulator.start(tmp_path, regions=REGIONS)
    processes = processes_of(tmp_path)
    running.freeze(REGIONS[0])
    supervisor = json.loads((tmp_path / "emulator.json").read_text())["supervisor_pid"]
    os.kill(supervisor, signal.SIGKILL)
    assert_all_end(processes)
    with pytest.raises(NotRunningError):
        running.status()
    with pytest.raises(NotRunningError, match="start one"):
        Emulator.attach(tmp_path)
    running.stop()
    with Emulator.start(tmp_path, regions=REGIONS) as again:
        assert again.instance_id != running.instance_id


def test_detached_emulator_outlives_its_starter_and_a_started_one_does_not(tmp_path: Path) -> None:
    """`local up` leaves it running; a demo or a test that is killed leaves nothing."""
    program = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from emulator.client import Emulator
        Emulator.start(Path(sys.argv[1]), regions=("us-east-1", "us-west-2"), detach=sys.argv[2] == "detach")
        os.kill(os.getpid(), signal.SIGKILL)
    """)

    def start(folder: str, how: str) -> list[psutil.Process]:
        command = [sys.executable, "-c", program, str(tmp_path / folder), how]
        ended = subprocess.run(command, timeout=180, check=False, cwd=Path(__file__).parent.parent.parent)
        assert ended.returncode == -signal.SIGKILL
        try:
            return processes_of(tmp_path / folder)
        except (FileNotFoundError, psutil.NoSuchProcess):
            return []

    assert_all_end(start("owned", "owned"))
    kept = start("kept", "detach")
    assert all(one.is_running() for one in kept)
    found = Emulator.attach(tmp_path / "kept")
    assert [one.power for one in found.status().regions] == ["running", "running"]
    found.stop()
    assert_all_end(kept)


def test_record_of_a_pid_that_now_belongs_to_another_process_harms_nobody(tmp_path: Path) -> None:
    """A stale run file ends only processes that are its own instance's, never by pid alone."""
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    bystander = subprocess.Popen(sleep, start_new_session=True)
    try:
        running = Emulator.start(tmp_path, regions=REGIONS)
        record = json.loads((tmp_path / "emulator.json").read_text())
        running.stop()
        stale = dict.fromkeys(record["processes"], bystander.pid)
        record |= {"supervisor_pid": bystander.pid, "processes": stale}
        (tmp_path / "emulator.json").write_text(json.dumps(record))
        with pytest.raises(NotRunningError):
            Emulator.attach(tmp_path)
        assert bystander.poll() is None
        assert not (tmp_path / "emulator.json").exists()
    finally:
        bystander.kill()
        bystander.wait()


def test_auth_key_enforces_iam_and_has_no_regions_to_kill(
    tmp_path: Path, client_at: Callable[..., Any]
) -> None:
    """With auth an unpermitted user is denied; all regions are one process, so none can be killed alone."""
    with Emulator.start(tmp_path, regions=REGIONS, auth=True) as running:
        iam = client_at(running.edge_url, "iam", "us-east-1")
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        client_at(running.edge_url, "sqs", "us-west-2").create_queue(QueueName="root-may")
        nobody = client_at(
            running.edge_url, "sqs", "us-west-2", key=(key["AccessKeyId"], key["SecretAccessKey"])
        )
        with pytest.raises(ClientError, match="AccessDenied"):
            nobody.create_queue(QueueName="nobody-may-not")
        with pytest.raises(RefusedError, match="start without auth"):
            running.kill("us-west-2")
        assert {one.name for one in running.status().processes} == {"supervisor", "single"}
