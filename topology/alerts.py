"""The words of the ledger that everybody shares who writes or reads it: statuses, severities, keys, causes.

Handlers, operators, disaster recovery and the simulator take them from here, so this module goes into the
Lambda packages. `handlers.domain.alert` has the row itself. The audit has a reading of its own.
"""

from enum import StrEnum
from typing import Final

SCHEMA: Final = 1
"""The number that every row carries in `schema`: raised when a row of the last release would be misread.

Two releases read each other's rows during a deployment, so a new attribute alone does not raise it. Restore,
comparison and rebuild refuse rows of another number.
"""

SCHEMA_ATTRIBUTE: Final = "schema"


RESPONDER: Final = "responder"
"""The format, and the source, of what the pipeline tells of itself: no sender's format has this name."""

SYNTHETIC: Final = "synthetic"
"""The format of the alerts that only show that the way is open, and the name of the route for them. Nobody
sent them, so whoever compares rows with receipts leaves out this format."""

SINK: Final = "sink"
"""The route of a synthetic alert that was NOTIFIED without Slack, as the stack has no route for them."""


class Severity(StrEnum):
    """How bad it is. Declared most severe first: Recovery works in this order."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    INFO = "INFO"


class Status(StrEnum):
    """Where an alert stands. `handlers.domain.moves.MOVES` says who may move it on."""

    RECEIVED = "RECEIVED"
    ANALYZED = "ANALYZED"
    NOTIFIED = "NOTIFIED"
    SUPPRESSED = "SUPPRESSED"
    PARKED = "PARKED"

    @property
    def at_rest(self) -> bool:
        """Whether no handler will move it on."""
        return self not in (Status.RECEIVED, Status.ANALYZED)


class FollowUp(StrEnum):
    """What is still to be done about an alert that went out without its analysis. It rests all the same."""

    WANTED = "WANTED"
    """The model is to be asked again."""
    READY = "READY"
    """The analysis is there, and is to be posted after the alert."""


RESOLVED_MARK: Final = "[RESOLVED] "
"""What the title of a resolution's row begins with."""

URGENCY: Final = {severity: rank for rank, severity in enumerate(Severity)}
"""The rank of each severity: 0 is the most severe."""


class FaultState(StrEnum):
    """What an alert says of its fault. Missing data (INSUFFICIENT_DATA) resolves nothing, so it is firing."""

    FIRING = "firing"
    RESOLVED = "resolved"


CLOCK_ERROR_S: Final = 5
"""By how much two clocks may disagree: events of a fault that are closer have no certain order."""


class DuplicateCause(StrEnum):
    """Why people may be told twice: the only allowed causes of a duplicate."""

    OUTCOME_UNKNOWN = "outcome_unknown"
    """A POST got no answer: it timed out, or its connection broke."""
    LEASE_EXPIRED = "lease_expired"
    """A worker's lease ran out: it crashed, was frozen, or could not write what it had done."""
    OWNERSHIP_TRANSFERRED = "ownership_transferred"
    """Under an eventual ledger: the other region acts for the owner, whose last writes may be unseen."""
    STATE_UNCERTAIN = "state_uncertain"
    """It repeats another alert, unless its fault changed state between: the clocks cannot tell."""


def open_key(owner: str, severity: Severity) -> str:
    """The key of the open index that an alert at work is found by."""
    return f"{owner}#{severity}"


def parked_key(owner: str) -> str:
    """The key of the open index that a PARKED alert is found by."""
    return f"{owner}#{Status.PARKED}"


def repeat_key(owner: str) -> str:
    """The key of the open index that a SUPPRESSED alert is found by whose fault is still to be looked at."""
    return f"{owner}#{Status.SUPPRESSED}"


def silenced_key(owner: str) -> str:
    """The key of the open index that a SUPPRESSED alert is found by until its silence ends."""
    return f"{owner}#SILENCED"


def unacknowledged_key(owner: str) -> str:
    """The key of the open index that a NOTIFIED alert is found by which nobody has acknowledged yet."""
    return f"{owner}#UNACKNOWLEDGED"


def follow_up_key(owner: str) -> str:
    """The key of the open index that a NOTIFIED alert is found by whose analysis is still to follow."""
    return f"{owner}#FOLLOW_UP"
