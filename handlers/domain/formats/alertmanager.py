"""The webhook of Prometheus Alertmanager, version 4: several alerts in one body.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import hashlib
import json
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import severity_of, unknown_word

_VERSION: Final = "4"


class _Alert(msgspec.Struct, rename="camel"):
    status: str
    starts_at: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    generator_url: str | None = msgspec.field(name="generatorURL", default=None)
    fingerprint: str | None = None


class _Body(msgspec.Struct, rename="camel"):
    alerts: list[_Alert]
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}


class AlertmanagerFormat:
    """Alertmanager's webhook, version 4: one alert for each member of `alerts`."""

    name = "alertmanager"
    last_resort = False

    def recognises(self, body: dict[str, Any]) -> bool:
        """Its version beside its list of alerts; Grafana's body is alike but has another version."""
        return body.get("version") == _VERSION and "alerts" in body

    def parse(self, body: dict[str, Any]) -> list[IncomingAlert]:
        """Its alerts. Firing and resolved are two alerts, since the status is part of the identity."""
        fields = msgspec.convert(body, _Body)
        return [
            _incoming(alert, fields, part) for alert, part in zip(fields.alerts, body["alerts"], strict=True)
        ]


def _incoming(alert: _Alert, body: _Body, part: dict[str, Any]) -> IncomingAlert:
    labels = body.common_labels | alert.labels
    annotations = body.common_annotations | alert.annotations
    severity = labels.get("severity") or annotations.get("severity")
    name, summary = labels.get("alertname", ""), annotations.get("summary", "")
    return IncomingAlert(
        source="alertmanager",
        title=": ".join(text for text in (name, summary) if text),
        severity=severity_of(severity),
        severity_word=unknown_word(severity),
        part=msgspec.json.encode(part).decode(),
        message=annotations.get("description") or annotations.get("message") or "",
        component=labels.get("service") or labels.get("job"),
        host=labels.get("host") or labels.get("instance") or labels.get("node"),
        link=alert.generator_url,
        started_at=alert.starts_at,
        event_id=alert.fingerprint or _fingerprint(alert.labels),
        status=alert.status,
        labels=labels,
    )


def _fingerprint(labels: dict[str, str]) -> str:
    """What stands for a missing fingerprint: as Alertmanager's own, it depends on the labels alone."""
    return "labels:" + hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()


FORMAT: Final = AlertmanagerFormat()
