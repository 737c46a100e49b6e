"""The sources of docs/senders.md are valid, short, and tell an outage and its end of one fault."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from handlers.domain.configured import configured_formats, source_problems
from handlers.domain.formats import parse
from handlers.domain.identity import fault_key_of
from topology.alerts import FaultState, Severity
from topology.source_config import SOURCES_KEY, parse_sources
from topology.sources import MAX_SOURCES_CHARS, encoded_sources

DOCUMENT: Final = (Path(__file__).parents[3] / "docs" / "senders.md").read_text(encoding="utf-8")
KEY: Final = f"mcp-incident-responder:{SOURCES_KEY}"
BLOCKS: Final = [text for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL) if KEY in text]
SOURCES: Final[dict[str, Any]] = {
    name: source for block in BLOCKS for name, source in yaml.safe_load(block)[KEY].items()
}
MAX_LINES: Final = 10

KUMA: Final = {
    "heartbeat": {"monitorID": 7, "status": 0, "time": "2026-11-29 08:00:00.000", "msg": "timeout"},
    "monitor": {"id": 7, "name": "Shop", "url": "https://shop.example.com", "hostname": None},
    "msg": "[Shop] [Down] timeout",
}
ZABBIX: Final = {
    "event_id": "4711",
    "event_name": "Disk of db-1 is full",
    "event_value": "1",
    "event_nseverity": "5",
    "host_name": "db-1",
    "trigger_description": "under 5 %",
}
CHECKMK: Final = {
    "NOTIFICATIONTYPE": "PROBLEM",
    "WHAT": "SERVICE",
    "HOSTNAME": "db-1",
    "SERVICEDESC": "Filesystem /",
    "SERVICESTATE": "CRIT",
    "SERVICEOUTPUT": "96 % used",
    "HOSTSTATE": "UP",
}
ONCALL: Final = {
    "alert_uid": "08d6891a",
    "title": "The whole system is down",
    "image_url": None,
    "state": "alerting",
    "link_to_upstream_details": "https://monitoring.example.com/1",
    "message": "Smth happened. Oh no!",
}
CASES: Final = {
    "kuma": (KUMA, KUMA | {"heartbeat": KUMA["heartbeat"] | {"status": 1}}, "CRITICAL", "Shop"),  # type: ignore[operator]
    "zabbix": (ZABBIX, ZABBIX | {"event_value": "0"}, "CRITICAL", "Disk of db-1 is full"),
    "checkmk": (
        CHECKMK,
        CHECKMK | {"NOTIFICATIONTYPE": "RECOVERY", "SERVICESTATE": "OK"},
        "CRITICAL",
        "db-1 Filesystem /",
    ),
    "oncall": (ONCALL, ONCALL | {"state": "ok"}, "HIGH", "The whole system is down"),
}


def test_every_documented_source_is_tried_here() -> None:
    """So that none is shown that nobody ran."""
    assert SOURCES.keys() == CASES.keys()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split()[1])
def test_a_source_takes_ten_lines(block: str) -> None:
    """Below the stack's key, and the source's name among them."""
    assert len(block.strip().splitlines()[1:]) <= MAX_LINES


def test_all_of_them_are_valid_together() -> None:
    """No problem, and room for many more in the environment."""
    problems: list[str] = []
    sources = parse_sources(json.dumps(SOURCES), problems)
    assert problems + source_problems(sources) == []
    assert len(encoded_sources(sources)) < MAX_SOURCES_CHARS // 2


@pytest.mark.parametrize("name", CASES)
def test_a_documented_source_tells_an_outage_and_its_end(name: str) -> None:
    """Among all the others; as loud as it is meant to be, both of one fault, and with no gap."""
    formats = configured_formats(parse_sources(SOURCES, []))
    outage, recovery, severity, title = CASES[name]
    told = []
    for body in (outage, recovery):
        result = parse(json.dumps(body).encode(), {}, sources=formats)
        assert result.format == name
        told += result.alerts
    assert [alert.state for alert in told] == [FaultState.FIRING, FaultState.RESOLVED]
    assert [alert.severity for alert in told] == [severity, Severity.INFO]
    assert {alert.title for alert in told} == {title}
    assert len({fault_key_of(alert) for alert in told}) == 1
    assert [alert.mended for alert in told] == [(), ()]


@pytest.mark.parametrize(
    "body",
    [
        {"heartbeat": None, "monitor": None, "msg": "Testing"},
        CHECKMK | {"NOTIFICATIONTYPE": "ACKNOWLEDGEMENT"},
    ],
)
def test_what_is_no_alert_is_ignored(body: dict[str, Any]) -> None:
    """Uptime Kuma's test, and an acknowledgement."""
    formats = configured_formats(parse_sources(SOURCES, []))
    result = parse(json.dumps(body).encode(), {}, sources=formats)
    assert (result.alerts, bool(result.ignored_reason)) == ((), True)


def test_a_host_of_checkmk_is_told_without_a_service() -> None:
    """Its state stands in for the service's."""
    body = {"NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "db-1", "HOSTSTATE": "DOWN", "HOSTOUTPUT": "no ping"}
    (alert,) = parse(
        json.dumps(body).encode(), {}, sources=configured_formats(parse_sources(SOURCES, []))
    ).alerts
    assert (alert.title, alert.severity, alert.message) == ("db-1 host", Severity.CRITICAL, "no ping")
