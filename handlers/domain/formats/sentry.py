"""Sentry's integration platform: webhooks of issues, of what alert rules found in an event, and of metrics.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/ and the pages below it
https://github.com/getsentry/integration-platform-example (`backend-py/tests/mocks.py`)

What is in `data` says what a body is about, `Sentry-Hook-Resource` where that does not. An event counts for
its issue, so that the resolution of an issue ends what an alert rule told of it. An assignment, a comment,
an installation and an issue that somebody archived change nothing about a fault.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, id_of, lines_of, links_of, pairs_of, present

_ABOUT: Final = ("metric_alert", "issue", "event", "error")
_RESOURCES: Final = {"event_alert": "event", "activity_alert": "issue"}
_HEADER: Final = "sentry-hook-resource"
_NO_ALERTS: Final = frozenset({"installation", "comment", "seer", "preprod_artifact"})
_OPENING: Final = frozenset({"created", "unresolved", "triggered"})
_RESOLVED: Final = "resolved"
_UNRESOLVED: Final = "unresolved"


class SentryFormat:
    """A webhook of Sentry's integration platform: at most one alert."""

    name = "sentry"
    last_resort = False
    members = None
    identity = Identity(
        event_id="the issue's id, or the metric alert's",
        episode="`date_started` of a metric alert",
        sent_at="`Sentry-Hook-Timestamp`; `datetime` of an event",
        resolution="action `resolved` of an issue or a metric alert",
    )
    severity = (
        "`level` (fatal, error, warning, info, debug); of a metric alert its action, critical or warning"
    )

    def recognises(self, body: dict[str, Any], headers: Mapping[str, str]) -> bool:
        """Its header, or an action with an installation and the data of one of its resources."""
        if _HEADER in headers:
            return True
        data = body.get("data")
        known = isinstance(data, dict) and bool(
            {*_ABOUT, *_NO_ALERTS, "comment_id", "issue_alert"} & data.keys()
        )
        installation = body.get("installation")
        ours = isinstance(installation, dict) and "uuid" in installation
        return (known and ("action" in body or ours)) or (
            ours and "action" in body and "repository" not in body
        )

    def parse(self, body: dict[str, Any], headers: Mapping[str, str]) -> list[Member]:
        """What the body's action says of its issue or metric."""
        fields = Fields(body)
        action = fields.text("action", needed=True) or ""
        data = fields.inner("data")
        resource = headers.get(_HEADER, "")
        about = next((name for name in _ABOUT if name in data.values), _RESOURCES.get(resource, resource))
        if about in _NO_ALERTS or {"comment", "comment_id", "installation"} & data.values.keys():
            what = about if about in _NO_ALERTS else next(iter(data.values), "body")
            return [Ignored(f"{what} {action} tells of no fault".replace("comment_id", "comment"))]
        if about == "metric_alert":
            return [_metric(fields, data, action)]
        if about == "issue":
            issue = data.inner("issue")
            if action and action not in _OPENING and action != _RESOLVED:
                return [Ignored(f"an issue was {action}, which is no change of its fault's state")]
            status = (
                _RESOLVED
                if _RESOLVED in (action, issue.text("status")) and action != _UNRESOLVED
                else _UNRESOLVED
            )
            return [_issue(fields, issue, status)]
        return [_event(fields, data, data.inner(about if about in _ABOUT else "event"))]


def _metric(fields: Fields, data: Fields, action: str) -> IncomingAlert:
    metric = data.inner("metric_alert")
    rule = metric.inner("alert_rule")
    began, closed = metric.time("date_started", "date_detected", "date_created"), metric.time("date_closed")
    resolved = action == _RESOLVED
    number = metric.id("id", "identifier")
    title = metric.text("title") or rule.text("name")
    return IncomingAlert(
        source="sentry",
        title=title or data.title("description_title", stand_in="a Sentry metric alert"),
        severity=severity_of(action),
        severity_word=None if resolved else unknown_word(action),
        part=msgspec.json.encode(fields.values).decode(),
        message=data.text("description_text") or "",
        component=_first(metric.values.get("projects")),
        links=links_of(source=data.text("web_url")),
        started_at=began,
        episode=began,
        changed_at=closed if resolved else began,
        event_id=f"metric_alert/{number}" if number else None,
        status=action or "critical",
        labels=present({"rule": rule.text("name"), "query": rule.text("query")}),
        mended=fields.mended,
    )


def _issue(fields: Fields, issue: Fields, status: str) -> IncomingAlert:
    metadata, project = issue.inner("metadata"), issue.inner("project")
    number = issue.id("id", "shortId")
    level = issue.text("level", needed=True)
    labels = {
        "project": project.text("slug", "name"),
        "short_id": issue.text("shortId"),
        "platform": issue.text("platform"),
        "substatus": issue.text("substatus"),
    }
    return IncomingAlert(
        source="sentry",
        title=issue.title("title", stand_in=metadata.text("value", "type") or "a Sentry issue"),
        severity=severity_of(level),
        severity_word=unknown_word(level),
        part=msgspec.json.encode(fields.values).decode(),
        message=_text(issue, metadata),
        component=project.text("slug", "name"),
        links=links_of(source=issue.text("web_url", "permalink")),
        started_at=issue.time("firstSeen"),
        event_id=f"issue/{number}" if number else None,
        status=status,
        labels=present(labels),
        mended=fields.mended,
    )


def _event(fields: Fields, data: Fields, event: Fields) -> IncomingAlert:
    metadata, tags = event.inner("metadata"), pairs_of(event.values.get("tags"))
    issue_link = (event.text("issue_url") or event.text("web_url") or "").partition("/issues/")[2]
    number = (
        id_of(event.values.get("issue_id")) or id_of(issue_link.partition("/")[0]) or event.id("event_id")
    )
    level = event.text("level") or tags.get("level") or event.text("level", needed=True)
    rule = data.text("triggered_rule") or data.inner("issue_alert").text("title")
    stand_in = metadata.text("title", "value", "type") or event.text("message") or "a Sentry event"
    labels = {
        "environment": event.text("environment"),
        "platform": event.text("platform"),
        "release": event.text("release"),
        "rule": rule,
    }
    return IncomingAlert(
        source="sentry",
        title=event.title("title", stand_in=stand_in),
        severity=severity_of(level),
        severity_word=unknown_word(level),
        part=msgspec.json.encode(fields.values).decode(),
        message=_text(event, metadata),
        component=event.text("project_slug", "project_name"),
        host=tags.get("server_name") or event.text("server_name"),
        links=links_of(source=event.text("web_url")),
        started_at=event.time("datetime", "timestamp"),
        event_id=f"issue/{number}" if number else None,
        status=_UNRESOLVED,
        labels=tags | present(labels),
        mended=fields.mended,
    )


def _text(part: Fields, metadata: Fields) -> str:
    """What went wrong and where: the value, the message where it says something else, and the culprit."""
    lines = (metadata.text("value"), part.text("message"), part.text("culprit"))
    return lines_of(dict.fromkeys(lines))


def _first(value: Any) -> str | None:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], str) else None


FORMAT: Final = SentryFormat()
