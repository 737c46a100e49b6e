"""The project's own body, the one of the operations runbook: one flat object, one alert.

`source` and `title` name it; a body without one of them is taken under a stand-in, and its row says so.
Optional: `message`, `severity`, `timestamp` (ISO 8601 text or epoch seconds), `component`, `host`, `labels`,
`event_id`, `status`, `link`, `runbook`, `dashboard`, `silence`. Other fields are kept in the raw part only.
`timestamp` is when it was sent, so it is shown and is no part of the identity. A severity such as Netdata's
CLEAR says what a missing status would.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution, severity_of, unknown_word
from handlers.domain.formats import Identity
from handlers.domain.values import VALUES_AS_TEXT, all_text, id_of, links_of, text_of, texts_of

_MARKS: Final = frozenset({"source", "title", "message", "severity"})
_MARKS_NEEDED: Final = 2
_NAMES: Final = ("source", "title")
_TEXTS: Final = ("message", "severity", "component", "host", "event_id", "status")
_LINKS: Final = ("link", "runbook", "dashboard", "silence")

NO_SOURCE: Final = "it had no source"
TITLE_FROM_MESSAGE: Final = "its title is its message's first line"


class GenericFormat:
    """The project's own body: one flat object, one alert."""

    name = "generic"
    last_resort = True
    members = None
    identity = Identity(
        event_id="`event_id`, else source, title, message, severity, component, host and labels",
        episode="none",
        sent_at="`timestamp`",
        resolution="`status`, else `severity`, by the words",
    )
    severity = "`severity`, by the words of `handlers/domain/dialects.py`"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """Any two of the four main fields."""
        return len(_MARKS & body.keys()) >= _MARKS_NEEDED

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[IncomingAlert]:
        """The body's one alert."""
        texts = {name: text_of(body.get(name)) for name in (*_NAMES, *_TEXTS, *_LINKS)}
        odd = not all(all_text(body.get(name)) for name in (*_TEXTS, *_LINKS, "labels"))
        odd = odd or any(isinstance(body.get(name), dict | list) for name in _NAMES)
        mended = [VALUES_AS_TEXT] if odd else []
        source, title = (texts["source"] or "").strip(), texts["title"] or ""
        if not source:
            mended.append(NO_SOURCE)
        if not title.strip() and texts["message"]:
            title = texts["message"].strip().partition("\n")[0]
            mended.append(TITLE_FROM_MESSAGE)
        return [
            IncomingAlert(
                source=texts["source"] if source and texts["source"] else "unknown",
                title=title,
                severity=severity_of(texts["severity"]),
                severity_word=unknown_word(texts["severity"]),
                part=msgspec.json.encode(body).decode(),
                message=texts["message"] or "",
                component=texts["component"],
                host=texts["host"],
                links=links_of(
                    source=texts["link"],
                    runbook=texts["runbook"],
                    dashboard=texts["dashboard"],
                    silence=texts["silence"],
                ),
                started_at=text_of(body.get("timestamp")),
                event_id=id_of(body.get("event_id")),
                status=texts["status"] or (texts["severity"] if is_resolution(texts["severity"]) else None),
                labels=texts_of(body.get("labels")),
                mended=tuple(mended),
            )
        ]


FORMAT: Final = GenericFormat()
