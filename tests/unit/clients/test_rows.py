"""Reading alerts by id: in batches, and never without an end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from clients.deployment import Deployment
from clients.rows import LedgerUnreachableError, read_items
from tests.fakes.deployment import PRIMARY

IDS = ["a1", "a2", "a3"]


@dataclass
class BusyTable:
    """DynamoDB that leaves keys unread: of each request all but the first `read`, as often as `busy` says."""

    busy: int
    read: int = 1
    asked: int = 0
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name=PRIMARY))

    def batch_get_item(
        self,
        *,
        RequestItems: Mapping[str, Any],  # noqa: N803 - boto3's name
        ReturnConsumedCapacity: str,  # noqa: N803 - likewise
    ) -> Mapping[str, Any]:
        """See boto3."""
        self.asked += 1
        ((table, wanted),) = RequestItems.items()
        taken = self.read if self.asked <= self.busy else len(wanted["Keys"])
        left = wanted["Keys"][taken:]
        return {
            "Responses": {table: wanted["Keys"][:taken]},
            "UnprocessedKeys": {table: {**wanted, "Keys": left}} if left else {},
            "ConsumedCapacity": [{"TableName": table, "CapacityUnits": float(taken)}]
            if ReturnConsumedCapacity == "TOTAL"
            else [],
        }


def test_more_alerts_than_one_request_takes_are_read(deployment: Deployment) -> None:
    """Whole, or the attributes that are named; an id without a row has no item."""
    client = deployment.clients.client("dynamodb", PRIMARY)
    ids = [f"a{n}" for n in range(130)]
    for one in ids:
        item = {"alert_id": {"S": one}, "status": {"S": "PARKED"}, "title": {"S": "Disk full"}}
        client.put_item(TableName=deployment.alerts_table, Item=item)
    whole = read_items(client, deployment.alerts_table, [*ids, "a999"])
    assert sorted(item["alert_id"]["S"] for item in whole) == sorted(ids)
    assert whole[0]["title"] == {"S": "Disk full"}
    (part,) = read_items(client, deployment.alerts_table, ["a7"], attributes=["status"])
    assert part == {"alert_id": {"S": "a7"}, "status": {"S": "PARKED"}}


def test_what_was_left_unread_is_asked_for_again() -> None:
    """After a pause, longer each time; what each call took is told."""
    table, pauses, units = BusyTable(busy=2), list[float](), list[float]()
    found = read_items(table, "alerts", IDS, consumed=units.append, pause=pauses.append)
    assert [item["alert_id"]["S"] for item in found] == IDS
    assert units == [1, 1, 1]
    assert len(pauses) == 2
    assert all(later > earlier for earlier, later in pairwise(pauses))


def test_table_that_goes_on_leaving_rows_unread_is_an_error() -> None:
    """One that says where, how many, and what to do."""
    table, pauses = BusyTable(busy=10**6, read=0), list[float]()
    with pytest.raises(LedgerUnreachableError, match=f"alerts in {PRIMARY} left 3 rows unread.*try again"):
        read_items(table, "alerts", IDS, pause=pauses.append)
    assert sum(pauses) < 10
