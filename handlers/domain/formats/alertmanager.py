"""The webhook of Prometheus Alertmanager, version 4: several alerts in one body.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config

Alertmanager sends a refused group again, as it is, at each `group_interval` while one of its alerts fires,
and not afterwards; and a group is made of many rules by many hands. So each member is taken for itself, and
what its maker left out is filled in where it can be.
https://github.com/prometheus/alertmanager/blob/main/notify/dedup_stage.go
"""

import hashlib
import json
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution, severity_of, unknown_word
from handlers.domain.formats import Identity, Member, looked_at, no_object
from handlers.domain.limits import (
    MAX_LABELS,
    MAX_LINK_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_NAME_CHARS,
    MAX_TITLE_CHARS,
    cut,
)
from handlers.domain.refusal import RefusedError
from handlers.domain.text import inert
from handlers.domain.values import VALUES_AS_TEXT, all_text, id_of, links_of, text_of, texts_of

_FIRING: Final = "firing"
_NAMING_LABELS: Final = 5
"""Labels that stand in for the name that an alert lacks."""

_MAX_LEFT_OUT: Final = 1_000_000
"""Of alerts that a sender left out; whoever says more says it in error, and a row has room for 38 digits."""

_GROUP_MARKS: Final = frozenset(
    {"groupLabels", "commonLabels", "commonAnnotations", "groupKey", "receiver", "externalURL"}
)
"""Fields of a group; two of them make one, whatever became of its alerts."""

_GRAFANA_MARKS: Final = frozenset({"silenceURL", "dashboardURL", "panelURL"})

TITLE_FROM_LABELS: Final = "its title is made of its labels"
STATUS_FROM_GROUP: Final = "its status is the group's"
ALERT_FROM_GROUP: Final = "its group had no alerts: it is made of what they have in common"
LABELS_LEFT_OUT: Final = f"labels of its group behind the first {MAX_LABELS} are not on its row"


class Group(NamedTuple):
    """What a group says of all its alerts, read once and cut, however many they are."""

    document: Mapping[str, Any]
    labels: dict[str, str]
    first_labels: dict[str, str]
    annotations: dict[str, str]
    status: str | None
    title: str
    address: str
    left_out: int
    mended: tuple[str, ...]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Group":
        """The group in a body. More than a row has room for would be copied into ten thousand alerts."""
        labels = {n: cut(text, MAX_NAME_CHARS) for n, text in texts_of(body.get("commonLabels")).items()}
        annotations = texts_of(body.get("commonAnnotations"))
        return cls(
            document=body,
            labels=labels,
            first_labels=dict([*labels.items()][:MAX_LABELS]),
            annotations={name: cut(text, MAX_MESSAGE_CHARS) for name, text in annotations.items()},
            status=cut(text_of(body.get("status")) or "", MAX_NAME_CHARS) or None,
            title=cut(text_of(body.get("title")) or "", MAX_TITLE_CHARS),
            address=(text_of(body.get("externalURL")) or "")[:MAX_LINK_CHARS],
            left_out=_count(body.get("truncatedAlerts")),
            mended=(LABELS_LEFT_OUT,) if len(labels) > MAX_LABELS else (),
        )


class GroupFormat:
    """A group: one alert for each member of `alerts`. Firing and resolved are two, as the status differs."""

    last_resort = False
    members = "alerts"
    identity = Identity(
        event_id="`fingerprint`, else the labels",
        episode="`startsAt`",
        sent_at="none",
        resolution="the member's `status`, else the group's",
    )
    severity = "label `severity`, else the annotation, else the group's label, by the words"

    def __init__(
        self,
        name: str,
        recognises: Callable[[Mapping[str, Any]], bool],
        alert_of: Callable[[Mapping[str, Any], Group], IncomingAlert],
    ) -> None:
        """`recognises`: whether a group is its sender's; `alert_of`: a member of it as an alert."""
        self.name = name
        self._recognises = recognises
        self._alert_of = alert_of

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """A group of this sender's."""
        return is_group(body) and self._recognises(body)

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """Its alerts."""
        parts, left_over = members_of(body)
        group = Group.of(body)
        return [self._member(part, group, n) for n, part in enumerate(parts)] + left_over

    def _member(self, part: Any, group: Group, index: int) -> Member:
        return self._alert_of(part, group) if isinstance(part, dict) else no_object(part, f"alerts[{index}]")


def is_group(body: Mapping[str, Any]) -> bool:
    """Whether a body is a group of Alertmanager's or Grafana's."""
    versioned = "orgId" in body or text_of(body.get("version")) in ("1", "4")
    unversioned = body.get("version") is None and isinstance(body.get("alerts"), list | dict)
    if "alerts" in body and (versioned or unversioned):
        return True
    return len(_GROUP_MARKS & body.keys()) > 1


def is_grafanas(body: Mapping[str, Any]) -> bool:
    """Whether a group is Grafana's: by version, the organisation's number, or its first alert's addresses."""
    if "orgId" in body or text_of(body.get("version")) == "1":
        return True
    alerts = body.get("alerts")
    first = alerts[0] if isinstance(alerts, list) and alerts else None
    return isinstance(first, dict) and bool(_GRAFANA_MARKS & first.keys())


def members_of(group: Mapping[str, Any]) -> tuple[list[Any], list[Member]]:
    """A group's alerts, at least one, and refusals for those that are not looked at.

    A group without alerts is one itself, where it says what they have in common.

    Raises:
        RefusedError: it has neither.
    """
    alerts = group.get("alerts")
    if isinstance(alerts, dict) and alerts:
        alerts = [alerts]
    if alerts and isinstance(alerts, list):
        return looked_at(alerts)
    if texts_of(group.get("commonLabels")) or texts_of(group.get("commonAnnotations")):
        return [{ALERT_FROM_GROUP: None}], []
    if isinstance(alerts, list):
        raise RefusedError(422, "no_alerts", hint="the body holds no alert; send at least one")
    raise RefusedError(422, "invalid_field", field="alerts", hint="the field 'alerts' must be a list")


def alert_of(part: Mapping[str, Any], group: Group, source: str = "alertmanager") -> IncomingAlert:
    """A member of a group as an alert."""
    own_labels = texts_of(part.get("labels"))
    row_labels = own_labels | _others(group.first_labels, own_labels)
    labels = ChainMap(own_labels, group.labels)
    annotations = ChainMap(texts_of(part.get("annotations")), group.annotations)
    mended = [*group.mended]
    if not (all_text(part.get("labels")) and all_text(part.get("annotations"))):
        mended.append(VALUES_AS_TEXT)
    raw = part
    if ALERT_FROM_GROUP in part:
        part, raw, own_labels = {}, group.document, row_labels
        mended.append(ALERT_FROM_GROUP)
    names = (labels.get("alertname"), annotations.get("summary"))
    title = ": ".join(cut(text, MAX_TITLE_CHARS) for text in names if text)
    if not inert(title[:MAX_TITLE_CHARS]).strip(": "):
        title = _stand_in_title(row_labels, annotations)
        mended.append(TITLE_FROM_LABELS)
    status = text_of(part.get("status"))
    if status is None:
        status = group.status or _FIRING
        mended.append(STATUS_FROM_GROUP)
    severity = own_labels.get("severity") or annotations.get("severity") or labels.get("severity")
    started_at = text_of(part.get("startsAt"))
    return IncomingAlert(
        source=source,
        title=title,
        severity=severity_of(severity),
        severity_word=unknown_word(severity),
        part=msgspec.json.encode(raw).decode(),
        message=annotations.get("description") or annotations.get("message") or "",
        component=labels.get("service") or labels.get("job"),
        host=labels.get("host") or labels.get("instance") or labels.get("node"),
        links=links_of(
            source=part.get("generatorURL"),
            runbook=annotations.get("runbook_url") or annotations.get("runbook") or labels.get("runbook_url"),
            dashboard=annotations.get("dashboard_url") or annotations.get("dashboard"),
            silence=_silence_link(group.address, own_labels),
        ),
        started_at=started_at,
        episode=started_at or "",
        changed_at=text_of(part.get("endsAt")) if is_resolution(status) else started_at,
        event_id=id_of(part.get("fingerprint")) or _fingerprint(own_labels),
        status=status,
        labels=row_labels,
        mended=tuple(mended),
        left_out=group.left_out,
    )


def _silence_link(address: str, labels: Mapping[str, str]) -> str | None:
    """Alertmanager's form for a new silence of an alert with these labels.

    https://github.com/prometheus/alertmanager/blob/main/ui/app/src/Views/SilenceForm/Parsing.elm
    """
    if not address or not labels:
        return None
    matchers = ",".join(f"{name}={json.dumps(text)}" for name, text in sorted(labels.items()))
    return f"{address.rstrip('/')}/#/silences/new?filter={quote('{' + matchers + '}', safe='')}"


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


FORMAT: Final = GroupFormat("alertmanager", lambda body: not is_grafanas(body), alert_of)
