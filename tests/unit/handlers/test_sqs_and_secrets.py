"""The queue sender and the secrets on moto."""

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from handlers.adapters.aws import clients
from handlers.adapters.aws.secrets import MAX_AGE_S, Secret, SecretMissingError, SecretUnavailableError
from handlers.adapters.aws.sqs import SqsQueueSender
from handlers.domain.ports import QueueSendError
from tests.fakes.machine import FakeClock
from tests.unit.handlers.builders import REGION, row
from topology.queues import Queue

NAME = "mcp-responder-dev/slack-webhook"


@pytest.fixture
def queue_url(aws: None) -> str:  # noqa: ARG001 - moto must run
    """An empty queue."""
    return str(boto3.client("sqs", region_name=REGION).create_queue(QueueName="processing")["QueueUrl"])


def received(url: str) -> Iterator[dict[str, Any]]:
    """What is in the queue."""
    sqs = boto3.client("sqs", region_name=REGION)
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        yield from (json.loads(message["Body"]) for message in batch)


def test_each_wake_up_is_a_message(queue_url: str) -> None:
    """More than a batch of ten goes out whole, and a message holds the id and nothing else."""
    ids = [f"a{number}" for number in range(23)]
    queue_sender = SqsQueueSender(clients.client("sqs", REGION), {Queue.PROCESSING: queue_url})
    queue_sender.send(Queue.PROCESSING, [row(alert_id) for alert_id in ids])
    assert sorted(map(str, received(queue_url))) == sorted(str({"alert_id": one}) for one in ids)


@pytest.mark.parametrize(
    "source", ["billing", "", "ein Wort und \u0639\u0631\u0628", "s" * 256, "\U0001f525"]
)
def test_the_group_of_a_wake_up_is_its_source(queue_url: str, source: str) -> None:
    """One group for each source, whatever text it is, so that none of them makes the others wait."""
    sqs = clients.client("sqs", REGION)
    alerts = [row("a1", source=source), row("a2", source=source, title="other"), row("a3", source="another")]
    SqsQueueSender(sqs, {Queue.PROCESSING: queue_url}).send(Queue.PROCESSING, alerts)
    got = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
    )["Messages"]
    groups = {json.loads(one["Body"])["alert_id"]: one["Attributes"]["MessageGroupId"] for one in got}
    assert groups["a1"] == groups["a2"] != groups["a3"]
    assert all(re.fullmatch("[!-~]{1,128}", group) for group in groups.values())


def test_delayed_wake_up_is_not_there_yet(queue_url: str) -> None:
    """The delay is the queue's, not ours."""
    queue_sender = SqsQueueSender(clients.client("sqs", REGION), {Queue.PROCESSING: queue_url})
    queue_sender.send(Queue.PROCESSING, [row("a1")], delay_s=900)
    assert list(received(queue_url)) == []


def test_missing_queue_is_an_error(aws: None) -> None:  # noqa: ARG001 - moto must run
    """The caller decides what a lost wake-up means."""
    queue_sender = SqsQueueSender(
        clients.client("sqs", REGION), {Queue.PROCESSING: "https://sqs.us-east-1.amazonaws.com/1/no"}
    )
    with pytest.raises(QueueSendError, match="a1"):
        queue_sender.send(Queue.PROCESSING, [row("a1")])


def test_partly_failed_batch_names_what_failed(aws: None) -> None:  # noqa: ARG001 - credentials
    """SQS answers 200 and lists the entries that it did not take."""
    client = clients.client("sqs", REGION)
    stub = Stubber(client)
    stub.add_response(
        "send_message_batch",
        {
            "Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "d"}],
            "Failed": [{"Id": "1", "SenderFault": False, "Code": "InternalError"}],
        },
    )
    with stub, pytest.raises(QueueSendError, match=r"\['a2'\]"):
        SqsQueueSender(client, {Queue.PROCESSING: "u"}).send(Queue.PROCESSING, [row("a1"), row("a2")])


def put_secret(value: str) -> None:
    """Create or rotate the secret."""
    client = boto3.client("secretsmanager", region_name=REGION)
    if any(entry["Name"] == NAME for entry in client.list_secrets()["SecretList"]):
        client.put_secret_value(SecretId=NAME, SecretString=value)
    else:
        client.create_secret(Name=NAME, SecretString=value)


def secret(clock: FakeClock) -> Secret:
    """The secret as a handler has it."""
    return Secret(clients.client("secretsmanager", REGION), NAME, clock)


def test_rotated_secret_is_read_within_four_minutes(aws: None) -> None:  # noqa: ARG001 - moto must run
    """No redeploy, no restart."""
    clock = FakeClock()
    one = secret(clock)
    put_secret("old\n")
    assert one.value() == "old"
    put_secret("new")
    clock.advance(MAX_AGE_S - 1)
    assert one.value() == "old"
    clock.advance(1)
    assert one.value() == "new"


def test_fresh_value_is_read_at_once(aws: None) -> None:  # noqa: ARG001 - moto must run
    """For a service that says the value is wrong."""
    one = secret(FakeClock())
    put_secret("old")
    one.value()
    put_secret("new")
    assert one.value(fresh=True) == "new"
    assert one.value() == "new"


@pytest.mark.parametrize("value", [None, " "], ids=["absent", "blank"])
def test_missing_secret_is_said_by_name(aws: None, value: str | None) -> None:  # noqa: ARG001 - moto must run
    """The reason names the secret, for the operator who reads it on the parked alert."""
    if value is not None:
        put_secret(value)
    with pytest.raises(SecretMissingError, match=NAME):
        secret(FakeClock()).value()


def test_secret_that_was_put_later_is_found(aws: None) -> None:  # noqa: ARG001 - moto must run
    """Missing is not remembered."""
    one = secret(FakeClock())
    with pytest.raises(SecretMissingError):
        one.value()
    put_secret("now")
    assert one.value() == "now"


def test_deleted_secret_is_not_used_on(aws: None) -> None:  # noqa: ARG001 - moto must run
    """Taking a secret away takes effect like a rotation."""
    clock = FakeClock()
    one = secret(clock)
    put_secret("old")
    one.value()
    boto3.client("secretsmanager", region_name=REGION).delete_secret(SecretId=NAME)
    clock.advance(MAX_AGE_S)
    with pytest.raises(SecretMissingError):
        one.value()


def test_fresh_value_is_never_an_old_one(aws: None) -> None:  # noqa: ARG001 - credentials
    """Or whoever asks whether it was rotated would take "cannot be read now" for "no"."""
    client = clients.client("secretsmanager", REGION, attempts=1)
    one = Secret(client, NAME, FakeClock())
    stub = Stubber(client)
    stub.add_response("get_secret_value", {"SecretString": "v"})
    stub.add_client_error("get_secret_value", "ThrottlingException")
    with stub:
        one.value()
        with pytest.raises(SecretUnavailableError, match=NAME):
            one.value(fresh=True)
        assert one.value() == "v"


def test_last_value_is_used_while_the_service_fails(aws: None) -> None:  # noqa: ARG001 - credentials
    """An outage of the secrets' service does not stop delivery; without any value it is said."""
    client, clock = clients.client("secretsmanager", REGION, attempts=1), FakeClock()
    one = Secret(client, NAME, clock)
    stub = Stubber(client)
    stub.add_client_error("get_secret_value", "InternalServiceError", http_status_code=500)
    stub.add_response("get_secret_value", {"SecretString": "v"})
    stub.add_client_error("get_secret_value", "ThrottlingException")
    with stub:
        with pytest.raises(SecretUnavailableError, match=NAME):
            one.value()
        assert one.value() == "v"
        clock.advance(MAX_AGE_S)
        assert one.value() == "v"
    stub.assert_no_pending_responses()
