"""Compares the records on disk: they are streamed into a DuckDB database of a temporary folder and joined."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from audit import changes, queries
from audit.database import Database
from audit.ledger import LedgerRow
from audit.outcome import (
    CAUSES,
    IN_DIGEST,
    MAX_LISTED,
    MEMBERS,
    NOTIFIED,
    PARKED,
    SUPPRESSED,
    UNEXPLAINED,
    Audit,
)
from clients.receipts import BodyReceipt, Receipt, Unread
from topology.alerts import CLOCK_ERROR_S


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
        """Digests, each with its number of alerts."""

    @property
    def follow_ups(self) -> tuple[str, ...]:
        """Alerts whose analysis it is."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which alerts are to be accounted for: accepted from `since_ms` on and before `until_ms`."""

    since_ms: int = 0
    until_ms: int = 1 << 62


EVER: Final = Window()

SILENCE_LOOK_S: Final = 1_800
"""After a silence's end Recovery has looked at what it hid by then: twice the time after which one region
acts for the other by default (`takeoverAfterS`)."""


def compare(
    *,
    receipts: Iterable[Receipt | BodyReceipt | Unread],
    ledgers: Mapping[str, Iterable[LedgerRow]],
    slack: Iterable[SlackPost] | None,
    consistency: str,
    window: Window = EVER,
    problems_file: Path | None = None,
    now_ms: int | None = None,
) -> Audit:
    """Compare the receipts with each region's ledger and with Slack; each is read once, from start to end.

    What of the receipts is `Unread` counts if it may be of the window. `slack` None: it cannot be read, and a
    NOTIFIED row is believed. `problems_file` gets every problem, one JSON object a line; the outcome itself
    lists the first `MAX_LISTED`. `now_ms`: when the ledgers are read, if not now.

    Raises:
        Whatever reading a record raises.
    """
    with Database() as database:
        read = _ReceiptsRead(window)
        database.load("receipts", queries.RECEIPTS, read.alerts_of(receipts))
        for region, rows in (ledgers or {"": ()}).items():
            database.load("ledger", queries.LEDGER, rows, read_in=region)
        database.load("slack", queries.SLACK, _slack_lines(slack or ()))
        regions = sorted(ledgers)
        database.values = {
            "since_ms": window.since_ms,
            "until_ms": window.until_ms,
            "regions": len(regions),
            "names": regions,
            "slack": slack is not None,
            "clocks_ms": CLOCK_ERROR_S * 1_000,
            "eventual": consistency != "strong",
            "now_ms": time.time_ns() // 1_000_000 if now_ms is None else now_ms,
            "look_ms": SILENCE_LOOK_S * 1_000,
        }
        for query in (
            *queries.PREPARE,
            *changes.PREPARE,
            queries.FINDINGS,
            queries.STRANGE_MESSAGES,
            queries.UNTOLD_UNRECEIPTED,
        ):
            database.run(query)
        return _outcome(
            database, read, consistency, slack_read=slack is not None, problems_file=problems_file
        )


class _ReceiptsRead:
    """What the receipts say besides alerts: the members of their bodies, and what cannot be read.

    Counts are of what is, or may be, of the window; of what cannot be read the first parts are listed.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self.unread = 0
        self.unread_parts: dict[str, str] = {}
        self.members: Counter[str] = Counter()
        self.bodiless = 0

    def alerts_of(self, parts: Iterable[Receipt | BodyReceipt | Unread]) -> Iterator[Receipt]:
        """Each alert that was promised, and each member that was lost."""
        for part in parts:
            if isinstance(part, BodyReceipt):
                yield from self._members_of(part)
            elif isinstance(part, Receipt):
                self.bodiless += self._in_window(part.accepted_at_ms)
                yield part
            elif part.since_ms < self._window.until_ms and part.until_ms >= self._window.since_ms:
                self.unread += 1
                if len(self.unread_parts) < MAX_LISTED:
                    self.unread_parts[part.where] = part.why

    def _members_of(self, body: BodyReceipt) -> Iterator[Receipt]:
        yield from body.alerts
        answered, refused = len(body.answered), len(body.refused)
        lost = body.sent - answered - refused
        if self._in_window(body.accepted_at_ms):
            for kind, count in zip(MEMBERS, (body.sent, answered, refused, lost), strict=True):
                self.members[kind] += count
        for index in body.lost if lost else ():
            yield Receipt(
                f"{queries.LOST}{body.body_hash} member {index}",
                "",
                body.region,
                body.sent_at_ms,
                body.accepted_at_ms,
            )

    def _in_window(self, at_ms: int) -> bool:
        return self._window.since_ms <= at_ms < self._window.until_ms


def _outcome(
    database: Database, read: _ReceiptsRead, consistency: str, *, slack_read: bool, problems_file: Path | None
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
        _write_problems(problems_file, database, [queries.PROBLEMS, *unexplained], read.unread_parts)
    digests, verified = database.row(queries.DIGESTS)
    known = database.row(changes.KNOWN)
    silenced, acknowledged, escalated, synthetic = database.row(queries.PEOPLE)

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
        unread=read.unread,
        unread_parts=read.unread_parts,
        members={kind: read.members[kind] for kind in MEMBERS} if read.members else None,
        bodiless=read.bodiless,
        untold=database.row(changes.UNTOLD)[0] if any(known) else None,
        told_in_doubt=database.row(queries.TOLD_IN_DOUBT)[0],
        states_known=dict(zip(("sender", "ledger"), known, strict=True)),
        silenced=silenced,
        acknowledged=acknowledged,
        escalated=escalated,
        synthetic=synthetic,
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


def _write_problems(
    path: Path, database: Database, questions: Sequence[str], unread: Mapping[str, str]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    answers = (row for question in questions for row in database.rows(question))
    with path.open("wb") as out:
        for subject, problem in chain(unread.items(), answers):
            out.write(msgspec.json.encode({"id": subject, "problem": problem}) + b"\n")
