"""Alarms that SNS hands to reception: one allowed topic, the same intake as the webhook's.

There is nobody to answer here, so what goes wrong is raised: Lambda's asynchronous invocation then tries
again, and a failure that stays is counted and alarmed instead of lost in silence.
"""

import logging
from dataclasses import dataclass
from typing import Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import DEFAULT_SEVERITY
from handlers.domain.formats import RefusedError
from handlers.domain.identity import body_hash_of
from handlers.domain.intake.bodies import parse_body
from handlers.domain.intake.reception import Reception, Submission

_log = logging.getLogger(__name__)

_TEXT_FORMAT: Final = "sns_text"


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
            RefusedError: the topic is not the allowed one.
            LedgerUnavailableError: to be tried again.
        """
        if message.topic_arn != self.allowed_topic_arn:
            raise RefusedError(
                403,
                "topic_not_allowed",
                field="TopicArn",
                hint=f"alarms are taken from {self.allowed_topic_arn} only, not from {message.topic_arn}",
            )
        rows = self.reception.accept(_submission(message.text), until_ms=until_ms)
        for row in rows:
            _log.info(
                "Accepted an alarm",
                extra={"alert_id": row.alert_id, "status": row.status, "message_id": message.message_id},
            )


def _submission(text: str) -> Submission:
    """The alarm in a message; a text that is none becomes an alert with that text, since somebody sent it."""
    text = text.encode(errors="replace").decode()  # without lone surrogates, which no row can hold
    body_hash = body_hash_of(text.encode())
    try:
        parsed = parse_body(text.encode())
    except RefusedError as error:
        _log.warning("A message on the alarm topic is no alarm", extra={"error": error.code})
        return Submission(format=_TEXT_FORMAT, alerts=(_of_text(text),), body_hash=body_hash)
    return Submission(format=parsed.format, alerts=parsed.alerts, body_hash=body_hash)


def _of_text(text: str) -> IncomingAlert:
    first, _, rest = text.strip().partition("\n")
    return IncomingAlert(
        source="sns",
        title=first.strip() or "An empty message on the alarm topic",
        message=rest.strip() or first,
        severity=DEFAULT_SEVERITY,
        part=msgspec.json.encode(text).decode(),
    )
