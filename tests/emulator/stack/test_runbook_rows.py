"""What no other test here walks of the runbook: contacts, upkeep, formats that are sent, a cut region."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator.client import Emulator
from emulator.local_stack import LocalStack
from tests.emulator.stack.conftest import Responder, in_a_process, in_this_process
from topology.functions import ANALYSIS
from topology.tables import OPEN_INDEX, TIMESTAMP_INDEX

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
AT_ONCE = 6
"""Commands that wait for a region that does not answer."""

BODY = {"source": "rows-test", "title": "The okapi gate is open", "severity": "LOW"}
ALERTMANAGER = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "OkapiGate", "severity": "critical"},
            "annotations": {"summary": "The okapi gate is open"},
            "startsAt": "2026-11-30T03:12:00Z",
        }
    ],
}


def clients_of(stack: LocalStack, service: str) -> dict[str, Any]:
    """A client of the service in each region."""
    return {region: stack.deployment.clients.client(service, region) for region in (PRIMARY, FAILOVER)}


def test_contacts_are_those_of_the_file_and_end_every_alarm(stack: LocalStack) -> None:
    """In both regions, as deployed."""
    contacts = json.loads(in_this_process("contacts", "--json").stdout)
    called = "Contacts: " + "; ".join(f"{one['who']}: {one['reach']}" for one in contacts)
    assert contacts
    for region, cloudwatch in clients_of(stack, "cloudwatch").items():
        alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{stack.deployment.names.prefix}-")
        described = [alarm["AlarmDescription"] for alarm in alarms["MetricAlarms"]]
        assert described, region
        assert [text for text in described if not text.endswith(called)] == []


def test_tables_expire_and_their_sizes_are_those_that_dynamodb_counts(
    stack: LocalStack, responder: Responder
) -> None:
    """Each table and index in both regions; and a table whose expiry was turned off by hand is found."""
    table = stack.deployment.analysis_cache_table
    ttl = {"AttributeName": "expires_at"}
    retention = responder("maintenance", "retention", "--json")
    states = {(row["id"], row["region"]): row["state"] for row in json.loads(retention.stdout)["checks"]}
    assert "failed" not in states.values(), retention.stdout
    assert {region for _, region in states} == {PRIMARY, FAILOVER}
    assert states["table-expiry", PRIMARY] == states["table-recovery", FAILOVER] == "ok"

    dynamodb = clients_of(stack, "dynamodb")[FAILOVER]
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": False, **ttl})
    try:
        found = responder("maintenance", "retention")
    finally:
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, **ttl})
    assert found.returncode == 1
    assert f"{table}: what has expired stays" in found.stdout

    sizes = json.loads(responder("maintenance", "sizes", "--json").stdout)
    for region, client in clients_of(stack, "dynamodb").items():
        for name in stack.deployment.tables:
            described = client.describe_table(TableName=name)["Table"]
            mine = [row for row in sizes if (row["region"], row["table"]) == (region, name)]
            assert {row["index"] for row in mine} == {
                "", *(index["IndexName"] for index in described.get("GlobalSecondaryIndexes", ()))
            }  # fmt: skip
            assert all(row["items"] is not None and not row["error"] for row in mine)
    assert {TIMESTAMP_INDEX.name, OPEN_INDEX.name} <= {row["index"] for row in sizes}


@pytest.mark.parametrize(("body", "where"), [(BODY, "body.json"), (ALERTMANAGER, "-")])
def test_a_body_of_any_format_is_sent_by_file_or_standard_input_with_each_hop_timed(
    responder: Responder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], where: str
) -> None:
    """Until it is in Slack."""
    monkeypatch.chdir(tmp_path)
    Path("body.json").write_text(json.dumps(body), encoding="utf-8")
    words = ("alerts", "send", "--file", where, "--wait", "--within", "300", "--json")
    done = responder(*words, typed=json.dumps(body))
    assert done.returncode == 0, done.stdout + done.stderr
    (alert,) = json.loads(done.stdout)["alerts"]
    assert alert["status"] == "NOTIFIED"
    hops = {hop["hop"]: hop["at_ms"] for hop in alert["hops"]}
    assert {"accepted", "answered", "in Slack"} <= hops.keys()
    assert hops["accepted"] <= hops["in Slack"]


def test_a_log_group_that_was_changed_by_hand_is_found_and_put_back(
    stack: LocalStack, responder: Responder
) -> None:
    """In the region where it was; a dry run leaves it."""
    group = stack.deployment.names.log_group(ANALYSIS)
    clients_of(stack, "logs")[FAILOVER].put_retention_policy(logGroupName=group, retentionInDays=1)
    found = responder("logs", "retention", "--fix", "--dry-run", "--json")
    drifted = [row for row in json.loads(found.stdout) if row["state"] != "ok"]
    assert [(row["region"], row["log_group"], row["days"]) for row in drifted] == [(FAILOVER, group, 1)]
    assert (found.returncode, "`responder logs retention --fix" in found.stderr) == (1, True)
    assert responder("logs", "retention", "--fix", "--yes").returncode == 0


CUT: dict[str, tuple[int, str]] = {
    "alerts list": (0, f"{PRIMARY} did not answer; {FAILOVER} did"),
    "alerts send --title cut": (1, f"add `--region {FAILOVER}`"),
    "cache clear --dry-run": (0, f"{PRIMARY} did not answer; {FAILOVER} did"),
    "cache stats": (0, f"{PRIMARY}: unknown, it was not read"),
    "dashboard": (1, f"{PRIMARY}: unknown, CloudWatch was not read"),
    "diagnose": (1, "region-lost"),
    "diagnose slack": (1, "could not be looked at"),
    "dlq list": (1, "unknown 2 queues"),
    "health check": (1, f"{PRIMARY} unknown"),
    "health daily": (1, f"{PRIMARY} unknown"),
    "logs retention": (1, f"{PRIMARY}: unknown, its logs were not read"),
    "logs tail --since 1h": (1, f"Function in {PRIMARY}: unknown, its log was not read"),
    "maintenance retention": (0, f"{PRIMARY} unknown"),
    "maintenance sizes": (1, f"{PRIMARY}: unknown, it was not described"),
    "queue purge processing --yes": (1, "purge the other region's by --region"),
    "secrets status": (1, "unknown: "),
    "why okapi": (0, f"AlertReceptionFunction in {PRIMARY}"),
}
"""What each answers with the primary region cut off, and how it marks the half that is missing."""


def test_with_a_region_cut_off_each_command_has_the_other_and_marks_what_is_missing(
    whole: Emulator, run_dir: Path, responder: Responder
) -> None:
    """With the exit code that says so; the region that answers is shown or asked."""
    sent = responder("alerts", "send", "--title", "The okapi gate is open", "--wait", "--within", "300")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    whole.cut(PRIMARY)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = pool.map(lambda words: in_a_process(*words.split(), "--run-dir", str(run_dir)), CUT)
    for (words, (code, marked)), done in zip(CUT.items(), ended, strict=True):
        said = " ".join((done.stdout + done.stderr).split())
        assert (done.returncode, marked in said) == (code, True), (words, said)
