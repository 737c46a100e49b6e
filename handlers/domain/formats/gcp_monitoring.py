"""Google Cloud Monitoring's incidents, by its webhook or Pub/Sub channels, schema versions 1.0 to 1.2.

https://cloud.google.com/monitoring/support/notification-options#webhooks
https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#severity
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution, severity_of, unknown_word
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, lines_of, links_of, present, texts_of

_MARKS: Final = frozenset(
    {"incident_id", "policy_name", "condition_name", "resource_name", "resource_id", "scoping_project_id"}
    | {"started_at", "summary", "state"}
)
_TEST: Final = "test"
_NO_SEVERITIES: Final = frozenset({"no severity", "severity_unspecified"})
_OPEN: Final = "open"


class GcpMonitoringFormat:
    """An incident: one alert."""

    name = "gcp_monitoring"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`incident_id`",
        episode="`started_at`",
        sent_at="none",
        resolution="`state` is `closed`",
    )
    severity = "the policy's `severity` (Critical, Error, Warning), else a label `severity`, by the words"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """An incident beside the schema's version, or with two of its own fields."""
        incident = body.get("incident")
        marked = isinstance(incident, dict) and len(_MARKS & incident.keys()) > 1
        return marked or {"incident", "version"} <= body.keys()

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The incident."""
        fields = Fields(body)
        if fields.text("version") == _TEST:
            return [Ignored("a test of the notification channel")]
        incident = fields.inner("incident")
        resource, metric, metadata = (incident.inner(name) for name in ("resource", "metric", "metadata"))
        labels: dict[str, str] = {}
        for place in (
            metadata.values.get("system_labels"),
            metadata.values.get("user_labels"),
            resource.values.get("labels"),
            metric.values.get("labels"),
            incident.values.get("policy_user_labels"),
        ):
            labels |= texts_of(place)
        severity = incident.text("severity")
        if severity is None or severity.casefold() in _NO_SEVERITIES:
            severity = labels.get("severity")
        state = incident.text("state", needed=True) or _OPEN
        began = incident.time("started_at")
        about = incident.inner("documentation")
        named = {
            "project": incident.text("scoping_project_id"),
            "policy": incident.text("policy_name"),
            "condition": incident.text("condition_name"),
            "metric": metric.text("type"),
            "observed": incident.text("observed_value"),
            "threshold": incident.text("threshold_value"),
        }
        texts = (incident.text("summary"), about.text("content"))
        links = about.inners("links")
        return [
            IncomingAlert(
                source="gcp",
                title=_title(incident, about),
                severity=severity_of(severity),
                severity_word=unknown_word(severity),
                part=msgspec.json.encode(body).decode(),
                message=lines_of(texts),
                component=resource.text("type") or incident.text("resource_type_display_name"),
                host=incident.text("resource_display_name", "resource_name", "resource_id"),
                links=links_of(
                    source=incident.text("url"),
                    runbook=links[0].text("url") if links else None,
                    dashboard=incident.text("apigee_url"),
                ),
                started_at=began,
                episode=began or "",
                changed_at=incident.time("ended_at") if is_resolution(state) else began,
                event_id=incident.id("incident_id"),
                status=state,
                labels=labels | present(named),
                mended=fields.mended,
            )
        ]


def _title(incident: Fields, about: Fields) -> str:
    """The subject that the policy has for notifications, else the policy and the condition."""
    subject = about.text("subject")
    if subject:
        return subject
    policy, condition = incident.text("policy_name"), incident.text("condition_name")
    policy = policy.rpartition("/")[2] if policy and policy.startswith("projects/") else policy
    named = ": ".join(text for text in (policy, condition) if text)
    return named or incident.title("summary", "resource_name", stand_in="an incident of Google Cloud")


FORMAT: Final = GcpMonitoringFormat()
