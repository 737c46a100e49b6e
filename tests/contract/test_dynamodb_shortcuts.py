"""DynamoDB's shortcuts: the same answers, and nothing shared that a write could change."""

import time
from collections import defaultdict
from types import SimpleNamespace

import pytest
from ministack.services import dynamodb

from emulator.aws.dynamodb.shortcuts import STREAM_KEPT_S, copied
from tests.fakes.in_process_aws import TABLE, InProcessAws, RefusedByAwsError

ITEM = {"id": {"S": "a"}, "tags": {"M": {"host": {"S": "db"}}}, "list": {"L": [{"N": "1"}, {"BOOL": True}]}}


def test_copy_is_equal_and_shares_nothing_that_changes() -> None:
    """Nested maps and lists too."""
    copy = copied(ITEM)
    assert copy == ITEM
    copy["tags"]["M"]["host"]["S"] = "web"
    copy["list"]["L"].append({"NULL": True})
    assert ITEM["tags"] == {"M": {"host": {"S": "db"}}}
    assert len(ITEM["list"]["L"]) == 2


def test_copy_of_other_objects_is_pythons_own() -> None:
    """What is no plain JSON keeps its type."""
    original = {"tables": defaultdict(dict, {"a": {"b": {1, 2}}})}
    copy = copied(original)
    assert copy == original
    copy["tables"]["new"]["c"] = {3}
    copy["tables"]["a"]["b"].add(4)
    assert original["tables"] == {"a": {"b": {1, 2}}}


@pytest.fixture
def stored(aws: InProcessAws) -> InProcessAws:
    """DynamoDB with one item."""
    aws.make_table()
    aws.call("PutItem", TableName=TABLE, Item=ITEM)
    return aws


def test_update_changes_neither_the_item_as_it_was_nor_another(stored: InProcessAws) -> None:
    """What a caller is told of the item before is of before."""
    answer = stored.call(
        "UpdateItem",
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET tags.host = :host",
        ExpressionAttributeValues={":host": {"S": "web"}},
        ReturnValues="ALL_OLD",
    )
    assert answer["Attributes"] == ITEM
    item = stored.call("GetItem", TableName=TABLE, Key={"id": {"S": "a"}})["Item"]
    assert item == ITEM | {"tags": {"M": {"host": {"S": "web"}}}}


@pytest.mark.parametrize(("wanted", "held"), [("db", True), ("web", False)])
def test_one_expression_is_judged_anew_for_each_item_and_value(
    stored: InProcessAws, wanted: str, *, held: bool
) -> None:
    """What is remembered is how it reads, never whether it holds."""
    for _ in range(2):
        found = stored.call(
            "Scan",
            TableName=TABLE,
            FilterExpression="tags.host = :host",
            ExpressionAttributeValues={":host": {"S": wanted}},
        )
        assert found["Count"] == int(held)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("((id = :id))", "Invalid {slot}: .* redundant parentheses"),
        ("id = = :id", "Invalid {slot}: Syntax error"),
        ("status = :id", "reserved keyword: status"),
    ],
)
def test_wrong_expression_is_refused_each_time(stored: InProcessAws, expression: str, problem: str) -> None:
    """In the words of where it stands."""
    for slot in ("ConditionExpression", "FilterExpression", "ConditionExpression"):
        put = slot == "ConditionExpression"
        with pytest.raises(RefusedByAwsError, match=problem.format(slot=slot)):
            stored.call(
                "PutItem" if put else "Scan",
                TableName=TABLE,
                ExpressionAttributeValues={":id": {"S": "a"}},
                **({"Item": ITEM} if put else {}),
                **{slot: expression},
            )


def test_records_of_a_stream_are_let_go_after_a_while(
    stored: InProcessAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load test of hours does not fill the memory with records that nobody reads."""
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    stored.call("UpdateTable", TableName=TABLE, StreamSpecification=wanted)
    stored.call("PutItem", TableName=TABLE, Item=ITEM | {"id": {"S": "b"}})
    later = SimpleNamespace(time=lambda: time.time() + STREAM_KEPT_S + 1)
    monkeypatch.setattr(dynamodb, "time", later)
    stored.call("PutItem", TableName=TABLE, Item=ITEM | {"id": {"S": "c"}})
    (record,) = dynamodb.stream_live_records(TABLE)
    assert record["dynamodb"]["Keys"] == {"id": {"S": "c"}}
