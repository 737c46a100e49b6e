"""Failing over and back on the running stack, with DNS and with an operator that dies half way."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from clients.coordination import CoordinationRecords
from dr.operations.failback import FailbackDeadlines, failback
from dr.operations.failover import failover
from dr.operations.journal import OperationRefusedError, State
from dr.operations.status import DrStatus, read_status
from emulator.client import Emulator
from emulator.local_stack import LocalStack
from ops.dr.commands import environment_of
from ops.local.running import webhooks_of
from ops.opened_stack import OpenedStack, open_stack
from tests.emulator.conftest import SOON_S

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
RESPONDER = Path(sys.executable).with_name("responder")
ALERTS = 5


@pytest.fixture(autouse=True)
def _paced(emulator: Emulator) -> Iterator[None]:
    """Health checks that look ten times as often."""
    emulator.pace_health_checks(0.1)
    yield
    emulator.pace_health_checks(1.0)


def accept(stack: LocalStack, eventually: Callable[..., Any]) -> list[str]:
    """Have the primary accept alerts, as a source does; return their ids."""
    webhook = webhooks_of(stack.deployment)[0]

    def accepted(n: int) -> str | None:
        body = {"source": "test", "title": "t", "severity": "HIGH", "event_id": f"in-flight{n}"}
        answer = requests.post(webhook.url, json=body, headers={"x-api-key": webhook.api_key}, timeout=60)
        return str(answer.json()["alerts"][0]["alert_id"]) if answer.status_code == 202 else None

    return [eventually(lambda n=n: accepted(n)) for n in range(ALERTS)]


def status_of(stack: LocalStack, alert_id: str) -> str:
    """By the failover region's ledger."""
    row = stack.deployment.clients.client("dynamodb", FAILOVER).get_item(
        TableName=stack.deployment.alerts_table, Key={"alert_id": {"S": alert_id}}, ConsistentRead=True
    )["Item"]
    return str(row["status"]["S"])


def die_during(step: str, stack: LocalStack) -> None:
    """Run `responder dr failover` and SIGKILL it once it says that `step` has begun."""
    command = [str(RESPONDER), "dr", "failover", "--yes", "--run-dir", str(stack.emulator.run_dir)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert next((line for line in process.stderr if f"… {step}" in line), "")
    finally:
        process.kill()
        process.wait()


def status(opened: OpenedStack) -> DrStatus:
    """As `responder dr status` has it; exports are another test's."""
    return read_status(
        opened.deployment,
        export_age=lambda _deployment, _region, _now_s: 0,
        export_max_age_s=1,
        environment=environment_of(opened),
    )


def test_a_killed_region_is_failed_over_from_although_the_operator_dies_and_gone_back_to(
    whole: Emulator, stack: LocalStack, eventually: Callable[..., Any]
) -> None:
    """The switch, the drain, the test alert, DNS, the status in between; and back, with nothing left open."""
    ids = accept(stack, eventually)
    whole.kill(PRIMARY)
    die_during("drain", stack)
    here = open_stack(whole.run_dir, None)
    impatient = open_stack(whole.run_dir, None, attempts_max=1)
    between = status(impatient)
    assert between.operation is not None
    assert (between.under_way, between.operation.state) == (True, State.RUNNING)
    assert [one.health for one in between.regions] == ["unknown", "healthy"]
    with pytest.raises(OperationRefusedError, match="is under way"):
        failover(here.deployment, operator="ada", environment=environment_of(here))

    done = failover(here.deployment, operator="ada", environment=environment_of(here), take_over=True)
    assert [step.name for step in done.steps] == ["check", "switch", "drain", "test-alert", "route"]
    switched_ms = CoordinationRecords(here.deployment, FAILOVER).switched_on_ms()
    assert done.step("switch").facts.since_ms == switched_ms == between.regions[1].switch_since_ms
    assert done.step("drain").facts.later == 0
    eventually(lambda: {status_of(stack, one) for one in ids} == {"NOTIFIED"}, within_s=SOON_S)
    assert failover(here.deployment, operator="ada", environment=environment_of(here)).already_done
    with pytest.raises(OperationRefusedError, match="us-east-1 does not answer"):
        failback(
            here.deployment,
            operator="ada",
            deadlines=FailbackDeadlines(check_s=1),
            environment=environment_of(here),
        )

    whole.start_region(PRIMARY)
    back = failback(here.deployment, operator="ada", environment=environment_of(here))
    assert [step.state for step in back.steps] == [State.DONE] * 6
    assert CoordinationRecords(here.deployment, FAILOVER).switched_on_ms() == 0
    after = status(impatient)
    assert (after.answers, after.problems) == (PRIMARY, ())
