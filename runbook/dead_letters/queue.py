"""One dead-letter queue, read without losing anything: what is received is deleted or given back.

SQS has no way to look at a message but to receive it, which hides it from others for a while. Whoever is
killed meanwhile leaves nothing behind: what was hidden is there again after `HIDDEN_S`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clients.queues import message_count
from topology.limits import SQS_BATCH_MAX
from topology.queues import WORK_QUEUES, QueueSpec

HIDDEN_S: Final = 60
"""How long a received message is hidden: for one batch to be sent and deleted. One that is only looked at,
and comes up again after that, is hidden again."""

LOOKED_AT_MAX: Final = 100_000
"""Messages of a queue that a run looks at, under the 120,000 that may be hidden at once.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

_LONG_POLL_S: Final = 1
"""Asks all of SQS's servers, where a short poll may miss some.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as it was received. `sent_at_ms`: when it came into the queue that it failed in.

    `source`: that queue; None where it was put into the dead-letter queue directly. `group`: its message
    group.
    """

    message_id: str
    receipt: str
    body: str
    sent_at_ms: int
    source: QueueSpec | None
    group: str = ""


class DeadLetterQueue:
    """The messages of a queue, each handed out once."""

    def __init__(self, sqs: Any, url: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        """`sqs` is boto3's client in the queue's region. Nothing is received yet."""
        self._sqs, self._url, self._now_s = sqs, url, now_s
        self._seen: set[str] = set()
        self._hidden: dict[str, Message] = {}

    def batches(
        self, *, size: int = SQS_BATCH_MAX, at_most: int = LOOKED_AT_MAX, wait_s: float = 0
    ) -> Iterator[list[Message]]:
        """Receive what there is, `size` messages at a time, until there is nothing else.

        `wait_s`: how long to wait for those that are hidden by somebody else, who may have been killed.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
        """
        last_new_s, poll_s = self._now_s(), 0
        while (room := at_most - len(self._seen)) > 0:
            received = self._receive(min(size, room), poll_s)
            new = [message for message in received if message.message_id not in self._seen]
            self._hidden |= {message.message_id: message for message in received}
            self._seen |= {message.message_id for message in new}
            if new:
                last_new_s, poll_s = self._now_s(), 0
                yield new
            elif not self.others() or (poll_s and self._now_s() - last_new_s >= wait_s):
                return
            else:
                poll_s = _LONG_POLL_S

    def others(self) -> int:
        """How many messages there are besides those that are hidden by us: new ones, or hidden by others.

        SQS's own count is approximate.
        """
        return max(message_count(self._sqs, self._url) - len(self._hidden), 0)

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete them for good; return how many SQS did not take, which come up again.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
        """
        failed = 0
        for start in range(0, len(messages), SQS_BATCH_MAX):
            batch = messages[start : start + SQS_BATCH_MAX]
            entries = [
                {"Id": str(n), "ReceiptHandle": self._hidden.pop(message.message_id, message).receipt}
                for n, message in enumerate(batch)
            ]
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
            failed += len(answer.get("Failed", ()))
        return failed

    def give_back(self) -> None:
        """Show others what is hidden and was not deleted.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the region does not answer, and shows them later.
        """
        messages = [*self._hidden.values()]
        self._hidden.clear()
        for start in range(0, len(messages), SQS_BATCH_MAX):
            entries = [
                {"Id": str(n), "ReceiptHandle": message.receipt, "VisibilityTimeout": 0}
                for n, message in enumerate(messages[start : start + SQS_BATCH_MAX])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def leave(self) -> None:
        """Let what is hidden show up by itself, where giving it back would take too long."""
        self._hidden.clear()

    def _receive(self, number: int, poll_s: int) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=number,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=poll_s,
            MessageSystemAttributeNames=["SentTimestamp", "MessageGroupId", "DeadLetterQueueSourceArn"],
        )
        return [_message(one) for one in answer.get("Messages", ())]


def _message(received: Any) -> Message:
    attributes = received.get("Attributes", {})
    name = attributes.get("DeadLetterQueueSourceArn", "").rpartition(":")[2]
    return Message(
        message_id=received["MessageId"],
        receipt=received["ReceiptHandle"],
        body=received["Body"],
        sent_at_ms=int(attributes.get("SentTimestamp", 0)),
        source=next((spec for spec in WORK_QUEUES if name.endswith(f"-{spec.suffix}")), None),
        group=attributes.get("MessageGroupId", ""),
    )
