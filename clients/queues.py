"""How full a queue is."""

from typing import Any, Final

_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def message_count(sqs: Any, url: str) -> int:
    """About how many messages a queue has, received and delayed ones included. `sqs` is boto3's client.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
    return sum(int(found.get(name, 0)) for name in _COUNTS)
