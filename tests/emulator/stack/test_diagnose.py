"""`responder diagnose` on a deployed stack: the cause of a fault, a hint that works when pasted, a bundle."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from chaos import queues
from chaos.target import LocalTarget
from emulator.client import Emulator
from emulator.local_stack import LocalStack
from tests.emulator.stack.conftest import Responder
from topology.functions import DISTRIBUTION
from topology.names import API_STAGE

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"


def causes(responder: Responder, *words: str) -> dict[str, dict[str, Any]]:
    """What is named, by the causes' ids in their order."""
    done = responder("diagnose", "--json", "--since", "5s", *words)
    report = json.loads(done.stdout)
    assert done.returncode == 1, report["observations"]
    return {cause["id"]: cause for cause in report["causes"]}


def test_a_function_that_may_not_run_is_named_with_the_command_that_mends_it(
    responder: Responder, stack: LocalStack
) -> None:
    """The hint's own call, by its own words, and it is no cause any more."""
    client = stack.deployment.clients.client("lambda", PRIMARY)
    name = stack.deployment.names.function(DISTRIBUTION)
    reserved = client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        found = causes(responder)
    finally:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    stopped = found["function-stopped"]
    assert next(iter(found)) == "function-stopped"
    assert (stopped["likelihood"], stopped["regions"]) == ("certain", [PRIMARY])
    assert f"--function-name {name} --reserved-concurrent-executions {reserved}" in stopped["next"]


def test_queues_that_nobody_may_use_are_named_and_the_bundle_has_it_all(
    responder: Responder, stack: LocalStack, emulator: Emulator, tmp_path: Path
) -> None:
    """Of the region whose policies deny; the archive has the report, the stack and no key of it."""
    target, url = LocalTarget(emulator), stack.deployment.failover.processing_queue_url
    queues.deny(target, FAILOVER, url)
    file = tmp_path / "bundle.zip"
    try:
        found = causes(responder, "--bundle", str(file))
    finally:
        queues.allow(target, FAILOVER, url)
    assert found["queue-denied"]["regions"] == [FAILOVER]
    with zipfile.ZipFile(file) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"diagnosis.json", "stack.json"} <= texts.keys()
    assert API_STAGE in texts["stack.json"]
    secrets = [stack.deployment.api_key(endpoints) for endpoints in stack.deployment.regions]
    secrets += filter(None, [emulator.stand_ins().slack_webhook_url])
    assert not [name for name, text in texts.items() for secret in secrets if secret in text]


def test_a_purge_is_named_with_the_queue_and_the_time(responder: Responder, stack: LocalStack) -> None:
    """By CloudTrail's event history, of the region and the queue that it was."""
    url = stack.deployment.failover.distribution_queue_url
    stack.deployment.clients.client("sqs", FAILOVER).purge_queue(QueueUrl=url)
    found = causes(responder)["wake-ups-lost"]
    assert found["regions"] == [FAILOVER]
    assert f"purged {url.rpartition('/')[2]} at " in found["evidence"][0]["detail"]


def test_a_region_that_is_cut_off_is_named_and_the_other_is_looked_at(
    responder: Responder, whole: Emulator
) -> None:
    """The hint leads to disaster recovery."""
    whole.cut(FAILOVER)
    done = responder("diagnose", "--json")
    report = json.loads(done.stdout)
    lost = next(cause for cause in report["causes"] if cause["id"] == "region-lost")
    assert lost["regions"] == [FAILOVER]
    assert "responder dr status" in lost["next"]
    assert "ok" in {one["state"] for one in report["observations"] if one["region"] == PRIMARY}


def test_what_slack_refuses_is_counted_and_its_cause_is_named(
    responder: Responder,
    stack: LocalStack,
    whole: Emulator,
    eventually: Callable[..., Any],
) -> None:
    """By the log of distribution, with what Slack said."""
    whole.set_fault("slack", "invalid_token")
    endpoints = stack.deployment.primary
    body = {"source": "diagnosed", "title": "Slack refuses this", "severity": "CRITICAL"}
    key = stack.deployment.api_key(endpoints)
    answer = requests.post(endpoints.webhook_url, json=body, headers={"x-api-key": key}, timeout=60)
    assert answer.status_code == 202, answer.text

    def told() -> dict[str, Any]:
        report = json.loads(responder("diagnose", "slack", "--json", "--since", "2m").stdout)
        named = {cause["id"] for cause in report["causes"]}
        return report if report["errors"] and "slack-address" in named else {}

    report = eventually(told)
    assert any("invalid_token" in one["reason"] for one in report["errors"])
    assert report["routes"] == [
        {"route": "", "goes_to": f"the webhook in {stack.deployment.names.slack_webhook_secret}"}
    ]
