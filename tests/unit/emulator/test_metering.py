"""What an AWS process counts of its own use, as AWS bills it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from ministack.services import cloudwatch_logs, dynamodb, sqs

from emulator.aws import metering
from emulator.aws.metering import read_units
from emulator.aws_capacity import TableUse, Usage

KEY = {"AttributeName": "alert_id", "KeyType": "HASH"}
INDEX = {
    "IndexName": "by-severity",
    "KeySchema": [{"AttributeName": "severity", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
TABLE = {
    "TableName": "alerts",
    "KeySchema": [KEY],
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "alert_id", "AttributeType": "S"},
        {"AttributeName": "severity", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [INDEX],
}


@pytest.fixture
def usage(monkeypatch: pytest.MonkeyPatch) -> Usage:
    """What ministack's own DynamoDB, SQS and logs are counted into; ministack is as before after the test."""
    for module, names in (
        (
            dynamodb,
            (
                "_add_consumed_capacity",
                "_batch_get_item",
                "_conditional_check_failed",
                "_paginate_evaluated_items",
                "_tables",
            ),
        ),
        (cloudwatch_logs, ("_append_log_events",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(dynamodb, "_tables", type(dynamodb._tables)())  # noqa: SLF001 - no other test's tables
    monkeypatch.setattr(sqs, "_HANDLERS", {**sqs._HANDLERS, "SendMessageBatch": lambda *_: {}})  # noqa: SLF001
    counted = Usage(tables={})
    metering.install(counted)
    assert dynamodb._create_table(dict(TABLE))[0] == 200  # noqa: SLF001 - the call's own handler
    return counted


def call(operation: str, **data: Any) -> int:
    """Call ministack's handler of an operation; returns the status."""
    handler: Callable[[dict[str, Any]], Any] = getattr(dynamodb, operation)
    status: int = handler({"TableName": "alerts", **data})[0]
    return status


def item(alert_id: str, *, chars: int, severity: str | None = None) -> dict[str, dict[str, str]]:
    """An alert of about so many bytes; without a severity no index has it."""
    found = {"alert_id": {"S": alert_id}, "text": {"S": "x" * chars}}
    return found | ({"severity": {"S": severity}} if severity else {})


def test_a_write_takes_a_unit_for_each_kilobyte_of_the_row_and_of_each_index_entry(usage: Usage) -> None:
    """A sparse index takes none of a row that lacks its key."""
    assert call("_put_item", Item=item("a", chars=2_500, severity="HIGH")) == 200
    assert call("_put_item", Item=item("b", chars=10)) == 200
    assert usage.tables["alerts"].writes == 3 + 1
    assert usage.tables["alerts/index/by-severity"].writes == 3


def test_a_write_whose_condition_does_not_hold_is_billed(usage: Usage) -> None:
    """By the item that is there, or one unit for none."""
    call("_put_item", Item=item("a", chars=2_500))
    before = usage.tables["alerts"].writes
    condition = {"ConditionExpression": "attribute_not_exists(alert_id)"}
    assert call("_put_item", Item=item("a", chars=1), **condition) == 400
    assert call("_put_item", Item=item("b", chars=1), ConditionExpression="attribute_exists(alert_id)") == 400
    assert usage.tables["alerts"].writes == before + 3 + 1


def test_a_read_takes_a_unit_for_four_kilobytes_and_half_as_much_where_old_data_will_do(usage: Usage) -> None:
    """A query takes them of all that it finds together; what is not there costs as little as there is."""
    call("_put_item", Item=item("a", chars=5_000, severity="HIGH"))
    call("_put_item", Item=item("b", chars=100, severity="HIGH"))
    call("_get_item", Key={"alert_id": {"S": "a"}}, ConsistentRead=True)
    call("_get_item", Key={"alert_id": {"S": "a"}})
    call("_get_item", Key={"alert_id": {"S": "none"}}, ConsistentRead=True)
    assert usage.tables["alerts"].reads == 2 + 1 + 1
    values = {":s": {"S": "HIGH"}}
    query = {"KeyConditionExpression": "severity = :s", "ExpressionAttributeValues": values}
    assert call("_query", IndexName="by-severity", **query) == 200
    assert usage.tables["alerts/index/by-severity"] == TableUse(reads=1.0, writes=6)


@pytest.mark.parametrize("operation", ["_query", "_scan"])
@pytest.mark.parametrize(
    "narrowed",
    [
        {},
        {"FilterExpression": "attribute_not_exists(severity)"},
        {"ProjectionExpression": "alert_id"},
        {"Select": "COUNT"},
    ],
)
def test_what_a_page_leaves_out_of_what_it_read_is_billed(
    usage: Usage, operation: str, narrowed: dict[str, str]
) -> None:
    """A filter, a projection and a count take the units of the whole rows, as AWS bills them."""
    for name in "abc":
        call("_put_item", Item=item(name, chars=4_000, severity="HIGH"))
    condition = {
        "KeyConditionExpression": "severity = :s",
        "ExpressionAttributeValues": {":s": {"S": "HIGH"}},
    }
    asked = {"IndexName": "by-severity", **narrowed, **(condition if operation == "_query" else {})}
    assert call(operation, **asked) == 200
    assert usage.tables["alerts/index/by-severity"].reads == 1.5


def test_a_page_is_billed_by_what_it_evaluates_and_a_key_by_its_whole_row(usage: Usage) -> None:
    """What lies behind a limit is not read; a projection of one row takes the row's units."""
    for name in "abc":
        call("_put_item", Item=item(name, chars=9_000))
    assert call("_scan", Limit=2) == 200
    assert usage.tables["alerts"].reads == 2.5
    assert call("_get_item", Key={"alert_id": {"S": "a"}}, ProjectionExpression="alert_id") == 200
    assert usage.tables["alerts"].reads == 2.5 + 1.5


def test_an_index_is_billed_by_what_it_projects(usage: Usage) -> None:
    """A page of keys costs as little as they are long."""
    index = {**INDEX, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    assert dynamodb._create_table({**TABLE, "TableName": "keys", "GlobalSecondaryIndexes": [index]})[0] == 200  # noqa: SLF001
    call("_put_item", TableName="keys", Item=item("a", chars=9_000, severity="HIGH"))
    assert call("_scan", TableName="keys", IndexName="by-severity") == 200
    assert usage.tables["keys/index/by-severity"].reads == 0.5


def test_a_caller_is_told_the_units_by_size(usage: Usage) -> None:
    """An index carries all of a query's; ministack's own answer is half a unit, whatever was read."""
    call("_put_item", Item=item("a", chars=9_000, severity="HIGH"))
    query = {"KeyConditionExpression": "severity = :s", "ExpressionAttributeValues": {":s": {"S": "HIGH"}}}
    asked = {"TableName": "alerts", "ReturnConsumedCapacity": "INDEXES", "IndexName": "by-severity", **query}
    consumed = json.loads(dynamodb._query(asked)[2])["ConsumedCapacity"]  # noqa: SLF001 - the call's handler
    assert consumed == {
        "TableName": "alerts",
        "CapacityUnits": 1.5,
        "Table": {"CapacityUnits": 0.0},
        "GlobalSecondaryIndexes": {"by-severity": {"CapacityUnits": 1.5}},
    }
    assert usage.tables["alerts/index/by-severity"].reads == 1.5


def test_each_key_of_a_batch_is_a_read_by_itself(usage: Usage) -> None:
    """Two rows of a hundred bytes are two units, not one."""
    for name in ("a", "b"):
        call("_put_item", Item=item(name, chars=100))
    keys = [{"alert_id": {"S": name}} for name in ("a", "b")]
    asked = {"RequestItems": {"alerts": {"Keys": keys, "ConsistentRead": True}}}
    assert call("_batch_get_item", **asked) == 200
    assert usage.tables["alerts"].reads == 2
    told = json.loads(dynamodb._batch_get_item({**asked, "ReturnConsumedCapacity": "TOTAL"})[2])  # noqa: SLF001
    assert told["ConsumedCapacity"] == [{"TableName": "alerts", "CapacityUnits": 2}]


def test_sends_are_counted_by_the_call_and_logs_with_what_aws_adds_to_each_line(usage: Usage) -> None:
    """Ten messages in a batch are one request; a line of ten bytes is billed as 36."""
    sqs._HANDLERS["SendMessageBatch"]({"Entries": [{}] * 10}, "url")  # noqa: SLF001 - as a call arrives
    assert usage.queue_sends == 1
    events = [{"timestamp": 1, "message": "ten bytes!", "ingestionTime": 1}]
    stream = {"events": [], "firstEventTimestamp": None, "lastEventTimestamp": None}
    cloudwatch_logs._append_log_events(stream, events)  # noqa: SLF001 - as Lambda writes them
    assert usage.log_bytes == 36


@pytest.mark.parametrize(
    ("sizes", "consistent", "units"),
    [([0], True, 1), ([4_096], True, 1), ([4_097], True, 2), ([4_097], False, 1), ([], True, 0)],
)
def test_units_are_whole_at_each_boundary(sizes: list[int], *, consistent: bool, units: float) -> None:
    """Four kilobytes are one unit, a byte more are two."""
    assert read_units(sizes, consistent) == units
