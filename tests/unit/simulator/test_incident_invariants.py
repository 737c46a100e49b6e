"""The invariants of incidents: whose count a message gives."""

from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from simulator.incident_invariants import IncidentInvariants
from simulator.scenario import REGIONS, Consistency, Scenario
from simulator.scheduler import Scheduler
from simulator.wiring import PostedMessage
from tests.unit.handlers.builders import row
from topology.alerts import Status

EAST, WEST = REGIONS


def judge(consistency: Consistency = "strong") -> tuple[IncidentInvariants, Scheduler, list[str]]:
    """The invariants of a run in which nothing happens but what the test does, and what is broken by now."""
    scenario = Scenario(seed=1, consistency=consistency, horizon_ms=120_000, arrivals=())
    broken: list[str] = []
    scheduler = Scheduler()
    return IncidentInvariants(scenario, scheduler, lambda rule, _text: broken.append(rule)), scheduler, broken


def worker(function: str, region: str, started_ms: int = 0) -> Any:
    """An invocation that nothing goes wrong for."""
    return SimpleNamespace(
        name=function, function=function, region=region, started_ms=started_ms, ledger_errors=0
    )


def test_message_is_judged_by_the_rows_of_its_region() -> None:
    """Under an eventual ledger, what both regions took in during a partition is in an incident of each."""
    incidents, _scheduler, broken = judge("eventual")
    for region, others in ((WEST, ("a1", "a2")), (EAST, ())):
        for alert_id in ("a0", *others):
            placed = row(alert_id, status=Status.ANALYZED)
            mine = replace(placed, region=region, incident_id=f"i of {region}", lead=True)
            incidents.wrote(worker("analysis", region), row(alert_id), mine)
    message = PostedMessage("alert", "a0", 1, "Incident: 3 alerts")
    incidents.posting(worker("distribution", WEST), message, ("a0",))
    assert broken == []
    incidents.posting(worker("distribution", EAST), message, ("a0",))
    assert broken == ["incident_miscounted"]
