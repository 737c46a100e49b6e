"""Has a redrive stopped on its way and run again: `make bench-redrive`, or `python -m benchmarks.redrive`.

It writes alerts that are not at rest into the ledger of a fresh local stack, none of them due for Recovery,
and their wake-ups into the dead-letter queues of both regions, with poison between. It starts `responder dlq
redrive`, stops it as `--how` says, runs it again, and waits until all rest. It exits 1 unless the audit, by
what was written, each region's ledger and what Slack received, finds every alert and no duplicate.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from audit.comparison import Window
from audit.outcome import PARKED
from audit.stack import audit_stack
from benchmarks.local_stack import RESPONDER, local_stack, say
from clients.deployment import Deployment, RegionEndpoints
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
RUNS_MAX: Final = 3
_WRITTEN_AT_ONCE: Final = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""

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
    with local_stack(options.run_dir) as (emulator, deployment):
        return _Redrive(emulator, deployment, rate=options.rate).run(options.how, options.alerts)


class _Redrive:
    """Runs of the command against one stack, and what is left of what was put into its queues."""

    def __init__(self, emulator: Emulator, deployment: Deployment, *, rate: float) -> None:
        self._deployment = deployment
        self.emulator = emulator
        self._words = [RESPONDER, "dlq", "redrive", "--yes", "--rate", f"{rate:g}"]
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
        codes = [self.end(self.start(), "run again")]
        while codes[-1] and len(codes) < RUNS_MAX:
            codes.append(self.end(self.start(), "run again"))
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
        rest = self._left() - self._poison
        good = audit.passed and not (audit.duplicates or audit.parked or still_open or codes[-1])
        sys.stdout.write(
            f"{len(ids):,} wake-ups and {self._poison:,} poison, redrive {how}, then run {len(codes)} times\n"
            f"audit: accepted {audit.accepted:,}, {Status.NOTIFIED} {audit.notified:,} "
            f"({audit.in_digests:,} in digests), {PARKED} {audit.parked}, lost {audit.unaccounted}, "
            f"notified twice {audit.duplicates}, open {len(still_open)}, at rest but still dead {rest}\n"
            f"{'PASSED' if good else 'FAILED'}\n"
        )
        for subject, problem in (*audit.problems.items(), *audit.unexplained.items()):
            say(f"{subject}: {problem}")
        return int(not good)

    def start(self) -> Process:
        return subprocess.Popen(self._words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for_share(self, share: float) -> None:
        """Wait until only so much of the wake-ups is left."""
        most = self._poison + share * len(self._alerts)
        wait_for(self._left, lambda left: left <= most, within_s=_STOP_WITHIN_S)

    def end(self, run: Process, what: str, *, by: signal.Signals | None = None) -> int:
        """Send it the signal, if there is one, wait for its end, and tell its exit code and what it said."""
        if by is not None:
            run.send_signal(by)
        out, err = run.communicate(timeout=_STOP_WITHIN_S)
        words = [line for line in (out + err).splitlines() if not line.startswith("  ")]
        say(f"{what}: exit {run.returncode}")
        for line in words:
            say(f"    {line}")
        return run.returncode

    def _left(self) -> int:
        return _left(self._deployment)

    def _open(self, ids: Sequence[str]) -> list[str]:
        """The alerts that are not NOTIFIED."""
        dynamodb = self._deployment.clients.client("dynamodb", self._deployment.primary.region)
        items = read_items(dynamodb, self._deployment.alerts_table, ids, attributes=("status",))
        still_open = [one["alert_id"]["S"] for one in items if one["status"]["S"] != Status.NOTIFIED]
        say(f"    {len(still_open):,} open")
        return still_open


def _killed(redrive: _Redrive, *shares: float) -> None:
    for share in shares or (1 / 2,):
        run = redrive.start()
        redrive.wait_for_share(share)
        redrive.end(run, "killed", by=signal.SIGKILL)


def _interrupted(redrive: _Redrive) -> None:
    run = redrive.start()
    redrive.wait_for_share(1 / 2)
    redrive.end(run, "interrupted", by=signal.SIGINT)


def _doubled(redrive: _Redrive) -> None:
    runs = [redrive.start(), redrive.start()]
    for number, run in enumerate(runs, 1):
        redrive.end(run, f"run {number} of two at once")


def _cut(redrive: _Redrive) -> None:
    run = redrive.start()
    redrive.wait_for_share(3 / 4)
    region = redrive.emulator.regions[1]
    redrive.emulator.cut(region)
    redrive.end(run, f"{region} cut")
    redrive.emulator.reconnect(region)


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
    for start in range(0, count, _WRITTEN_AT_ONCE):
        rows = alerts[start : start + _WRITTEN_AT_ONCE]
        puts = [{"PutRequest": {"Item": item_of(attributes_of(row))}} for row in rows]
        unwritten = dynamodb.batch_write_item(RequestItems={deployment.alerts_table: puts})
        if unwritten.get("UnprocessedItems"):
            raise RuntimeError("the ledger is too busy to be filled; try again")
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


def _left(deployment: Deployment) -> int:
    """How many messages lie in the dead-letter queues, hidden ones included."""
    return sum(
        message_count(
            deployment.clients.client("sqs", endpoints.region), endpoints.queue_url(DISTRIBUTION_DLQ)
        )
        for endpoints in deployment.regions
    )


if __name__ == "__main__":
    raise SystemExit(main())
