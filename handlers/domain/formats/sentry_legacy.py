"""Sentry's webhooks plugin and service hooks: one event, with the issue that it belongs to around it.

https://github.com/zulip/zulip/tree/main/zerver/webhooks/sentry/fixtures (bodies of many versions)
https://github.com/alerta/alerta-contrib/blob/master/webhooks/sentry/test_sentry.py

It tells of no resolution. Its issue has the id that `sentry` knows it by, so a resolution from there ends it.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word
from handlers.domain.formats import Identity, Member
from handlers.domain.values import Fields, lines_of, links_of, pairs_of, present

_MARKS: Final = frozenset({"project_slug", "project_name", "culprit", "triggering_rules"})
_EVENT_MARKS: Final = frozenset({"event_id", "sentry.interfaces.Message", "logentry", "metadata", "platform"})


class SentryLegacyFormat:
    """An event of Sentry's webhooks plugin: one alert."""

    name = "sentry_legacy"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`id`, the issue's", episode="none", sent_at="`event.received`", resolution="never"
    )
    severity = "`level` (fatal, error, warning, info, debug)"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """Two of the fields around the event, or one beside an event that looks like Sentry's."""
        event = body.get("event")
        seen = len(_MARKS & body.keys())
        return seen > 1 or (seen == 1 and isinstance(event, dict) and bool(_EVENT_MARKS & event.keys()))

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The body's one event."""
        fields = Fields(body)
        event = fields.inner("event")
        metadata, tags = event.inner("metadata"), pairs_of(event.values.get("tags"))
        message = fields.text("message")
        number = fields.id("id")
        level = (
            fields.text("level")
            or event.text("level")
            or tags.get("level")
            or fields.text("level", needed=True)
        )
        stand_in = event.text("title") or metadata.text("title", "value", "type") or fields.text("culprit")
        title = message or stand_in or fields.title("message", stand_in="a Sentry event")
        project = fields.text("project_slug", "project_name", "project", needed=True)
        lines = (message, metadata.text("value"), fields.text("culprit"))
        labels = {
            "environment": event.text("environment"),
            "release": event.text("release"),
            "project": project,
        }
        return [
            IncomingAlert(
                source="sentry",
                title=title.strip().partition("\n")[0],
                severity=severity_of(level),
                severity_word=unknown_word(level),
                part=msgspec.json.encode(body).decode(),
                message=lines_of(dict.fromkeys(lines)),
                component=project,
                host=tags.get("server_name") or event.text("server_name"),
                links=links_of(source=fields.text("url")),
                started_at=event.time("datetime", "timestamp", "received"),
                event_id=f"issue/{number}" if number else None,
                status="unresolved",
                labels=tags | present(labels),
                mended=fields.mended,
            )
        ]


FORMAT: Final = SentryLegacyFormat()
