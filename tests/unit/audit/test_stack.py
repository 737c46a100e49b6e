"""The audit of a stack: every row of every region, from DynamoDB's own form, by moto."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from audit.ledger import LedgerRow, LedgerUnreadableError, read_ledger, scan_ledger
from audit.stack import audit_stack
from clients.deployment import Deployment
from clients.receipts import Receipt, ReceiptsFile
from tests.fakes.deployment import FAILOVER, PRIMARY
from tests.fakes.receipts import body_of

PARKED = {"status": {"S": "PARKED"}, "region": {"S": PRIMARY}, "owner": {"S": PRIMARY}}


def put(region: str, alert_id: str, **attributes: Any) -> None:
    """Store an item in one region's ledger."""
    item = {"alert_id": {"S": alert_id}, **PARKED, **attributes}
    boto3.client("dynamodb", region_name=region).put_item(TableName="alerts", Item=item)


@pytest.fixture
def receipts(tmp_path: Path) -> Path:
    """The receipt of one alert."""
    path = tmp_path / "receipts.jsonl"
    with ReceiptsFile(path) as out:
        out.add(body_of(Receipt("a1", "RECEIVED", PRIMARY, 1, 2)))
    return path


def test_a_row_is_read_with_its_possible_duplicates(deployment: Deployment) -> None:
    """And without what an audit does not compare, or does not know."""
    put(
        PRIMARY,
        "a1",
        parent_id={"S": "a0"},
        accepted_at_ms={"N": "7"},
        digest_id={"S": "d1"},
        raw={"S": "x" * 1_000},
        possible_duplicates={"M": {"lease_expired": {"N": "2"}, "of a later version": {"N": "1"}}},
    )
    assert read_ledger(deployment, PRIMARY) == {
        "a1": LedgerRow(
            alert_id="a1",
            status="PARKED",
            region=PRIMARY,
            owner=PRIMARY,
            parent_id="a0",
            accepted_at_ms=7,
            digest_id="d1",
            lease_expired=2,
        )
    }


def test_every_page_of_a_large_ledger_is_read(deployment: Deployment) -> None:
    """DynamoDB gives at most a megabyte at once."""
    for n in range(12):
        put(PRIMARY, f"a{n}", raw={"S": "x" * 300_000})
    assert {row.alert_id for row in scan_ledger(deployment, PRIMARY)} == {f"a{n}" for n in range(12)}


def test_a_row_that_is_hardly_one_is_read_and_rests_nowhere(deployment: Deployment) -> None:
    """An audit must name it, not stumble over it."""
    boto3.client("dynamodb", region_name=PRIMARY).put_item(TableName="alerts", Item={"alert_id": {"S": "a1"}})
    assert read_ledger(deployment, PRIMARY)["a1"].status == ""


def test_a_torn_receipts_file_is_audited_and_not_passed(deployment: Deployment, receipts: Path) -> None:
    """By whatever command: each gives a file."""
    for region in (PRIMARY, FAILOVER):
        put(region, "a1")
    receipts.write_bytes(receipts.read_bytes() + b'{"alert_id": "a2", "status[')
    found = audit_stack(deployment, receipts=receipts, slack=[])
    assert (found.accepted, found.unaccounted, found.passed) == (1, 0, False)
    assert list(found.unread_parts) == [f"{receipts} line 2"]


def test_both_regions_of_a_stack_are_compared(deployment: Deployment, receipts: Path) -> None:
    """Each by its own ledger."""
    put(PRIMARY, "a1")
    assert audit_stack(deployment, receipts=receipts, slack=[]).problems == {
        "a1": "no row in the ledger of us-west-2"
    }
    put(FAILOVER, "a1")
    assert audit_stack(deployment, receipts=receipts, slack=[]).passed


def test_a_region_that_does_not_answer_is_an_error_unless_it_is_known_to_be_lost(
    deployment: Deployment, receipts: Path
) -> None:
    """What is unknown is not accounted for."""
    put(PRIMARY, "a1")
    deployment.clients.lost = {FAILOVER}  # type: ignore[attr-defined]  # `LossyClients`
    with pytest.raises(LedgerUnreadableError, match=r"us-west-2 cannot be read .* bring the region back"):
        audit_stack(deployment, receipts=receipts, slack=[])
    assert audit_stack(deployment, receipts=receipts, slack=[], lost_regions=[FAILOVER]).passed
