"""Measures what `responder alerts list` reads of a large ledger: `make bench-list ALERTS=200000`.

Puts so many alerts into the ledger of a fresh local stack, then lists some of them by the command itself.
What it read is what DynamoDB answers as consumed capacity and as rows. Of the capacity it has to have added
up every call: where nobody else reads, its sum is what the embedded AWS answered in all. Exit 1 if more was
read than the case allows, or less than rows of their size take.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from benchmarks.local_stack import RESPONDER, local_stack, put_all, say
from clients.deployment import Deployment
from emulator.client import Emulator
from handlers.adapters.aws.items import item_of
from topology.alerts import SCHEMA, Severity, Status, open_key, parked_key
from topology.limits import DYNAMODB_READ_UNIT_BYTES
from topology.tables import TIMESTAMP_INDEX

_BATCH: Final = 1_000
ALERTS_MIN: Final = 1_200
"""So that there are as many as the longest list shows."""

_TEXT: Final = "x" * 400
_ROW_BYTES: Final = (1_100, 1_200)
_OPEN_INDEX_BYTES: Final = (80, 160)
"""Of a row of the ledger, and of what the index of open alerts has of it, at least and at most."""

_SOURCES: Final = 40
OPEN: Final = 60
PARKED: Final = 20
"""The newest of the alerts; none of the open ones is due while this runs."""

NOT_DUE_S: Final = 86_400
SEVERITIES: Final = (Severity.CRITICAL, *[Severity.INFO] * 9)
"""In turn, an alert a second."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A list of alerts: how many it has to show, and how many rows it may read for that.

    `keys`: how many of the index are asked for. `by_id`: each row is read by itself too, from the table.
    `shared`: Recovery reads in the index as well.
    """

    words: Sequence[str]
    shown: int
    rows_max: int
    keys: int = 1
    by_id: bool = False
    shared: bool = False

    def is_within(self, rows: int, units: float) -> bool:
        """Half a unit for each four kilobytes, and for each key's last page; by id, one for each row too."""
        sizes = _OPEN_INDEX_BYTES if self.by_id else _ROW_BYTES
        least, most = (rows * (size / DYNAMODB_READ_UNIT_BYTES / 2 + self.by_id) for size in sizes)
        return max(self.shown, 1) <= rows <= self.rows_max and least <= units <= most + self.keys / 2


def cases(now_s: int, number: int) -> list[Case]:
    """What is asked of a ledger that has one alert for each second before `now_s`."""
    middle_s = now_s - number // 2
    between = ("--since", _text(middle_s - 99), "--until", _text(middle_s))
    some = [
        Case(words=("--severity", "INFO", "--limit", str(n)), shown=n, rows_max=n) for n in (1, 50, 1_000)
    ]
    return [
        *some,
        Case(words=("--severity", "INFO", "--limit", "1000", *between), shown=90, rows_max=90),
        Case(words=("--severity", "CRITICAL", *between), shown=10, rows_max=10, shared=True),
        Case(words=("--limit", "50", *between), shown=50, rows_max=50 + 2 * 10, keys=5, shared=True),
        Case(words=("--open", "--limit", "1000"), shown=OPEN, rows_max=OPEN, keys=10, by_id=True),
        Case(words=("--open", "--severity", "INFO"), shown=50, rows_max=50, keys=2, by_id=True),
        Case(words=("--status", "PARKED"), shown=PARKED, rows_max=PARKED, keys=2, by_id=True),
        Case(words=("source=bench-7", "--severity", "INFO", "--limit", "5"), shown=5, rows_max=400),
        Case(words=("title=none", "--severity", "INFO"), shown=0, rows_max=5_000),
        Case(words=("title=none", "--read-max", "20000"), shown=0, rows_max=20_400, keys=5, shared=True),
    ]


def main() -> int:
    """Fill the ledger, and print a line for each list; returns the exit code."""
    parser = argparse.ArgumentParser(description="What a list of alerts reads of a large ledger.")
    parser.add_argument("--alerts", type=int, default=200_000)
    parser.add_argument("--run-dir", type=Path, help="a local stack that runs, in the place of a fresh one")
    options = parser.parse_args()
    if options.alerts < ALERTS_MIN:
        parser.error(f"--alerts has to be {ALERTS_MIN:,} or more, or the longest list would find too few")
    with local_stack(options.run_dir) as (emulator, deployment):
        now_s = int(time.time())
        _fill(deployment, options.alerts, now_s)
        good = [_is_good(emulator, deployment, case) for case in cases(now_s, options.alerts)]
    sys.stdout.write(f"{'PASSED' if all(good) else 'FAILED'}: {sum(good)} of {len(good)} lists\n")
    return 0 if all(good) else 1


def _is_good(emulator: Emulator, deployment: Deployment, case: Case) -> bool:
    index = f"{deployment.alerts_table}/index/{TIMESTAMP_INDEX.name}"
    before, begun = _read(emulator, index), time.monotonic()
    command = [RESPONDER, "alerts", "list", "--json", "--run-dir", str(emulator.run_dir), *case.words]
    command += [] if "--since" in case.words else ["--since", "30d"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took_s, counted = time.monotonic() - begun, _read(emulator, index) - before
    if done.returncode:
        sys.stdout.write(f"FAILED {' '.join(case.words)}: exit {done.returncode}: {done.stderr.strip()}\n")
        return False
    listed = json.loads(done.stdout)
    shown, rows, units = len(listed["alerts"]), listed["rows_read"], listed["read_units"]
    good = shown == case.shown and case.is_within(rows, units)
    good = good and (case.by_id or counted == units or (case.shared and counted > units))
    sys.stdout.write(
        f"{'ok    ' if good else 'FAILED'} {' '.join(case.words)}: shown {shown}, rows read {rows} "
        f"(at most {case.rows_max}), {units:g} read units (counted {counted:g}), {took_s:.1f} s\n"
    )
    sys.stdout.flush()
    return bool(good)


def _read(emulator: Emulator, index: str) -> float:
    used = [usage.tables[index].reads for usage in emulator.usage().values() if index in usage.tables]
    return sum(used)


def _fill(deployment: Deployment, number: int, now_s: int) -> None:
    dynamodb = deployment.clients.client("dynamodb", deployment.primary.region)
    say(f"writing {number:,} alerts")

    def put(rows: Sequence[Mapping[str, Any]]) -> int:
        put_all(dynamodb, deployment.alerts_table, rows)
        return len(rows)

    with ThreadPoolExecutor(4) as pool:
        for done in accumulate(pool.map(put, _batches(deployment, number, now_s))):
            if done % (10 * _BATCH) == 0:
                say(f"    {done:,} written")


def _batches(deployment: Deployment, number: int, now_s: int) -> Iterator[list[Mapping[str, Any]]]:
    """The oldest first, as alerts come."""
    region = deployment.primary.region
    for start in range(number, 0, -_BATCH):
        yield [item_of(_row(n, now_s - n, region)) for n in range(start - 1, max(start - _BATCH, 0) - 1, -1)]


def _row(number: int, at_s: int, region: str) -> dict[str, Any]:
    severity = SEVERITIES[at_s % len(SEVERITIES)]
    row = {
        "alert_id": f"a{number:032x}",
        "schema": SCHEMA,
        "severity": severity.value,
        "timestamp": at_s,
        "created_at": _text(at_s),
        "accepted_at_ms": at_s * 1_000,
        "region": region,
        "owner": region,
        "format": "generic",
        "source": f"bench-{at_s % _SOURCES}",
        "title": f"Number {number}",
        "message": _TEXT,
        "identity": f"{number:064x}",
        "raw": _TEXT,
    }
    if number < OPEN:
        due_at = at_s + NOT_DUE_S
        return row | {
            "status": Status.ANALYZED.value,
            "open_key": open_key(region, severity),
            "due_at": due_at,
        }
    if number < OPEN + PARKED:
        return row | {"status": Status.PARKED.value, "open_key": parked_key(region), "due_at": at_s}
    told = {"status": Status.NOTIFIED.value, "notified_at_ms": at_s * 1_000 + 2_000}
    return row | told | {"expires_at": at_s + 90 * 86_400}


def _text(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    raise SystemExit(main())
