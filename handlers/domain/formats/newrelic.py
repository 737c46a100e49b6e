"""New Relic: the issue of a workflow, and the incident of its older notification channels.

https://docs.newrelic.com/docs/alerts/get-notified/custom-variables-alert-event-workflows
https://docs.newrelic.com/docs/alerts/new-relic-alerts/managing-notification-channels/customize-your-webhook-payload
https://github.com/zulip/zulip/tree/main/zerver/webhooks/newrelic/fixtures

An issue is created, then activated, which is the same outage told twice; an acknowledged one is told of
only when its priority changed.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, links_of, present, text_of, texts_of

_ISSUE_MARKS: Final = frozenset({"issueUrl", "alertConditionNames", "alertPolicyNames", "workflowName"})
_STATES: Final = frozenset({"created", "activated", "acknowledged", "deactivated", "closed"})
_INCIDENT_MARKS: Final = frozenset(
    {"current_state", "condition_name", "policy_name", "incident_id", "incident_url", "condition_id",
     "incident_acknowledge_url", "policy_url", "violation_callback_url"}
)  # fmt: skip
_ANYBODYS: Final = frozenset({"incident_id", "incident_url"})
"""Of these, what other senders call theirs too."""

_ACKNOWLEDGED: Final = "acknowledged"
_CLOSED: Final = frozenset({"closed", "deactivated", "resolved"})
_PRIORITY_CHANGE: Final = "PRIORITY_CHANGE"
_LISTS: Final = {
    "alertConditionNames": "condition",
    "alertPolicyNames": "policy",
    "impactedEntities": "entities",
}
"""An issue's lists of names, and the labels that they become."""


class NewRelicFormat:
    """An issue or an incident of New Relic: one alert."""

    name = "newrelic"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`id` of the issue, `incident_id` of an incident",
        episode="`createdAt` of an issue",
        sent_at="`timestamp` of an incident; `updatedAt` of an open issue",
        resolution="`state` or `current_state` closed",
    )
    severity = "`priority` or `severity` (critical, high, medium, low; critical, warning, info)"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """The names of a workflow's issue, or those of an incident, of which people leave some out."""
        marks = _INCIDENT_MARKS & body.keys()
        return _is_issue(body) or (len(marks) > 1 and not marks <= _ANYBODYS)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The body's one issue or incident."""
        fields = Fields(body)
        issue = _is_issue(body)
        state = fields.text("state" if issue else "current_state", needed=True) or "open"
        if state.casefold() == _ACKNOWLEDGED and fields.text("trigger") != _PRIORITY_CHANGE:
            return [Ignored("an acknowledgement")]
        status = "closed" if state.casefold() in _CLOSED else "open"
        return [_issue(fields, status) if issue else _incident(fields, status)]


def _is_issue(body: Mapping[str, Any]) -> bool:
    if _ISSUE_MARKS & body.keys():
        return True
    state = body.get("state")
    return isinstance(state, str) and state.casefold() in _STATES and {"id", "createdAt"} <= body.keys()


def _issue(fields: Fields, status: str) -> IncomingAlert:
    names = {name: _listed(fields.values.get(name)) for name in _LISTS}
    stand_in = ", ".join(names["alertConditionNames"]) or "a New Relic issue"
    priority = fields.text("priority", needed=True)
    began = fields.time("createdAt", "activatedAt", needed=True)
    labels = {label: ", ".join(names[name]) for name, label in _LISTS.items()}
    labels["workflow"] = fields.text("workflowName") or ""
    return IncomingAlert(
        source="newrelic",
        title=fields.title("title", stand_in=stand_in),
        severity=severity_of(priority),
        severity_word=unknown_word(priority),
        part=msgspec.json.encode(fields.values).decode(),
        component=next(iter(names["impactedEntities"]), None),
        links=links_of(
            source=fields.text("issueUrl"),
            runbook=fields.text("runbookUrl", "runbook_url"),
            dashboard=fields.text("violationChartUrl"),
        ),
        started_at=began,
        episode=began,
        changed_at=fields.time("closedAt", "updatedAt") if status == "closed" else began,
        event_id=fields.id("id", "issueId"),
        status=status,
        labels=present(labels),
        mended=fields.mended,
    )


def _incident(fields: Fields, status: str) -> IncomingAlert:
    targets = fields.inners("targets")
    target = targets[0] if targets else Fields(None)
    condition, policy = fields.text("condition_name"), fields.text("policy_name")
    severity = fields.text("severity", "priority", needed=True)
    labels = {
        "policy": policy,
        "account": fields.text("account_name", "account_id"),
        "product": target.text("product"),
    }
    return IncomingAlert(
        source="newrelic",
        title=condition or fields.title("condition_name", stand_in=policy or "a New Relic incident"),
        severity=severity_of(severity),
        severity_word=unknown_word(severity),
        part=msgspec.json.encode(fields.values).decode(),
        message=fields.text("details", "condition_description") or "",
        component=target.text("name"),
        links=links_of(
            source=fields.text("incident_url"),
            runbook=fields.text("runbook_url"),
            dashboard=fields.text("violation_chart_url", "violation_callback_url"),
        ),
        started_at=fields.time("timestamp"),
        event_id=fields.id("incident_id"),
        status=status,
        labels=texts_of(target.values.get("labels")) | present(labels),
        mended=fields.mended,
    )


def _listed(value: Any) -> list[str]:
    return [text for part in value if (text := text_of(part))] if isinstance(value, list) else []


FORMAT: Final = NewRelicFormat()
