"""`QueueSender` on SQS: a wake-up is a message with an alert's id and nothing else.

Its message group is the alert's source. On a standard queue that orders nothing: it makes the queue fair, so
that a source which fills it does not make the alerts of the others wait.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from handlers.domain.alert import Alert
from handlers.domain.ports import QueueSendError
from topology.limits import SQS_BATCH_MAX
from topology.queues import Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_GROUP_DIGITS: Final = 32
"""Of a source's hash: SQS takes 128 characters of ASCII without blanks, and a source may be any text.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatchRequestEntry.html"""


class SqsQueueSender:
    """`QueueSender` on the work queues of this region."""

    def __init__(self, client: "SQSClient", urls: Mapping[Queue, str]) -> None:
        """`urls`: one for each queue that this function may send to."""
        self._client = client
        self._urls = urls

    def send(self, queue: Queue, alerts: Sequence[Alert], *, delay_s: int = 0) -> None:
        """See `QueueSender`: in batches of ten.

        After one that cannot be sent no other is tried: each try takes seconds.
        """
        unsent: list[str] = []
        for start in range(0, len(alerts), SQS_BATCH_MAX):
            batch = alerts[start : start + SQS_BATCH_MAX]
            try:
                answer = self._client.send_message_batch(
                    QueueUrl=self._urls[queue],
                    Entries=[
                        {
                            "Id": str(index),
                            "MessageBody": msgspec.json.encode({"alert_id": alert.alert_id}).decode(),
                            "MessageGroupId": hashlib.sha256(alert.source.encode()).hexdigest()[
                                :_GROUP_DIGITS
                            ],
                            "DelaySeconds": delay_s,
                        }
                        for index, alert in enumerate(batch)
                    ],
                )
            except (ClientError, BotoCoreError) as error:
                unsent += [alert.alert_id for alert in alerts[start:]]
                raise QueueSendError(f"wake-ups not sent to {queue}: {unsent}") from error
            unsent += [batch[int(entry["Id"])].alert_id for entry in answer.get("Failed", [])]
        if unsent:
            raise QueueSendError(f"wake-ups not sent to {queue}: {unsent}")
