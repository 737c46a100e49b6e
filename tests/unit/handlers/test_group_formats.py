"""What is made of the groups of Alertmanager and Grafana, and of Grafana's alerts before those."""

import json
from typing import Any
from urllib.parse import unquote

import pytest

from handlers.domain.formats import Ignored, parse
from handlers.domain.formats.grafana_legacy import FORMAT as LEGACY
from tests.unit.handlers.builders import fixture
from topology.alerts import FaultState, Severity

GRAFANA = json.loads(fixture("grafana_alerting/firing_and_no_data"))
RULE = json.loads(fixture("grafana_legacy/alerting"))


def test_grafanas_members_have_its_addresses_and_values() -> None:
    """Each alert stands alone, with the links of all kinds that it has."""
    parsed = parse(json.dumps(GRAFANA).encode(), {})
    slow, no_data = parsed.alerts
    assert parsed.format == "grafana_alerting"
    assert (slow.source, slow.title, slow.severity) == (
        "grafana",
        "CheckoutSlow: p99 above 2 s",
        Severity.CRITICAL,
    )
    assert (slow.event_id, slow.component) == ("5f0c9a7be1d24c11", "checkout")
    assert "value=2.4" in slow.message
    assert slow.links == {
        "source": "https://dash.shop.example/alerting/grafana/r1/view?orgId=3",
        "runbook": "https://wiki.shop.example/checkout-slow",
        "dashboard": "https://dash.shop.example/d/checkout?orgId=3&viewPanel=4",
        "silence": "https://dash.shop.example/alerting/silence/new?alertmanager=grafana"
        "&matcher=alertname%3DCheckoutSlow",
    }
    assert no_data.title == "StockFeed: DatasourceNoData"
    assert no_data.state is FaultState.FIRING


@pytest.mark.parametrize("fields", [{"orgId": None}, {"version": None}, {"version": "2"}, {"alerts": None}])
def test_grafanas_group_is_known_without_one_of_its_marks(fields: dict[str, Any]) -> None:
    """And without its alerts it is one itself, of what these have in common."""
    parsed = parse(json.dumps(GRAFANA | fields).encode(), {})
    assert parsed.format == "grafana_alerting"
    assert parsed.alerts[0].labels["team"] == "orders"


def test_group_of_a_template_is_known_by_grafanas_addresses() -> None:
    """Also where nothing of the group itself is there; an alert that says nothing has the group's title."""
    part = GRAFANA["alerts"][0]
    assert parse(json.dumps({"alerts": [part]}).encode(), {}).format == "grafana_alerting"
    empty = part | {"labels": {}, "annotations": {}}
    group = GRAFANA | {"alerts": [empty], "commonLabels": {}, "title": "[FIRING:1] shop"}
    (alert,) = parse(json.dumps(group).encode(), {}).alerts
    assert alert.title == "[FIRING:1] shop"


def test_alertmanagers_group_without_grafanas_marks_is_its_own() -> None:
    """Each is known by what the other never has."""
    part = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "t"}
    group = {name: value for name, value in GRAFANA.items() if name != "orgId"} | {"alerts": [part]}
    assert parse(json.dumps(group | {"version": "4"}).encode(), {}).format == "alertmanager"


def test_alertmanagers_alert_can_be_silenced_by_its_labels() -> None:
    """The form of its own user interface, filled in; quotes in a label's value stay in the value."""
    member = {"status": "firing", "labels": {"alertname": "A", "why": 'a "b"'}, "startsAt": "t"}
    group = {"version": "4", "externalURL": "https://am.shop.example/", "alerts": [member]}
    (alert,) = parse(json.dumps(group).encode(), {}).alerts
    address, _, query = alert.links["silence"].partition("?filter=")
    assert address == "https://am.shop.example/#/silences/new"
    assert unquote(query) == r'{alertname="A",why="a \"b\""}'


@pytest.mark.parametrize(
    ("state", "severity", "resolved"),
    [
        ("alerting", Severity.HIGH, FaultState.FIRING),
        ("no_data", Severity.HIGH, FaultState.FIRING),
        ("pending", Severity.HIGH, FaultState.FIRING),
        (None, Severity.HIGH, FaultState.FIRING),
        ("ok", Severity.INFO, FaultState.RESOLVED),
    ],
)
def test_only_ok_resolves_a_legacy_rule(state: str | None, severity: Severity, resolved: FaultState) -> None:
    """Its tags have the severity; missing data is unknown, never healthy."""
    parsed = parse(json.dumps(RULE | {"state": state}).encode(), {})
    (alert,) = parsed.alerts
    assert parsed.format == "grafana_legacy"
    assert (alert.severity, alert.state) == (severity, resolved)
    assert (alert.title, alert.event_id, alert.host) == ("Cellar humidity", "2/44", "cellar-1")
    assert alert.message == "The cellar is too damp\ncellar: 71.5"
    assert alert.links["runbook"] == "https://wiki.shop.example/cellar"


def test_paused_legacy_rule_tells_of_no_fault() -> None:
    """Somebody has stopped looking, which says nothing of what was looked at."""
    (member,) = LEGACY.parse(RULE | {"state": "paused"}, {})
    assert isinstance(member, Ignored)
    assert "paused" in member.reason


@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [5], {"a": {}}])
def test_field_of_a_wrong_kind_costs_no_alert_of_a_rule(odd: Any) -> None:
    """It is taken by its format, with a title."""
    for field in RULE:
        parsed = parse(json.dumps(RULE | {field: odd}).encode(), {})
        assert parsed.format == "grafana_legacy"
        assert [bool(alert.title.strip()) for alert in parsed.alerts] == [True]
