"""The project's own body, the one of the operations runbook: one flat object, one alert.

Required: `source`, `title`. Optional: `message`, `severity`, `timestamp` (ISO 8601 text or epoch seconds),
`component`, `host`, `labels`, `event_id`, `status`, `link`. Other fields are kept in the raw part only.
"""

from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word

_MARKS: Final = frozenset({"source", "title", "message", "severity"})
_MARKS_NEEDED: Final = 2


class _Body(msgspec.Struct):
    source: str
    title: str
    message: str = ""
    severity: str | None = None
    timestamp: str | int | float | None = None
    component: str | None = None
    host: str | None = None
    link: str | None = None
    event_id: str | None = None
    status: str | None = None
    labels: dict[str, str] = {}


class GenericFormat:
    """The project's own body: one flat object, one alert."""

    name = "generic"
    last_resort = True

    def recognises(self, body: dict[str, Any]) -> bool:
        """Any two of the four main fields: enough to tell the sender which one is missing."""
        return len(_MARKS & body.keys()) >= _MARKS_NEEDED

    def parse(self, body: dict[str, Any]) -> list[IncomingAlert]:
        """The body's one alert."""
        fields = msgspec.convert(body, _Body)
        return [
            IncomingAlert(
                source=fields.source,
                title=fields.title,
                severity=severity_of(fields.severity),
                severity_word=unknown_word(fields.severity),
                part=msgspec.json.encode(body).decode(),
                message=fields.message,
                component=fields.component,
                host=fields.host,
                link=fields.link,
                started_at=None if fields.timestamp is None else str(fields.timestamp),
                event_id=fields.event_id or None,
                status=fields.status,
                labels=fields.labels,
            )
        ]


FORMAT: Final = GenericFormat()
