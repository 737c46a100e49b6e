"""AWS Health's events on EventBridge: outages of AWS, changes it has planned, and what it has to say.

https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html

An event's ARN is shared by the accounts that it affects. Its updates have the same ARN and start, so they
repeat it. Health has no severities: what is an issue or abuse is HIGH, what is planned or looked into MEDIUM,
what is only told LOW.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import DEFAULT_SEVERITY
from handlers.domain.formats import Identity, Member
from handlers.domain.values import Fields, present, text_of
from topology.alerts import Severity

_SOURCE: Final = "aws.health"
_KIND: Final = "AWS Health"
_ABUSE: Final = "Abuse"
_MARKS: Final = frozenset({"eventTypeCode", "eventTypeCategory", "eventArn"})
_SEVERITIES: Final = {
    "issue": Severity.HIGH,
    "investigation": Severity.MEDIUM,
    "scheduledchange": Severity.MEDIUM,
    "accountnotification": Severity.LOW,
}
_MAX_ENTITIES: Final = 10
_ENGLISH: Final = "en"


class AwsHealthFormat:
    """An event of AWS Health: one alert."""

    name = "aws_health_eventbridge"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`detail.eventArn` and the affected account",
        episode="`detail.startTime`",
        sent_at="`time`",
        resolution="`detail.statusCode` is `closed`",
    )
    severity = "issues and abuse HIGH, investigations and scheduled changes MEDIUM, notifications LOW"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """An event of Health, by its source, its type or its detail."""
        if not {"detail", "detail-type"} & body.keys():
            return False
        kind, detail = text_of(body.get("detail-type")) or "", body.get("detail")
        marked = isinstance(detail, dict) and len(_MARKS & detail.keys()) > 1
        return body.get("source") == _SOURCE or kind.startswith(_KIND) or marked

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The event."""
        fields = Fields(body)
        detail = fields.inner("detail")
        category = detail.text("eventTypeCategory", needed=True)
        severity = _SEVERITIES.get((category or "").casefold(), DEFAULT_SEVERITY)
        if _ABUSE in (fields.text("detail-type") or ""):
            severity = Severity.HIGH
        service, code = detail.text("service", needed=True), detail.text("eventTypeCode", needed=True)
        entities = [name for part in detail.inners("affectedEntities") if (name := part.text("entityValue"))]
        account = detail.text("affectedAccount") or fields.text("account")
        began, status = _time(detail, "startTime"), detail.text("statusCode")
        ended = _time(detail, "endTime", "lastUpdatedTime")
        arn = detail.id("eventArn") or fields.id("id")
        labels = {
            "account": account,
            "region": detail.text("eventRegion") or fields.text("region"),
            "category": category,
            "code": code,
            "entities": ", ".join(entities[:_MAX_ENTITIES]),
        }
        return [
            IncomingAlert(
                source="aws.health",
                title=_title(service, code) or "an event of AWS Health",
                severity=severity,
                part=msgspec.json.encode(body).decode(),
                message=_description(detail),
                component=service,
                host=entities[0] if len(entities) == 1 else None,
                started_at=began,
                episode=began or "",
                changed_at=(ended or _time(fields, "time")) if status == "closed" else began,
                event_id=f"{arn}/{account}" if arn else None,
                status=status,
                labels=present(labels),
                mended=fields.mended,
            )
        ]


def _title(service: str | None, code: str | None) -> str:
    """Such as `EC2: persistent instance retirement scheduled`, of AWS_EC2_PERSISTENT_INSTANCE_..."""
    words = (code or "").removeprefix("AWS_").removeprefix(f"{service}_").replace("_", " ").strip().lower()
    return ": ".join(text for text in (service, words) if text)


def _description(detail: Fields) -> str:
    """What the event says, in English where it has that."""
    texts = [
        (not (part.text("language") or _ENGLISH).startswith(_ENGLISH), text)
        for part in detail.inners("eventDescription")
        if (text := part.text("latestDescription"))
    ]
    return min(texts, default=(False, ""), key=lambda text: text[0])[1].replace("\\n", "\n")


def _time(fields: Fields, *names: str) -> str | None:
    """A time as ISO 8601; Health writes RFC 1123's `Thu, 1 Nov 2018 22:00:00 GMT`."""
    text = fields.time(*names)
    if text is None or text[0].isdigit():
        return text
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - no other format needs it at a cold start

    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return text
    return at.astimezone(UTC).isoformat() if at.tzinfo else text


FORMAT: Final = AwsHealthFormat()
