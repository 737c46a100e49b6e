"""Has a redrive stopped on its way and run again: `make bench-redrive`, or `python -m benchmarks.redrive`.

It writes alerts that are not at rest into the ledger of a fresh local stack, none of them due for Recovery,
and their wake-ups into the dead-letter queues of both regions, with poison between. It starts `responder dlq
redrive`, stops it as `--how` says, runs it again, and waits until all rest. It exits 1 unless the audit, by
what was written, each region's ledger and what Slack received, finds every alert and no duplicate, and the
poison and what was at rest, as the last run counts it, are all that is left in the queues.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from audit.comparison import Window
from audit.outcome import PARKED
from audit.stack import audit_stack
from benchmarks.local_stack import RESPONDER, local_stack, put_all, say
from clients.deployment import Deployment, RegionEndpoints
from clients.interrupts import INTERRUPTED_CODE
from clients.queues import message_count
from clients.receipts import Receipt
from clients.rows import read_items
from clients.waiting import wait_for
from emulator.client import Emulator
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.alert import Alert, Analysis
from handlers.domain.formats.generic import FORMAT
from handlers.domain.intake.faults import Change
from handlers.domain.intake.rows import new_row
from handlers.domain.states import analyzed, received
from topology.alerts import Status
from topology.limits import SQS_BATCH_MAX
from topology.queues import DISTRIBUTION_DLQ

POISON_EACH: Final = 10
NOT_DUE_S: Final = 86_400
REST_WITHIN_S: Final = 3_600.0
_STOP_WITHIN_S: Final = 1_200.0
_POLLS_S: Final = (0.02, 0.2)
RUNS_MAX: Final[Mapping[str, int]] = {"cut": 3, "doubled": 3}
"""Where a run may meet what the stop still hides or refuses; of any other stop one run sees to all."""

_ANALYSIS: Final = Analysis(
    summary="Full", probable_cause="No room", actions=("Clean up",), confidence="high", model="none"
)


Process = subprocess.Popen[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring a stack up, redrive, stop it, redrive again, audit; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--alerts", type=int, default=5_000)
    parser.add_argument("--rate", type=float, default=200, help="of the redrive, messages a second")
    parser.add_argument("--how", choices=HOW, default="killed", help="what becomes of the first run")
    parser.add_argument("--run-dir", type=Path, help="a local stack that runs, in the place of a fresh one")
    options = parser.parse_args(arguments)
    if not options.alerts // 2:
        parser.error("--alerts has to be 2 or more: half of them go into each region's queue")
    with local_stack(options.run_dir) as (emulator, deployment):
        return _Redrive(emulator, deployment, rate=options.rate).run(options.how, options.alerts)


class _Redrive:
    """Runs of the command against one stack, and what is left of what was put into its queues."""

    def __init__(self, emulator: Emulator, deployment: Deployment, *, rate: float) -> None:
        self._deployment = deployment
        self.emulator = emulator
        self._words = [RESPONDER, "dlq", "redrive", "--yes", "--json", "--rate", f"{rate:g}"]
        self._words += ["--run-dir", str(emulator.run_dir)]
        self._alerts: list[Alert] = []
        self._poison = 0

    def run(self, how: str, count: int) -> int:
        since_ms = time.time_ns() // 1_000_000
        say(f"writing {count:,} alerts and their wake-ups")
        for endpoints in self._deployment.regions:
            self._alerts += _seed(self._deployment, endpoints, count // 2)
        self._poison = self._left() - len(self._alerts)
        HOW[how](self)
        runs = [self._again()]
        while runs[-1][0] and len(runs) < RUNS_MAX.get(how, 1):
            runs.append(self._again())
        code, at_rest = runs[-1]
        say("waiting until all rest")
        ids = [alert.alert_id for alert in self._alerts]
        still_open = wait_for(lambda: self._open(ids), lambda left: not left, within_s=REST_WITHIN_S)
        receipts = [
            Receipt(one.alert_id, "RECEIVED", one.region, one.accepted_at_ms, one.accepted_at_ms)
            for one in self._alerts
        ]
        audit = audit_stack(
            self._deployment,
            receipts=receipts,
            slack=self.emulator.slack_messages(),
            window=Window(since_ms=since_ms),
        )
        left = self._left()
        good = audit.passed and not (audit.duplicates or audit.parked or still_open or code)
        good = good and left == self._poison + at_rest
        sys.stdout.write(
            f"{len(ids):,} wake-ups and {self._poison:,} poison, redrive {how}, then run {len(runs)} times\n"
            f"audit: accepted {audit.accepted:,}, {Status.NOTIFIED} {audit.notified:,} "
            f"({audit.in_digests:,} in digests), {PARKED} {audit.parked}, lost {audit.unaccounted}, "
            f"notified twice {audit.duplicates}, open {len(still_open)}\n"
            f"still dead {left:,}, of {self._poison:,} poison and {at_rest:,} that were at rest\n"
            f"{'PASSED' if good else 'FAILED'}\n"
        )
        for subject, problem in (*audit.problems.items(), *audit.unexplained.items()):
            say(f"{subject}: {problem}")
        return int(not good)

    def _again(self) -> tuple[int, int]:
        """The exit code of another run, and how many it left that were at rest."""
        with self.running() as run:
            queues = self.end(run, "run again")
        return run.returncode, sum(queue["left"].get("at-rest", 0) for queue in queues)

    @contextmanager
    def running(self) -> Iterator[Process]:
        """A run, which does not outlive this."""
        pipe = subprocess.PIPE
        with subprocess.Popen(self._words, stdout=pipe, stderr=pipe, text=True) as run:
            try:
                yield run
            finally:
                run.kill()

    def end(self, run: Process, what: str) -> list[Any]:
        """Wait for its end, and tell its exit code and what it said; return what became of the queues."""
        out, err = run.communicate(timeout=_STOP_WITHIN_S)
        queues = [one for one in json.loads(out or "[]") if one["queue"] == DISTRIBUTION_DLQ.suffix]
        told = [f"{one['region']}: redriven {one['redriven']}, left {one['left']}" for one in queues]
        say(f"{what}: exit {run.returncode}")
        for line in (*told, *(line for line in err.splitlines() if not line.startswith("  "))):
            say(f"    {line}")
        return queues

    def stop(self, how: str, stop: Callable[[Process], object], *, share: float, code: int) -> None:
        """Run it, and stop it once only so much of the wake-ups is left; `code` is that of a run so stopped.

        Raises:
            RuntimeError: it ended otherwise, or by itself.
        """
        most = self._poison + share * len(self._alerts)
        with self.running() as run:
            left = wait_for(
                self._left,
                lambda left: left <= most or run.poll() is not None,
                within_s=_STOP_WITHIN_S,
                polls_s=_POLLS_S,
            )
            stop(run)
            self.end(run, how)
        if left > most or run.returncode != code:
            raise RuntimeError(
                f"the run was not {how} on its way: exit {run.returncode} in the place of {code}, with "
                f"{left - self._poison:,} wake-ups left; try more --alerts, or a lower --rate"
            )

    def _left(self) -> int:
        """How many messages lie in the dead-letter queues, hidden ones included."""
        clients = self._deployment.clients
        return sum(
            message_count(clients.client("sqs", each.region), each.queue_url(DISTRIBUTION_DLQ))
            for each in self._deployment.regions
        )

    def _open(self, ids: Sequence[str]) -> list[str]:
        """The alerts that are not NOTIFIED."""
        dynamodb = self._deployment.clients.client("dynamodb", self._deployment.primary.region)
        items = read_items(dynamodb, self._deployment.alerts_table, ids, attributes=("status",))
        still_open = [one["alert_id"]["S"] for one in items if one["status"]["S"] != Status.NOTIFIED]
        say(f"    {len(still_open):,} open")
        return still_open


def _killed(redrive: _Redrive, *shares: float) -> None:
    for share in shares or (1 / 2,):
        redrive.stop("killed", Process.kill, share=share, code=-signal.SIGKILL)


def _interrupted(redrive: _Redrive) -> None:
    redrive.stop(
        "interrupted", lambda run: run.send_signal(signal.SIGINT), share=1 / 2, code=INTERRUPTED_CODE
    )


def _doubled(redrive: _Redrive) -> None:
    with redrive.running() as one, redrive.running() as other:
        told = [redrive.end(run, f"run {n} of two at once") for n, run in enumerate((one, other), 1)]
    if not all(any(queue["redriven"] for queue in queues) for queues in told):
        raise RuntimeError("one run did all, so they were not two at once; try more --alerts")


def _cut(redrive: _Redrive) -> None:
    region = redrive.emulator.regions[1]
    try:
        redrive.stop("cut", lambda _: redrive.emulator.cut(region), share=3 / 4, code=1)
    finally:
        redrive.emulator.bring_back(region)


HOW: Final[Mapping[str, Callable[[_Redrive], None]]] = {
    "killed": _killed,
    "killed-twice": lambda redrive: _killed(redrive, 2 / 3, 1 / 3),
    "interrupted": _interrupted,
    "doubled": _doubled,
    "cut": _cut,
}
"""What becomes of the first run, before it is run again."""


def _seed(deployment: Deployment, endpoints: RegionEndpoints, count: int) -> list[Alert]:
    """Alerts that wait to be told, and in the dead-letter queue their wake-ups and poison."""
    alerts = [_alert(n, endpoints.region) for n in range(count)]
    dynamodb = deployment.clients.client("dynamodb", endpoints.region)
    put_all(dynamodb, deployment.alerts_table, [item_of(attributes_of(alert)) for alert in alerts])
    bodies = [json.dumps({"alert_id": alert.alert_id}) for alert in alerts]
    bodies += [f"poison {n}" for n in range(count // POISON_EACH)]
    url, sqs = endpoints.queue_url(DISTRIBUTION_DLQ), deployment.clients.client("sqs", endpoints.region)
    for start in range(0, len(bodies), SQS_BATCH_MAX):
        some = bodies[start : start + SQS_BATCH_MAX]
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(some)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    return alerts


def _alert(number: int, region: str) -> Alert:
    now_ms = time.time_ns() // 1_000_000
    body = {"source": "redrive", "title": f"Disk {number} full", "message": "m", "severity": "LOW"}
    incoming = FORMAT.parse(body, {})[0]
    row = new_row(
        incoming,
        alert_id=f"a{number:06d}{region.replace('-', '')}{now_ms:x}",
        identity="i" * 64,
        change=Change.of(incoming, accepted_at_ms=now_ms),
        body_hash="b" * 64,
        at_ms=now_ms,
        region=region,
        body_format="generic",
    )
    due_at = row.timestamp + NOT_DUE_S
    return analyzed(received(row, due_at=due_at), _ANALYSIS, due_at=due_at)


if __name__ == "__main__":
    raise SystemExit(main())
