"""Measures the audit at scale: `make bench-audit`, or `python -m benchmarks.audit --alerts 1000000`.

It writes the records of a pipeline that went through a storm to files, plants one fault of each kind, streams
the files through the comparison, and prints time and peak memory. Exits 1 unless exactly the planted faults
are found. What it leaves out is reading a real ledger, which is DynamoDB's time and not the audit's.
"""

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from audit.comparison import compare
from audit.ledger import LedgerRow
from audit.outcome import CAUSES
from clients.receipts import BodyReceipt, Member, scan_receipts

REGIONS: Final = ("us-east-1", "us-west-2")
DIGEST_SIZE: Final = 100
_CYCLE: Final = 1_000
"""Alerts in a cycle, in order: 300 in digests, 300 faults and their resolutions, 300 others, 98 repeats of
these, 2 PARKED."""

_EPISODE_MS: Final = 60_000

T = TypeVar("T")


class _Message(msgspec.Struct, frozen=True):
    """A Slack message; a `SlackPost`."""

    received_at_ms: int
    alert_ids: tuple[str, ...] = ()
    digests: tuple[tuple[str, int], ...] = ()
    follow_ups: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Files:
    receipts: Path
    ledgers: tuple[Path, Path]
    slack: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the records, audit them, and print the figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1_000_000)
    count = parser.parse_args(arguments).alerts
    with tempfile.TemporaryDirectory(prefix="audit-bench-") as folder:
        files, planted = _synthesize(Path(folder), count)
        before_mb, begun = _peak_mb(), time.monotonic()
        audit = compare(
            receipts=scan_receipts(files.receipts),
            ledgers={
                region: _read(path, LedgerRow) for region, path in zip(REGIONS, files.ledgers, strict=True)
            },
            slack=_read(files.slack, _Message),
            consistency="strong",
        )
        took_s = time.monotonic() - begun
    named = set(audit.problems) | set(audit.unexplained)
    sys.stdout.write(
        f"{audit.accepted:,} receipts, 2 ledgers, {audit.digests:,} digests "
        f"({audit.digests_verified:,} verified), {audit.duplicates:,} duplicates: {took_s:.1f} s, "
        f"peak memory {_peak_mb():.0f} MB ({before_mb:.0f} MB before)\n"
        f"planted {len(planted)} faults, named {len(named & planted)}, and {len(named - planted)} others\n"
    )
    return 0 if named == planted else 1


def _synthesize(folder: Path, count: int) -> tuple[_Files, set[str]]:
    """Write the records of `count` alerts; returns the ids that an audit must name, and no others."""
    files = _Files(
        folder / "receipts.jsonl", (folder / "east.jsonl", folder / "west.jsonl"), folder / "slack.jsonl"
    )
    planted: set[str] = set()
    encode = msgspec.json.Encoder().encode
    with (
        files.receipts.open("wb") as receipts,
        files.ledgers[0].open("wb") as east,
        files.ledgers[1].open("wb") as west,
        files.slack.open("wb") as slack,
    ):
        for start in range(0, count, _CYCLE):
            rows, messages = _cycle(start)
            here, there = rows, rows
            if start == 0:
                rows = _silence(rows)
                here, there, messages, planted = _plant(rows, messages)
                planted |= {rows[997].alert_id, f"body:{_hash_of(rows[310])} member 1"}
            receipts.writelines(
                encode(_receipt(row, sent=2 if start == 0 and row is rows[310] else 1)) + b"\n"
                for row in rows
            )
            for ledger, its_rows in ((east, here), (west, there)):
                ledger.writelines(encode(row) + b"\n" for row in its_rows)
            slack.writelines(encode(message) + b"\n" for message in messages)
    return files, planted


def _hash_of(row: LedgerRow) -> str:
    return hashlib.sha256(row.alert_id.encode()).hexdigest()


def _receipt(row: LedgerRow, *, sent: int) -> BodyReceipt:
    """The receipt of a body with this alert, and members that were lost."""
    sent_ms = (row.accepted_at_ms or 0) - 20
    alert = Member(
        index=0, alert_id=row.alert_id, status=row.status, fault_key=row.fault_key, state=row.state
    )
    return BodyReceipt(
        body_hash=_hash_of(row),
        region=row.region,
        first_sent_at_ms=sent_ms,
        sent_at_ms=sent_ms,
        accepted_at_ms=sent_ms + 30,
        sent=sent,
        members=(alert,),
    )


def _silence(rows: list[LedgerRow]) -> list[LedgerRow]:
    """The fault of a repeat was resolved and came back before it, and the repeat stayed SUPPRESSED."""
    silenced, repeated, resolved = list(rows), rows[897], 799
    changed_ms = repeated.changed_at_ms or 0
    silenced[resolved] = replace(
        rows[resolved],
        fault_key=repeated.fault_key,
        state="resolved",
        changed_at_ms=changed_ms + _EPISODE_MS,
    )
    silenced[997] = replace(rows[997], changed_at_ms=changed_ms + 2 * _EPISODE_MS)
    return silenced


def _cycle(start: int) -> tuple[list[LedgerRow], list[_Message]]:
    """The rows of `_CYCLE` alerts and the messages about them; a few were posted twice, as their rows say."""
    ids = ["a" + hashlib.sha256(str(start + n).encode()).hexdigest()[:32] for n in range(_CYCLE)]
    rows: list[LedgerRow] = []
    messages: list[_Message] = []
    for n, alert_id in enumerate(ids):
        at_ms = 1_800_000_000_000 + start + n
        row = LedgerRow(
            alert_id=alert_id,
            status="NOTIFIED",
            region=REGIONS[n % 2],
            owner=REGIONS[n % 2],
            accepted_at_ms=at_ms,
            notified_at_ms=at_ms + 900,
            fault_key=hashlib.sha256(alert_id.encode()).hexdigest()[:32],
            state="firing",
            changed_at_ms=at_ms,
        )
        if n < 300:  # noqa: PLR2004 - see `_CYCLE`
            first = n - n % DIGEST_SIZE
            members = sorted(ids[first : first + DIGEST_SIZE])
            digest_id = "d" + hashlib.sha256("\n".join(members).encode()).hexdigest()[:32]
            row = replace(row, digest_id=digest_id)
            if n == first:
                messages.append(_Message(at_ms + 900, digests=((digest_id, DIGEST_SIZE),)))
        elif n < 900:  # noqa: PLR2004 - see `_CYCLE`
            if n < 600 and n % 2:  # noqa: PLR2004 - see `_CYCLE`
                row = replace(
                    row, fault_key=rows[-1].fault_key, state="resolved", changed_at_ms=at_ms + _EPISODE_MS
                )
            messages.append(_Message(at_ms + 900, (alert_id,)))
            if n % 50 == 0:
                messages.append(_Message(at_ms + 1_900, (alert_id,)))
                cause = CAUSES[n // 50 % 3]
                row = replace(
                    row,
                    outcome_unknown=int(cause == "outcome_unknown"),
                    lease_expired=int(cause == "lease_expired"),
                    ownership_transferred=int(cause == "ownership_transferred"),
                )
        elif n < 998:  # noqa: PLR2004 - see `_CYCLE`
            row = replace(
                row,
                alert_id=f"{ids[n - 100]}.{n:08x}",
                status="SUPPRESSED",
                parent_id=ids[n - 100],
                fault_key=rows[n - 100].fault_key,
                notified_at_ms=None,
            )
        else:
            row = replace(row, status="PARKED", notified_at_ms=None)
        rows.append(row)
    return rows, messages


def _plant(
    rows: list[LedgerRow], messages: list[_Message]
) -> tuple[list[LedgerRow], list[LedgerRow], list[_Message], set[str]]:
    """One fault of each kind in the first cycle, each at an alert of its own."""
    lost, overwritten, unsent, twice, in_digest = rows[301], rows[302], rows[303], rows[304], rows[0]
    here = [row for row in rows if row != lost]
    there = [replace(row, status="RECEIVED") if row == overwritten else row for row in here]
    kept = [
        message
        for message in messages
        if unsent.alert_id not in message.alert_ids
        and (in_digest.digest_id, DIGEST_SIZE) not in message.digests
    ]
    kept.append(_Message(kept[0].received_at_ms, (twice.alert_id,)))
    members = {row.alert_id for row in rows if row.digest_id == in_digest.digest_id}
    named = {lost.alert_id, overwritten.alert_id, unsent.alert_id, twice.alert_id} | members
    return here, there, kept, named


def _read(path: Path, kind: type[T]) -> Iterator[T]:
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def _peak_mb() -> float:
    """Peak memory of this process so far. Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
