"""The invariants of incidents: when a record may be closed, and whose count a message gives."""

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.ports import Record
from simulator.incident_invariants import IncidentInvariants
from simulator.scenario import REGIONS, Consistency, Scenario
from simulator.scheduler import Scheduler
from simulator.wiring import PostedMessage
from tests.unit.handlers.builders import row
from topology.alerts import Status

EAST, WEST = REGIONS
OPENED_MS = 1_000
NAME = "incident#r#k"
INCIDENT = "i" + hashlib.sha256(f"{NAME}\n{OPENED_MS}".encode()).hexdigest()[:32]


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


def closed(lead: str) -> Record:
    """The record of the incident, which this alert led last, once it is closed."""
    number = int.from_bytes(hashlib.sha256(lead.encode()).digest()[:6])
    return Record(version=2, values={"opened_ms": OPENED_MS, "closed": 1, "lead": number})


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (row("a1", status=Status.RECEIVED), ["closed_too_soon"]),
        (replace(row("a1", status=Status.ANALYZED), incident_id=INCIDENT), ["closed_too_soon"]),
        (replace(row("a1", status=Status.ANALYZED), incident_id=None), []),
    ],
)
def test_analysis_closes_a_firing_incident_only_if_its_lead_went_elsewhere(
    lost: Alert, expected: list[str]
) -> None:
    """Nobody would lead it then."""
    incidents, scheduler, broken = judge()
    firing = replace(row("a0", status=Status.NOTIFIED), incident_id=INCIDENT, lead=True, fault_key="f0")
    incidents.wrote(worker("analysis", EAST), row("a0"), firing)
    incidents.wrote(worker("analysis", EAST), row("a1"), lost)
    scheduler.now_ms += 10_000
    incidents.recorded(worker("analysis", EAST, scheduler.now_ms), NAME, None, closed("a1"))
    assert broken == expected


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
