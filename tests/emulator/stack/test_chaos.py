"""Faults of AWS on the running stack, and one experiment that passes, and fails once a bug is planted."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from botocore.exceptions import ClientError

from audit.ledger import read_ledger
from chaos import actions, probes
from chaos.catalogue import path_of
from chaos.probes import NotSeenError
from chaos.runner import Outcome, run
from clients.sender import Webhook
from emulator.client import Emulator
from emulator.errors import RefusedError
from emulator.local_stack import LocalStack
from ops.local.running import webhooks_of
from topology.functions import RECOVERY
from topology.names import LIVE_ALIAS

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
PLANTED = "\n\ndef handler(event, context):\n    return {}\n"
"""Recovery that never recovers anything."""


@pytest.fixture
def webhook(stack: LocalStack) -> Webhook:
    """The primary's webhook."""
    return webhooks_of(stack.deployment)[0]


@pytest.fixture
def faulty(emulator: Emulator, stack: LocalStack) -> Iterator[Emulator]:
    """The emulator with the stack, and without faults after the test."""
    assert stack.emulator is emulator
    yield emulator
    emulator.clear_faults()


def post(webhook: Webhook, event_id: str) -> requests.Response:
    """Post one alert, once."""
    body = {"source": "test", "title": "t", "message": "m", "severity": "LOW", "event_id": event_id}
    return requests.post(webhook.url, json=body, headers={"x-api-key": webhook.api_key}, timeout=60)


def fired(emulator: Emulator, kind: str) -> int:
    """How often a fault has fired so far."""
    return sum(one.kind == kind for one in emulator.fault_log())


def test_an_invocation_that_fails_before_it_runs_has_no_effect(
    faulty: Emulator, stack: LocalStack, webhook: Webhook
) -> None:
    """The source sees a 5xx, the ledger nothing; once the fault is cleared the same post is new."""
    rows = len(read_ledger(stack.deployment, PRIMARY))
    faulty.set_aws_fault("lambda", "error", region=PRIMARY, function="AlertReceptionFunction")
    assert post(webhook, "before").status_code == 502
    assert len(read_ledger(stack.deployment, PRIMARY)) == rows
    assert fired(faulty, "error") == 1
    faulty.clear_faults()
    assert post(webhook, "before").json()["alerts"][0]["status"] == "RECEIVED"
    assert fired(faulty, "error") == 1


def test_an_invocation_that_fails_after_its_effects_has_them_all(
    faulty: Emulator, stack: LocalStack, webhook: Webhook
) -> None:
    """The source sees a 5xx, and its retry is answered with what was accepted then."""
    faulty.set_aws_fault("lambda", "error_after", function="AlertReceptionFunction")
    assert post(webhook, "after").status_code == 502
    faulty.clear_faults()
    begun_ms = time.time() * 1000
    (alert,) = post(webhook, "after").json()["alerts"]
    row = read_ledger(stack.deployment, PRIMARY)[alert["alert_id"]]
    assert (row.accepted_at_ms or 0) < begun_ms


def test_throttled_calls_are_retried_by_the_sdk_and_counted(
    faulty: Emulator, stack: LocalStack, client: Callable[..., Any]
) -> None:
    """In the region asked for only."""
    read = {"TableName": stack.deployment.alerts_table, "Key": {"alert_id": {"S": "none"}}}
    faulty.set_aws_fault("dynamodb", "throttled", region=PRIMARY)
    once = client("dynamodb", PRIMARY)
    with pytest.raises(once.exceptions.ProvisionedThroughputExceededException):
        once.get_item(**read)
    assert "Item" not in client("dynamodb", FAILOVER).get_item(**read)
    faulty.clear_faults()
    faulty.set_aws_fault("dynamodb", "throttled", percent=50, region=PRIMARY)
    patient = client("dynamodb", PRIMARY, retries={"total_max_attempts": 20, "mode": "standard"})
    assert "Item" not in patient.get_item(**read)
    assert fired(faulty, "throttled") >= 1


def test_a_denied_queue_takes_nothing_and_gives_nothing_until_it_is_allowed(
    emulator: Emulator, stack: LocalStack, webhook: Webhook, eventually: Callable[..., Any]
) -> None:
    """By a policy, as on AWS; the alert is accepted all the same, and nothing of the policy is left."""
    configuration = {"target": "local", "run_dir": str(emulator.run_dir)}
    sqs = stack.deployment.clients.client("sqs", PRIMARY)
    queue = stack.deployment.primary.processing_queue_url
    actions.deny_queues("primary", configuration)
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            sqs.send_message(QueueUrl=queue, MessageBody="{}")
        eventually(lambda: any("event source mapping" in one.what for one in emulator.fault_log()))
        assert post(webhook, "denied").status_code == 202
    finally:
        actions.allow_queues(configuration)
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"]) or not (
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"].get("Policy")
    )
    assert sqs.send_message(QueueUrl=queue, MessageBody='{"alert_id": "of-nobody"}')["MessageId"]


def test_a_load_that_fails_before_any_fault_fails_the_experiment(
    faulty: Emulator, eventually: Callable[..., Any]
) -> None:
    """What it shows later would be of a stack that was broken already."""
    configuration = {"target": "local", "run_dir": str(faulty.run_dir)}
    faulty.set_aws_fault("lambda", "error", function="AlertReceptionFunction")
    actions.start_alerts(1, 0.1, configuration)
    try:
        eventually(lambda: fired(faulty, "error"))
        with pytest.raises(NotSeenError, match="failed before any fault"):
            eventually(lambda: probes.undisturbed_load(0, 0, configuration) is None)
    finally:
        faulty.clear_faults()
        actions.stop_alerts(configuration)
    with pytest.raises(NotSeenError, match="no load runs"):
        probes.undisturbed_load(0, 0, configuration)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"service": "lambda", "kind": "explode"}, "error, error_after"),
        ({"service": "dynamodb", "kind": "throttled", "region": "mars"}, "us-east-1, us-west-2"),
        ({"service": "lambda", "kind": "error", "percent": 0}, "percent is above 0"),
        ({"service": "s3", "kind": "error"}, "Invalid enum value 's3'"),
    ],
)
def test_a_fault_that_there_is_not_is_refused(faulty: Emulator, fault: dict[str, Any], says: str) -> None:
    """With what there is, and nothing is in force."""
    with pytest.raises(RefusedError, match=says):
        faulty.set_aws_fault(**fault)
    assert faulty.status().aws_faults == ()


Experiment = Callable[..., Outcome]


@pytest.fixture
def experiment(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """The shortest experiment that only Recovery can pass: every message purged with 100 alerts in flight.

    Analysis fails while they are posted, so that on a fast machine too they are in flight when it fires.
    """
    held = yaml.safe_load(path_of("queue-purged").read_text())
    steps = [step["name"] for step in held["method"]]
    held["method"].insert(steps.index("purge every work queue") + 2, step("end_faults"))
    held["method"].insert(0, step("fail_functions", percent=100, when="before", function="AnalysisFunction"))
    (tmp_path / "queue-purged.yaml").write_text(yaml.safe_dump(held))
    monkeypatch.setattr("chaos.catalogue.FOLDER", tmp_path)
    short = {"recovery": "invoked", "window_s": 1, "burst": 105, "wait_for": 105, "per_s": 1}

    def run_it(**variables: object) -> Outcome:
        return run(
            "queue-purged",
            journal_path=tmp_path / "journal.json",
            variables={"run_dir": str(emulator.run_dir), **short, **variables},
        )

    return run_it


def step(action: str, **arguments: object) -> dict[str, object]:
    """An action of ours in an experiment's method."""
    provider = {"type": "python", "module": "chaos.actions", "func": action, "arguments": arguments}
    return {"type": "action", "name": action, "provider": provider}


def test_an_experiment_passes_and_writes_down_what_it_saw(
    stack: LocalStack,  # noqa: ARG001 - what it is run on
    experiment: Experiment,
    tmp_path: Path,
) -> None:
    """Hypothesis before, at least 100 alerts in flight, faults really fired, hypothesis after, audit."""
    outcome = experiment(at_rest_within_s=300)
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert outcome.passed, (tmp_path / "journal.log").read_text()
    assert journal["steady_states"]["before"]["steady_state_met"] is True
    assert journal["steady_states"]["after"]["steady_state_met"] is True
    assert journal["audit"]["unaccounted"] == 0
    accepted, unaccounted, in_flight, _ = outcome.figures
    assert unaccounted == 0
    assert accepted > in_flight >= 100
    purges = [one["count"] for one in journal["faults_fired"] if one["service"] == "sqs"]
    assert sum(purges) == 8, "a purge of each work queue of both regions"


@pytest.fixture
def planted(stack: LocalStack) -> Iterator[LocalStack]:
    """The stack with a bug in the deployed package of Recovery, in both regions; no source is touched."""
    live = {region: plant(stack, region) for region in stack.emulator.regions}
    yield stack
    name = stack.deployment.names.function(RECOVERY)
    for region, version in live.items():
        functions = stack.deployment.clients.client("lambda", region)
        functions.update_alias(FunctionName=name, Name=LIVE_ALIAS, FunctionVersion=version)


def plant(stack: LocalStack, region: str) -> str:
    """Put the bug into a region's Recovery; return the version that was live."""
    name = stack.deployment.names.function(RECOVERY)
    functions = stack.deployment.clients.client("lambda", region)
    live = str(functions.get_alias(FunctionName=name, Name=LIVE_ALIAS)["FunctionVersion"])
    url = functions.get_function(FunctionName=name, Qualifier=LIVE_ALIAS)["Code"]["Location"]
    content = requests.get(url, timeout=60).content
    functions.update_function_code(FunctionName=name, ZipFile=with_bug(content))
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name=LIVE_ALIAS, FunctionVersion=version)
    return live


def with_bug(package: bytes) -> bytes:
    """The package with another handler at the end of its entry point, whose byte code is left out."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "handlers/recovery.py":
                content += PLANTED.encode()
            if not entry.filename.startswith("handlers/__pycache__/recovery."):
                new.writestr(entry, content)
    return changed.getvalue()


@pytest.mark.slow
def test_the_experiment_fails_once_a_bug_is_planted(
    planted: LocalStack,  # noqa: ARG001 - what it is run on
    experiment: Experiment,
) -> None:
    """An experiment that cannot fail proves nothing: with a Recovery that does nothing, alerts never rest."""
    outcome = experiment(at_rest_within_s=60)
    assert not outcome.passed
    assert outcome.journal["steady_states"]["before"]["steady_state_met"] is True
    assert outcome.journal["steady_states"]["after"]["steady_state_met"] is False
    assert outcome.journal["deviated"] is True
    assert outcome.figures[1] > 0, "the audit names what never came to rest"
