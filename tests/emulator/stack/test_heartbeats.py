"""Silence on the embedded AWS: heartbeats that stop, and synthetic alerts that do not arrive."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
import requests

from clients.coordination import CoordinationRecords
from emulator.client import Emulator
from emulator.local_stack import LocalStack, deploy
from emulator.protocol import SlackMessage
from tests.emulator.conftest import SOON_S
from tests.emulator.stack.conftest import Responder
from topology.functions import RECOVERY
from topology.records import heartbeat_record, synthetic_record, watch_record

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
PRIMARY, FAILOVER = "us-east-1", "us-west-2"
AN_HOUR_MS: Final = 3_600_000
INTERVAL_S: Final = 3_600
"""Of synthetic alerts: each region sends one as the tests begin, and at most one more."""


def watchdog(name: str) -> dict[str, Any]:
    """A heartbeat of Alertmanager."""
    match = {"source": "alertmanager", "labels": {"alertname": "Watchdog", "cluster": name}}
    return {"name": name, "match": match, "everyS": INTERVAL_S}


@pytest.fixture(scope="module")
def watching(emulator: Emulator) -> Iterator[LocalStack]:
    """The stack with heartbeats and synthetic alerts, and back."""
    heartbeats = [watchdog("lively"), watchdog("quiet"), watchdog("orphan")]
    config = {"heartbeats": json.dumps(heartbeats), "syntheticIntervalS": str(INTERVAL_S)}
    yield deploy(emulator, config=config)
    deploy(emulator)


def beat(stack: LocalStack, cluster: str, region: str) -> Mapping[str, Any]:
    """Have Alertmanager send its Watchdog to a region; what is answered."""
    labels = {"alertname": "Watchdog", "severity": "none", "cluster": cluster}
    member = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-11-20T09:00:00Z"}
    body = {"version": "4", "status": "firing", "receiver": "r", "groupKey": cluster, "alerts": [member]}
    (endpoints,) = [one for one in stack.deployment.regions if one.region == region]
    key = stack.deployment.api_key(endpoints)
    answer = requests.post(endpoints.webhook_url, json=body, headers={"x-api-key": key}, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def recover(stack: LocalStack, region: str) -> Mapping[str, Any]:
    """Run a region's Recovery now, to its end; its counts."""
    answer = stack.deployment.clients.client("lambda", region).invoke(
        FunctionName=stack.deployment.names.function(RECOVERY), Qualifier="live", Payload=b"{}"
    )
    content = answer["Payload"].read()
    assert "FunctionError" not in answer, content
    return dict(json.loads(content))


def changed(stack: LocalStack, region: str, name: str, change: Callable[[str, int], int]) -> None:
    """Change a record's values, each by its name; tried again where somebody writes it meanwhile."""
    records = CoordinationRecords(stack.deployment, region)
    while True:
        before = records.read(name)
        assert before is not None, name
        values = {key: change(key, value) for key, value in before.values.items()}
        if records.write(name, before, values):
            return


def let_hours_pass(stack: LocalStack, what: str, *records: str) -> None:
    """As if both regions had watched for `what` for hours, and last seen it then."""
    for name in records:
        changed(stack, FAILOVER, name, lambda _, at_ms: at_ms - 4 * AN_HOUR_MS)
    for region in (PRIMARY, FAILOVER):
        changed(
            stack,
            FAILOVER,
            watch_record(region),
            lambda key, at_ms: at_ms - 4 * AN_HOUR_MS if key == what else at_ms,
        )


def rows(stack: LocalStack, **wanted: str) -> list[dict[str, str]]:
    """The rows with these attributes, their texts alone."""
    dynamodb = stack.deployment.clients.client("dynamodb", FAILOVER)
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=stack.deployment.alerts_table, ConsistentRead=True
    )
    items = [
        {name: part["S"] for name, part in item.items() if "S" in part}
        for page in pages
        for item in page["Items"]
    ]
    return [item for item in items if wanted.items() <= item.items()]


def told(stack: LocalStack, what: str, state: str) -> list[dict[str, str]]:
    """The alerts about a thing that is missing, or back."""
    found = [row for row in rows(stack, format="responder", state=state) if f'"{what}"' in row["raw"]]
    return sorted(found, key=lambda row: row["created_at"])


def message_of(stack: LocalStack, row: Mapping[str, str]) -> SlackMessage | None:
    """What Slack has of a row."""
    found = [one for one in stack.emulator.slack_messages() if row["alert_id"] in one.alert_ids]
    return found[0] if found else None


def test_heartbeats_are_noted_by_either_region_and_are_no_alerts(
    watching: LocalStack, responder: Responder
) -> None:
    """What people see of them says where they came in."""
    begun_ms = time.time_ns() // 1_000_000
    for region in (PRIMARY, FAILOVER):
        answer = beat(watching, "lively", region)
        assert answer["ignored"] == "it is the heartbeat 'lively', which is noted"
        assert "missing" in recover(watching, region)
    listed = json.loads(responder("heartbeats", "list", "--json").stdout)
    (lively,) = [one for one in listed if one["what"] == "heartbeat:lively"]
    assert min(lively["seen_ms"][region] for region in (PRIMARY, FAILOVER)) >= begun_ms
    assert lively["state"] == "ok"
    assert {one["what"] for one in listed} >= {"heartbeat:quiet", f"synthetic:{PRIMARY}"}
    assert told(watching, "heartbeat:lively", "firing") == []
    assert "expected 5, late or missing 0" in responder("heartbeats", "list").stdout


def test_a_heartbeat_that_stops_is_one_alert_and_its_return_one_resolution(
    watching: LocalStack, eventually: Eventually, responder: Responder
) -> None:
    """Whichever region's Recovery runs, and however often: people are told once of each."""
    beat(watching, "quiet", FAILOVER)
    for region in (PRIMARY, FAILOVER):
        recover(watching, region)
    let_hours_pass(watching, "heartbeat:quiet", heartbeat_record(FAILOVER, "quiet"))
    for region in (FAILOVER, PRIMARY, FAILOVER, PRIMARY):
        recover(watching, region)
    (alert,) = told(watching, "heartbeat:quiet", "firing")
    assert (alert["title"], alert["severity"]) == ("Heartbeat quiet is missing", "HIGH")
    message = eventually(lambda: message_of(watching, alert), within_s=SOON_S)
    assert "Heartbeat quiet is missing" in json.dumps(message.payload)
    assert "expected 5, late or missing 1" in responder("heartbeats", "list").stdout
    beat(watching, "quiet", PRIMARY)
    for region in (PRIMARY, FAILOVER, PRIMARY):
        recover(watching, region)
    (resolution,) = told(watching, "heartbeat:quiet", "resolved")
    assert resolution["fault_key"] == alert["fault_key"]
    eventually(lambda: message_of(watching, resolution), within_s=SOON_S)


def test_the_other_region_tells_while_the_first_is_lost(
    watching: LocalStack, whole: Emulator, eventually: Eventually
) -> None:
    """The primary is killed amid an absence; it comes back, and tells nobody a second time."""
    beat(watching, "orphan", PRIMARY)
    for region in (PRIMARY, FAILOVER):
        recover(watching, region)
    whole.kill(PRIMARY)
    let_hours_pass(watching, "heartbeat:orphan", heartbeat_record(PRIMARY, "orphan"))
    recover(watching, FAILOVER)
    (alert,) = told(watching, "heartbeat:orphan", "firing")
    assert alert["region"] == FAILOVER
    message = eventually(lambda: message_of(watching, alert), within_s=SOON_S)
    assert message.region == FAILOVER
    beat(watching, "orphan", FAILOVER)
    for _ in range(2):  # whose turn it is not looks twice
        recover(watching, FAILOVER)
    assert len(told(watching, "heartbeat:orphan", "resolved")) == 1
    whole.start_region(PRIMARY)
    for _ in range(2):
        recover(watching, PRIMARY)
    assert [len(told(watching, "heartbeat:orphan", state)) for state in ("firing", "resolved")] == [1, 1]


def test_synthetic_alerts_go_the_whole_way_and_their_absence_is_told_by_the_other_region(
    watching: LocalStack, eventually: Eventually
) -> None:
    """From each region to a sink, without the model and Slack; then those of one region stop to arrive."""
    for region in (PRIMARY, FAILOVER):
        recover(watching, region)

    def arrived() -> bool:
        done = rows(watching, format="synthetic", status="NOTIFIED", route="sink")
        return {row["region"] for row in done} == {PRIMARY, FAILOVER}

    eventually(arrived, within_s=SOON_S, shown=lambda: rows(watching, format="synthetic"))
    done = rows(watching, format="synthetic")
    assert all("analysis" not in row and message_of(watching, row) is None for row in done)
    assert not any(
        row["title"] in json.dumps(call) for row in done for call in watching.emulator.claude_requests()
    )
    records = CoordinationRecords(watching.deployment, FAILOVER)
    eventually(lambda: all(records.read(synthetic_record(region)) for region in (PRIMARY, FAILOVER)))
    what = f"synthetic:{PRIMARY}"
    let_hours_pass(watching, what, synthetic_record(PRIMARY))
    for region in (FAILOVER, PRIMARY, FAILOVER):
        recover(watching, region)
    (alert,) = told(watching, what, "firing")
    assert (alert["region"], alert["severity"]) == (FAILOVER, "CRITICAL")
    eventually(lambda: message_of(watching, alert), within_s=SOON_S)
    now_ms = time.time_ns() // 1_000_000
    changed(watching, FAILOVER, synthetic_record(PRIMARY), lambda *_: now_ms)
    recover(watching, FAILOVER)
    (resolution,) = told(watching, what, "resolved")
    assert resolution["region"] == FAILOVER
