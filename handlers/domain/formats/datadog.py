"""Datadog's webhooks: its own payload, or one that somebody wrote with its variables under their usual names.

https://docs.datadoghq.com/integrations/webhooks/ (the variables, and what a transition may be)
https://github.com/keephq/keep/blob/main/docs/images/datadog_raw_alerts.txt (what comes of them)

Datadog's payload without a template says in its title alone what happened: `[Triggered on {host:a}] Disk`.
That prefix is taken off every title, so that an outage and its end have one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import DEFAULT_SEVERITY, severity_of
from handlers.domain.formats import Identity, Member
from handlers.domain.values import Fields, id_of, lines_of, links_of, present
from topology.alerts import Severity

_PRIORITIES: Final = frozenset({"p1", "p2", "p3", "p4", "p5"})
_WORDS: Final = _PRIORITIES | {"triggered", "warn", "recovered", "no data", "renotify", "test"}
"""What Datadog puts in brackets before a monitor's name, without what says that it was told before."""

_MENTION: Final = "@webhook-"
_PLAIN: Final = frozenset({"last_updated", "event_type", "date", "org"})
_PLAIN_NEEDED: Final = 3
"""Fields of the payload without a template, and how many of them tell it."""

_MAX_PREFIXES: Final = 4
_BY_TYPE: Final = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "info": Severity.INFO}
_RECOVERED: Final = "Recovered"
_TRIGGERED: Final = "Triggered"
_WARN: Final = "Warn"
_NO_DATA: Final = "No Data"


class DatadogFormat:
    """Datadog's webhook: one alert."""

    name = "datadog"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`monitor_id` or `alert_id`, with the scope; else `aggreg_key`; else the content",
        episode="`alert_cycle_key`",
        sent_at="`date` and `last_updated`",
        resolution="`alert_transition: Recovered`, else the title's, else `alert_type: success`",
    )
    severity = (
        "the monitor's priority, P1 to P5; else HIGH for a trigger, MEDIUM for a warning or missing data"
    )

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """A transition or a type of alert, or the fields of the payload without a template."""
        names = body.keys()
        return (
            "alert_transition" in names
            or len(
                {"alert_type", "alert_query", "monitor_id", "alert_id", "scopes", "alert_cycle_key"} & names
            )
            > 1
            or len(_PLAIN & names) >= _PLAIN_NEEDED
        )

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The body's one alert."""
        fields = Fields({name: value for name, value in body.items() if not _is_unfilled(value)})
        raw_title = fields.title("alert_title", "title", "event_title", stand_in="a Datadog monitor")
        words, shown_scope, title = _prefixes(raw_title)
        kind = fields.text("alert_type")
        status = _status(fields.text("alert_transition"), words, kind)
        priority = _priority(fields, words)
        scope = fields.text("scopes", "alert_scope", "scope") or shown_scope
        tags = _pairs(_listed(fields.values.get("tags")))
        about = _pairs((scope or "").split(",")) | tags
        monitor = id_of(fields.values.get("monitor_id")) or id_of(fields.values.get("alert_id"))
        if monitor is None and "alert_transition" in body:
            fields.id("monitor_id")
        alone = id_of(fields.values.get("aggreg_key")) or id_of(fields.values.get("alert_cycle_key"))
        labels = {
            "metric": fields.text("alert_metric"),
            "query": fields.text("alert_query"),
            "scope": scope,
            "org": fields.inner("org").text("name"),
        }
        return [
            IncomingAlert(
                source="datadog",
                title=title,
                severity=_severity(priority, status, kind),
                part=msgspec.json.encode(body).decode(),
                message=_message(
                    fields.text("text_only_msg", "event_msg", "event_message", "body", "message") or ""
                ),
                component=about.get("service"),
                host=fields.text("hostname", "host", "host_name") or about.get("host"),
                links=links_of(source=fields.text("link", "url"), dashboard=fields.text("snapshot")),
                started_at=fields.time("date", "date_posix", "last_updated"),
                episode=id_of(fields.values.get("alert_cycle_key")),
                event_id=f"{monitor}/{scope or ''}" if monitor else alone,
                status=status,
                labels=about | present(labels),
                mended=fields.mended,
            )
        ]


def _is_unfilled(value: Any) -> bool:
    """A variable that Datadog left as it stands in the template, such as `$ALERT_SCOPE`."""
    return isinstance(value, str) and value[:1] == "$" and value.isupper() and value[1:].isidentifier()


def _prefixes(title: str) -> tuple[list[str], str | None, str]:
    """The words that Datadog put before a monitor's name, the scope that it named there, and the name."""
    words: list[str] = []
    scope, rest = None, title.strip()
    while rest.startswith("[") and len(words) < _MAX_PREFIXES:
        inside, closed, after = rest[1:].partition("]")
        said, _, about = inside.partition(" on ")
        word = _first_time(said.strip().casefold())
        if not closed or word not in _WORDS:
            break
        words.append(word)
        scope, rest = about.strip("{} ") or scope, after.strip()
    return words, scope, rest or title


def _first_time(text: str) -> str:
    """A word without what only says that it was told before, so that a reminder is a repeat."""
    return text[3:] if text[:3].casefold() == "re-" else text


def _status(transition: str | None, words: Sequence[str], kind: str | None) -> str:
    if transition and "notify" not in transition.casefold():
        return _first_time(transition).strip() or _TRIGGERED
    if "recovered" in words or (not transition and kind == "success"):
        return _RECOVERED
    return next(
        (said for word, said in (("warn", _WARN), ("no data", _NO_DATA)) if word in words), _TRIGGERED
    )


def _priority(fields: Fields, words: Sequence[str]) -> str | None:
    """Only P1 to P5: an event's own priority is "normal" or "low" whatever its monitor's is."""
    said = [fields.text(name) for name in ("alert_priority", "severity", "priority")]
    return next((word for word in (*said, *words) if word and word.casefold() in _PRIORITIES), None)


def _severity(priority: str | None, status: str, kind: str | None) -> Severity:
    if priority:
        return severity_of(priority)
    if status in (_WARN, _NO_DATA):
        return Severity.MEDIUM
    return _BY_TYPE.get(kind or "", Severity.HIGH if status == _TRIGGERED else DEFAULT_SEVERITY)


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split(",")
    return [part for part in value if isinstance(part, str)] if isinstance(value, list) else []


def _pairs(tags: Sequence[str]) -> dict[str, str]:
    """Tags that have a value. One without, such as `monitor`, says nothing more."""
    pairs = [tag.strip().partition(":") for tag in tags]
    return {name: text for name, _, text in pairs if name and text}


def _message(text: str) -> str:
    """The text without the marks of Markdown around it and without the mentions that had it sent here."""
    text = text.strip().removeprefix("%%%").removesuffix("%%%")
    lines = (
        " ".join(word for word in line.split() if not word.startswith(_MENTION)) for line in text.splitlines()
    )
    return lines_of(lines)


FORMAT: Final = DatadogFormat()
