"""Alarms that SNS hands to reception: one allowed topic, the same intake as the webhook's.

There is nobody to answer here, so what goes wrong is raised: Lambda's asynchronous invocation then tries
again, and a failure that stays is counted and alarmed instead of lost in silence.
"""

import logging
from dataclasses import dataclass

from handlers.domain.formats import RefusedError
from handlers.domain.intake.bodies import parse_body
from handlers.domain.intake.reception import Reception, Submission

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AlarmMessage:
    """What SNS delivered."""

    topic_arn: str
    message_id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class AlarmIntake:
    """Takes the alarms of one topic."""

    reception: Reception
    allowed_topic_arn: str

    def take(self, message: AlarmMessage, *, until_ms: int) -> None:
        """Accept the alarm in a message.

        Raises:
            RefusedError: the topic is not the allowed one, or the message is no alert.
            LedgerUnavailableError: to be tried again.
        """
        if message.topic_arn != self.allowed_topic_arn:
            raise RefusedError(
                403,
                "topic_not_allowed",
                field="TopicArn",
                hint=f"alarms are taken from {self.allowed_topic_arn} only, not from {message.topic_arn}",
            )
        parsed = parse_body(message.text.encode(errors="replace"))
        rows = self.reception.accept(
            Submission(format=parsed.format, alerts=parsed.alerts), until_ms=until_ms
        )
        for row in rows:
            _log.info(
                "Accepted an alarm",
                extra={"alert_id": row.alert_id, "status": row.status, "message_id": message.message_id},
            )
