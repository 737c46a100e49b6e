"""Upkeep of tables, on DynamoDB's and CloudWatch's own rules, by moto."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from clients.checks import State, run_checks
from clients.deployment import Deployment
from deploy.checks.subject import Subject
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from runbook.maintenance import retention_checks, table_sizes
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients, deployment_on_moto
from topology.health import EXPIRED_MAX_S
from topology.metrics import NAMESPACE, OLDEST_EXPIRED, STACK_DIMENSION


def states(deployment: Deployment) -> dict[tuple[str, str], State]:
    """What each check came to in each region."""
    checks = retention_checks(Subject(deployment, stack_config(ROOT, "dev")))
    return {(one.check.id, one.region): one.finding.state for one in run_checks(checks)}


def count_expired(deployment: Deployment, seconds: float, *, minutes_ago: int = 1) -> None:
    """Have Recovery of the primary say how long the oldest row has been expired."""
    deployment.clients.client("cloudwatch", PRIMARY).put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {
                "MetricName": OLDEST_EXPIRED,
                "Dimensions": [{"Name": STACK_DIMENSION, "Value": deployment.names.stack}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago),
                "Value": seconds,
            }
        ],
    )


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (None, State.UNKNOWN),
        (0, State.OK),
        (EXPIRED_MAX_S, State.OK),
        (EXPIRED_MAX_S + 1, State.FAILED),
    ],
)
def test_expired_rows_that_stay_are_told(deployment: Deployment, seconds: float | None, state: State) -> None:
    """After as long as DynamoDB takes; where nobody has counted them it is unknown."""
    if seconds is not None:
        count_expired(deployment, seconds)
    found = states(deployment)
    assert found["expired-rows", PRIMARY] == state
    assert found["expired-rows", FAILOVER] == State.UNKNOWN


def test_what_recovery_said_an_hour_ago_is_not_known_now(deployment: Deployment) -> None:
    """It says so each minute: if it has stopped, nobody knows."""
    count_expired(deployment, 0, minutes_ago=60)
    assert states(deployment)["expired-rows", PRIMARY] == State.UNKNOWN


@pytest.mark.parametrize("consistency", ["strong", "eventual"])
def test_a_table_without_expiry_is_told(aws: None, consistency: str) -> None:  # noqa: ARG001 - moto must run
    """All that take it have it, or the check fails: of a strong ledger's, the cache alone."""
    deployment = deployment_on_moto(consistency=consistency)
    dynamodb = deployment.clients.client("dynamodb", PRIMARY)
    for table in deployment.tables if consistency == "eventual" else [deployment.analysis_cache_table]:
        assert states(deployment)["table-expiry", PRIMARY] == State.FAILED
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
        )
    assert states(deployment)["table-expiry", PRIMARY] == State.OK


def test_sizes_of_a_region_that_is_away_are_unknown(deployment: Deployment) -> None:
    """The other's are there, with each index."""
    assert isinstance(deployment.clients, LossyClients)
    deployment.clients.lost = {FAILOVER}
    sizes = table_sizes(deployment)
    here = [one for one in sizes if one.region == PRIMARY]
    assert {one.index for one in here} >= {"", "timestamp-index", "open-index"}
    assert all(one.items == 0 for one in here if not one.index)
    assert all(one.error and one.items is None for one in sizes if one.region == FAILOVER)
    assert dataclasses.asdict(here[0])["table"] == deployment.alerts_table
