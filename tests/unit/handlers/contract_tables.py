"""What the contract of the formats (`test_format_contract`) has to know of each that is not as the others."""

from collections.abc import Mapping
from typing import Final

SENT: Final[Mapping[str, tuple[tuple[str | int, ...], ...]]] = {
    "datadog": (("date",), ("last_updated",)),
    "kubernetes_event": (("lastTimestamp",), ("count",), ("series", "lastObservedTime")),
    "newrelic": (("updatedAt",), ("timestamp",)),
    "opsgenie": (("alert", "updatedAt"),),
    "pagerduty_events": (("payload", "timestamp"),),
    "pagerduty_v2": (("messages", 0, "created_on"),),
    "sentry": (("data", "event", "datetime"), ("data", "error", "datetime"), ("data", "issue", "lastSeen")),
    "sentry_legacy": (("event", "received"), ("event", "timestamp")),
}
"""Where a body has the time at which it was sent, which is no part of the identity."""

REFUSED: Final[Mapping[str, frozenset[str]]] = {
    "alertmanager": frozenset({"alerts", "version"}),
    "cloudwatch_sns": frozenset({"AlarmName", "NewStateValue"}),
    "generic": frozenset({"source", "title"}),
    "pagerduty_v2": frozenset({"messages"}),
    "pagerduty_v3": frozenset({"event"}),
}
"""Fields without which a body is refused: it is of no known format, or nothing of it can be taken."""

OPTIONAL: Final[Mapping[str, frozenset[str]]] = {
    "alertmanager": frozenset({"alerts.annotations", "alerts.annotations.summary", "alerts.fingerprint"}),
    "cloudwatch_sns": frozenset({"AlarmArn"}),
    "generic": frozenset({"event_id", "severity", "status"}),
    "github_actions": frozenset(
        {"workflow_run", "workflow_job", "check_run", "check_suite", "workflow_run.run_attempt"}
    ),
    "kubernetes_event": frozenset({"items"}),
    "pagerduty_events": frozenset({"routing_key", "service_key", "dedup_key", "incident_key"}),
    "pagerduty_v3": frozenset({"event.data.priority", "event.data.priority.summary"}),
}
"""Fields that many bodies do without, so that nobody is told that they are missing."""
