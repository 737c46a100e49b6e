"""PagerDuty's webhooks, version 3: one event of one incident in each body.

https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/01-Overview.md

What opens an incident, keeps it open or makes it more urgent is an alert, and a repeat of the one before
where nothing else changed. What people do about it (acknowledge, reassign, note, run a workflow), what
happens to a service, and the ping of a new subscription are none. An event that is not listed there yet is
judged by the status of its incident.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution, known_severity, severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, links_of, present

_FIRING: Final = frozenset({"triggered", "reopened", "unacknowledged", "escalated", "priority_updated"})
_BEGINS: Final = frozenset({"triggered", "reopened"})
_RESOLVED: Final = "resolved"
_HANDLED: Final = frozenset(
    {"acknowledged", "annotated", "delegated", "reassigned", "service_updated", "incident_type.changed"}
)
_INCIDENT: Final = "incident"
_TRIGGERED: Final = "triggered"


class PagerDutyV3Format:
    """PagerDuty's webhooks, version 3: at most one alert."""

    name = "pagerduty_v3"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`event.data.id`, the incident's",
        episode="`reopened_at`, else `created_at`",
        sent_at="none",
        resolution="`incident.resolved`",
    )
    severity = "`priority.summary` (P1 to P5, or a word that is known), else `urgency`"

    def recognises(self, body: dict[str, Any], headers: Mapping[str, str]) -> bool:
        """All of it is inside `event`, with the type of the event and of what it is about."""
        event = body.get("event")
        return isinstance(event, dict) and bool(
            {"event_type", "resource_type", "occurred_at"} & event.keys()
            or "x-pagerduty-signature" in headers
        )

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The event's incident as it is then, unless the event is only about its handling."""
        event = Fields(body).inner("event")
        data = event.inner("data")
        event_type = event.text("event_type", needed=True)
        resource, _, happened = (event_type or "").partition(".")
        kind = data.text("type") or _INCIDENT
        if (event_type and resource != _INCIDENT) or kind != _INCIDENT or happened in _HANDLED:
            return [Ignored(f"{event_type or kind} is no change of an incident's state")]
        status = data.text("status", needed=True)
        if happened == _RESOLVED or (happened not in _FIRING and is_resolution(status)):
            status = _RESOLVED
        elif happened not in _FIRING and status == "acknowledged":
            return [Ignored("an acknowledged incident, whose state did not change")]
        else:
            status = _TRIGGERED
        return [_alert(event, data, status, happened)]


def _alert(event: Fields, data: Fields, status: str, happened: str) -> IncomingAlert:
    priority = data.inner("priority").text("summary", "name")
    urgency = data.text("urgency", needed=True)
    service = data.inner("service").text("summary", "name", needed=True)
    reason = data.inner("resolve_reason")
    merged = reason.inner("incident").text("id", "summary")
    began = data.time("reopened_at", "created_at")
    occurred = event.time("occurred_at", needed=True)
    labels = {
        "incident": data.text("number"),
        "priority": priority,
        "urgency": urgency,
        "escalation_policy": data.inner("escalation_policy").text("summary"),
        "event": happened or None,
    }
    return IncomingAlert(
        source="pagerduty",
        title=data.title("title", "summary", stand_in="a PagerDuty incident"),
        severity=severity_of(priority if known_severity(priority) else urgency),
        severity_word=unknown_word(priority) or unknown_word(urgency),
        part=msgspec.json.encode(event.values).decode(),
        message=f"merged into the incident {merged}" if merged else "",
        component=service,
        links=links_of(source=data.text("html_url")),
        started_at=began,
        episode=began,
        changed_at=occurred if status == _RESOLVED or (happened in _BEGINS and not began) else began,
        event_id=data.id("id", "incident_key"),
        status=status,
        labels=present(labels),
        mended=data.mended,
    )


FORMAT: Final = PagerDutyV3Format()
