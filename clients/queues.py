"""How full a queue is."""

from collections.abc import Sequence
from typing import Any, Final

WAITING: Final = "ApproximateNumberOfMessages"
RECEIVED: Final = "ApproximateNumberOfMessagesNotVisible"
DELAYED: Final = "ApproximateNumberOfMessagesDelayed"


def message_count(sqs: Any, url: str, counted: Sequence[str] = (WAITING, RECEIVED, DELAYED)) -> int:
    """About how many messages a queue has, or of those that are `counted`. `sqs` is boto3's client.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(counted))["Attributes"]
    return sum(int(found.get(name, 0)) for name in counted)
