"""Events as PagerDuty's Events API takes them, versions 1 and 2, from senders that speak nothing else.

https://github.com/PagerDuty/developer-docs/blob/main/docs/events-API-v2/02-Trigger-Events.md
https://github.com/PagerDuty/developer-docs/blob/main/docs/events-API-v1/02-Trigger-Events.md

A key for deduplication is one of its routing key alone, as at PagerDuty, so the event's id has both; the
routing key is a secret, so it stands there as a hash, and the raw part is without it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, id_of, links_of, text_of, texts_of

_SECRETS: Final = ("routing_key", "service_key")
_TRIGGER: Final = "trigger"
_RESOLVE: Final = "resolve"
_TYPES: Final = (_TRIGGER, "acknowledge", _RESOLVE)
_FIELDS: Final = frozenset({"payload", "dedup_key"})
_V1_FIELDS: Final = frozenset({"incident_key", "description", "details", "client", "client_url"})


class PagerDutyEventsFormat:
    """An event for PagerDuty's Events API, version 1 or 2: one alert."""

    name = "pagerduty_events"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`dedup_key` or `incident_key`, with a hash of the routing key; else the content",
        episode="none",
        sent_at="`payload.timestamp`",
        resolution="`resolve`",
    )
    severity = "`payload.severity`; version 1 has none"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """A key for routing or one of the three types, beside another field of the same version."""
        marks = ("routing_key" in body) + (body.get("event_action") in _TYPES)
        v1_marks = ("service_key" in body) + (body.get("event_type") in _TYPES)
        return (marks > 0 and marks + len(_FIELDS & body.keys()) > 1) or (
            v1_marks > 0 and v1_marks + len(_V1_FIELDS & body.keys()) > 1
        )

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The one event, unless it is an acknowledgement or tells of a change that somebody made."""
        fields = Fields(body)
        payload = fields.inner("payload")
        is_change = "event_action" not in body and "routing_key" in body and "severity" not in payload.values
        if is_change and "dedup_key" not in body:
            return [Ignored("a change event, of something that somebody changed")]
        action = fields.text("event_action", "event_type", needed=True) or _TRIGGER
        if action == "acknowledge":
            return [Ignored("an acknowledgement")]
        return [_alert(fields, payload, action)]


def _alert(fields: Fields, payload: Fields, action: str) -> IncomingAlert:
    body = fields.values
    key = id_of(body.get("dedup_key")) or id_of(body.get("incident_key"))
    is_v1 = "payload" not in body and bool({"description", "service_key", "event_type"} & body.keys())
    if action == _RESOLVE and key:
        title = payload.text("summary") or fields.text("description") or key
    elif is_v1:
        title = fields.title("description", stand_in=key or "a PagerDuty event")
    else:
        title = payload.title("summary", stand_in=key or "a PagerDuty event")
    severity = payload.text("severity", needed=not is_v1 and action != _RESOLVE)
    details = texts_of(body.get("details")) | texts_of(payload.values.get("custom_details"))
    free_text = next(
        (
            text
            for text in (body.get("details"), payload.values.get("custom_details"))
            if isinstance(text, str)
        ),
        "",
    )
    labels = {name: text for name in ("class", "group") if (text := payload.text(name))}
    client = fields.text("client")
    contexts = [*fields.inners("links"), *fields.inners("contexts")]
    link = next((href for context in contexts if (href := context.text("href"))), None)
    kept = {name: value for name, value in body.items() if name not in _SECRETS}
    return IncomingAlert(
        source="pagerduty",
        title=title,
        severity=severity_of(severity),
        severity_word=unknown_word(severity),
        part=msgspec.json.encode(kept).decode(),
        message=free_text or "\n".join(f"{name}: {text}" for name, text in details.items()),
        component=payload.text("component") or client,
        host=payload.text("source"),
        links=links_of(source=fields.text("client_url") or link),
        started_at=payload.time("timestamp"),
        event_id=f"{key}@{_routing_hash(body)}" if key else None,
        status=action,
        labels=labels | ({"client": client} if client else {}),
        mended=fields.mended,
    )


def _routing_hash(body: Mapping[str, Any]) -> str:
    key = next((text for name in _SECRETS if (text := text_of(body.get(name)))), "")
    return hashlib.sha256(key.encode()).hexdigest()[:12]


FORMAT: Final = PagerDutyEventsFormat()
