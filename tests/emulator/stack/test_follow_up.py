"""An alert that went out without its analysis is followed up, in its own message, on the embedded AWS."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from emulator.client import Emulator
from emulator.local_stack import LocalStack, deploy
from emulator.protocol import SlackMessage
from ops.local.running import api_keys
from tests.emulator.conftest import SOON_S
from topology.functions import RECOVERY

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
REGION = "us-east-1"


@pytest.fixture
def bot_stack(emulator: Emulator) -> Iterator[LocalStack]:
    """The stack with a bot in Slack's channel in place of the webhook, and back."""
    yield deploy(emulator, with_bot=True)
    deploy(emulator)


def messages_of(stack: LocalStack, alert_id: str) -> list[SlackMessage]:
    """The one message about an alert if it is there, and what it was edited to."""
    received = stack.emulator.slack_messages()
    found = [one for one in received if alert_id in one.alert_ids]
    assert len(found) <= 1
    return found + [one for one in received if found and one.edited and one.ts == found[0].ts]


def item_of(stack: LocalStack, alert_id: str) -> dict[str, Any]:
    """The raw row."""
    dynamodb = stack.deployment.clients.client("dynamodb", REGION)
    key = {"alert_id": {"S": alert_id}}
    return dict(
        dynamodb.get_item(TableName=stack.deployment.alerts_table, Key=key, ConsistentRead=True)["Item"]
    )


def make_due(stack: LocalStack, alert_id: str) -> None:
    """Let the minute pass after which an alert is followed up."""
    stack.deployment.clients.client("dynamodb", REGION).update_item(
        TableName=stack.deployment.alerts_table,
        Key={"alert_id": {"S": alert_id}},
        UpdateExpression="SET due_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(time.time()) - 1)}},
    )


def test_analysis_that_comes_late_is_edited_into_the_message(
    bot_stack: LocalStack, eventually: Eventually
) -> None:
    """Claude overloaded: the alert goes out at once and says so; later its own message has the analysis."""
    stack = bot_stack
    stack.emulator.set_fault("claude", "overloaded", times=3)
    body = {"source": "test", "title": "Late", "message": "Late happened", "severity": "HIGH"}
    key = api_keys(stack.deployment)[stack.deployment.primary]
    answer = requests.post(
        stack.deployment.primary.webhook_url, json=body, headers={"x-api-key": key}, timeout=60
    )
    (accepted,) = answer.json()["alerts"]
    alert_id = accepted["alert_id"]
    (first,) = eventually(lambda: messages_of(stack, alert_id), within_s=SOON_S)
    assert "No analysis yet: Claude answered 529" in str(first.payload)
    assert (first.edited, first.follow_ups) == (False, ())
    row = eventually(
        lambda: (item := item_of(stack, alert_id)) and item["status"]["S"] == "NOTIFIED" and item
    )
    assert row["slack_ref"]["S"] == f"{stack.emulator.stand_ins().slack_channel}/{first.ts}"
    make_due(stack, alert_id)
    stack.deployment.clients.client("lambda", REGION).invoke(
        FunctionName=stack.deployment.names.function(RECOVERY), Qualifier="live", Payload=b"{}"
    )
    (_, last) = eventually(lambda: len(found := messages_of(stack, alert_id)) > 1 and found, within_s=SOON_S)
    assert (last.alert_ids, last.follow_ups) == ((), (alert_id,))
    assert "No analysis" not in str(last.payload)
    assert "Probable cause" in str(last.payload)
    eventually(lambda: "follow_up" not in item_of(stack, alert_id))
    assert "open_key" not in item_of(stack, alert_id)
