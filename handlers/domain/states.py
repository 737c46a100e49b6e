"""The ledger's state machine, once: who may move an alert from where to where, and how a row looks then.

Handlers build the row they want with the functions below; a `Ledger` calls `check` before it writes, so
that no adapter and no fake can store a row that breaks these rules. The document and the tests read `MOVES`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from handlers.domain.alert import Alert, Analysis, Status, open_lane
from handlers.domain.limits import MAX_REASON_CHARS, REST_RETENTION_S, cut


class IllegalMoveError(Exception):
    """A handler tried a move that the state machine does not have: a defect, never a retry."""


class Actor(StrEnum):
    """Who moves alerts."""

    RECEPTION = "reception"
    ANALYSIS = "analysis"
    DISTRIBUTION = "distribution"
    RECOVERY = "recovery"


class Condition(StrEnum):
    """What must hold in the stored row for the write to count."""

    ABSENT = "absent"
    FREE = "free"
    """Nobody holds a live lease."""
    HELD = "held"
    """The writer holds the lease."""
    OVERDUE = "overdue"
    """`due_at` has passed."""


@dataclass(frozen=True)
class Move:
    """One allowed move; `origin` None means that the row is made."""

    actor: Actor
    origin: Status | None
    target: Status
    condition: Condition


MOVES: Final = (
    Move(Actor.RECEPTION, None, Status.RECEIVED, Condition.ABSENT),
    Move(Actor.RECEPTION, None, Status.SUPPRESSED, Condition.ABSENT),
    Move(Actor.ANALYSIS, Status.RECEIVED, Status.RECEIVED, Condition.FREE),
    Move(Actor.ANALYSIS, Status.RECEIVED, Status.ANALYZED, Condition.HELD),
    Move(Actor.ANALYSIS, Status.RECEIVED, Status.PARKED, Condition.HELD),
    Move(Actor.DISTRIBUTION, Status.ANALYZED, Status.ANALYZED, Condition.FREE),
    Move(Actor.DISTRIBUTION, Status.ANALYZED, Status.ANALYZED, Condition.HELD),
    Move(Actor.DISTRIBUTION, Status.ANALYZED, Status.NOTIFIED, Condition.HELD),
    Move(Actor.DISTRIBUTION, Status.ANALYZED, Status.PARKED, Condition.HELD),
    Move(Actor.RECOVERY, Status.RECEIVED, Status.RECEIVED, Condition.OVERDUE),
    Move(Actor.RECOVERY, Status.ANALYZED, Status.ANALYZED, Condition.OVERDUE),
    Move(Actor.RECOVERY, Status.RECEIVED, Status.PARKED, Condition.OVERDUE),
    Move(Actor.RECOVERY, Status.ANALYZED, Status.PARKED, Condition.OVERDUE),
)

VERSION: Final = ("status", "lease_token", "due_at", "attempts", "not_before")
"""What a conditional write compares with the row it was decided on. Every move changes one of these, and
a claim puts a random token in, so a row that somebody else has moved is never mistaken for the one read."""


def check(actor: Actor, before: Alert | None, after: Alert) -> None:
    """Refuse a move that is not in `MOVES`, and a row whose attributes contradict its status.

    Raises:
        IllegalMoveError: always a defect of the caller.
    """
    origin = before.status if before else None
    conditions = {
        m.condition for m in MOVES if (m.actor, m.origin, m.target) == (actor, origin, after.status)
    }
    problems: list[str] = []
    if not conditions:
        problems.append(f"{actor} may not move an alert from {origin} to {after.status}")
    if conditions == {Condition.HELD} and before and before.lease_token is None:
        problems.append(f"{actor} holds no lease on it")
    is_open = not after.status.at_rest
    if is_open != (after.open_lane is not None) or is_open != (after.due_at is not None):
        problems.append(f"open_lane and due_at belong to open alerts only, and this one is {after.status}")
    if not is_open and (after.lease_token is not None or after.not_before is not None):
        problems.append(
            f"an alert at rest has no lease_token and no not_before, and this one is {after.status}"
        )
    if (after.expires_at is not None) != (after.status in (Status.NOTIFIED, Status.SUPPRESSED)):
        problems.append(f"only NOTIFIED and SUPPRESSED alerts expire, and this one is {after.status}")
    if (after.parked_reason is not None) != (after.status is Status.PARKED):
        problems.append(f"parked_reason belongs to PARKED alerts only, and this one is {after.status}")
    if problems:
        raise IllegalMoveError(f"alert {after.alert_id}: {'; '.join(problems)}; correct the handler")


def is_free(alert: Alert, *, now_s: int) -> bool:
    """Whether nobody works on the open `alert`: no lease, or one that ran out."""
    return alert.lease_token is None or alert.due_at is None or alert.due_at <= now_s


def claimed(alert: Alert, *, token: str, due_at: int) -> Alert:
    """`alert` with a lease: `token` works on it until `due_at`."""
    return replace(alert, lease_token=token, due_at=due_at, not_before=None)


def deferred(alert: Alert, *, not_before: int, lease_s: int, attempts: int) -> Alert:
    """`alert` given back, to be tried from `not_before` on; Recovery acts a lease after that."""
    return replace(
        alert, lease_token=None, not_before=not_before, due_at=not_before + lease_s, attempts=attempts
    )


def analyzed(alert: Alert, outcome: Analysis | str, *, due_at: int) -> Alert:
    """`alert` ready for distribution, with an analysis or (as text) the reason why there is none."""
    return replace(
        alert,
        status=Status.ANALYZED,
        analysis=outcome if isinstance(outcome, Analysis) else None,
        analysis_error=cut(outcome, MAX_REASON_CHARS) if isinstance(outcome, str) else None,
        lease_token=None,
        not_before=None,
        attempts=0,
        due_at=due_at,
    )


def notified(alert: Alert, *, at_ms: int) -> Alert:
    """`alert` at rest: Slack took it at `at_ms`."""
    return replace(
        _rested(alert),
        status=Status.NOTIFIED,
        notified_at_ms=at_ms,
        expires_at=at_ms // 1000 + REST_RETENTION_S,
    )


def parked(alert: Alert, *, reason: str) -> Alert:
    """`alert` at rest until an operator acts: kept without expiry, `reason` shown to people."""
    return replace(_rested(alert), status=Status.PARKED, parked_reason=cut(reason, MAX_REASON_CHARS))


def recovered(alert: Alert, *, due_at: int) -> Alert:
    """`alert` to be tried once more, free for whoever comes first."""
    return replace(alert, lease_token=None, not_before=None, attempts=alert.attempts + 1, due_at=due_at)


def suppressed(alert: Alert, *, at_ms: int) -> Alert:
    """The new row `alert` as a repeat that is kept and not sent on."""
    return replace(_rested(alert), status=Status.SUPPRESSED, expires_at=at_ms // 1000 + REST_RETENTION_S)


def received(alert: Alert, *, due_at: int) -> Alert:
    """The new row `alert` as one to be worked on."""
    return replace(
        alert, status=Status.RECEIVED, open_lane=open_lane(alert.owner, alert.severity), due_at=due_at
    )


def _rested(alert: Alert) -> Alert:
    return replace(alert, open_lane=None, due_at=None, lease_token=None, not_before=None)
