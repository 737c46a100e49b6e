"""`responder` may not import the handlers, so its redrive is compared with the state machine's here."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from clients import ledger
from clients.deployment import Deployment
from clients.ledger import REDRIVE_GRACE_S, ParkedAlerts, Redrive
from handlers.adapters.aws import clients as adapters
from handlers.adapters.aws.dynamodb import DynamoLedger
from handlers.adapters.aws.items import item_of
from handlers.domain.alert import Alert, Doubt, Severity, Status
from handlers.domain.states import MOVES, VERSION, Actor, looked_at, parked, redriven
from tests.fakes.deployment import PRIMARY, deployment_on_moto
from tests.unit.handlers.builders import row

NOW_S = 1_900_000_000
PARKED_AT = 1_800_000_000


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A stack on moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield deployment_on_moto()


def usual() -> Alert:
    """As distribution parks it."""
    return parked(row(), reason="Slack refuses it", due_at=PARKED_AT)


PARKED_ROWS = {
    "usual": usual,
    "critical": lambda: parked(replace(row(), severity=Severity.CRITICAL), reason="x", due_at=PARKED_AT),
    "with its analysis and attempts": lambda: parked(
        replace(row(status=Status.ANALYZED), attempts=12), reason="x", due_at=PARKED_AT
    ),
    "with doubts": lambda: replace(usual(), doubts={Doubt.OUTCOME_UNKNOWN: 2}),
    "refused in a digest": lambda: replace(usual(), alone=True),
    "with an heir": lambda: looked_at(usual(), due_at=PARKED_AT + 3_600, heir_id="a1.b"),
    "promoted before": lambda: replace(usual(), alert_id="a1.c0ffee", parent_id="a1"),
}


def item(alert_id: str) -> dict[str, Any]:
    """The raw item."""
    table = boto3.client("dynamodb", region_name=PRIMARY)
    return dict(table.get_item(TableName="alerts", Key={"alert_id": {"S": alert_id}})["Item"])


def store(alert: Alert) -> DynamoLedger:
    """Put a row as the handlers' adapter would write it; returns the adapter."""
    adapter = DynamoLedger(adapters.client("dynamodb", PRIMARY), "alerts")
    newborn = replace(
        alert, status=Status.RECEIVED, parked_reason=None, open_lane=f"{alert.owner}#{alert.severity}"
    )
    assert adapter.create(newborn, actor=Actor.RECEPTION)
    table = boto3.client("dynamodb", region_name=PRIMARY)
    changed = {
        "status": alert.status.value,
        "parked_reason": alert.parked_reason,
        "open_lane": alert.open_lane,
    }
    table.put_item(TableName="alerts", Item=item(alert.alert_id) | item_of(changed))
    assert adapter.get(alert.alert_id) == alert
    return adapter


@pytest.mark.parametrize("alert", PARKED_ROWS.values(), ids=PARKED_ROWS.keys())
def test_a_redrive_writes_what_the_state_machine_says(deployment: Deployment, alert: Any) -> None:
    """Attribute by attribute, as the handlers' own adapter would have written it."""
    before: Alert = alert()
    adapter = store(before)
    as_parked = item(before.alert_id)
    after = redriven(before, due_at=NOW_S + REDRIVE_GRACE_S)
    assert adapter.replace(before, after, actor=Actor.OPERATOR)
    expected = item(before.alert_id)
    boto3.client("dynamodb", region_name=PRIMARY).put_item(TableName="alerts", Item=as_parked)
    assert ParkedAlerts(deployment).redrive(before.alert_id, now_s=NOW_S) is Redrive.DONE
    assert item(before.alert_id) == expected
    assert adapter.get(before.alert_id) == after


def test_a_redrive_is_conditional_on_what_every_write_is() -> None:
    """And it is the only move that an operator has."""
    assert ledger.VERSION == VERSION
    operators = [move for move in MOVES if move.actor is Actor.OPERATOR]
    assert [(move.origin, move.target) for move in operators] == [(Status.PARKED, Status.RECEIVED)]
    assert (ledger.PARKED, ledger.RECEIVED) == (Status.PARKED, Status.RECEIVED)
    assert ledger.CRITICAL == Severity.CRITICAL
