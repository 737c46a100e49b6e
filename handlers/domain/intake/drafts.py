"""What reception works with: rows as they would be, what is stored of them, and what answers for them."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.identity import alert_id_of
from handlers.domain.intake.faults import Change
from topology.alerts import URGENCY, Severity, Status


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it would be if it is the first of its kind, and the id that an earlier one may have.

    `index` is the alert's place in the body. `last_change` is the number of the last change of its fault's
    state, and a part of both ids unless they are made of an `Idempotency-Key`.
    """

    row: Alert
    index: int
    identity: str
    window_s: int
    change: Change
    last_change: int = 0

    @property
    def earlier_id(self) -> str:
        """The id of the same alert in the time bucket before."""
        at_ms = self.row.accepted_at_ms - self.window_s * 1000
        return alert_id_of(self.identity, at_ms=at_ms, window_s=self.window_s, change=self.last_change)

    def after(self, change: int) -> "Draft":
        """The draft after this change of its fault's state."""
        at_ms = self.row.accepted_at_ms
        alert_id = alert_id_of(self.identity, at_ms=at_ms, window_s=self.window_s, change=change)
        return replace(self, row=replace(self.row, alert_id=alert_id), last_change=change)


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of an alert that comes again; `row` is None if it cannot be read."""

    alert_id: str
    row: Alert | None

    @property
    def told(self) -> bool:
        """Whether people are told of it, or will be, so that a repeat may rest under it."""
        return self.row is not None and self.row.status is not Status.PARKED

    @property
    def folds(self) -> bool:
        """Whether it is a fold, or folded: then what comes below it is folded too."""
        return self.row is not None and bool(self.row.folds or self.row.folded)

    @property
    def rests(self) -> bool:
        """Whether it is a repeat of another."""
        return self.row is not None and self.row.status is Status.SUPPRESSED

    def is_retried_by(self, row: Alert, *, within_s: float) -> bool:
        """Whether people are told of it, and `row` comes of the same bytes in that time."""
        return (
            self.told
            and self.row is not None
            and self.row.body_hash == row.body_hash
            and row.accepted_at_ms - self.row.accepted_at_ms < within_s * 1000
        )

    @property
    def family(self) -> str:
        """The id of the first of its family."""
        return (self.row.parent_id if self.row else None) or self.alert_id


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """The row that answers for a draft, and what it repeats, if it does."""

    draft: Draft
    row: Alert
    earlier: Earlier | None = None


def by_source(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """What counts for a quota, a list a source, the most severe first; CRITICAL alerts do not."""
    groups: dict[str, list[Draft]] = {}
    for draft in sorted(drafts, key=lambda draft: URGENCY[draft.row.severity]):
        if draft.row.severity is not Severity.CRITICAL:
            groups.setdefault(draft.row.source, []).append(draft)
    return list(groups.values())


def earlier_of(draft: Draft, stored: Mapping[str, Earlier]) -> Earlier | None:
    """What the draft repeats, of what is stored: of its own time bucket, or of the one before."""
    before = stored.get(draft.earlier_id)
    if before is not None:
        row = before.row
        if row is None or draft.row.accepted_at_ms - row.accepted_at_ms < draft.window_s * 1000:
            return before
    return stored.get(draft.row.alert_id)
