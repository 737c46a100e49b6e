"""Measures what `responder alerts list` reads of a large ledger: `make bench-list ALERTS=200000`.

Rests so many alerts of one severity in the ledger of a running local stack, then lists some of them by the
command itself. What was read is counted by the embedded AWS, in DynamoDB's read units by the size of what it
gave (`emulator.aws.metering`), and by DynamoDB's own count of rows. Exit 1 if more was read than is shown.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from clients.deployment import Deployment
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from handlers.adapters.aws.items import item_of
from topology.alerts import SCHEMA, Severity, Status
from topology.limits import DYNAMODB_READ_UNIT_BYTES
from topology.tables import TIMESTAMP_INDEX

_BATCH: Final = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""

_TEXT: Final = "x" * 400
_ROW_BYTES_MAX: Final = 2_048
LIMITS: Final = (1, 50, 1_000)


def main() -> None:
    """Fill the ledger and print a line for each limit."""
    parser = argparse.ArgumentParser(description="What a list of alerts reads of a large ledger.")
    parser.add_argument("--alerts", type=int, default=200_000)
    parser.add_argument("--run-dir", type=Path, required=True)
    options = parser.parse_args()
    emulator = Emulator.attach(options.run_dir)
    deployment = attached_deployment(emulator)
    begun = time.monotonic()
    _fill(deployment, options.alerts)
    sys.stdout.write(f"{options.alerts:,} alerts rest after {time.monotonic() - begun:.0f} s\n")
    worse = [limit for limit in LIMITS if not _is_exact(emulator, deployment, options.run_dir, limit)]
    sys.exit(1 if worse else 0)


def _is_exact(emulator: Emulator, deployment: Deployment, run_dir: Path, limit: int) -> bool:
    index = f"{deployment.alerts_table}/index/{TIMESTAMP_INDEX.name}"
    before, begun = _read(emulator, index), time.monotonic()
    command = [str(Path(sys.executable).with_name("responder")), "alerts", "list", "--severity", "INFO"]
    command += ["--since", "30d", "--limit", str(limit), "--json", "--run-dir", str(run_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took_s, units = time.monotonic() - begun, _read(emulator, index) - before
    listed = json.loads(done.stdout)
    shown = len(listed["alerts"])
    most = max(1.0, shown * _ROW_BYTES_MAX / DYNAMODB_READ_UNIT_BYTES / 2)
    read = f"rows read {listed['rows_read']}, {units:g} read units"
    sys.stdout.write(f"--limit {limit}: shown {shown}, {read}, {took_s:.1f} s\n")
    return bool(shown == listed["rows_read"] == limit and units <= most)


def _read(emulator: Emulator, index: str) -> float:
    used = [usage.tables[index].reads for usage in emulator.usage().values() if index in usage.tables]
    return sum(used)


def _fill(deployment: Deployment, number: int) -> None:
    dynamodb = deployment.clients.client("dynamodb", deployment.primary.region)

    def put(batch: list[dict[str, Any]]) -> None:
        wanted = {deployment.alerts_table: batch}
        while wanted:
            wanted = dynamodb.batch_write_item(RequestItems=wanted).get("UnprocessedItems") or {}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, _batches(deployment, number)))


def _batches(deployment: Deployment, number: int) -> Iterator[list[dict[str, Any]]]:
    now_s, region = int(time.time()), deployment.primary.region
    for start in range(0, number, _BATCH):
        yield [
            {"PutRequest": {"Item": item_of(_row(n, now_s - n, region))}}
            for n in range(start, min(start + _BATCH, number))
        ]


def _row(number: int, at_s: int, region: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "alert_id": f"a{number:032x}",
        "schema": SCHEMA,
        "severity": Severity.INFO.value,
        "status": Status.NOTIFIED.value,
        "timestamp": at_s,
        "created_at": at,
        "accepted_at_ms": at_s * 1_000,
        "notified_at_ms": at_s * 1_000 + 2_000,
        "expires_at": at_s + 90 * 86_400,
        "region": region,
        "owner": region,
        "format": "generic",
        "source": f"bench-{number % 40}",
        "title": f"Number {number}",
        "message": _TEXT,
        "identity": f"{number:064x}",
        "raw": _TEXT,
    }


if __name__ == "__main__":
    main()
