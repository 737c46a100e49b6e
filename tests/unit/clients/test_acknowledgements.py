"""Acknowledging and snoozing, on DynamoDB's own rules, by moto."""

from typing import Any

import boto3
import pytest
from msgspec.structs import replace

from clients.acknowledgements import AcknowledgementError, Acknowledgements
from clients.deployment import Deployment
from clients.ledger import ParkedAlerts
from clients.rows import LedgerUnreachableError
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.alert import Alert
from handlers.domain.states import notified, parked, silenced, suppressed
from handlers.settings import variable
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients
from tests.unit.handlers.builders import row
from topology.alerts import CLOCK_ERROR_S, FaultState, Status
from topology.functions import RECOVERY

NOW_S = 1_900_000_000


def put(deployment: Deployment, alert: Alert, *, region: str = PRIMARY) -> None:
    """Store a row in a region."""
    item = item_of(attributes_of(alert))
    boto3.client("dynamodb", region_name=region).put_item(TableName=deployment.alerts_table, Item=item)


def told(**fields: Any) -> Alert:
    """A CRITICAL alert that Slack has taken."""
    given = {"severity": "CRITICAL"} | fields
    return notified(row("a1", status=Status.ANALYZED, **given), at_ms=5_000, escalate_after_s=900)


def test_acknowledged_alert_keeps_who_and_when_and_waits_for_nothing(deployment: Deployment) -> None:
    """Once: the next who tries is told whom to talk to."""
    put(deployment, told())
    people = Acknowledgements(deployment)
    people.acknowledge("a1", by="ann", now_s=NOW_S)
    stored = ParkedAlerts(deployment).get("a1")
    assert stored is not None
    assert (stored["acknowledged_by"], stored["acknowledged_at"]) == ("ann", NOW_S)
    assert not {"open_key", "due_at", "escalate_at"} & stored.keys()
    with pytest.raises(AcknowledgementError, match="ann has acknowledged it already"):
        people.acknowledge("a1", by="bob", now_s=NOW_S)


def test_alert_is_snoozed(deployment: Deployment) -> None:
    """Also one that went a second way; who is not CRITICAL never goes there."""
    put(deployment, told())
    people = Acknowledgements(deployment)
    people.snooze("a1", by="bob", until_s=NOW_S)
    stored = ParkedAlerts(deployment).get("a1")
    assert stored is not None
    assert (stored["escalate_at"], stored["due_at"], stored["snoozed_by"]) == (NOW_S, NOW_S, "bob")
    assert stored["open_key"] == f"{PRIMARY}#UNACKNOWLEDGED"
    put(deployment, told(severity="HIGH"))
    with pytest.raises(AcknowledgementError, match="only CRITICAL"):
        people.snooze("a1", by="bob", until_s=NOW_S)


def test_snooze_is_refused_where_nothing_goes_a_second_way(deployment: Deployment) -> None:
    """As Recovery is deployed; nobody would hear at its end. Where it cannot be asked, it is not refused."""
    put(deployment, told(), region=FAILOVER)
    assert isinstance(deployment.clients, LossyClients)
    deployment.clients.lost = {PRIMARY}
    people, name = Acknowledgements(deployment), deployment.names.function(RECOVERY)
    deployment.clients.environments = {name: {variable("escalate_after_s"): "0"}}
    with pytest.raises(AcknowledgementError, match=r"escalateAfterS is 0.*`responder alerts ack a1`"):
        people.snooze("a1", by="bob", until_s=NOW_S)
    deployment.clients.environments = {name: {variable("escalate_after_s"): "900"}}
    people.snooze("a1", by="bob", until_s=NOW_S)
    deployment.clients.environments = {}
    people.snooze("a1", by="bob", until_s=NOW_S + 1)


def test_alert_is_acknowledged_while_its_region_is_lost(deployment: Deployment) -> None:
    """By the other region; with both gone it is said that nobody answers."""
    put(deployment, told(), region=FAILOVER)
    assert isinstance(deployment.clients, LossyClients)
    deployment.clients.lost = {PRIMARY}
    Acknowledgements(deployment).acknowledge("a1", by="ann", now_s=NOW_S)
    stored = ParkedAlerts(deployment).get("a1")
    assert stored is not None
    assert stored["acknowledged_by"] == "ann"
    deployment.clients.lost = {PRIMARY, FAILOVER}
    with pytest.raises(LedgerUnreachableError):
        Acknowledgements(deployment).acknowledge("a1", by="ann", now_s=NOW_S)


@pytest.mark.parametrize(
    ("alert", "problem"),
    [
        (None, "no such alert"),
        (row("a1"), "not in Slack yet"),
        (parked(row("a1"), reason="r", due_at=9), "`responder parked redrive a1`"),
        (silenced(row("a1"), silence_id="s-1", until=9), "under the silence s-1"),
        (suppressed(replace(row("a1"), parent_id="a0"), due_at=None), "it repeats a0"),
        (replace(told(), state=FaultState.RESOLVED), "its fault is resolved"),
    ],
    ids=["unknown", "open", "parked", "silenced", "repeat", "resolution"],
)
def test_what_is_not_open_in_slack_is_not_acknowledged(
    deployment: Deployment, alert: Alert | None, problem: str
) -> None:
    """With the next step."""
    if alert is not None:
        put(deployment, alert)
    for ask in (
        lambda people: people.acknowledge("a1", by="ann", now_s=NOW_S),
        lambda people: people.snooze("a1", by="bob", until_s=NOW_S),
    ):
        with pytest.raises(AcknowledgementError, match=problem):
            ask(Acknowledgements(deployment))


def test_alert_whose_fault_was_resolved_since_is_not_acknowledged(deployment: Deployment) -> None:
    """By a later alert of the same fault."""
    alert = told()
    put(deployment, alert)
    later = replace(
        alert, alert_id="r1", state=FaultState.RESOLVED, changed_at_ms=(alert.changed_at_ms or 0) + 60_000
    )
    put(deployment, later)
    with pytest.raises(AcknowledgementError, match="its fault is resolved"):
        Acknowledgements(deployment).acknowledge("a1", by="ann", now_s=NOW_S)


def test_malformed_row_is_named(deployment: Deployment) -> None:
    """Nobody can say what becomes of it until it is corrected."""
    item = {"alert_id": {"S": "a1"}, "status": {"S": "NOTIFIED"}}
    boto3.client("dynamodb", region_name=PRIMARY).put_item(TableName=deployment.alerts_table, Item=item)
    with pytest.raises(AcknowledgementError, match="a1: its row is malformed"):
        Acknowledgements(deployment).acknowledge("a1", by="ann", now_s=NOW_S)


def test_alert_that_may_go_a_second_way_can_be_acknowledged(deployment: Deployment) -> None:
    """As its fault was resolved so close to it that the order of the two is in doubt."""
    alert = told()
    put(deployment, alert)
    changed_at_ms = (alert.changed_at_ms or 0) + CLOCK_ERROR_S * 1_000
    put(deployment, replace(alert, alert_id="r1", state=FaultState.RESOLVED, changed_at_ms=changed_at_ms))
    Acknowledgements(deployment).acknowledge("a1", by="ann", now_s=NOW_S)
    stored = ParkedAlerts(deployment).get("a1")
    assert stored is not None
    assert stored["acknowledged_by"] == "ann"
