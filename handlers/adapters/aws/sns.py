"""The second way on SNS: one topic of the region, which mails and posts to whoever subscribed to it."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from handlers.domain.ports import EscalationError

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class SnsEscalation:
    """`Escalation` by a topic."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        """`client` decides region, timeouts and tries."""
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, subject: str, text: str) -> None:
        """See `Escalation`."""
        try:
            self._client.publish(TopicArn=self._topic_arn, Subject=subject, Message=text)
        except (ClientError, BotoCoreError) as error:
            raise EscalationError(f"{self._topic_arn} took nothing: {error}") from error
