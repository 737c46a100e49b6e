"""What an operator writes into the coordination table is what the handlers read there."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from clients.coordination import CoordinationRecords, CoordinationUnreachableError, VersionedRecord
from clients.deployment import Deployment
from handlers.adapters.aws import clients as adapters
from handlers.adapters.aws.coordination import DynamoCoordination
from handlers.domain.ports import Record
from handlers.domain.regions.switch import Switch
from tests.fakes.deployment import FAILOVER, PRIMARY, deployment_on_moto
from tests.fakes.switches import set_switch
from topology.records import switch_record


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A stack on moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield deployment_on_moto()


def of_handlers(deployment: Deployment) -> DynamoCoordination:
    """The records as the failover region's functions reach them."""
    return DynamoCoordination(adapters.client("dynamodb", FAILOVER), deployment.coordination_table)


def test_switch_that_an_operator_turns_is_the_one_that_the_handlers_see(deployment: Deployment) -> None:
    """Untouched, on, off; in its own region only."""
    operators, seen = CoordinationRecords(deployment, FAILOVER), []
    switch = Switch(coordination=of_handlers(deployment), region=FAILOVER)
    for since_ms in (1_795_420_800_000, 0):
        seen.append(switch.since_ms())
        assert set_switch(operators, since_ms)
        assert operators.switched_on_ms() == since_ms
    assert [*seen, switch.since_ms()] == [0, 1_795_420_800_000, 0]
    assert CoordinationRecords(deployment, PRIMARY).read(switch_record(FAILOVER)) is None


def test_records_are_written_under_one_version_by_both(deployment: Deployment) -> None:
    """Whoever read an older one loses, on either side."""
    operators, handlers = CoordinationRecords(deployment, FAILOVER), of_handlers(deployment)
    assert operators.write("r", None, {"a": 1})
    first = handlers.read("r")
    assert first == Record(version=1, values={"a": 1})
    assert handlers.write("r", first, {"a": 2})
    assert not operators.write("r", VersionedRecord(1, {"a": 1}), {"a": 3})
    assert operators.read("r") == VersionedRecord(2, {"a": 2})


def test_record_keeps_text_lists_and_maps(deployment: Deployment) -> None:
    """What a handler never writes: the steps of an operation."""
    values = {"operation": "failover", "steps": [{"name": "check", "ended_ms": 5, "ok": True, "why": None}]}
    operators = CoordinationRecords(deployment, FAILOVER)
    assert operators.write("dr", None, values)
    assert operators.read("dr") == VersionedRecord(1, values)


def test_region_that_does_not_answer_is_unknown(deployment: Deployment) -> None:
    """Never off, never empty."""
    records = CoordinationRecords(deployment, FAILOVER)
    boto3.client("dynamodb", region_name=FAILOVER).delete_table(TableName=deployment.coordination_table)
    with pytest.raises(CoordinationUnreachableError, match=FAILOVER):
        records.switched_on_ms()
    with pytest.raises(CoordinationUnreachableError, match="written"):
        records.write("r", None, {})
