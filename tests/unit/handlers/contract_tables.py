"""What the contract of the formats (`test_format_contract`) has to know of each."""

from collections.abc import Mapping
from typing import Final

ENDS: Final[Mapping[str, str | None]] = {
    "aws_health_eventbridge/closed": "aws_health_eventbridge/issue",
    "azure_common_alert/metric_resolved": "azure_common_alert/metric",
    "azure_legacy/classic_metric_resolved": "azure_legacy/classic_metric",
    "cloudwatch_sns/anomaly_in_an_envelope": None,
    "gcp_monitoring/closed": "gcp_monitoring/open",
}
"""Resolutions that are not named `resolved...`, and the outage that each ends, where that is here too."""

NO_ALERTS: Final = frozenset(
    {"azure_legacy/autoscale", "cloudwatch_eventbridge/configuration_change", "gcp_monitoring/channel_test"}
)
"""Bodies that are ignored and not named `ignored...`."""

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
    "azure_legacy": frozenset({"context"}),
    "cloudwatch_sns": frozenset({"Type"}),
    "gcp_monitoring": frozenset({"incident"}),
    "pagerduty_events": frozenset({"payload", "routing_key"}),
    "pagerduty_v2": frozenset({"messages"}),
    "pagerduty_v3": frozenset({"event"}),
}
"""Fields without which a body is refused: it is of no known format, or nothing of it can be taken."""

OPTIONAL: Final[Mapping[str, frozenset[str]]] = {
    "alertmanager": frozenset({"alerts.annotations", "alerts.annotations.summary", "alerts.fingerprint"}),
    "aws_health_eventbridge": frozenset({"detail.service", "detail.statusCode"}),
    "azure_common_alert": frozenset(
        {
            "data.alertContext",
            "data.alertContext.properties",
            "data.alertContext.properties.currentHealthStatus",
            "data.alertContext.properties.title",
            "data.alertContext.properties.trackingId",
            "data.essentials.alertTargetIDs",
            "data.essentials.alertRule",
        }
    ),
    "azure_legacy": frozenset(
        {
            "context.name",
            "context.resourceId",
            "data.AlertRuleName",
            "data.WorkspaceId",
            "data.context.name",
            "data.context.resourceId",
            "data.context.severity",
        }
    ),
    "cloudwatch_eventbridge": frozenset({"resources"}),
    "cloudwatch_sns": frozenset({"AlarmArn", "AlarmName", "Subject"}),
    "gcp_monitoring": frozenset({"incident.condition_name", "incident.policy_name", "incident.severity"}),
    "generic": frozenset({"event_id", "severity", "status"}),
    "github_actions": frozenset(
        {"check_run", "check_suite", "workflow_job", "workflow_run", "workflow_run.run_attempt"}
    ),
    "grafana_alerting": frozenset({"alerts.fingerprint", "alerts.labels.rulename"}),
    "grafana_legacy": frozenset({"orgId", "ruleId", "ruleName", "tags", "tags.severity"}),
    "guardduty_eventbridge": frozenset({"detail.title"}),
    "kubernetes_event": frozenset({"items"}),
    "pagerduty_events": frozenset({"dedup_key", "incident_key", "routing_key", "service_key"}),
    "pagerduty_v3": frozenset({"event.data.priority", "event.data.priority.summary"}),
}
"""Fields that bodies do without, or that something else stands in for, so that no row names them."""
