"""The project's own body, the one of the operations runbook: one flat object, one alert.

Required: `source`, `title`. Optional: `message`, `severity`, `timestamp` (ISO 8601 text or epoch seconds),
`component`, `host`, `labels`, `event_id`, `status`, `link`. Other fields are kept in the raw part only.
`timestamp` is when it was sent, so it is shown and is no part of the identity. A severity such as Netdata's
CLEAR says what a missing status would.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution, severity_of, unknown_word
from handlers.domain.formats import Identity
from handlers.domain.refusal import RefusedError
from handlers.domain.values import VALUES_AS_TEXT, all_text, id_of, links_of, text_of, texts_of

_MARKS: Final = frozenset({"source", "title", "message", "severity"})
_MARKS_NEEDED: Final = 2
_TEXTS: Final = ("message", "severity", "component", "host", "link", "event_id", "status")


class GenericFormat:
    """The project's own body: one flat object, one alert."""

    name = "generic"
    last_resort = True
    members = None
    identity = Identity(
        event_id="`event_id`, else source, title, message, severity, component, host and labels",
        episode="none",
        sent_at="`timestamp`",
        resolution="`status`, else `severity`, by the words of `handlers/domain/dialects.py`",
    )
    severity = "`severity`, by the words of `handlers/domain/dialects.py`"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """Any two of the four main fields: enough to tell the sender which one is missing."""
        return len(_MARKS & body.keys()) >= _MARKS_NEEDED

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[IncomingAlert]:
        """The body's one alert.

        Raises:
            RefusedError: it has no source or no title, or one of them is no scalar.
        """
        texts = {name: text_of(body.get(name)) for name in _TEXTS}
        odd = not all(all_text(body.get(name)) for name in (*_TEXTS, "labels"))
        return [
            IncomingAlert(
                source=_required(body, "source"),
                title=_required(body, "title"),
                severity=severity_of(texts["severity"]),
                severity_word=unknown_word(texts["severity"]),
                part=msgspec.json.encode(body).decode(),
                message=texts["message"] or "",
                component=texts["component"],
                host=texts["host"],
                links=links_of(source=texts["link"]),
                started_at=text_of(body.get("timestamp")),
                event_id=id_of(body.get("event_id")),
                status=texts["status"] or (texts["severity"] if is_resolution(texts["severity"]) else None),
                labels=texts_of(body.get("labels")),
                mended=(VALUES_AS_TEXT,) if odd else (),
            )
        ]


def _required(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        raise RefusedError(422, "missing_field", field=name, hint=f"the field {name!r} is required")
    if isinstance(value, dict | list):
        raise RefusedError(422, "invalid_field", field=name, hint=f"the field {name!r} must be a text")
    return text_of(value) or ""


FORMAT: Final = GenericFormat()
