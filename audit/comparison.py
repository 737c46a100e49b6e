"""Compares the records on disk: they are streamed into a DuckDB database of a temporary folder and joined."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from audit import queries
from audit.database import Database
from audit.ledger import LedgerRow
from audit.outcome import CAUSES, IN_DIGEST, MAX_LISTED, NOTIFIED, PARKED, SUPPRESSED, UNEXPLAINED, Audit
from clients.receipts import Receipt, Unread


class SlackPost(Protocol):
    """A message as Slack has it: which alerts, digests (id and number of alerts) and follow-ups it shows."""

    @property
    def received_at_ms(self) -> int:
        """When Slack took it."""

    @property
    def alert_ids(self) -> tuple[str, ...]:
        """Alerts with a message of their own."""

    @property
    def digests(self) -> tuple[tuple[str, int], ...]:
        """Digests."""

    @property
    def follow_ups(self) -> tuple[str, ...]:
        """Alerts whose analysis it is."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which alerts are to be accounted for: accepted from `since_ms` on and before `until_ms`."""

    since_ms: int = 0
    until_ms: int = 1 << 62


EVER: Final = Window()


def compare(
    *,
    receipts: Iterable[Receipt | Unread],
    ledgers: Mapping[str, Iterable[LedgerRow]],
    slack: Iterable[SlackPost] | None,
    consistency: str,
    window: Window = EVER,
    problems_file: Path | None = None,
) -> Audit:
    """Compare the receipts with each region's ledger and with Slack; each is read once, from start to end.

    What of the receipts is `Unread` counts if it may be of the window. `slack` None: it cannot be read, and a
    NOTIFIED row is believed. `problems_file` gets every problem, one JSON object a line; the outcome itself
    lists the first `MAX_LISTED`.

    Raises:
        Whatever reading a record raises.
    """
    with Database() as database:
        unread = _Unreads(window)
        database.load("receipts", queries.RECEIPTS, unread.kept_from(receipts))
        database.load("ledger", queries.LEDGER, _ledger_lines(ledgers))
        database.load("slack", queries.SLACK, _slack_lines(slack or ()))
        regions = sorted(ledgers)
        database.values = {
            "since_ms": window.since_ms,
            "until_ms": window.until_ms,
            "regions": len(regions),
            "names": regions,
            "slack": slack is not None,
        }
        for query in (*queries.PREPARE, queries.FINDINGS, queries.STRANGE_MESSAGES):
            database.run(query)
        return _outcome(
            database, unread, consistency, slack_read=slack is not None, problems_file=problems_file
        )


class _Unreads:
    """What of the receipts cannot be read and may be of the window: all are counted, the first are listed."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.count = 0
        self.parts: dict[str, str] = {}

    def kept_from(self, parts: Iterable[Receipt | Unread]) -> Iterator[Receipt]:
        for part in parts:
            if isinstance(part, Receipt):
                yield part
            elif part.since_ms < self._window.until_ms and part.until_ms >= self._window.since_ms:
                self.count += 1
                if len(self.parts) < MAX_LISTED:
                    self.parts[part.where] = part.why


def _outcome(
    database: Database, unread: _Unreads, consistency: str, *, slack_read: bool, problems_file: Path | None
) -> Audit:
    by_region: dict[str, dict[str, int]] = {}
    for region, status, count, in_digest in database.rows(queries.COUNTS):
        states = by_region.setdefault(region, {})
        states[status] = count
        if in_digest:
            states[IN_DIGEST] = in_digest
    duplicates, shortfall_unexplained = _duplicates(database)
    unexplained = [queries.UNEXPLAINED, *([queries.SHORT_DIGESTS] if shortfall_unexplained else [])]
    if problems_file is not None:
        _write_problems(problems_file, database, [queries.PROBLEMS, *unexplained], unread)
    digests, verified = database.row(queries.DIGESTS)

    def in_state(state: str) -> int:
        return sum(states.get(state, 0) for states in by_region.values())

    return Audit(
        consistency=consistency,
        accepted=database.row(queries.ACCEPTED)[0],
        notified=in_state(NOTIFIED),
        in_digests=in_state(IN_DIGEST),
        suppressed=in_state(SUPPRESSED),
        parked=in_state(PARKED),
        digests=digests,
        digests_verified=verified,
        unaccounted=database.row(queries.UNACCOUNTED)[0],
        unreceipted=database.row(queries.UNRECEIPTED)[0],
        by_region=by_region,
        duplicates_by_cause=duplicates if slack_read else None,
        problems=dict(islice(database.rows(queries.PROBLEMS), MAX_LISTED)),
        unexplained=dict(islice((row for query in unexplained for row in database.rows(query)), MAX_LISTED)),
        unread=unread.count,
        unread_parts=unread.parts,
    )


def _duplicates(database: Database) -> tuple[dict[str, int], int]:
    """Duplicates by cause, and how many members of digests are among the unexplained ones.

    A digest names its members by a hash only. So which ones were posted and not recorded cannot be told; the
    possible duplicates that rows have left over must be enough for all of them.
    """
    *explained, unexplained, spare_unknown, spare_abandoned, spare_moved = database.row(queries.SURPLUS)
    counts = dict(zip(CAUSES, explained, strict=True))
    [missing] = database.row(queries.SHORTFALL)
    for cause, spare in zip(CAUSES, (spare_unknown, spare_abandoned, spare_moved), strict=True):
        covered = min(missing, spare)
        counts[cause] += covered
        missing -= covered
    return {**counts, UNEXPLAINED: unexplained + missing}, missing


def _ledger_lines(ledgers: Mapping[str, Iterable[LedgerRow]]) -> Iterator[Mapping[str, Any]]:
    for region, rows in ledgers.items():
        for row in rows:
            yield {"read_in": region, **vars(row)}


def _slack_lines(posts: Iterable[SlackPost]) -> Iterator[Mapping[str, Any]]:
    for post in posts:
        for kind, ids in (("alert", post.alert_ids), ("follow_up", post.follow_ups)):
            for alert_id in ids:
                yield {"kind": kind, "id": alert_id, "received_at_ms": post.received_at_ms}
        for digest_id, members in post.digests:
            yield {
                "kind": "digest",
                "id": digest_id,
                "members": members,
                "received_at_ms": post.received_at_ms,
            }


def _write_problems(path: Path, database: Database, questions: Sequence[str], unread: _Unreads) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    answers = (row for question in questions for row in database.rows(question))
    with path.open("wb") as out:
        for subject, problem in chain(unread.parts.items(), answers):
            out.write(msgspec.json.encode({"id": subject, "problem": problem}) + b"\n")
