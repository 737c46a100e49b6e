"""SQS: an explicit Deny in a queue's policy holds."""

import time
from typing import Any, Final

from ministack.core import iam_evaluator, responses
from ministack.services import sqs

from emulator.fault_log import FaultLog

POLLS_LOGGED_EACH_S: Final = 1.0
"""A denied mapping goes on polling as fast as one that has work, so not each poll is logged."""


def honour_queue_denials(log: FaultLog) -> None:
    """Have an explicit Deny in a queue's policy hold, for calls and for event source mappings, as on AWS.

    ministack reads a queue's policy only where it enforces all of IAM, and for mappings never. FIS has no
    action on SQS; such a policy is how an experiment takes a queue away, here as on AWS.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-basic-examples-of-sqs-policies.html
    """
    check, receive = sqs._enforce_queue_policy, sqs._receive_messages_for_esm  # noqa: SLF001 - the only gates
    logged_at: dict[str, float] = {}

    def enforce(queue: dict[str, Any], action: str) -> None:
        check(queue, action)
        if _denied(queue, action):
            _note(log, queue, action)
            raise sqs._Err("AccessDenied", f"Access to {_arn(queue)} is denied by its policy.", 403)  # noqa: SLF001 - what its handlers answer

    def receive_unless_denied(queue_url: str, number: int) -> list[dict[str, Any]]:
        queue = sqs._queues.get(queue_url)  # noqa: SLF001 - where it is stored
        if queue is not None and _denied(queue, "sqs:ReceiveMessage"):
            if time.monotonic() - logged_at.get(queue_url, 0.0) >= POLLS_LOGGED_EACH_S:
                logged_at[queue_url] = time.monotonic()
                _note(log, queue, "sqs:ReceiveMessage by an event source mapping")
            return []
        messages: list[dict[str, Any]] = receive(queue_url, number)
        return messages

    sqs._enforce_queue_policy = enforce  # noqa: SLF001 - as above
    sqs._receive_messages_for_esm = receive_unless_denied  # noqa: SLF001 - as above


def _denied(queue: dict[str, Any], action: str) -> bool:
    policy = queue["attributes"].get("Policy")
    if not policy:
        return False
    request = iam_evaluator.EvalContext(
        principal_arn=iam_evaluator.caller_arn(),
        principal_type="Root",
        principal_account=responses.get_account_id(),
        action=action,
        resource_arn=_arn(queue),
        region=responses.get_region(),
    )
    return not iam_evaluator.resource_policy_allows(policy, request, same_account=True)


def _arn(queue: dict[str, Any]) -> str:
    return str(queue["attributes"].get("QueueArn", ""))


def _note(log: FaultLog, queue: dict[str, Any], action: str) -> None:
    what = f"{action} on {_arn(queue).rpartition(':')[2]}"
    log.add(service="sqs", kind="denied", region=responses.get_region(), what=what)
