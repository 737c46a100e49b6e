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

SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            REGION_KILLED,
            "the primary region is killed",
            _region_lost("kill"),
            loses_region=True,
        ),
        Scenario(
            "region-frozen",
            "the primary region freezes, and wakes up after the failover",
            _region_lost("freeze"),
            loses_region=True,
        ),
        Scenario(
            "table-corrupted",
            "a bad writer changes and deletes alerts, in both regions at once",
            (load_phase(), *corruption_phases(), *ending_phases()),
            loses_region=False,
        ),
    )
}
