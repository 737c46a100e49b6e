"""The records of the coordination table: one name each, for handlers and operators alike."""

from typing import Final

SLACK_RATE: Final = "slack"
"""What the names of the channels' records begin with."""

SILENCES: Final = "silences"
"""The silences that people made; `clients.silences` writes them."""

CLAUDE_BREAKER: Final = "claude"
"""The circuit breaker around the model."""

OPERATION: Final = "dr"
"""The failover or failback that is under way, or was last."""


def rate_record(route: str) -> str:
    """The next free slot for a message to this route's channel, shared by every instance and both regions.

    `route`: its name, empty for the default one.
    """
    return f"{SLACK_RATE}#{route}" if route else SLACK_RATE


def incident_record(region: str, incident_key: str) -> str:
    """The last incident of a key in a region; `handlers.domain.delivery.incidents`."""
    return f"incident#{region}#{incident_key}"


def heartbeat_record(region: str, name: str) -> str:
    """When a region last had a heartbeat; `handlers.domain.intake.heartbeats`."""
    return f"heartbeat#{region}#{name}"


def synthetic_record(region: str) -> str:
    """When a synthetic alert of a region arrived; `handlers.domain.delivery.arrivals`."""
    return f"synthetic#{region}"


def watch_record(region: str) -> str:
    """What a region's Recovery watches for, and since when; `handlers.domain.regions.watch`."""
    return f"watch#{region}"


def absence_record(what: str) -> str:
    """Whether people were told that something is missing; `handlers.domain.regions.watch`."""
    return f"absence#{what}"


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
