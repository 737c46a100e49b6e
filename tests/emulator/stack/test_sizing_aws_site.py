"""A memory sweep of a deployed stack on the embedded AWS: it samples every function, and leaves no trace.

What durations and memory say there says nothing about AWS: see `emulator.deviations`.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from clients.deployment import Deployment
from clients.interrupts import INTERRUPTED_CODE
from emulator.local_stack import LocalStack
from loadtests.sizing.aws_site import open_aws_site
from loadtests.sizing.samples import OK
from loadtests.sizing.stored_alerts import SOURCE
from loadtests.sizing.versions import SIZE_BEFORE
from tests.emulator.stack.conftest import RESPONDER, Responder
from topology.functions import DISTRIBUTION, FUNCTIONS, RECEPTION
from topology.names import LIVE_ALIAS

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
"""A sweep waits for the alerts of a stack that other tests use too."""

KILLED = """
import os, signal, sys
from pathlib import Path
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from loadtests.isolated.events import PAYLOADS
from loadtests.sizing.stored_alerts import StoredAlerts
from loadtests.sizing.versions import Versions
from topology.functions import DISTRIBUTION, RECEPTION

deployment = attached_deployment(Emulator.attach(Path(sys.argv[1])))
region = deployment.primary.region
StoredAlerts(deployment, region).prepare(PAYLOADS[DISTRIBUTION][0].event(1))
versions = Versions(deployment, region)
versions.publish(RECEPTION, 256)
versions._lambda.meta.events.register(
    "before-call.lambda.PublishVersion", lambda **_: os.kill(os.getpid(), signal.SIGKILL)
)
versions.publish(RECEPTION, 2048)
"""


def settings_of(deployment: Deployment) -> dict[str, Any]:
    """Of the functions, all that a sweep may touch: sizes, environments, versions, and what is live."""
    client = deployment.clients.client("lambda", deployment.primary.region)

    def of(name: str) -> Mapping[str, Any]:
        latest = client.get_function_configuration(FunctionName=name)
        versions = client.list_versions_by_function(FunctionName=name)["Versions"]
        return {
            "size": latest["MemorySize"],
            "variables": latest["Environment"]["Variables"],
            "versions": [(one["Version"], one["MemorySize"]) for one in versions],
            "live": client.get_alias(FunctionName=name, Name=LIVE_ALIAS)["FunctionVersion"],
        }

    return {spec.key: of(deployment.names.function(spec)) for spec in FUNCTIONS}


def alerts_of(deployment: Deployment) -> list[str]:
    """The ids of rows that sweeps have stored."""
    client = deployment.clients.client("dynamodb", deployment.primary.region)
    pages = client.get_paginator("scan").paginate(TableName=deployment.alerts_table)
    items = [item for page in pages for item in page["Items"]]
    return [item["alert_id"]["S"] for item in items if item["source"]["S"] == SOURCE]


def dead_letters_of(deployment: Deployment) -> list[str]:
    """How many messages each dead-letter queue holds, such as wake-ups for a row that is gone."""
    client, endpoints = deployment.clients.client("sqs", deployment.primary.region), deployment.primary
    name = "ApproximateNumberOfMessages"
    return [
        client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        for url in (endpoints.dead_letter_queue_url, endpoints.distribution_dead_letter_queue_url)
    ]


def test_every_function_is_sampled_cold_and_warm_and_nothing_is_left(stack: LocalStack) -> None:
    """Each by a version of its own; the alias, sizes, environments and tables are as before."""
    deployment = stack.deployment
    before, dead_letters = settings_of(deployment), dead_letters_of(deployment)
    with open_aws_site(deployment, deployment.primary, asks_model=True) as site:
        for spec in reversed(FUNCTIONS):  # so that distribution need not wait for what the others send
            colds, warms = (1, 1) if spec is DISTRIBUTION else (2, 3)  # it waits for Slack's slots
            cold = site.sample(spec.key, 256, cold=True, count=colds)
            warm = site.sample(spec.key, 256, cold=False, count=warms)
            assert {(one.function, one.outcome) for one in cold + warm} == {(spec.key, OK)}
            assert (len(cold), [one.cold for one in warm]) == (colds, [False] * warms)
            assert cold[0].cold
            assert all((one.init_ms or 0) > 0 for one in cold if one.cold)
            assert {one.payload for one in cold + warm} == site.weights[spec.key].keys()
            latest = settings_of(deployment)[spec.key]
            assert (latest["size"], latest["live"]) == (before[spec.key]["size"], before[spec.key]["live"])
        assert site.name == "Lambda in us-east-1, stack local"
    assert settings_of(deployment) == before
    assert alerts_of(deployment) == []
    assert dead_letters_of(deployment) == dead_letters


def test_what_a_killed_sweep_left_is_put_back_by_the_next(stack: LocalStack, run_dir: Path) -> None:
    """It was killed while a function had another size, with a version made and an alert stored."""
    deployment = stack.deployment
    before = settings_of(deployment)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(run_dir)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    left = settings_of(deployment)[RECEPTION.key]
    assert (left["size"], left["variables"][SIZE_BEFORE]) == (2048, str(before[RECEPTION.key]["size"]))
    assert len(left["versions"]) == len(before[RECEPTION.key]["versions"]) + 1
    assert len(alerts_of(deployment)) == 1
    with open_aws_site(deployment, deployment.primary):
        assert settings_of(deployment) == before
    assert alerts_of(deployment) == []


def test_the_command_sweeps_a_deployed_stack(stack: LocalStack, responder: Responder, tmp_path: Path) -> None:
    """By the same search and report as on the local host; then there is nothing to put back."""
    deployment = stack.deployment
    before = settings_of(deployment)
    report = tmp_path / "memory.html"
    words = ("--function", "recovery", "--sizes", "256", "--invocations", "48", "--report", str(report))
    swept = responder("tune", "memory", *words)
    assert swept.returncode in (0, 1), swept.stderr
    found = json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))
    assert found["site"] == "Lambda in us-east-1, stack local"
    assert [one["function"] for one in found["functions"]] == ["recovery"]
    put_back = responder("tune", "memory", "--put-back")
    assert (put_back.returncode, put_back.stderr) == (0, "")
    assert "stack local has its sizes" in put_back.stdout
    assert settings_of(deployment) == before


def test_a_sweep_that_is_told_to_stop_puts_everything_back(
    stack: LocalStack, run_dir: Path, eventually: Callable[..., Any]
) -> None:
    """While it samples a version; Ctrl-C and a session that drops come to it as SIGTERM does."""
    deployment = stack.deployment
    before = settings_of(deployment)
    words = ("tune", "memory", "--function", "recovery", "--sizes", "256", "--run-dir", str(run_dir))
    with subprocess.Popen([str(RESPONDER), *words], stderr=subprocess.DEVNULL) as sweep:
        eventually(lambda: settings_of(deployment) != before, within_s=60)
        sweep.terminate()
        assert sweep.wait(60) == INTERRUPTED_CODE
    assert settings_of(deployment) == before
