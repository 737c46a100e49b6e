"""`responder health` on a stack that runs, and with its primary region gone and no Pulumi to ask."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from emulator.client import Emulator
from emulator.local_stack import LocalStack
from tests.emulator.stack.conftest import Responder, in_this_process
from topology.functions import DISTRIBUTION
from topology.health import ERRORS_OVER
from topology.names import LIVE_ALIAS
from topology.queues import DEAD_LETTER_QUEUES

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
LINES_MAX = 24


def states_of(text: str) -> dict[tuple[str, str], str]:
    """The state of each check, by id and region."""
    return {(row["id"], row["region"]): row["state"] for row in json.loads(text)["checks"]}


def test_a_poisoned_queue_is_found_and_the_rest_of_the_stack_is_looked_at(
    responder: Responder, stack: LocalStack
) -> None:
    """Exit 1 for that alone, with the next command; without it the same checks are well."""
    url = stack.deployment.primary.dead_letter_queue_url
    sqs = stack.deployment.clients.client("sqs", PRIMARY)
    checks = ("--only", "queues", "--only", "alerts", "--only", "replication", "--only", "webhooks")
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    try:
        poisoned = responder("health", "check", *checks, "--json")
        shown = responder("health", "check", *checks, "--short").stdout
    finally:
        sqs.purge_queue(QueueUrl=url)
    assert poisoned.returncode == 1
    found = states_of(poisoned.stdout)
    assert {key for key, state in found.items() if state != "ok"} == {("dead-letters", PRIMARY)}
    assert "processing-dlq 1" in shown
    assert "next: `responder dlq list" in shown
    assert responder("health", "check", *checks).returncode == 0


def alarm_states(stack: LocalStack, region: str) -> dict[str, str]:
    """The state of each alarm of the stack in a region, by name."""
    cloudwatch = stack.deployment.clients.client("cloudwatch", region)
    pages = cloudwatch.get_paginator("describe_alarms").paginate()
    return {one["AlarmName"]: one["StateValue"] for page in pages for one in page["MetricAlarms"]}


def test_alarms_go_on_and_off_with_what_they_watch(stack: LocalStack, eventually: Callable[..., Any]) -> None:
    """In both regions Recovery is heard; one message in a dead-letter queue is seen, until it is gone."""
    names = stack.deployment.names
    dead_letters = [names.dead_letter_alarm(queue) for queue in DEAD_LETTER_QUEUES]
    for endpoints in stack.deployment.regions:
        region, url = endpoints.region, endpoints.dead_letter_queue_url
        stack.deployment.run_recovery(region)
        eventually(lambda region=region: alarm_states(stack, region)[names.recovery_alarm] == "OK")
        sqs = stack.deployment.clients.client("sqs", region)
        sqs.send_message(QueueUrl=url, MessageBody="poison")
        try:
            assert "ALARM" in {alarm_states(stack, region)[name] for name in dead_letters}
        finally:
            sqs.purge_queue(QueueUrl=url)
        found = alarm_states(stack, region)
        assert {found[name] for name in dead_letters} == {"OK"}
        watched = [name for name in found if not name.endswith(("-age", "-missed"))]
        assert "INSUFFICIENT_DATA" not in {found[name] for name in watched}, found


def test_a_function_that_fails_too_often_is_named_and_told_to_people(
    stack: LocalStack, whole: Emulator, responder: Responder, eventually: Callable[..., Any]
) -> None:
    """By its alarm, with the next command and exit 1; the alarm becomes an alert: no cron job is needed."""
    name = stack.deployment.names.function(DISTRIBUTION)
    alarm = stack.deployment.names.errors_alarm(DISTRIBUTION)
    functions = stack.deployment.clients.client("lambda", FAILOVER)
    whole.set_aws_fault("lambda", "error", region=FAILOVER, function=DISTRIBUTION.suffix)
    for _ in range(ERRORS_OVER[DISTRIBUTION] + 1):
        answer = functions.invoke(FunctionName=name, Qualifier=LIVE_ALIAS, Payload=b'{"Records": []}')
        assert answer["FunctionError"]
    whole.clear_faults()
    checked = responder("health", "check", "--only", "distribution-errors", "--only", "alarms", "--json")
    assert checked.returncode == 1, checked.stdout
    rows = {(row["id"], row["region"]): row for row in json.loads(checked.stdout)["checks"]}
    assert rows["distribution-errors", FAILOVER]["state"] == "failed"
    on = rows["alarms", FAILOVER]
    assert (on["state"], "DistributionFunction-errors" in on["reason"]) == ("failed", True), on
    assert f"aws cloudwatch describe-alarms --region {FAILOVER} --alarm-names" in on["hint"]
    eventually(lambda: [one for one in whole.slack_messages() if alarm in json.dumps(one.payload)])


def test_the_whole_of_a_stack_fits_one_screen(responder: Responder, stack: LocalStack) -> None:  # noqa: ARG001 - runs
    """Every check answers in both regions within the deadline; nothing is left out of `daily`."""
    now, morning = responder("health", "check", "--json"), responder("health", "daily", "--json")
    assert all("no answer within" not in row["reason"] for row in json.loads(now.stdout)["checks"])
    assert {
        "webhook-health",
        "reception-errors",
        "dead-letters",
        "parked",
        "stuck",
        "replication",
        "alarms",
    } <= {id_ for id_, _ in states_of(now.stdout)}
    found = states_of(morning.stdout)
    assert {
        "throughput",
        "cache-hits",
        "open-alerts",
        "expired-rows",
        "silences",
        "export",
        "by-hand",
        "deployed",
    } <= {id_ for id_, _ in found}
    assert found["by-hand", PRIMARY] == found["by-hand", FAILOVER] == "ok", morning.stdout
    shown = responder("health", "check")
    below = [line for line in shown.stdout.splitlines() if line.startswith(" ")]
    assert len(shown.stdout.splitlines()) - (len(below) if shown.returncode else 0) <= LINES_MAX, shown.stdout


def test_a_stack_is_found_and_looked_at_with_its_primary_gone(
    stack: LocalStack, whole: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the failover region's bucket alone: that half answers, the other is unknown, and exit 1."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", whole.edge_url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    where = f"s3://{FAILOVER}:{stack.deployment.failover.backup_bucket}"
    checks: Any = ("--only", "webhooks", "--only", "dead-letters", "--only", "parked")
    whole.cut(PRIMARY)
    done = in_this_process("health", "check", *checks, "--json", "--outputs", where)
    assert done.returncode == 1, done.stderr
    assert states_of(done.stdout) == {
        ("webhook-health", PRIMARY): "failed", ("webhook-health", FAILOVER): "ok",
        ("dead-letters", PRIMARY): "unknown", ("dead-letters", FAILOVER): "ok",
        ("parked", PRIMARY): "unknown", ("parked", FAILOVER): "ok",
    }  # fmt: skip
