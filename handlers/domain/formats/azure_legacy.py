"""Azure Monitor's schemas before the common one: classic and newer metric alerts, activity log, log search.

https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-webhooks
https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-metric-near-real-time
https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/activity-log-alerts-webhook
https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-log-webhook
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.azure import (
    SEVERITY,
    azure_severity,
    condition_labels,
    condition_lines,
    entry_severity,
    outage_of,
)
from handlers.domain.dialects import is_resolution
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, lines_of, links_of, present, text_of, texts_of
from topology.alerts import FaultState

_SCHEMAS: Final = frozenset(
    {"azuremonitormetricalert", "microsoft.insights/activitylogs", "microsoft.insights/logalert"}
)
_CONTEXT_MARKS: Final = frozenset(
    {
        "conditionType",
        "condition",
        "activityLog",
        "portalLink",
        "resourceId",
        "subscriptionId",
        "resourceName",
    }
)
_LOG_MARKS: Final = frozenset(
    {"AlertRuleName", "SearchQuery", "AlertThresholdOperator", "LinkToSearchResults"}
)
_FIELDS: Final = frozenset({"status", "context", "properties"})
_STATUSES: Final = ("Activated", "Deactivated")
_OVER: Final = frozenset({"resolved", "deactivated"})
_SCALING: Final = "Scale"


class AzureLegacyFormat:
    """An alert of Azure Monitor without the common schema: one alert."""

    name = "azure_legacy"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`context.id` and `resourceId`; `eventDataId` of an activity, `trackingId` or the resource "
        "of an outage; rule and place of a search",
        episode="`context.timestamp`, `eventTimestamp` or `SearchIntervalEndtimeUtc`",
        sent_at="none",
        resolution="`status` is `Resolved` or `Deactivated`; of an outage the entry's",
    )
    severity = SEVERITY + "; `level` of the activity log"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """By its schema's name, or an alert's context."""
        schema, data = text_of(body.get("schemaId")) or "", body.get("data")
        data = data if isinstance(data, dict) else body
        if schema.casefold() in _SCHEMAS or len(_LOG_MARKS & data.keys()) > 1:
            return True
        context, fields = data.get("context"), _FIELDS & data.keys()
        marked = isinstance(context, dict) and bool(_CONTEXT_MARKS & context.keys())
        return marked or (len(fields) > 1 and data.get("status") in _STATUSES)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The alert; that a service was scaled is none."""
        fields = Fields(body)
        data = fields if "data" not in body else fields.inner("data")
        operation = data.text("operation")
        if operation and operation.startswith(_SCALING):
            return [Ignored(f"a service was scaled ({operation})")]
        if len(_LOG_MARKS & data.values.keys()) > 1:
            return [_of_log_search(fields, data)]
        context = data.inner("context")
        entry = context.inner("activityLog") if "activityLog" in context.values else None
        status = data.text("status", needed=True)
        alert = _of_activity(fields, entry) if entry else _of_metric(fields, context)
        over = (status or "").casefold() in _OVER or bool(entry and _is_end(entry))
        return [
            msgspec.structs.replace(
                alert,
                status=status,
                state=FaultState.RESOLVED if over else FaultState.FIRING,
                labels=dict(alert.labels) | texts_of(data.values.get("properties")),
                mended=fields.mended,
            )
        ]


def _is_end(entry: Fields) -> bool:
    """Whether an entry tells of the end of an outage; its alert stays `Activated`."""
    outage = outage_of(entry.inner("properties"), entry.text("resourceId"))
    return outage is not None and is_resolution(entry.text("status"))


def _of_metric(fields: Fields, context: Fields) -> IncomingAlert:
    condition = context.inner("condition")
    severity, severity_word = azure_severity(context.text("severity"))
    changed_at = context.time("timestamp", needed=True)
    rule, resource = context.id("id", "name"), context.text("resourceId")
    texts = [context.text("description"), *condition_lines(condition)]
    labels = {
        "resource_group": context.text("resourceGroupName"),
        "region": context.text("resourceRegion"),
        "subscription": context.text("subscriptionId"),
    }
    return IncomingAlert(
        source="azure",
        title=context.title(
            "name", stand_in=context.text("description", "resourceName") or "an alert of Azure Monitor"
        ),
        severity=severity,
        severity_word=severity_word,
        part=msgspec.json.encode(fields.values).decode(),
        message=lines_of(texts),
        component=context.text("resourceType"),
        host=context.text("resourceName"),
        links=links_of(source=context.text("portalLink")),
        started_at=changed_at,
        episode=changed_at or "",
        changed_at=changed_at,
        event_id=f"{rule} {resource}" if rule and resource else rule or resource,
        labels=present(labels) | condition_labels(condition),
    )


def _of_activity(fields: Fields, entry: Fields) -> IncomingAlert:
    severity, severity_word = entry_severity(entry.text("level", needed=True))
    about, at = entry.inner("properties"), entry.time("eventTimestamp", needed=True)
    operation = entry.text("operationName")
    texts = (entry.text("description"), about.text("communication"), about.text("statusMessage"))
    labels = {
        "event_source": entry.text("eventSource"),
        "operation": operation,
        "operation_status": entry.text("status"),
        "resource_group": entry.text("resourceGroupName"),
        "caller": entry.text("caller"),
    }
    return IncomingAlert(
        source="azure",
        title=about.text("title")
        or entry.title("description", "operationName", stand_in="an activity of Azure"),
        severity=severity,
        severity_word=severity_word,
        part=msgspec.json.encode(fields.values).decode(),
        message=lines_of(texts),
        component=about.text("service") or entry.text("resourceType", "resourceProviderName", "eventSource"),
        host=entry.text("resourceId"),
        started_at=at,
        episode=at or "",
        changed_at=at,
        event_id=outage_of(about, entry.text("resourceId")) or entry.id("eventDataId", "correlationId"),
        labels=present(labels),
    )


def _of_log_search(fields: Fields, data: Fields) -> IncomingAlert:
    severity, severity_word = azure_severity(data.text("Severity", needed=True))
    at, rule = data.time("SearchIntervalEndtimeUtc"), data.text("AlertRuleName")
    place = data.text("WorkspaceId", "ApplicationId")
    texts = (data.text("Description"), data.text("SearchQuery"))
    labels = {"workspace": place, "results": data.text("ResultCount"), "type": data.text("AlertType")}
    return IncomingAlert(
        source="azure",
        title=data.title("AlertRuleName", stand_in=data.text("Description") or "a log search of Azure"),
        severity=severity,
        severity_word=severity_word,
        part=msgspec.json.encode(fields.values).decode(),
        message=lines_of(texts),
        links=links_of(dashboard=data.text("LinkToSearchResults", "LinkToFilteredSearchResultsUI")),
        started_at=at,
        episode=at or "",
        event_id=f"{rule}/{place}" if rule else None,
        labels=present(labels),
        mended=fields.mended,
    )


FORMAT: Final = AzureLegacyFormat()
