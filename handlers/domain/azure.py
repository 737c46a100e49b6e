"""What both of Azure Monitor's schemas share: severities, and what a condition says.

https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-overview (Sev0 critical, Sev1 error,
Sev2 warning, Sev3 informational, Sev4 verbose)
https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-payload-samples
"""

from typing import Any, Final

from handlers.domain.dialects import DEFAULT_SEVERITY, known_severity
from handlers.domain.values import Fields, present
from topology.alerts import Severity

_LEVELS: Final = tuple(Severity)
"""Five on either side, the worst first."""

_ENTRY_LEVELS: Final = {"1": "Critical", "2": "Error", "3": "Warning", "4": "Informational"}
"""https://learn.microsoft.com/en-us/dotnet/api/system.diagnostics.tracing.eventlevel"""

SEVERITY: Final = "`Sev0` to `Sev4` are CRITICAL to INFO, other words by the words"


def azure_severity(text: str | None) -> tuple[Severity, str | None]:
    """The severity that Azure's number or word means, and the word where it is unknown."""
    level = (text or "").strip().casefold().removeprefix("sev")
    if level.isdecimal() and level.isascii() and len(level) == 1 and int(level) < len(_LEVELS):
        return _LEVELS[int(level)], None
    known = known_severity(text)
    return known or DEFAULT_SEVERITY, text if text and known is None else None


def entry_severity(level: str | None) -> tuple[Severity, str | None]:
    """The same of the level of an entry of the activity log, a word or a number."""
    return azure_severity(_ENTRY_LEVELS.get(level or "", level))


def outage_of(about: Fields, resource: str | None) -> str | None:
    """What all entries on one outage share: Azure's number for its own, else the resource that is unwell.

    `about`: the properties of an entry of the activity log; None where it tells of no outage.
    """
    tracking, health = about.text("trackingId"), about.text("currentHealthStatus")
    return tracking or (f"health of {resource.casefold()}" if health and resource else None)


def condition_lines(condition: Fields) -> list[str]:
    """A line for each part of a condition, such as `Percentage CPU 31.1 GreaterThan 25 (Average)`."""
    lines = []
    for part in condition.inners("allOf") or [condition]:
        name = part.text("metricName", "searchQuery", "metricMeasureColumn", "webTestName")
        if name is None:
            continue
        over = part.text("timeAggregation")
        words = (name, part.text("metricValue"), part.text("operator"), part.text("threshold"))
        lines.append(" ".join(word for word in words if word) + (f" ({over})" if over else ""))
    return lines


def condition_labels(condition: Fields) -> dict[str, str]:
    """The metrics and dimensions of a condition."""
    labels: dict[str, str] = {}
    for part in condition.inners("allOf") or [condition]:
        named = {"metric": part.text("metricName"), "namespace": part.text("metricNamespace")}
        dimensions = {
            name: pair.text("value")
            for pair in part.inners("dimensions")
            if (name := pair.text("name")) is not None
        }
        labels |= present(named | dimensions)
    return labels


def first_text(value: Any) -> str | None:
    """The first text of a list."""
    return next((text for text in value if isinstance(text, str)), None) if isinstance(value, list) else None


def resource_of(identifier: str | None) -> tuple[str | None, str | None]:
    """The type and the name in a resource's id: `/subscriptions/…/providers/TYPE/KIND/NAME`."""
    before, _, after = (identifier or "").partition("/providers/")
    parts = [part for part in after.split("/") if part]
    if len(parts) < 3:  # noqa: PLR2004 - provider, kind and name
        return None, before.rstrip("/").rpartition("/")[2] or None
    return f"{parts[0]}/{parts[1]}", parts[-1]
