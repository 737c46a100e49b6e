"""Silences, acknowledgement and the second way on the embedded AWS, in both regions and with one killed."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
import requests

from emulator.client import Emulator
from emulator.local_stack import LocalStack, deploy
from handlers.domain.limits import REMEMBERED_MS
from tests.emulator.conftest import SOON_S
from tests.emulator.stack.conftest import Responder
from topology.functions import RECOVERY

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
PRIMARY, FAILOVER = "us-east-1", "us-west-2"
ESCALATE_AFTER_S: Final = 60
"""The shortest: alerts are made older than that by their row."""


@pytest.fixture(scope="module")
def prompt(emulator: Emulator) -> Iterator[LocalStack]:
    """The stack with the shortest time to acknowledge, and back."""
    yield deploy(emulator, config={"escalateAfterS": str(ESCALATE_AFTER_S)})
    deploy(emulator)


def send(stack: LocalStack, region: str, title: str, *, severity: str = "HIGH", source: str) -> str:
    """Post an alert to a region; its id."""
    (endpoints,) = [one for one in stack.deployment.regions if one.region == region]
    body = {"source": source, "title": title, "message": f"{title} happened", "severity": severity}
    key = stack.deployment.api_key(endpoints)
    answer = requests.post(endpoints.webhook_url, json=body, headers={"x-api-key": key}, timeout=60)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["alerts"][0]["alert_id"])


def row_of(stack: LocalStack, alert_id: str) -> Mapping[str, Any]:
    """The row's texts and numbers."""
    dynamodb = stack.deployment.clients.client("dynamodb", FAILOVER)
    item = dynamodb.get_item(
        TableName=stack.deployment.alerts_table, Key={"alert_id": {"S": alert_id}}, ConsistentRead=True
    )["Item"]
    return {name: part.get("S", part.get("N")) for name, part in item.items()}


def comes_to(stack: LocalStack, eventually: Eventually, alert_id: str, status: str) -> Mapping[str, Any]:
    """The row once it has this status."""

    def there() -> Mapping[str, Any] | None:
        row = row_of(stack, alert_id)
        return row if row["status"] == status else None

    found: Mapping[str, Any] = eventually(there, within_s=SOON_S, shown=lambda: row_of(stack, alert_id))
    return found


def is_in_slack(stack: LocalStack, alert_id: str) -> bool:
    """Whether a message tells of the alert."""
    return any(alert_id in one.alert_ids for one in stack.emulator.slack_messages())


def recover(stack: LocalStack, region: str) -> Mapping[str, Any]:
    """Run a region's Recovery now, to its end; its counts."""
    answer = stack.deployment.clients.client("lambda", region).invoke(
        FunctionName=stack.deployment.names.function(RECOVERY), Qualifier="live", Payload=b"{}"
    )
    content = answer["Payload"].read()
    assert "FunctionError" not in answer, content
    return dict(json.loads(content))


def silence(responder: Responder, source: str) -> str:
    """Silence a source by the command; the silence's id."""
    words = ("--for", "1h", "--reason", "They move", "--by", "ann", "--json")
    done = responder("silence", "add", f"source={source}", *words)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["silence"]["silence_id"])


def silenced_alert(stack: LocalStack, eventually: Eventually, region: str, source: str) -> str:
    """The first of a source's alerts that is silenced: for seconds workers know of no silence."""

    def sent() -> str:
        alert_id = send(stack, region, f"Moving {time.time_ns()}", source=source)

        def rested() -> str:
            status = str(row_of(stack, alert_id)["status"])
            return status if status in ("SUPPRESSED", "NOTIFIED") else ""

        return alert_id if eventually(rested, within_s=SOON_S) == "SUPPRESSED" else ""

    return str(eventually(sent, within_s=SOON_S + REMEMBERED_MS / 1000))


def test_silence_takes_effect_in_both_regions_and_ends(
    prompt: LocalStack, eventually: Eventually, responder: Responder
) -> None:
    """Nobody hears of what it covers; when it is ended, people are told of what still fires, once."""
    silence_id = silence(responder, "mover")

    silenced = [silenced_alert(prompt, eventually, region, "mover") for region in (PRIMARY, FAILOVER)]
    for alert_id in silenced:
        assert row_of(prompt, alert_id)["silence_id"] == silence_id
        assert not is_in_slack(prompt, alert_id)
    (listed,) = json.loads(responder("silence", "list", "--json").stdout)
    assert listed["silence_id"] == silence_id
    assert listed["silenced"] >= len(silenced)
    other = send(prompt, PRIMARY, "Unrelated", source="stayer")
    comes_to(prompt, eventually, other, "NOTIFIED")
    assert responder("silence", "end", silence_id).returncode == 0

    def told() -> bool:
        for region in (PRIMARY, FAILOVER):
            recover(prompt, region)
        return all(row_of(prompt, alert_id)["status"] != "SUPPRESSED" for alert_id in silenced)

    eventually(told, within_s=SOON_S)
    for alert_id in silenced:
        comes_to(prompt, eventually, alert_id, "NOTIFIED")


def test_silence_is_made_and_ended_while_a_region_is_lost(
    prompt: LocalStack, whole: Emulator, eventually: Eventually, responder: Responder
) -> None:
    """The primary is killed amid a silence; the other region tells of its alert when that is ended."""
    silence_id = silence(responder, "orphaned")
    silenced = silenced_alert(prompt, eventually, PRIMARY, "orphaned")
    whole.kill(PRIMARY)
    done = responder("silence", "end", silence_id)
    assert done.returncode == 0, done.stderr

    def told() -> bool:
        recover(prompt, FAILOVER)
        return row_of(prompt, silenced)["status"] != "SUPPRESSED"

    eventually(told, within_s=SOON_S)
    comes_to(prompt, eventually, silenced, "NOTIFIED")
    whole.start_region(PRIMARY)


def test_unacknowledged_alert_goes_a_second_way_and_an_acknowledged_one_does_not(
    prompt: LocalStack, eventually: Eventually, responder: Responder
) -> None:
    """What is published is read from a queue that is subscribed to the region's topic."""
    clients, names = prompt.deployment.clients, prompt.deployment.names
    sqs, sns = clients.client("sqs", PRIMARY), clients.client("sns", PRIMARY)
    queue = sqs.create_queue(QueueName="second-way")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = prompt.deployment.primary.alarm_topic_arn.replace(names.alarm_topic, names.escalation_topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    seen, ignored = (
        send(prompt, PRIMARY, f"Down {name} {time.time_ns()}", severity="CRITICAL", source=f"db-{name}")
        for name in ("seen", "ignored")
    )
    for alert_id in (seen, ignored):
        row = comes_to(prompt, eventually, alert_id, "NOTIFIED")
        assert int(row["escalate_at"]) == int(row["notified_at_ms"]) // 1000 + ESCALATE_AFTER_S
    acknowledged = responder("alerts", "ack", seen, "--by", "ann")
    assert acknowledged.returncode == 0, acknowledged.stderr
    assert "ann has acknowledged it already" in responder("alerts", "ack", seen, "--by", "bob").stderr
    now = {":now": {"N": str(int(time.time()) - 1)}}

    def due() -> bool:
        """Let the minute pass, once no follow-up is due any more."""
        if not str(row_of(prompt, ignored).get("open_key", "")).endswith("UNACKNOWLEDGED"):
            return False
        clients.client("dynamodb", PRIMARY).update_item(
            TableName=prompt.deployment.alerts_table,
            Key={"alert_id": {"S": ignored}},
            UpdateExpression="SET due_at = :now, escalate_at = :now",
            ExpressionAttributeValues=now,
        )
        return True

    eventually(due, within_s=SOON_S, shown=lambda: row_of(prompt, ignored))
    recover(prompt, PRIMARY)

    def published() -> list[Mapping[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    (message,) = eventually(published, within_s=SOON_S)
    assert message["Subject"].startswith("CRITICAL, not acknowledged: Down ignored")
    assert f"responder alerts ack {ignored} --by NAME" in message["Message"]
    assert seen not in message["Message"]
    assert row_of(prompt, ignored)["status"] == "NOTIFIED"
    assert "escalated_at" in row_of(prompt, ignored)
    sqs.delete_queue(QueueUrl=queue)
