"""The whole system on the embedded AWS: real program, real packages, alerts through to Slack."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from audit.comparison import compare
from audit.ledger import LedgerRow, read_ledger, scan_ledger
from clients.coordination import CoordinationRecords
from clients.receipts import Receipt
from clients.routing import resolve_region
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.local_stack import LocalStack
from emulator.protocol import SlackMessage
from emulator.supervisor.egress import SLACK_HOST
from ops.local.running import api_keys
from tests.emulator.conftest import SOON_S
from tests.emulator.stack.conftest import Done, taken_out
from tests.fakes.switches import set_switch
from topology.functions import RECEPTION

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
Post = Callable[..., requests.Response]

AWS_CLI = "awscli==1.45.11"
PARKED_S = SOON_S + 30.0
"""Half a minute of waiting for Slack's address between the attempts."""

AFTER_A_LOSS_S = 2 * SOON_S
"""The local lease of 8 s, then a cold Recovery and the steps after it; more leases on a busy machine."""


@pytest.fixture(scope="module")
def post(stack: LocalStack) -> Post:
    """Post a body to a region's webhook as a source does; `key=None` sends none."""
    keys = {e.region: key for e, key in api_keys(stack.deployment).items()}
    urls = {e.region: e.webhook_url for e in stack.deployment.regions}

    def send(
        body: object, region: str = "us-east-1", key: str | None = "", **headers: str
    ) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **headers}
        if key is not None:
            sent["x-api-key"] = key or keys[region]
        return requests.post(urls[region], data=data, headers=sent, timeout=60)

    return send


def alert(title: str, **fields: object) -> dict[str, object]:
    """The runbook's own body."""
    return {"source": "test", "title": title, "message": f"{title} happened", "severity": "HIGH", **fields}


def accepted_ids(answer: requests.Response) -> list[str]:
    """The ids of a 202."""
    assert answer.status_code == 202, answer.text
    return [alert["alert_id"] for alert in answer.json()["alerts"]]


def row_of(stack: LocalStack, alert_id: str, region: str = "us-west-2") -> LedgerRow | None:
    """One alert's row as a region has it."""
    return read_ledger(stack.deployment, region).get(alert_id)


def item_of(stack: LocalStack, alert_id: str) -> dict[str, Any]:
    """One alert's whole item."""
    table = stack.deployment.clients.client("dynamodb", "us-west-2")
    key = {"alert_id": {"S": alert_id}}
    return dict(table.get_item(TableName=stack.deployment.alerts_table, Key=key, ConsistentRead=True)["Item"])


def messages_of(emulator: Emulator, alert_id: str) -> list[SlackMessage]:
    """What Slack has of an alert."""
    return [message for message in emulator.slack_messages() if alert_id in message.alert_ids]


def test_an_alert_comes_out_in_slack_with_its_analysis(
    emulator: Emulator, stack: LocalStack, post: Post, eventually: Eventually
) -> None:
    """The main job: in at the webhook, analysed by Claude, out in Slack, NOTIFIED in both regions."""
    (alert_id,) = accepted_ids(post(alert("Disk almost full", host="db-1")))
    (message,) = eventually(lambda: messages_of(emulator, alert_id), within_s=SOON_S)
    assert message.region == "us-east-1"
    assert "Disk almost full" in json.dumps(message.payload)
    eventually(lambda: (row := row_of(stack, alert_id)) and row.status == "NOTIFIED")
    assert row_of(stack, alert_id, "us-east-1") == row_of(stack, alert_id, "us-west-2")
    item = item_of(stack, alert_id)
    assert item["analysis"]["M"]["summary"]["S"]
    assert "open_key" not in item, "at rest: no longer in the index of open alerts"
    assert int(item["expires_at"]["N"]) > int(item["timestamp"]["N"])


def test_a_repeat_sent_to_the_other_region_is_suppressed(
    emulator: Emulator, stack: LocalStack, post: Post, eventually: Eventually
) -> None:
    """A source's retry to the failover region is the same row, in other words its child: one message."""
    (parent,) = accepted_ids(post(alert("Queue stuck")))
    assert accepted_ids(post(alert("Queue stuck"), region="us-west-2")) == [parent]
    answer = post(alert("Queue stuck", timestamp="2026-11-23T08:00:30Z"), region="us-west-2")
    (child,) = answer.json()["alerts"]
    assert (child["status"], child["parent_id"]) == ("SUPPRESSED", parent)
    eventually(lambda: messages_of(emulator, parent), within_s=SOON_S)
    assert row_of(stack, child["alert_id"]).parent_id == parent
    assert messages_of(emulator, child["alert_id"]) == []


def test_every_alert_of_an_alertmanager_body_is_answered_and_notified(
    emulator: Emulator, post: Post, eventually: Eventually
) -> None:
    """One POST of Alertmanager carries several alerts; 202 names each."""
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": "TargetDown", "severity": "critical", "instance": f"node-{n}"},
            "annotations": {"summary": f"node-{n} is down"},
            "startsAt": "2026-11-20T09:00:00.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph",
            "fingerprint": f"{n:016x}",
        }
        for n in range(3)
    ]
    body = {"version": "4", "status": "firing", "receiver": "r", "groupKey": "{}", "alerts": alerts}
    ids = accepted_ids(post({**body, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}))
    assert len(set(ids)) == 3
    eventually(lambda: all(messages_of(emulator, alert_id) for alert_id in ids), within_s=SOON_S)


def test_a_cloudwatch_alarm_arrives_through_the_alarm_topic(
    emulator: Emulator, stack: LocalStack, eventually: Eventually
) -> None:
    """SNS cannot send an API key: an alarm reaches reception by the topic's subscription."""
    alarm = {
        "AlarmName": "orders-5xx",
        "AlarmDescription": "5xx above 1 %",
        "AWSAccountId": "000000000000",
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": "2026-11-20T09:00:00.000+0000",
        "Region": "US East (N. Virginia)",
        "Trigger": {"MetricName": "5XXError", "Namespace": "AWS/ApiGateway"},
    }
    topic = stack.deployment.primary.alarm_topic_arn
    stack.deployment.clients.client("sns", "us-east-1").publish(TopicArn=topic, Message=json.dumps(alarm))
    eventually(
        lambda: [m for m in emulator.slack_messages() if "orders-5xx" in json.dumps(m.payload)],
        within_s=SOON_S,
    )


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{not json", {}, 400),
        (b"", {}, 400),
        (b'"text"', {}, 400),
        (b'{"colour": "x"}', {}, 422),
        (b'{"alerts": []}', {}, 422),
        (b'{"alerts": "none"}', {}, 422),
        (b"[" * 40 + b"]" * 40, {}, 400),
        (json.dumps(alert("big", message="x" * 1_100_000)).encode(), {}, 413),
        (json.dumps(alert("typed")).encode(), {"content-type": "text/plain"}, 415),
    ],
)
def test_bad_input_gets_a_4xx_that_says_what_to_do_and_writes_nothing(
    stack: LocalStack, post: Post, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Through the real API, gateway's own refusals included: one form, never a 5xx."""
    before = read_ledger(stack.deployment, "us-east-1").keys()
    answer = post(body, **headers)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "field", "hint"}
    assert answer.json()["hint"]
    assert read_ledger(stack.deployment, "us-east-1").keys() == before


def test_a_refused_body_is_found_in_the_log_with_its_metric(
    stack: LocalStack, post: Post, eventually: Eventually
) -> None:
    """By whoever must mend its sender: its first bytes without its secrets, and what the alarm watches."""
    body = b'{"source": "found-in-the-log", "password": "hunter2", "severity": "page"}'
    answer = post(body, **{"idempotency-key": "no key"})
    assert answer.status_code == 400, answer.text
    logs, group = (
        stack.deployment.clients.client("logs", "us-east-1"),
        stack.deployment.names.log_group(RECEPTION),
    )

    def logged() -> str | None:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        text = "\n".join(event["message"] for page in pages for event in page["events"])
        return text if "found-in-the-log" in text else None

    text = eventually(logged, within_s=SOON_S)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    [sample] = [line["sample"] for line in lines if "found-in-the-log" in line.get("sample", "")]
    assert sample == '{"source": "found-in-the-log", "password": "[redacted: password]", "severity": "page"}'
    [metric] = [line for line in lines if line.get("Reason") == "bad_idempotency_key"]
    assert metric.pop("_aws")
    assert metric == {"Stack": "local", "Format": "unknown", "Reason": "bad_idempotency_key", "Refusals": 1}
    assert "hunter2" not in text


@pytest.mark.parametrize("key", [None, "wrong-key-of-twenty-characters"])
def test_a_missing_or_wrong_api_key_is_403(post: Post, key: str | None) -> None:
    """And in our form, since API Gateway answers before reception runs."""
    answer = post(alert("keyless"), key=key)
    assert answer.status_code == 403
    assert set(answer.json()) == {"error", "field", "hint"}


def test_one_key_opens_both_regions(stack: LocalStack, post: Post) -> None:
    """A source that posts to the name that fails over cannot change its key with it."""
    keys = {e.region: key for e, key in api_keys(stack.deployment).items()}
    accepted_ids(post(alert("crossed"), region="us-west-2", key=keys["us-east-1"]))


def test_health_needs_no_key(stack: LocalStack) -> None:
    """A health check must not carry a secret."""
    for endpoints in stack.deployment.regions:
        answer = requests.get(endpoints.health_url, timeout=60)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "region": endpoints.region})


def test_a_switch_moves_the_name_though_both_regions_are_healthy(
    whole: Emulator, stack: LocalStack, eventually: Eventually
) -> None:
    """The real health checks, over the real `/health` and `/switch`; both switches on leave the primary."""

    def answers() -> str | None:
        return resolve_region(stack.deployment, whole.dns_address)

    def serving() -> set[str]:
        names = stack.deployment.names
        healthy = {check.name for check in whole.health_checks() if check.healthy}
        return {region for region in whole.regions if names.health_check(region, "serves") in healthy}

    primary, failover = whole.regions
    switches = {region: CoordinationRecords(stack.deployment, region) for region in whole.regions}
    whole.pace_health_checks(0.05)
    try:
        eventually(lambda: serving() == {primary, failover}, within_s=SOON_S)
        assert answers() == primary
        assert set_switch(switches[failover], 1)
        eventually(lambda: answers() == failover, within_s=SOON_S)
        assert serving() == {failover}
        assert set_switch(switches[primary], 1)
        eventually(lambda: answers() == primary, within_s=SOON_S)
        assert serving() == set()
    finally:
        for switch in switches.values():
            set_switch(switch, 0)
        eventually(lambda: serving() == {primary, failover}, within_s=SOON_S)
        whole.pace_health_checks(1.0)


def test_without_a_slack_url_alerts_are_parked_with_the_reason_until_it_is_put_right(
    emulator: Emulator, stack: LocalStack, post: Post, eventually: Eventually
) -> None:
    """With no Slack URL in the secret alerts are kept and say why; a good one counts at once."""
    manager = stack.deployment.clients.client("secretsmanager", "us-east-1")
    name = stack.deployment.names.slack_webhook_secret
    good = manager.get_secret_value(SecretId=name)["SecretString"]
    try:
        manager.put_secret_value(SecretId=name, SecretString="not-a-url")
        for region in emulator.regions:
            restart(emulator, region)
        alert_ids = [
            alert_id
            for region in emulator.regions
            for alert_id in accepted_ids(post(alert(f"Nobody hears {region}"), region=region))
        ]
        eventually(
            lambda: all((row := row_of(stack, i)) and row.status == "PARKED" for i in alert_ids),
            within_s=PARKED_S,
        )
    finally:
        manager.put_secret_value(SecretId=name, SecretString=good)
    for region in emulator.regions:
        (heard,) = accepted_ids(post(alert(f"Heard in {region}"), region=region))
        eventually(lambda heard=heard: messages_of(emulator, heard), within_s=SOON_S)
    item = item_of(stack, alert_ids[0])
    assert item["parked_reason"]["S"] == (
        "Slack's address stays unusable: the Slack webhook's URL in its secret does not start with "
        f"http://{SLACK_HOST}/ or has a space or line break in it; put the webhook's URL there"
    )
    assert "not-a-url" not in json.dumps(item), "a secret's content is never shown"
    assert "expires_at" not in item
    assert messages_of(emulator, alert_ids[0]) == []


def restart(emulator: Emulator, region: str) -> None:
    """End every warm worker of a region: a handler keeps a secret for minutes."""
    emulator.kill(region)
    emulator.start_region(region)


def test_the_runbooks_query_by_the_stock_aws_cli_sees_the_other_regions_alerts(
    emulator: Emulator, stack: LocalStack, post: Post, tmp_path: Path
) -> None:
    """The runbook's "Query Alert History", by the AWS CLI from an environment of its own, in the failover."""
    (alert_id,) = accepted_ids(post(alert("Everything is down", severity="CRITICAL")))
    since = int((datetime.now(UTC) - timedelta(hours=24)).timestamp())
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "tool", "run", "--quiet", "--from", AWS_CLI, "aws", "dynamodb", "query"]
    command += ["--endpoint-url", emulator.edge_url, "--region", "us-west-2"]
    command += ["--table-name", stack.deployment.alerts_table, "--index-name", "timestamp-index"]
    command += ["--key-condition-expression", "severity = :sev AND #ts > :time"]
    command += ["--expression-attribute-names", '{"#ts":"timestamp"}', "--expression-attribute-values"]
    command += [json.dumps({":sev": {"S": "CRITICAL"}, ":time": {"N": str(since)}})]
    environment = {
        **{name: os.environ[name] for name in os.environ if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert alert_id in {item["alert_id"]["S"] for item in json.loads(done.stdout)["Items"]}


def run_recovery(stack: LocalStack) -> None:
    """Run the failover region's Recovery now rather than at its next minute."""
    functions = stack.deployment.clients.client("lambda", "us-west-2")
    name = f"{stack.deployment.names.prefix}-RecoveryFunction"
    answer = functions.invoke(FunctionName=name, Qualifier="live", Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_what_a_killed_region_had_accepted_is_finished_by_the_other(
    emulator: Emulator, stack: LocalStack, post: Post, eventually: Eventually, whole: Emulator
) -> None:
    """The promise: accepted by the primary, region lost, delivered by the failover, counted by the audit."""
    ids = {i for n in range(12) for i in accepted_ids(post(alert(f"Stranded {n}", host=f"h{n}")))}
    whole.kill("us-east-1")

    def not_at_rest() -> list[LedgerRow]:
        run_recovery(stack)
        ledger = read_ledger(stack.deployment, "us-west-2")
        rows = [ledger[alert_id] for alert_id in ids]
        assert not [row for row in rows if row.status == "PARKED"], "final: no use in waiting"
        return [row for row in rows if row.status != "NOTIFIED"]

    eventually(lambda: not not_at_rest(), within_s=AFTER_A_LOSS_S, shown=not_at_rest)
    digests = {row.digest_id for row in read_ledger(stack.deployment, "us-west-2").values()} - {None}
    assert [
        message
        for message in emulator.slack_messages()
        if message.region == "us-west-2" and any(digest_id in digests for digest_id, _ in message.digests)
    ]
    whole.start_region("us-east-1")
    (alert_id,) = accepted_ids(post(alert("Back again")))
    eventually(lambda: messages_of(emulator, alert_id), within_s=SOON_S)


def test_a_second_deployment_changes_nothing(brought_up: Done, stack: LocalStack) -> None:
    """`responder local up` may be typed again at any time; the first one made what is there."""
    again = stack.deployed
    assert (again.created, again.updated, again.deleted) == (0, 0, 0)
    assert f" {again.same} created, 0 updated, 0 unchanged, 0 deleted" in brought_up.stdout
    assert stack.deployment.primary == attached_deployment(stack.emulator).primary


def test_the_audit_of_all_alerts_is_clean_and_notices_a_removed_row(
    emulator: Emulator, stack: LocalStack, post: Post, eventually: Eventually
) -> None:
    """On the running system: nothing unaccounted; with one row taken out of the ledger, that one is named."""
    (victim,) = accepted_ids(post(alert("To be taken out")))
    first = read_ledger(stack.deployment, "us-east-1")
    receipts = [
        Receipt(alert_id, row.status, row.region, 0, 0)
        for alert_id, row in first.items()
        if row.format != "synthetic"  # none of people's, so nobody has a receipt of it
    ]

    def unaccounted() -> Mapping[str, str]:
        ledgers = {e.region: scan_ledger(stack.deployment, e.region) for e in stack.deployment.regions}
        return compare(
            receipts=receipts, ledgers=ledgers, slack=emulator.slack_messages(), consistency="strong"
        ).problems

    def clean() -> bool:
        run_recovery(stack)
        return not unaccounted()

    eventually(clean, within_s=AFTER_A_LOSS_S, shown=unaccounted)
    table = stack.deployment.clients.client("dynamodb", "us-east-1")
    with taken_out(table, stack.deployment.alerts_table, victim):
        assert set(unaccounted()) >= {victim}
