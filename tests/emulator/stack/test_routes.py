"""Routes on the embedded AWS: alerts of both regions go to their channel, and what follows them too."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
import requests

from clients.coordination import CoordinationRecords
from emulator.client import Emulator
from emulator.local_stack import LocalStack, deploy
from emulator.protocol import SlackMessage
from ops.local.running import api_keys
from tests.emulator.conftest import SOON_S
from topology.names import Names
from topology.records import rate_record

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
Deploy = Callable[[Sequence[Mapping[str, object]]], LocalStack]

SOURCE = "routed"
PAYMENTS = {"name": "payments", "match": {"source": SOURCE}}
BROKEN = {"name": "broken", "match": {"source": "unrouted"}}


@pytest.fixture
def with_routes(emulator: Emulator) -> Iterator[Deploy]:
    """Deploy the stack with these routes; it has none after the test."""

    def up(routes: Sequence[Mapping[str, object]]) -> LocalStack:
        return deploy(emulator, config={"routes": json.dumps(routes)})

    yield up
    deploy(emulator)


def send(stack: LocalStack, region: int, title: str, **fields: object) -> str:
    """Have an alert accepted by the first or second region; its id."""
    endpoints = stack.deployment.regions[region]
    body = {"source": SOURCE, "title": title, "message": "It is.", "severity": "HIGH", **fields}
    key = api_keys(stack.deployment)[endpoints]
    answer = requests.post(endpoints.webhook_url, json=body, headers={"x-api-key": key}, timeout=60)
    assert answer.status_code == 202, answer.text
    (accepted,) = answer.json()["alerts"]
    return str(accepted["alert_id"])


def item_of(stack: LocalStack, alert_id: str) -> dict[str, Any]:
    """The raw row, as the failover region has it."""
    dynamodb = stack.deployment.clients.client("dynamodb", stack.deployment.failover.region)
    key = {"alert_id": {"S": alert_id}}
    got = dynamodb.get_item(TableName=stack.deployment.alerts_table, Key=key, ConsistentRead=True)
    return dict(got["Item"])


def told_in(stack: LocalStack, eventually: Eventually, *alert_ids: str) -> list[tuple[str, SlackMessage]]:
    """Once each is NOTIFIED: the channel and the last message of each that Slack has of it."""

    def notified() -> bool:
        return all(item_of(stack, alert_id)["status"]["S"] == "NOTIFIED" for alert_id in alert_ids)

    eventually(notified, within_s=SOON_S, shown=lambda: [item_of(stack, one) for one in alert_ids])
    messages = stack.emulator.slack_messages()
    last = [[message for message in messages if one in message.alert_ids][-1] for one in alert_ids]
    return [(message.channel, message) for message in last]


def channels(told: list[tuple[str, SlackMessage]]) -> list[str]:
    """The channels alone."""
    return [channel for channel, _ in told]


def test_an_alert_and_its_resolution_go_to_its_routes_channel_whatever_is_configured_meanwhile(
    with_routes: Deploy, eventually: Eventually
) -> None:
    """From both regions, at that channel's pace; a route that takes nothing new has the resolution still.

    A route whose webhook Slack does not know hands its alert to the default channel, which says so; and so
    does one that is gone.
    """
    stack = with_routes([PAYMENTS, BROKEN])
    first, second = send(stack, 0, "Ledger is behind"), send(stack, 1, "Card network refuses")
    other = send(stack, 0, "Somewhere else", source="elsewhere")
    told = channels(told_in(stack, eventually, first, second, other))
    assert told == ["payments", "payments", "incidents"]
    assert item_of(stack, first)["route"]["S"] == "payments"
    assert "route" not in item_of(stack, other)
    for endpoints in stack.deployment.regions:
        records = CoordinationRecords(stack.deployment, endpoints.region)
        assert records.read(rate_record("payments")) is not None
        assert records.read(rate_record("broken")) is None

    secrets = stack.deployment.clients.client("secretsmanager", stack.deployment.primary.region)
    gone = f"{stack.emulator.stand_ins().slack_webhook_origin}/services/T0/B0/gone"
    name = Names("local").route_secret("slack-webhook-broken")
    secrets.put_secret_value(SecretId=name, SecretString=gone)
    lost = send(stack, 1, "Nobody hears this", source="unrouted", severity="CRITICAL")
    ((channel, message),) = told_in(stack, eventually, lost)
    assert channel == "incidents"
    assert "its route broken is unusable" in json.dumps(message.payload)
    row = item_of(stack, lost)
    assert ("route" in row, row["unusable_route"]["S"]) == (False, "broken")

    stack = with_routes(
        [{"name": "payments", "retired": True}, {"name": "newer", "match": {"source": SOURCE}}]
    )
    resolved = send(stack, 0, "Ledger is behind", status="resolved")
    newest = send(stack, 1, "Another fault of the same source")
    assert channels(told_in(stack, eventually, resolved, newest)) == ["payments", "newer"]

    stack = with_routes([])
    late = send(stack, 1, "Card network refuses", status="resolved")
    assert channels(told_in(stack, eventually, late)) == ["incidents"]
