"""What docs/senders.md has other senders' templates write is taken, with its severity and state."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from handlers.domain.formats import parse
from handlers.domain.identity import fault_key_of
from topology.alerts import FaultState, Severity

DOCUMENT: Final = (Path(__file__).parents[3] / "docs" / "senders.md").read_text()
TEMPLATES: Final = {
    template.split('"')[3]: template for template in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
}
"""By the source that each names."""

DATADOG: Final = {
    "$ALERT_CYCLE_KEY": "8306082202796025694",
    "$ALERT_SCOPE": "host:db-1",
    "$ALERT_PRIORITY": "P1",
    "$TEXT_ONLY_MSG": "Free space is under 5 %",
    "$HOSTNAME": "db-1",
    "$LINK": "https://app.datadoghq.com/event/jump_to?event_id=1",
}
UPTIME_KUMA: Final = {
    "{{ monitorJSON.id }}": "7",
    "{{ name | json }}": '"Shop"',
    "{{ msg | json }}": '"[Shop]"',
}


@pytest.mark.parametrize(
    ("source", "values", "firing", "resolved"),
    [
        (
            "datadog",
            DATADOG,
            {"$ALERT_TITLE": "[Triggered] Disk", "$ALERT_TRANSITION": "Triggered"},
            {"$ALERT_TITLE": "[Recovered] Disk", "$ALERT_TRANSITION": "Recovered"},
        ),
        (
            "uptime-kuma",
            UPTIME_KUMA,
            {"{{ status | json }}": '"🔴 Down"'},
            {"{{ status | json }}": '"✅ Up"'},
        ),
        ("backup", {}, {}, {'"firing"': '"resolved"'}),
    ],
)
def test_documented_template_tells_an_outage_and_its_end(
    source: str, values: dict[str, str], firing: dict[str, str], resolved: dict[str, str]
) -> None:
    """Loud as it is meant to be, and both of one fault."""
    told = []
    for changing in (firing, resolved):
        text = TEMPLATES[source]
        for name, value in (values | changing).items():
            assert name in text
            text = text.replace(name, value)
        parsed = parse(text.encode(), {})
        assert parsed.format == "generic"
        told += parsed.alerts
    assert [alert.state for alert in told] == [FaultState.FIRING, FaultState.RESOLVED]
    assert told[0].severity in {Severity.CRITICAL, Severity.HIGH}
    assert len({fault_key_of(alert) for alert in told}) == 1


def test_grafanas_group_is_taken_once_its_template_leaves_its_marks_out() -> None:
    """The fields of its `ExtendedData`, as `{{ data.ToJSON . }}` writes them.

    https://github.com/grafana/alerting/blob/main/templates/template_data.go
    """
    assert "{{ data.ToJSON . }}" in DOCUMENT
    alert = {
        "status": "firing",
        "labels": {"alertname": "High memory usage", "severity": "critical"},
        "annotations": {"summary": "zone us-1"},
        "startsAt": "2026-11-23T08:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://grafana.example/alerting/1/edit",
        "fingerprint": "c6eadffa33fcdf37",
        "values": {"B": 44.2},
        "valueString": "",
        "orgId": 1,
    }
    group = {"receiver": "r", "status": "firing", "alerts": [alert], "groupLabels": {}, "commonLabels": {}}
    rest = {"commonAnnotations": {}, "externalURL": "", "groupKey": "{}:{}", "truncatedAlerts": 3}
    parsed = parse(json.dumps(group | rest).encode(), {})
    (taken,) = parsed.alerts
    assert parsed.format == "alertmanager"
    assert (taken.severity, taken.event_id, taken.left_out) == (Severity.CRITICAL, "c6eadffa33fcdf37", 3)
