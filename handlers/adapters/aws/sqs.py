"""`QueueSender` on SQS: a wake-up is a message with an alert's id and nothing else."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from handlers.domain.ports import QueueSendError
from topology.queues import Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH: Final = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""


class SqsQueueSender:
    """`QueueSender` on the work queues of this region."""

    def __init__(self, client: "SQSClient", urls: Mapping[Queue, str]) -> None:
        """`urls`: one for each queue that this function may send to."""
        self._client = client
        self._urls = urls

    def send(self, queue: Queue, alert_ids: Sequence[str], *, delay_s: int = 0) -> None:
        """See `QueueSender`: in batches of ten.

        After one that cannot be sent no other is tried: each try takes seconds.
        """
        unsent: list[str] = []
        for start in range(0, len(alert_ids), _BATCH):
            batch = alert_ids[start : start + _BATCH]
            try:
                answer = self._client.send_message_batch(
                    QueueUrl=self._urls[queue],
                    Entries=[
                        {
                            "Id": str(index),
                            "MessageBody": msgspec.json.encode({"alert_id": alert_id}).decode(),
                            "DelaySeconds": delay_s,
                        }
                        for index, alert_id in enumerate(batch)
                    ],
                )
            except (ClientError, BotoCoreError) as error:
                raise QueueSendError(
                    f"wake-ups not sent to {queue}: {[*unsent, *alert_ids[start:]]}"
                ) from error
            unsent += [batch[int(entry["Id"])] for entry in answer.get("Failed", [])]
        if unsent:
            raise QueueSendError(f"wake-ups not sent to {queue}: {unsent}")
