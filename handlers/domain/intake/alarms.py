"""Alarms that SNS hands to reception: one allowed topic, the same intake as the webhook's.

There is nobody to answer here, so what goes wrong is raised: Lambda's asynchronous invocation then tries
again, and a failure that stays is counted and alarmed instead of lost in silence.
"""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import DEFAULT_SEVERITY
from handlers.domain.formats import Format, parse
from handlers.domain.identity import body_hash_of
from handlers.domain.intake.heartbeats import Heartbeats
from handlers.domain.intake.reception import Reception, Submission
from handlers.domain.intake.refusals import Refusals
from handlers.domain.limits import MAX_TITLE_CHARS
from handlers.domain.refusal import RefusedError
from handlers.domain.text import inert

_log = logging.getLogger(__name__)

TEXT_FORMAT: Final = "sns_text"
"""Of an alert that is made of a text on the alarm topic."""


class AlarmMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What SNS delivered."""

    topic_arn: str
    message_id: str
    text: str


class AlarmIntake(msgspec.Struct, frozen=True, kw_only=True):
    """Takes the alarms of one topic. `sources`: the configured ones, as the webhook has them."""

    reception: Reception
    refusals: Refusals
    allowed_topic_arn: str
    heartbeats: Heartbeats
    sources: Sequence[Format] = ()

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
        submission, heartbeats = self._submission(message)
        rows = self.reception.accept(submission, until_ms=until_ms)
        self.heartbeats.note(heartbeats)
        for row in rows:
            _log.info(
                "Accepted an alarm",
                extra={"alert_id": row.alert_id, "status": row.status, "message_id": message.message_id},
            )

    def _submission(self, message: AlarmMessage) -> tuple[Submission, Sequence[str]]:
        """The alarms in a message, and the heartbeats in it, by name.

        Text that is none becomes an alert with it, since somebody sent it.
        """
        body = message.text.encode(errors="replace")  # without lone surrogates, which no row can hold
        body_hash = body_hash_of(body)
        try:
            parsed = parse(body, {}, sources=self.sources, heartbeat_of=self.heartbeats.name_of)
        except RefusedError as error:
            self._tell([error], TEXT_FORMAT, body, message)
            alerts = (alert_of_text(body.decode()),)
            return Submission(format=TEXT_FORMAT, alerts=alerts, body_hash=body_hash), ()
        self._tell([member.error for member in parsed.refused], parsed.format, body, message)
        self.refusals.tell_ignored(parsed, body=body, request_id=message.message_id)
        submission = Submission(format=parsed.format, alerts=parsed.alerts, body_hash=body_hash)
        return submission, parsed.heartbeats

    def _tell(
        self, refused: list[RefusedError], body_format: str, body: bytes, message: AlarmMessage
    ) -> None:
        self.refusals.tell(
            "Refused on the alarm topic",
            refused,
            body_format=body_format,
            body=body,
            request_id=message.message_id,
        )


def alert_of_text(text: str) -> IncomingAlert:
    """The alert that a message on the alarm topic becomes where it is of no known form."""
    first, _, rest = text.strip().partition("\n")
    return IncomingAlert(
        source="sns",
        title=first.strip() if inert(first[:MAX_TITLE_CHARS]) else "An empty message on the alarm topic",
        message=rest.strip() or first,
        severity=DEFAULT_SEVERITY,
        part=msgspec.json.encode(text).decode(),
    )
