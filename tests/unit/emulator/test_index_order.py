"""Queries of indexes that are kept in their order: the answers are those of ministack's own."""

import itertools
import json
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from ministack.services import dynamodb

from emulator.aws.dynamodb import index_order

INDEX = {
    "IndexName": "by-time",
    "KeySchema": [
        {"AttributeName": "severity", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}
TABLE = {
    "TableName": "alerts",
    "KeySchema": [{"AttributeName": "alert_id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "alert_id", "AttributeType": "S"},
        {"AttributeName": "severity", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [INDEX],
}
CONDITIONS = (
    "severity = :s",
    "severity = :s AND #at BETWEEN :a AND :b",
    "#at >= :a AND severity = :s",
    "severity = :s AND #at > :a",
    "severity = :s AND #at <= :b",
    "severity = :s AND #at < :b",
    "severity = :s AND #at = :a",
    "(severity = :s) AND (#at >= :a)",
)
ITEMS, SEED = 300, 20261130
WAITS_S = 0.2
"""How long a call has in the midst of another: far more than it takes, if it need not wait."""

Call = Callable[..., Any]


def table_of(monkeypatch: pytest.MonkeyPatch, *, ordered: bool) -> Call:
    """A table of no other test, by ministack's own indexes or by those in order; returns how it is called."""
    monkeypatch.setattr(dynamodb, "_tables", type(dynamodb._tables)())  # noqa: SLF001 - no other test's tables
    for name in ("_index_members", "_index_item", "_query", "_set_item", "_remove_item"):
        monkeypatch.setattr(dynamodb, name, getattr(dynamodb, name))
    if ordered:
        index_order.install()

    def call(operation: str, **data: Any) -> Any:
        status, _, body = getattr(dynamodb, operation)({"TableName": "alerts", **data})
        assert status == 200, body
        return json.loads(body)

    call("_create_table", **TABLE)
    return call


def fill(call: Call) -> None:
    """Items with equal sort keys, without one, moved and deleted; some before the first query, some after."""
    chance = random.Random(SEED)  # noqa: S311 - a fixed seed on purpose
    for n in range(ITEMS):
        item = {"alert_id": {"S": f"a{chance.randrange(ITEMS)}"}, "severity": {"S": chance.choice("HL")}}
        if chance.random() < 0.9:
            item["at"] = {"N": str(chance.randrange(-6, 12))}
        if chance.random() < 0.2:
            call("_delete_item", Key={"alert_id": item["alert_id"]})
        else:
            call("_put_item", Item=item)
        if n == ITEMS // 2:
            call("_query", **asked("severity = :s"))


def asked(condition: str, **more: Any) -> dict[str, Any]:
    """A query of the index by this condition."""
    values = {":s": {"S": "H"}, ":a": {"N": "-3"}, ":b": {"N": "8"}}
    names = {"#at": "at"}
    return {
        "IndexName": "by-time",
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {name: values[name] for name in values if name in condition},
        **({"ExpressionAttributeNames": names} if "#at" in condition else {}),
        **more,
    }


def pages(call: Call, query: dict[str, Any]) -> list[Any]:
    """Every page of a query."""
    found, start = [], {}
    for _ in range(ITEMS):
        found.append(call("_query", **query, **start))
        if "LastEvaluatedKey" not in found[-1]:
            return found
        start = {"ExclusiveStartKey": found[-1]["LastEvaluatedKey"]}
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_page_is_ministacks_own(monkeypatch: pytest.MonkeyPatch, condition: str) -> None:
    """Forward and backward, whole and by pages of any size, with and without a filter."""
    answers = []
    for ordered in (False, True):
        call = table_of(monkeypatch, ordered=ordered)
        fill(call)
        options = itertools.product((True, False), ({}, {"Limit": 1}, {"Limit": 7}), (False, True))
        answers.append(
            [
                pages(
                    call,
                    asked(condition, ScanIndexForward=forward, **limit)
                    | ({"FilterExpression": "attribute_exists(severity)"} if filtered else {}),
                )
                for forward, limit, filtered in options
            ]
        )
    assert answers[0] == answers[1]
    assert any(page["Items"] for page in answers[0][0])


def test_a_page_looks_at_no_item_that_is_not_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The condition is evaluated of as many items as are shown, wherever in the partition the page is."""
    call = table_of(monkeypatch, ordered=True)
    fill(call)
    looked_at, evaluate = [], dynamodb._evaluate_condition  # noqa: SLF001 - what costs the time

    def noting(condition: str, item: Any, *more: Any, **named: Any) -> Any:
        looked_at.append(item)
        return evaluate(condition, item, *more, **named)

    monkeypatch.setattr(dynamodb, "_evaluate_condition", noting)
    query = asked(CONDITIONS[1], ScanIndexForward=False, Limit=5)
    first = call("_query", **query)
    assert (first["ScannedCount"], len(looked_at)) == (5, 5)
    call("_query", **query, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert len(looked_at) == 5 + 1 + 5, "the cursor is held to the condition too"


def interrupted(
    monkeypatch: pytest.MonkeyPatch, owner: Any, step: str, *, before: bool, by: Callable[[], Any]
) -> threading.Thread:
    """Has `by` run in a thread of its own around the next `step`; one that has to wait goes on after it."""
    thread, taken = threading.Thread(target=by), getattr(owner, step)

    def interrupt() -> None:
        if thread.ident is None:
            thread.start()
            thread.join(WAITS_S)

    def step_and_interrupt(*asked: Any, **more: Any) -> Any:
        if before:
            interrupt()
        result = taken(*asked, **more)
        interrupt()
        return result

    monkeypatch.setattr(owner, step, step_and_interrupt)
    return thread


def removed_by_ministack(alert_id: str) -> None:
    """As its thread does with an item whose time to live is over."""
    dynamodb._remove_item(dynamodb._tables["alerts"], alert_id, "__no_sort__")  # noqa: SLF001 - the thread's call


def row(alert_id: str, at: int) -> dict[str, Any]:
    """An item that the index has."""
    return {"alert_id": {"S": alert_id}, "severity": {"S": "H"}, "at": {"N": str(at)}}


def three_items(call: Call) -> dict[str, Any]:
    """Put a, b and c in this order; returns a query of them all, asked once so that the index is there."""
    for at, alert_id in enumerate("abc"):
        call("_put_item", Item=row(alert_id, at))
    query = asked("severity = :s")
    call("_query", **query)
    return query


def test_an_item_put_while_another_expires_costs_no_third(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of what is removed is found and then emptied: nothing may come in between."""
    call = table_of(monkeypatch, ordered=True)
    query = three_items(call)
    put = interrupted(
        monkeypatch, index_order, "bisect_left", before=False,
        by=lambda: call("_put_item", Item=row("first", -1)),
    )  # fmt: skip
    removed_by_ministack("b")
    put.join()
    shown = [item["alert_id"]["S"] for item in call("_query", **query)["Items"]]
    assert shown == ["first", "a", "c"]


def test_a_page_asked_for_while_an_item_expires_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is short of its limit says that nothing is behind it, and a list would end there."""
    call = table_of(monkeypatch, ordered=True)
    query, pages_seen = three_items(call), []
    reader = interrupted(
        monkeypatch, index_order.Index, "discard", before=True,
        by=lambda: pages_seen.append(call("_query", **query, Limit=2)),
    )  # fmt: skip
    removed_by_ministack("a")
    reader.join()
    assert [item["alert_id"]["S"] for item in pages_seen[0]["Items"]] == ["b", "c"]
    assert "LastEvaluatedKey" in pages_seen[0]
