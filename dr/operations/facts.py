"""What the steps of failover, failback and rebuild found, for scripts, the journal and later steps.

A step's facts are one of these, kept beside its detail; `--json` shows their fields by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec


@dataclass(frozen=True)
class NoFacts:
    """Of a step whose detail says everything."""


@dataclass(frozen=True, kw_only=True)
class SwitchFacts:
    """`since_ms`: since when the failover region's switch is on, epoch milliseconds."""

    since_ms: int


@dataclass(frozen=True, kw_only=True)
class DrainFacts:
    """Alerts that the lost region left open. `drained`: ids of those processed, at most so many as are named.

    `later`: those that are due after the step. `complete`: False where more was left than is watched.
    """

    left: int
    drained_count: int
    drained: tuple[str, ...]
    later: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class RestFacts:
    """`open`: alerts that were open in both regions; the others as in `DrainFacts`."""

    open: int
    later: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class ReplicationFacts:
    """`lag_ms`: of each way between the regions; `compared`: alerts that are in both."""

    lag_ms: Mapping[str, int]
    compared: int


@dataclass(frozen=True, kw_only=True)
class DeliveryFacts:
    """A test alert: `took_ms` from its post until its row had `status`."""

    alert_id: str
    status: str
    took_ms: int


@dataclass(frozen=True, kw_only=True)
class BackupFacts:
    """What a rebuild starts from: the time that the exports show, and what is left to a person."""

    exported_to: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DeployFacts:
    """The regions of the rebuilt stack."""

    regions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FillFacts:
    """Alerts that were written into the rebuilt ledger, and that were there already."""

    written: int
    already: int


@dataclass(frozen=True, kw_only=True)
class ComparisonFacts:
    """Alerts of the exports, and newer ones that only the rebuilt ledger has."""

    items: int
    newer: int


@dataclass(frozen=True, kw_only=True)
class OwnershipFacts:
    """Alerts that were given to another owner."""

    moved: int


Facts: TypeAlias = (
    NoFacts
    | SwitchFacts
    | DrainFacts
    | RestFacts
    | ReplicationFacts
    | DeliveryFacts
    | BackupFacts
    | DeployFacts
    | FillFacts
    | ComparisonFacts
    | OwnershipFacts
)

_OF_STEP: Final[Mapping[str, type[Facts]]] = {
    "switch": SwitchFacts,
    "drain": DrainFacts,
    "rest": RestFacts,
    "replication": ReplicationFacts,
    "test-alert": DeliveryFacts,
    "fetch": BackupFacts,
    "deploy": DeployFacts,
    "fill": FillFacts,
    "compare": ComparisonFacts,
    "own": OwnershipFacts,
    "serve": DeliveryFacts,
}


def facts_of(step: str, values: Mapping[str, Any]) -> Facts:
    """The facts of a step as a journal has them; none where another release wrote them in another form."""
    kind = _OF_STEP.get(step)
    if kind is None or not values:
        return NoFacts()
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError:
        return NoFacts()
