"""The webhook of Prometheus Alertmanager, version 4: several alerts in one body.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config

Alertmanager sends a refused group again, as it is, at each `group_interval` while one of its alerts fires,
and not afterwards; and a group is made of many rules by many hands. So each member is taken for itself, and
what its maker left out is filled in where it can be.
https://github.com/prometheus/alertmanager/blob/main/notify/dedup_stage.go
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution, severity_of, unknown_word
from handlers.domain.formats import Identity, Member, looked_at, no_object
from handlers.domain.limits import MAX_NAME_CHARS, MAX_TITLE_CHARS
from handlers.domain.refusal import RefusedError
from handlers.domain.text import inert
from handlers.domain.values import VALUES_AS_TEXT, all_text, id_of, links_of, text_of, texts_of

_VERSION: Final = "4"
_FIRING: Final = "firing"
_NAMING_LABELS: Final = 5
"""Labels that stand in for the name that an alert lacks."""

_MAX_LEFT_OUT: Final = 1_000_000
"""Of alerts that a sender left out; whoever says more says it in error, and a row has room for 38 digits."""

TITLE_FROM_LABELS: Final = "its title is made of its labels"
STATUS_FROM_GROUP: Final = "its status is the group's"


class AlertmanagerFormat:
    """Alertmanager's webhook, version 4: one alert for each member of `alerts`."""

    name = "alertmanager"
    last_resort = False
    members = "alerts"
    identity = Identity(
        event_id="`fingerprint`, else the labels",
        episode="`startsAt`",
        sent_at="none",
        resolution="the member's `status`, else the group's",
    )
    severity = "the label `severity`, else the annotation, else the group's label"

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """Its alerts beside its version or none; Grafana's body is alike but has another, and an `orgId`."""
        return "alerts" in body and "orgId" not in body and text_of(body.get("version")) in (None, _VERSION)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """Its alerts. Firing and resolved are two alerts, since the status is part of the identity."""
        alerts = body.get("alerts")
        if not isinstance(alerts, list):
            raise RefusedError(422, "invalid_field", field="alerts", hint="the field 'alerts' must be a list")
        parts, left_over = looked_at(alerts)
        return [_member(part, body, index) for index, part in enumerate(parts)] + left_over


def _member(part: Any, group: dict[str, Any], index: int) -> Member:
    if not isinstance(part, dict):
        return no_object(part, f"alerts[{index}]")
    own_labels = texts_of(part.get("labels"))
    own_annotations = texts_of(part.get("annotations"))
    labels = own_labels | _others(texts_of(group.get("commonLabels")), own_labels)
    annotations = own_annotations | _others(texts_of(group.get("commonAnnotations")), own_annotations)
    mended = [] if all_text(part.get("labels")) and all_text(part.get("annotations")) else [VALUES_AS_TEXT]
    title = ": ".join(text for text in (labels.get("alertname"), annotations.get("summary")) if text)
    if not inert(title[:MAX_TITLE_CHARS]).strip(": "):
        title = _stand_in_title(labels, annotations)
        mended.append(TITLE_FROM_LABELS)
    status = text_of(part.get("status"))
    if status is None:
        status = text_of(group.get("status")) or _FIRING
        mended.append(STATUS_FROM_GROUP)
    severity = own_labels.get("severity") or annotations.get("severity") or labels.get("severity")
    started_at = text_of(part.get("startsAt"))
    return IncomingAlert(
        source="alertmanager",
        title=title,
        severity=severity_of(severity),
        severity_word=unknown_word(severity),
        part=msgspec.json.encode(part).decode(),
        message=annotations.get("description") or annotations.get("message") or "",
        component=labels.get("service") or labels.get("job"),
        host=labels.get("host") or labels.get("instance") or labels.get("node"),
        links=links_of(source=part.get("generatorURL")),
        started_at=started_at,
        episode=started_at or "",
        changed_at=text_of(part.get("endsAt")) if is_resolution(status) else started_at,
        event_id=id_of(part.get("fingerprint")) or _fingerprint(own_labels),
        status=status,
        labels=labels,
        mended=tuple(mended),
        left_out=_count(group.get("truncatedAlerts")),
    )


def _others(common: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """What only the group has: an alert's own come first, since a row has room for so many."""
    return {name: text for name, text in common.items() if name not in own}


def _count(value: Any) -> int:
    """How many a sender says, in whatever form; 0 for what is no number, and at most `_MAX_LEFT_OUT`."""
    try:
        return int(min(max(0.0, float(text_of(value) or 0)), _MAX_LEFT_OUT))
    except ValueError:
        return 0


def _stand_in_title(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """What names an alert without a name: its labels, else the first line of what it says; "" if nothing."""
    naming = [
        f"{name}={text}"
        for name, text in sorted(labels.items())
        if name != "severity" and inert(text[:MAX_NAME_CHARS])
    ]
    first_line = (
        (annotations.get("description") or annotations.get("message") or "").strip().partition("\n")[0]
    )
    return ", ".join(naming[:_NAMING_LABELS]) or first_line


def _fingerprint(labels: Mapping[str, str]) -> str:
    """What stands for a missing fingerprint: as Alertmanager's own, it depends on the labels alone."""
    return "labels:" + hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()


FORMAT: Final = AlertmanagerFormat()
