"""Azure Monitor's common alert schema: metrics, logs, activities, health, detection, Prometheus, budgets.

https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-common-schema
https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-payload-samples

The essentials are the same for all, the context is each one's own: of that the texts that people read are
shown. Alerts of the activity log are all `Sev4` and stay `Fired` for ever, so their entry's own level counts;
the end of an outage of Azure's, or of a resource, is an entry with the status `Resolved`.
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
    first_text,
    outage_of,
    resource_of,
)
from handlers.domain.dialects import is_resolution
from handlers.domain.formats import Identity, Member
from handlers.domain.values import Fields, lines_of, links_of, present, texts_of

_SCHEMA: Final = "azuremonitorcommonalertschema"
_FIRED: Final = "Fired"
_RESOLVED: Final = "Resolved"
_ACTIVITY: Final = "Activity Log"
_TEXTS: Final = (
    "title",
    "statusMessage",
    "cause",
    "communication",
    "details",
    "expression",
    "DetectionSummary",
    "SearchQuery",
)
"""Of the context and its properties; whichever of these a kind of alert has."""

_LABELS: Final = (
    "operationName", "status", "level", "caller", "trackingId", "incidentType", "stage", "service", "region",
    "currentHealthStatus", "previousHealthStatus", "ResultCount", "BudgetName", "NotificationThresholdAmount",
)  # fmt: skip


class AzureCommonFormat:
    """An alert of Azure Monitor: one alert."""

    name = "azure_common_alert"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`alertId`, else `originAlertId`; `trackingId` or the resource of an outage",
        episode="`firedDateTime`",
        sent_at="none",
        resolution="`monitorCondition`, or `status` of an outage, is `Resolved`",
    )
    severity = SEVERITY + "; `level` of the activity log"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """By its schema's name, or its essentials."""
        data, schema = body.get("data"), body.get("schemaId")
        if isinstance(schema, str) and schema.casefold() == _SCHEMA:
            return True
        return "essentials" in body or (isinstance(data, dict) and "essentials" in data)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The alert."""
        fields = Fields(body)
        data = fields if "essentials" in body else fields.inner("data")
        given, context = data.inner("essentials"), data.inner("alertContext")
        about, condition = context.inner("properties"), context.inner("condition")
        entry = given.text("signalType", needed=True) == _ACTIVITY
        level = context.text("level", needed=True) if entry else None
        rules_own = given.text("severity", needed=True)
        severity, severity_word = entry_severity(level) if level else azure_severity(rules_own)
        status = given.text("monitorCondition", needed=True) or context.text("status") or _FIRED
        outage = outage_of(about, first_text(given.values.get("alertTargetIDs"))) if entry else None
        if outage and is_resolution(context.text("status")):
            status = _RESOLVED
        began = given.time("firedDateTime", needed=True)
        kind, resource = resource_of(first_text(given.values.get("alertTargetIDs")))
        rule = given.title("alertRule", stand_in=given.text("description") or "an alert of Azure Monitor")
        told = about.text("title")
        texts = [given.text("description"), *condition_lines(condition)]
        texts += [part.text(name) for part in (context, about) for name in _TEXTS]
        texts += texts_of(context.values.get("annotations")).values()
        parts = condition.inners("allOf") or [condition]
        result = parts[0].text("linkToFilteredSearchResultsUI", "linkToSearchResultsUI")
        return [
            IncomingAlert(
                source="azure",
                title=f"{rule}: {told}" if told and told not in rule else rule,
                severity=severity,
                severity_word=severity_word,
                part=msgspec.json.encode(body).decode(),
                message=lines_of(dict.fromkeys(texts)),
                component=kind or given.text("monitoringService"),
                host=first_text(given.values.get("configurationItems")) or resource,
                links=links_of(
                    source=given.text("investigationLink"),
                    runbook=context.inner("annotations").text("runbook_url"),
                    dashboard=result or context.text("LinkToFilteredSearchResultsUI", "LinkToSearchResults"),
                ),
                started_at=began,
                episode=began or "",
                changed_at=(given.time("resolvedDateTime") or began) if is_resolution(status) else began,
                event_id=given.id("alertId", "originAlertId") if outage is None else outage,
                status=status,
                labels=_labels(given, context, about, condition)
                | texts_of(data.values.get("customProperties")),
                mended=fields.mended,
            )
        ]


def _labels(given: Fields, context: Fields, about: Fields, condition: Fields) -> dict[str, str]:
    labels = {
        "rule": given.text("alertRule"),
        "signal": given.text("signalType"),
        "service": given.text("monitoringService"),
    }
    places = (context, about, context.inner("AlertData"))
    named = {name: text for place in places for name in _LABELS if (text := place.text(name))}
    found = present(labels)
    return found | named | condition_labels(condition) | texts_of(context.values.get("labels"))


FORMAT: Final = AzureCommonFormat()
