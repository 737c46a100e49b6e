"""The ledger's state machine, once: who may move an alert from where to where, and on what condition.

`states` has how a row looks then. The simulator and the documentation's table are made from `MOVES` too.
"""

from enum import StrEnum
from typing import Final

import msgspec

from topology.alerts import Status


class Actor(StrEnum):
    """Who may move an alert from one status to another."""

    RECEPTION = "reception"
    ANALYSIS = "analysis"
    DISTRIBUTION = "distribution"
    RECOVERY = "recovery"
    OPERATOR = "operator"


class Condition(StrEnum):
    """What must hold in the stored row for the write to count."""

    ABSENT = "absent"
    FREE = "free"
    """Nobody holds a live lease."""
    LEASED = "leased"
    """The writer holds the lease."""
    OVERDUE = "overdue"
    """`due_at` has passed."""
    FAMILY_OVERDUE = "family overdue"
    """`due_at` of it, or of another PARKED alert of its family, has passed."""
    PARENT_PARKED = "parent parked"
    """The alert that it repeats is PARKED, so this one has to go out in its place."""
    STATE_CHANGED = "state changed"
    """The state of its fault changed between the alert that it repeats and this one, or may have."""
    SILENCE_ENDED = "silence ended"
    """Its silence is over, and its fault is in a state that nobody was told."""
    UNTOLD_LONG = "untold long"
    """It is CRITICAL, and for a configured time Slack has not taken it, or nobody has acknowledged it."""
    ASKED = "asked"
    """A person asked for it by name."""


class Move(msgspec.Struct, frozen=True):
    """One allowed move; `origin` None means that the row is made."""

    actor: Actor
    origin: Status | None
    target: Status
    condition: Condition
    meaning: str


MOVES: Final = (
    Move(Actor.RECEPTION, None, Status.RECEIVED, Condition.ABSENT, "accepted"),
    Move(Actor.RECEPTION, None, Status.SUPPRESSED, Condition.ABSENT, "accepted as a repeat, or folded"),
    Move(Actor.RECEPTION, Status.SUPPRESSED, Status.RECEIVED, Condition.PARENT_PARKED, "promoted at once"),
    Move(Actor.RECEPTION, Status.SUPPRESSED, Status.RECEIVED, Condition.STATE_CHANGED, "no repeat after all"),
    Move(Actor.ANALYSIS, Status.RECEIVED, Status.RECEIVED, Condition.FREE, "claimed"),
    Move(Actor.ANALYSIS, Status.RECEIVED, Status.RECEIVED, Condition.LEASED, "waits for what it resolves"),
    Move(Actor.ANALYSIS, Status.RECEIVED, Status.ANALYZED, Condition.LEASED, "analysed, or sent on without"),
    Move(Actor.ANALYSIS, Status.RECEIVED, Status.SUPPRESSED, Condition.LEASED, "silenced"),
    Move(Actor.ANALYSIS, Status.NOTIFIED, Status.NOTIFIED, Condition.FREE, "follow-up claimed"),
    Move(
        Actor.ANALYSIS, Status.NOTIFIED, Status.NOTIFIED, Condition.LEASED, "follow-up analysed or given back"
    ),
    Move(Actor.DISTRIBUTION, Status.ANALYZED, Status.ANALYZED, Condition.FREE, "claimed, or deferred"),
    Move(Actor.DISTRIBUTION, Status.ANALYZED, Status.ANALYZED, Condition.LEASED, "given back for later"),
    Move(Actor.DISTRIBUTION, Status.ANALYZED, Status.NOTIFIED, Condition.LEASED, "Slack took it"),
    Move(
        Actor.DISTRIBUTION, Status.ANALYZED, Status.PARKED, Condition.LEASED, "Slack refuses it, or too often"
    ),
    Move(
        Actor.DISTRIBUTION, Status.NOTIFIED, Status.NOTIFIED, Condition.FREE, "follow-up claimed or deferred"
    ),
    Move(
        Actor.DISTRIBUTION,
        Status.NOTIFIED,
        Status.NOTIFIED,
        Condition.LEASED,
        "follow-up posted or given back",
    ),
    Move(Actor.RECOVERY, Status.RECEIVED, Status.RECEIVED, Condition.OVERDUE, "tried once more"),
    Move(Actor.RECOVERY, Status.ANALYZED, Status.ANALYZED, Condition.OVERDUE, "tried once more"),
    Move(Actor.RECOVERY, Status.RECEIVED, Status.PARKED, Condition.OVERDUE, "tried too often"),
    Move(Actor.RECOVERY, Status.ANALYZED, Status.PARKED, Condition.OVERDUE, "tried too often"),
    Move(
        Actor.RECOVERY, Status.NOTIFIED, Status.NOTIFIED, Condition.OVERDUE, "follow-up retried or given up"
    ),
    Move(
        Actor.RECOVERY, Status.PARKED, Status.PARKED, Condition.FAMILY_OVERDUE, "its repeats were looked at"
    ),
    Move(Actor.RECOVERY, Status.SUPPRESSED, Status.RECEIVED, Condition.PARENT_PARKED, "promoted"),
    Move(Actor.RECOVERY, Status.SUPPRESSED, Status.RECEIVED, Condition.STATE_CHANGED, "no repeat after all"),
    Move(Actor.RECOVERY, Status.SUPPRESSED, Status.SUPPRESSED, Condition.OVERDUE, "its fault was looked at"),
    Move(Actor.RECOVERY, Status.SUPPRESSED, Status.RECEIVED, Condition.SILENCE_ENDED, "its silence ended"),
    Move(
        Actor.RECOVERY, Status.SUPPRESSED, Status.SUPPRESSED, Condition.SILENCE_ENDED, "people know its state"
    ),
    Move(Actor.RECOVERY, Status.RECEIVED, Status.RECEIVED, Condition.UNTOLD_LONG, "told a second way"),
    Move(Actor.RECOVERY, Status.ANALYZED, Status.ANALYZED, Condition.UNTOLD_LONG, "told a second way"),
    Move(Actor.RECOVERY, Status.NOTIFIED, Status.NOTIFIED, Condition.UNTOLD_LONG, "told a second way"),
    Move(Actor.RECOVERY, Status.PARKED, Status.PARKED, Condition.UNTOLD_LONG, "told a second way"),
    Move(Actor.OPERATOR, Status.PARKED, Status.RECEIVED, Condition.ASKED, "redriven"),
    Move(Actor.OPERATOR, Status.NOTIFIED, Status.NOTIFIED, Condition.ASKED, "acknowledged, or snoozed"),
)
