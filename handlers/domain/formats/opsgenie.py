"""Opsgenie's webhook integration: what was done to one alert.

https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/

Creating an alert opens it and closing it resolves it. An alert that goes unacknowledged again, is escalated
or gets another priority is open still. What people do besides (acknowledge, note, tag, assign, snooze,
delete) changes nothing about its fault. An action that is not known, such as one of the account's own, was
sent here on purpose, and is taken for an open alert.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, present, texts_of

_HANDLED: Final = frozenset(
    {"acknowledge", "addnote", "addrecipient", "addresponder", "addteam", "addtags", "removetags",
     "adddetails", "removedetails", "assignownership", "takeownership", "assign", "delete", "snooze",
     "snoozeended", "updatedescription", "updatemessage", "removeresponder"}
)  # fmt: skip
_CLOSE: Final = "close"
_PRIORITIES: Final = frozenset("12345")


class OpsgenieFormat:
    """Opsgenie's webhook: at most one alert."""

    name = "opsgenie"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`alert.alertId`, else its alias",
        episode="`alert.createdAt`",
        sent_at="`alert.updatedAt`, except of a close",
        resolution="`Close`",
    )
    severity = "`alert.priority`, P1 to P5"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """Two of: an action, the integration, the two ids of an alert."""
        alert, around = body.get("alert"), {"action", "integrationId", "integrationName"} & body.keys()
        ids = {"alertId", "tinyId"} & alert.keys() if isinstance(alert, dict) else set()
        return len(ids) + len(around) > 1

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The alert that something was done to."""
        fields = Fields(body)
        alert = fields.inner("alert")
        action = fields.text("action", needed=True) or "Create"
        if action.casefold() in _HANDLED:
            return [Ignored(f"{action} changes nothing about an alert's fault")]
        closed = action.casefold() == _CLOSE
        priority = alert.text("priority", needed=not closed)
        if priority in _PRIORITIES:
            priority = f"P{priority}"
        began = alert.time("createdAt", needed=True)
        number = alert.id("alertId", "alias", "tinyId")
        entity, sender = alert.text("entity"), alert.text("source")
        tags, teams = _joined(alert.values.get("tags")), _joined(alert.values.get("teams"))
        labels = {
            "action": action,
            "tags": tags,
            "teams": teams,
            "alias": alert.text("alias"),
            "source": sender,
        }
        return [
            IncomingAlert(
                source="opsgenie",
                title=alert.title("message", stand_in=f"Opsgenie's alert {number or 'without a message'}"),
                severity=severity_of(priority),
                severity_word=unknown_word(priority),
                part=msgspec.json.encode(body).decode(),
                message=alert.text("description", "note") or "",
                component=entity,
                started_at=began,
                episode=began,
                changed_at=alert.time("updatedAt") if closed else began,
                event_id=number,
                status="closed" if closed else "open",
                labels=texts_of(alert.values.get("details")) | present(labels),
                mended=fields.mended,
            )
        ]


def _joined(value: Any) -> str:
    return ", ".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else ""


FORMAT: Final = OpsgenieFormat()
