"""Two states are compared item by item, by what items mean; differences are found among many and named."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from benchmarks import restore
from dr.comparison.athena import DIALECT, comparison_sql, table_sql
from dr.comparison.canonical import NotAnItemError
from dr.comparison.items import ComparisonError, Difference, compare
from dr.comparison.states import Side
from dr.exports.synthesis import Recipe, alert_id, synthesize
from dr.restores.table_items import copy_items
from topology.tables import ALERTS

KEY = ALERTS.hash_key

Files = Callable[..., Side]


@pytest.fixture
def side(tmp_path: Path) -> Files:
    """Make a side of items and of changes, each a file of its own."""

    def make(name: str, items: Sequence[Any], changes: Sequence[Any] = ()) -> Side:
        def write(kind: str, number: int, line: Any) -> Path:
            path = tmp_path / f"{name}-{kind}-{number}.json.gz"
            text = line if isinstance(line, str) else json.dumps(line, separators=(",", ":"))
            path.write_bytes(gzip.compress(text.encode() + b"\n"))
            return path

        return Side(
            name,
            tuple(
                write("item", n, {"Item": i} if isinstance(i, Mapping) else i) for n, i in enumerate(items)
            ),
            tuple(write("change", n, change) for n, change in enumerate(changes)),
        )

    return make


def item(key: str, **attributes: Any) -> dict[str, Any]:
    """An item with a key."""
    return {"alert_id": {"S": key}, **attributes}


def change(key: str, at: int, image: dict[str, Any] | None) -> dict[str, Any]:
    """A record of an incremental export; without an image the item was deleted."""
    record: dict[str, Any] = {
        "Metadata": {"WriteTimestampMicros": {"N": str(at)}},
        "Keys": {"alert_id": {"S": key}},
    }
    return record | ({"NewImage": image} if image else {})


def test_each_kind_of_difference_is_named_among_thousands(tmp_path: Path) -> None:
    """Files and order differ on both sides; every difference goes to the file too."""
    recipes = (
        Recipe(items=3_000),
        Recipe(
            items=3_001,
            files=3,
            variant=1,
            left_out=frozenset({11}),
            retitled=((12, "other"),),
            written_otherwise=13,
        ),
    )
    roots = [synthesize(tmp_path, recipe) for recipe in recipes]
    left, right = (Side(root, tuple((tmp_path / root / "data").iterdir())) for root in roots)
    found = compare(left, right, key=KEY, all_to=tmp_path / "all.jsonl")
    assert (found.left_items, found.right_items) == (3_000, 3_000)
    assert (found.changed, found.missing, found.extra, found.broken) == (1, 1, 1, 0)
    assert found.written_otherwise == 1
    assert not found.same
    named = {(one.kind, one.key, *one.attributes) for one in found.differences}
    assert named == {
        ("changed", alert_id(12), "title"),
        ("missing", alert_id(11)),
        ("extra", alert_id(3_000)),
    }
    written = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["key"] for line in written} == {key for _, key, *_ in named}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"n": {"N": "1"}}, {"n": {"N": "1.0"}}),
        ({"s": {"SS": ["a", "b"]}}, {"s": {"SS": ["b", "a"]}}),
        ({"m": {"M": {"a": {"S": "1"}, "b": {"S": "2"}}}}, {"m": {"M": {"b": {"S": "2"}, "a": {"S": "1"}}}}),
    ],
    ids=["number", "set", "map"],
)
def test_what_means_the_same_is_no_difference(side: Files, left: Any, right: Any) -> None:
    """It is counted as only written otherwise."""
    found = compare(side("left", [item("a", **left)]), side("right", [item("a", **right)]), key=KEY)
    assert found.same
    assert found.written_otherwise == 1


def test_the_key_is_the_items_own_whatever_its_labels_say(side: Files) -> None:
    """A source may name a label as the key is named."""
    hostile = {"labels": {"M": {"alert_id": {"S": "b"}}}, "title": {"S": '"alert_id":{"S":"c"}'}}
    one = [{"labels": hostile["labels"], "title": hostile["title"], "alert_id": {"S": "a"}}]
    found = compare(side("left", one), side("right", []), key=KEY)
    assert found.differences == (Difference("missing", "a", {}),)


def test_the_last_change_of_an_item_wins(side: Files) -> None:
    """In whatever file it comes; a deleted item is gone, one that was put again is there."""
    changes = [
        change("changed", 3, item("changed", n={"N": "3"})),
        change("changed", 2, item("changed", n={"N": "2"})),
        change("gone", 2, None),
        change("back", 3, item("back")),
        change("back", 2, None),
        change("new", 1, item("new")),
        change("never", 1, None),
    ]
    full = side("full", [item("changed"), item("gone"), item("back"), item("same")], changes)
    now = side("now", [item("same"), item("back"), item("new"), item("changed", n={"N": "3"})])
    assert compare(full, now, key=KEY).same
    assert compare(now, full, key=KEY).same


def test_a_change_without_its_key_is_an_error_and_hides_nothing(side: Files) -> None:
    """What the others make is unknown then; least of all are the unchanged items gone."""
    keyless = {"Metadata": {"WriteTimestampMicros": {"N": "1"}}, "NewImage": item("b")}
    spoilt = side("full", [item("a")], [keyless, change("c", 1, item("c"))])
    with pytest.raises(ComparisonError, match="a change without the key alert_id"):
        compare(spoilt, side("now", [item("a")]), key=KEY)


@pytest.mark.parametrize("line", ["a change", "an item"])
def test_a_state_without_a_key_is_never_copied(side: Files, tmp_path: Path, line: str) -> None:
    """Before the first item is written."""
    keyless = {"Metadata": {"WriteTimestampMicros": {"N": "1"}}, "NewImage": item("b")}
    spoilt = side("full", [{}], []) if line == "an item" else side("full", [item("a")], [keyless])
    with pytest.raises(NotAnItemError, match=f"{line} without the key alert_id"):
        copy_items(spoilt, dynamodb=None, table="t", key=KEY, progress_file=tmp_path / "progress.json")


def test_a_difference_in_a_change_is_named(side: Files) -> None:
    """The second pass reads the changes too."""
    full = side("full", [item("a")], [change("a", 1, item("a", n={"N": "2"}))])
    found = compare(full, side("now", [item("a", n={"N": "3"})]), key=KEY)
    assert found.differences == (Difference("changed", "a", {"n": ('{"N":"2"}', '{"N":"3"}')}),)


def test_a_key_that_stands_for_two_items_is_broken(side: Files) -> None:
    """Even where both are the same; so is an item without a key."""
    twice = compare(side("l", [item("a"), item("a")]), side("r", [item("a")]), key=KEY)
    assert (twice.same, twice.broken, twice.differences[0].kind) == (False, 1, "twice")
    both = compare(side("l2", [item("a"), item("a")]), side("r2", [item("a"), item("a")]), key=KEY)
    assert not both.same
    keyless = compare(side("l3", [{"n": {"N": "1"}}]), side("r3", []), key=KEY)
    assert (keyless.same, keyless.differences[0].kind) == (False, "keyless")


def test_two_empty_states_are_the_same(side: Files) -> None:
    """With no file at all, and with an empty one."""
    assert compare(side("l", []), side("r", []), key=KEY).same


@pytest.mark.parametrize("line", ['{"Item":', "not json", '{"Item":{"alert_id":{"S":"a"},"n":{"N":"x"}}}'])
def test_what_is_no_item_is_an_error_and_not_a_difference(side: Files, line: str) -> None:
    """Nobody may read it as equal."""
    with pytest.raises(ComparisonError, match="check the exports first"):
        compare(side("l", [line]), side("r", [item("a")]), key=KEY)


def test_the_benchmark_finds_what_it_planted(capsys: pytest.CaptureFixture[str]) -> None:
    """At a small size here; `make bench-restore` measures a million."""
    assert restore.main(["--items", "500", "--any-speed"]) == 0
    assert "all of them named, and nothing else" in capsys.readouterr().out


def test_the_comparison_for_athena_is_sql_that_parses() -> None:
    """It was never run there."""
    query = sqlglot.parse_one(comparison_sql(key=KEY, left="a", right="b"), read=DIALECT)
    assert {"a", "b", "expected", "found"} == {table.name for table in query.find_all(sqlglot.exp.Table)}
    assert {case.text("this") for case in query.find_all(sqlglot.exp.Literal)} >= {
        "twice",
        "keyless",
        "changed",
    }
    create = sqlglot.parse_one(table_sql(name="lines", bucket="bucket", root="e/AWSDynamoDB/1"), read=DIALECT)
    assert isinstance(create, sqlglot.exp.Create)
    assert "s3://bucket/e/AWSDynamoDB/1/data/" in create.sql(dialect=DIALECT)
