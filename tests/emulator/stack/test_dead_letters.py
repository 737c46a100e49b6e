"""A poisoned dead-letter queue and a purged queue, end to end, by `responder dlq` and `responder queue`."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from clients.deployment import Deployment, RegionEndpoints
from clients.rows import read_items
from emulator.client import Emulator
from emulator.local_stack import LocalStack
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.alert import Alert
from handlers.domain.states import notified
from tests.emulator.conftest import SOON_S
from tests.emulator.stack.conftest import Responder
from tests.unit.handlers.builders import row
from topology.alerts import Status
from topology.queues import DISTRIBUTION_DLQ, PROCESSING, PROCESSING_DLQ, QueueSpec

pytestmark = pytest.mark.emulator

NOT_DUE_S = 86_400


@pytest.fixture
def deployment(stack: LocalStack) -> Deployment:
    """The stack's resources."""
    return stack.deployment


def alert(name: str, *, due_in_s: int, status: Status = Status.ANALYZED) -> Alert:
    """An alert of now that waits, in the primary region; the id is of this run alone."""
    now_ms = time.time_ns() // 1_000_000
    made = row(f"{name}{now_ms:x}", status=status, at_ms=now_ms, title=f"Alert {name} {now_ms}")
    return replace(made, due_at=now_ms // 1_000 + due_in_s)


def store(deployment: Deployment, *alerts: Alert) -> None:
    """Put rows into the ledger. They stay: Slack is told of them, and the other tests' audits look for it."""
    ledger = deployment.clients.client("dynamodb", "us-east-1")
    for one in alerts:
        ledger.put_item(TableName=deployment.alerts_table, Item=item_of(attributes_of(one)))


@contextmanager
def made_up(deployment: Deployment, told: Alert) -> Iterator[None]:
    """A row that says that Slack was told, which it never was; it is taken out again."""
    store(deployment, told)
    yield
    ledger = deployment.clients.client("dynamodb", "us-east-1")
    ledger.delete_item(TableName=deployment.alerts_table, Key={"alert_id": {"S": told.alert_id}})


def send(
    deployment: Deployment, endpoints: RegionEndpoints, queue: QueueSpec, body: str, **options: Any
) -> None:
    """Put a message into a queue."""
    sqs = deployment.clients.client("sqs", endpoints.region)
    sqs.send_message(QueueUrl=endpoints.queue_url(queue), MessageBody=body, **options)


@contextmanager
def quick_to_fail(deployment: Deployment, endpoints: RegionEndpoints, queue: QueueSpec) -> Iterator[None]:
    """A message that fails comes again at once; five times of the stack's own timeout are minutes."""
    sqs, url = deployment.clients.client("sqs", endpoints.region), endpoints.queue_url(queue)
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def groups(responder: Responder) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What `dlq list` finds, by region, queue and reason."""
    listed = responder("dlq", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return {
        (queue["region"], queue["queue"], group["reason"]): group
        for queue in json.loads(listed.stdout)
        for group in queue["groups"]
    }


def test_poisoned_dead_letter_queues_are_told_apart_redriven_and_cleared(
    emulator: Emulator,
    deployment: Deployment,
    responder: Responder,
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Poison with the line that its worker logged; an open alert goes out once; one at rest not again."""
    waiting, rested = alert("a0dead", due_in_s=NOT_DUE_S), alert("a0done", due_in_s=NOT_DUE_S)
    rested = notified(rested, at_ms=time.time_ns() // 1_000_000)
    failover, to = deployment.failover, tmp_path / "dropped.jsonl"
    store(deployment, waiting)
    with made_up(deployment, rested), quick_to_fail(deployment, failover, PROCESSING):
        for one in (waiting, rested):
            send(deployment, deployment.primary, DISTRIBUTION_DLQ, json.dumps({"alert_id": one.alert_id}))
        send(deployment, failover, PROCESSING, '{"alert_id": "of-nobody"}')
        poison = (failover.region, "processing-dlq", "unknown-alert")
        eventually(lambda: poison in groups(responder), within_s=SOON_S)
        found = groups(responder)
        assert found.keys() == {
            poison,
            ("us-east-1", "distribution-dlq", "not-at-rest"),
            ("us-east-1", "distribution-dlq", "at-rest"),
        }
        assert json.loads(found[poison]["log"])["message"] == "Poison message"
        [shown] = json.loads(responder("dlq", "show", *found[poison]["message_ids"], "--json").stdout)
        assert (shown["body"], shown["source"]) == ('{"alert_id": "of-nobody"}', "processing")
        assert shown["log"]
        redriven = responder("dlq", "redrive", "--yes")
        assert redriven.returncode == 0, redriven.stderr
        assert redriven.stdout == "redriven 1 (not-at-rest 1)\nleft 2 (unknown-alert 1, at-rest 1)\n"
        told = eventually(
            lambda: [one for one in emulator.slack_messages() if waiting.alert_id in one.alert_ids],
            within_s=SOON_S,
        )
        assert len(told) == 1
        dropped = responder("dlq", "drop", "--all", "--yes", "--to", str(to))
        assert dropped.stdout == "dropped 2 (unknown-alert 1, at-rest 1)\n"
    assert len(to.read_text().splitlines()) == 2
    assert responder("dlq", "list").stdout == "dead letters 0 in 4 queues\n"
    assert not [one for one in emulator.slack_messages() if rested.alert_id in one.alert_ids]


def test_alarm_that_reception_could_not_take_is_taken_at_last(
    emulator: Emulator, deployment: Deployment, responder: Responder, eventually: Callable[..., Any]
) -> None:
    """The record that Lambda keeps of it is more than a wake-up: no ledger has that alarm."""
    text = f"Disk full of {time.time_ns()}"
    sns = {"TopicArn": deployment.primary.alarm_topic_arn, "MessageId": "m-1", "Message": text}
    record = {
        "requestContext": {
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:"
            "mcp-incident-responder-local-AlertReceptionFunction:live",
            "condition": "RetriesExhausted",
        },
        "requestPayload": {"Records": [{"EventSource": "aws:sns", "Sns": sns}]},
        "responsePayload": {"errorType": "Runtime.HandlerError", "errorMessage": "the ledger was away"},
    }
    send(deployment, deployment.primary, PROCESSING_DLQ, json.dumps(record))
    assert ("us-east-1", "processing-dlq", "failed-alarm") in groups(responder)
    redriven = responder("dlq", "redrive", "--region", "us-east-1", "--yes")
    assert redriven.stdout == "redriven 1 (failed-alarm 1)\n", redriven.stderr
    eventually(
        lambda: [one for one in emulator.slack_messages() if text in json.dumps(one.payload)], within_s=SOON_S
    )


def test_purged_queue_loses_no_alert(
    deployment: Deployment, responder: Responder, eventually: Callable[..., Any]
) -> None:
    """Their wake-ups are gone, Recovery wakes the alerts again, and each is told."""
    alerts = [alert(f"a{n}purged", due_in_s=3, status=Status.RECEIVED) for n in range(2)]
    store(deployment, *alerts)
    for one in alerts:
        body = json.dumps({"alert_id": one.alert_id})
        send(deployment, deployment.primary, PROCESSING, body, DelaySeconds=900)
    purged = responder("queue", "purge", "processing", "--region", "us-east-1", "--yes", "--json")
    assert purged.returncode == 0, purged.stderr
    came_back = json.loads(purged.stdout)
    assert came_back["purged"] >= 2
    assert came_back["waiting"] == came_back["seen_to"] >= 2
    ids = [one.alert_id for one in alerts]
    ledger = deployment.clients.client("dynamodb", "us-east-1")

    def statuses() -> set[str]:
        rows = read_items(ledger, deployment.alerts_table, ids, attributes=("status",))
        return {item["status"]["S"] for item in rows}

    eventually(lambda: statuses() == {Status.NOTIFIED}, within_s=SOON_S, shown=statuses)
