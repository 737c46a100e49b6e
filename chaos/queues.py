"""The experiments' operations on SQS, by its own API, so that they work on the embedded AWS and on AWS."""

import json
from typing import Any, Final

from chaos.target import Target
from clients.deployment import RegionEndpoints
from clients.queues import message_count
from topology.limits import SQS_BATCH_MAX

DENY_SID: Final = "ChaosDeny"
DENIED: Final = ("sqs:SendMessage", "sqs:ReceiveMessage")

POISON: Final = ("not json", "{}", '{"alert_id": 7}', '["alert_id"]', '{"alert_id": "of-nobody"}', "\\u0000")
"""Bodies that no worker can use, sent in turn."""


def work_queues(endpoints: RegionEndpoints) -> tuple[str, ...]:
    """The URLs of a region's queues that have a consumer."""
    return (
        endpoints.processing_queue_url,
        endpoints.processing_critical_queue_url,
        endpoints.distribution_queue_url,
        endpoints.distribution_critical_queue_url,
    )


def deny(target: Target, region: str, url: str) -> None:
    """Add a statement to a queue's policy by which nobody may send or receive.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-creating-custom-policies.html
    """
    arn = _sqs(target, region).get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    statement = {
        "Sid": DENY_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(DENIED),
        "Resource": arn["Attributes"]["QueueArn"],
    }
    _set_statements(target, region, url, [*_other_statements(target, region, url), statement])


def allow(target: Target, region: str, url: str) -> None:
    """Remove the statement that `deny` added; a queue without it stays as it is."""
    _set_statements(target, region, url, _other_statements(target, region, url))


def purge(target: Target, region: str, url: str) -> int:
    """Purge a queue; return how many messages it had just before."""
    count = message_count(_sqs(target, region), url)
    _sqs(target, region).purge_queue(QueueUrl=url)
    return count


def poison(target: Target, region: str, url: str, count: int) -> int:
    """Send `count` bodies that no worker can use; return how many SQS took."""
    taken = 0
    for first in range(0, count, SQS_BATCH_MAX):
        numbers = range(first, min(first + SQS_BATCH_MAX, count))
        entries = [{"Id": str(n), "MessageBody": POISON[n % len(POISON)]} for n in numbers]
        answer = _sqs(target, region).send_message_batch(QueueUrl=url, Entries=entries)
        taken += len(answer.get("Successful", ()))
    return taken


def _other_statements(target: Target, region: str, url: str) -> list[dict[str, Any]]:
    answer = _sqs(target, region).get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    policy = answer.get("Attributes", {}).get("Policy")
    statements = json.loads(policy)["Statement"] if policy else []
    return [statement for statement in statements if statement.get("Sid") != DENY_SID]


def _set_statements(target: Target, region: str, url: str, statements: list[dict[str, Any]]) -> None:
    """Set a queue's policy. SQS takes an empty text for no policy, and refuses one without statements."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else ""
    _sqs(target, region).set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _sqs(target: Target, region: str) -> Any:
    return target.deployment.clients.client("sqs", region)
