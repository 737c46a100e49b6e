"""The drills that there are: each a list of phases, in the order of the day that it rehearses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dr.drill.region_loss import (
    decision_phase,
    detection_phase,
    ending_phases,
    failback_phase,
    failover_phase,
    fault_phase,
    load_phase,
    start_phase,
)
from dr.drill.rehearsal import export_phase, rehearsal_phase
from dr.drill.run import Phase
from dr.drill.table_corruption import corruption_phases
from dr.drill.target import Loss


@dataclass(frozen=True)
class Scenario:
    """A drill. `loses_region`: the primary is lost and the failover region takes over."""

    name: str
    title: str
    phases: tuple[Phase, ...]
    loses_region: bool


def _region_lost(how: Loss) -> tuple[Phase, ...]:
    return (
        load_phase(),
        export_phase(),
        fault_phase(how),
        detection_phase(),
        decision_phase("fail over"),
        failover_phase(),
        rehearsal_phase(),
        start_phase(how),
        failback_phase(),
        *ending_phases(),
    )


REGION_KILLED: Final = "region-killed"
_REGION_FROZEN: Final = "region-frozen"
_TABLE_CORRUPTED: Final = "table-corrupted"

TITLES: Final = {
    REGION_KILLED: "the primary region is killed",
    _REGION_FROZEN: "the primary region freezes, and wakes up after the failover",
    _TABLE_CORRUPTED: "a bad writer changes and deletes alerts, in both regions at once",
}

SCENARIOS: Final[Mapping[str, Scenario]] = {
    name: Scenario(name, TITLES[name], phases, loses_region=name != _TABLE_CORRUPTED)
    for name, phases in (
        (REGION_KILLED, _region_lost("kill")),
        (_REGION_FROZEN, _region_lost("freeze")),
        (_TABLE_CORRUPTED, (load_phase(), *corruption_phases(), *ending_phases())),
    )
}
