"""PagerDuty's webhook extensions, versions 1 and 2: several messages in one body, each about one incident.

https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/09-V2-Overview.md and 10-V1-Overview.md

Version 1 has its type in `type` and the incident in `data.incident`; version 2 in `event` and `incident`.
What the types mean is as in version 3 (`pagerduty_v3`).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import known_severity, severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member, looked_at, no_object
from handlers.domain.limits import MAX_MEMBERS_LOOKED_AT
from handlers.domain.values import Fields, links_of, present

_RESOLVED: Final = "resolved"
_TRIGGERED: Final = "triggered"
_HANDLED: Final = frozenset(
    {"incident.acknowledge", "incident.assign", "incident.delegate", "incident.annotate"}
)
_RESOLVE: Final = "incident.resolve"


class PagerDutyV2Format:
    """PagerDuty's webhook extensions, version 1 or 2: an alert for each message that changes an incident."""

    name = "pagerduty_v2"
    last_resort = False
    members = "messages"
    identity = Identity(
        event_id="the `id` of the message's `incident`",
        episode="`created_at` or `created_on`",
        sent_at="`created_on` of the message",
        resolution="`incident.resolve`",
    )
    severity = "`priority` (P1 to P5, or a word that is known), else `urgency`"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """A list of messages, one of which has an incident or says what happened to one."""
        messages = body.get("messages")
        return isinstance(messages, list) and any(map(_is_message, messages[:MAX_MEMBERS_LOOKED_AT]))

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """Its messages, in their order."""
        messages, surplus = looked_at(body["messages"])
        return [
            _member(part) if isinstance(part, dict) else no_object(part, f"messages[{index}]")
            for index, part in enumerate(messages)
        ] + surplus


def _is_message(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    data = part.get("data")
    if isinstance(part.get("incident"), dict) or (isinstance(data, dict) and "incident" in data):
        return True
    return any(str(part.get(name)).startswith("incident.") for name in ("event", "type"))


def _member(part: dict[str, Any]) -> Member:
    message = Fields(part)
    incident = message.inner("incident" if "incident" in part else "data")
    if "incident" not in part:
        incident = incident.inner("incident")
    event_type = message.text("event", "type", needed=True)
    if event_type in _HANDLED:
        return Ignored(f"{event_type} is no change of an incident's state")
    resolved = event_type == _RESOLVE or (event_type is None and incident.text("status") == _RESOLVED)
    priority = incident.inner("priority").text("summary", "name")
    urgency = incident.text("urgency", needed=priority is None)
    service = incident.inner("service")
    began = incident.time("created_at", "created_on", needed=True)
    summary = incident.inner("trigger_summary_data")
    title = incident.text("title", "description") or summary.text("subject", "description")
    labels = {"incident": incident.text("incident_number"), "priority": priority, "urgency": urgency}
    return IncomingAlert(
        source="pagerduty",
        title=title or incident.title("title", "summary", stand_in="a PagerDuty incident"),
        severity=severity_of(priority if known_severity(priority) else urgency),
        severity_word=unknown_word(priority) or unknown_word(urgency),
        part=msgspec.json.encode(part).decode(),
        component=service.text("name", "summary", needed=True),
        links=links_of(source=incident.text("html_url")),
        started_at=began,
        episode=began,
        changed_at=incident.time("last_status_change_at", "last_status_change_on") if resolved else began,
        event_id=incident.id("id", "incident_key"),
        status=_RESOLVED if resolved else _TRIGGERED,
        labels=present(labels),
        mended=message.mended,
    )


FORMAT: Final = PagerDutyV2Format()
