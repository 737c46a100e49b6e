"""The records of the coordination table: one name each, for handlers and operators alike."""

from typing import Final

SLACK_RATE: Final = "slack"
"""The next free slot for a message, shared by every instance and both regions."""

CLAUDE_BREAKER: Final = "claude"
"""The circuit breaker around the model."""

OPERATION: Final = "dr"
"""The failover or failback that is under way, or was last."""


def fault_record(fault_key: str) -> str:
    """The state of a fault that was resolved lately; `handlers.domain.intake.faults`."""
    return f"fault#{fault_key}"


def quota_record(region: str, source_hash: str) -> str:
    """What a source has sent to this region in a minute; `handlers.domain.intake.quotas`."""
    return f"quota#{region}#{source_hash}"


def switch_record(region: str) -> str:
    """An operator's word that this region takes everything; `handlers.domain.regions.switch`."""
    return f"switch#{region}"


def ownership_record(region: str) -> str:
    """By which a region's Recovery says whose alerts it works on; `handlers.domain.regions.ownership`."""
    return f"region#{region}"
