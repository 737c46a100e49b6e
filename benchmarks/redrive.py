"""Has a redrive killed half way and run again: `make bench-redrive`, or `python -m benchmarks.redrive`.

It writes alerts that are not at rest into the ledger of a fresh local stack, none of them due for Recovery,
and their wake-ups into the dead-letter queues of both regions, with poison between. It kills `responder dlq
redrive` (SIGKILL) when half of the wake-ups are gone, runs it again, and waits until all rest. It exits 1
unless each alert was told in Slack exactly once, and only the poison is left.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clients.deployment import Deployment, RegionEndpoints
from clients.queues import message_count
from clients.rows import read_items
from clients.waiting import wait_for
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.local_stack import deploy
from emulator.pulumi.project import stack_config
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of, plain_of
from handlers.domain.alert import Alert, Analysis
from handlers.domain.formats.generic import FORMAT
from handlers.domain.intake.faults import Change
from handlers.domain.intake.rows import new_row
from handlers.domain.states import analyzed, received
from lambda_packages import ROOT
from topology.alerts import Status
from topology.limits import SQS_BATCH_MAX
from topology.names import LOCAL_STACK
from topology.queues import DISTRIBUTION_DLQ

POISON_EACH: Final = 10
NOT_DUE_S: Final = 86_400
REST_WITHIN_S: Final = 3_600.0
_KILL_WITHIN_S: Final = 1_200.0
_WRITTEN_AT_ONCE: Final = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""

_ANALYSIS: Final = Analysis(
    summary="Full", probable_cause="No room", actions=("Clean up",), confidence="high", model="none"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring a stack up, redrive, kill, redrive, count; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=5_000)
    parser.add_argument("--run-dir", type=Path, help="a local stack that runs, in the place of a fresh one")
    options = parser.parse_args(arguments)
    if options.run_dir:
        attached = Emulator.attach(options.run_dir)
        return _run(attached, attached_deployment(attached), options.alerts)
    with tempfile.TemporaryDirectory(prefix="redrive-bench-") as folder:
        regions = stack_config(ROOT, LOCAL_STACK).regions
        with Emulator.start(Path(folder) / "stack", regions=regions) as emulator:
            return _run(emulator, deploy(emulator).deployment, options.alerts)


def _run(emulator: Emulator, deployment: Deployment, count: int) -> int:
    posted = len(emulator.slack_messages())
    ids = [one for endpoints in deployment.regions for one in _seed(deployment, endpoints, count // 2)]
    poison = _left(deployment) - len(ids)
    words = [
        *(str(Path(sys.executable).with_name("responder")), "dlq", "redrive", "--yes", "--json"),
        *("--rate", "1000", "--run-dir", str(emulator.run_dir)),
    ]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        half = poison + len(ids) // 2
        wait_for(lambda: _left(deployment), lambda left: left <= half, within_s=_KILL_WITHIN_S)
        first.kill()
    killed_at = _left(deployment) - poison
    begun = time.monotonic()
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    took_s = time.monotonic() - begun
    tallies = json.loads(again.stdout)
    open_ones = wait_for(lambda: _open(deployment, ids), lambda left: not left, within_s=REST_WITHIN_S)
    told = _told(emulator, deployment, ids, posted)
    lost, twice = [one for one in ids if not told[one]], [one for one in ids if told[one] > 1]
    left = _left(deployment)
    sys.stdout.write(
        f"{len(ids):,} wake-ups and {poison:,} poison; killed with {killed_at:,} left; run again: "
        f"{sum(sum(one['redriven'].values()) for one in tallies):,} redriven, "
        f"{sum(one['left'].get('at-rest', 0) for one in tallies):,} at rest by then, in {took_s:.0f} s, "
        f"exit {again.returncode}\n"
        f"lost {len(lost)}, notified twice {len(twice)}, open {len(open_ones)}, still dead {left:,}\n"
    )
    rested = sum(one["left"].get("at-rest", 0) for one in tallies)
    return int(bool(lost or twice or open_ones or again.returncode or left != poison + rested))


def _seed(deployment: Deployment, endpoints: RegionEndpoints, count: int) -> list[str]:
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
    return [alert.alert_id for alert in alerts]


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


def _rows(deployment: Deployment, ids: Sequence[str]) -> list[Any]:
    dynamodb = deployment.clients.client("dynamodb", deployment.primary.region)
    items = read_items(dynamodb, deployment.alerts_table, ids, attributes=("status", "digest_id"))
    return [*map(plain_of, items)]


def _open(deployment: Deployment, ids: Sequence[str]) -> list[str]:
    """The alerts that are not NOTIFIED."""
    return [row["alert_id"] for row in _rows(deployment, ids) if row["status"] != Status.NOTIFIED]


def _told(emulator: Emulator, deployment: Deployment, ids: Sequence[str], after: int) -> Counter[str]:
    """How often each alert was told in Slack: by itself, or by the digest that its row names."""
    messages = [message for message in emulator.slack_messages(after=after) if not message.edited]
    named = Counter(alert_id for message in messages for alert_id in message.alert_ids)
    digests = Counter(digest_id for message in messages for digest_id, _ in message.digests)
    rows = _rows(deployment, ids)
    return Counter(
        {row["alert_id"]: named[row["alert_id"]] + digests[row.get("digest_id", "")] for row in rows}
    )


if __name__ == "__main__":
    raise SystemExit(main())
