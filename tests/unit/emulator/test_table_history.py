"""What a table was at a time, from the writes to it."""

import pytest

from emulator.aws.dynamodb import table_history
from emulator.aws.dynamodb.table_history import History, Item

KEY, KEYS = ("a", "-"), {"id": {"S": "a"}}


def item(value: str, name: str = "a") -> Item:
    """An item with one attribute besides its key."""
    return {"id": {"S": name}, "v": {"S": value}}


@pytest.fixture
def history() -> History:
    """Of a table that was empty at 100.5."""
    return History({}, now_s=100.5)


def write(history: History, at_s: float, value: str | None, name: str = "a") -> None:
    """Put an item, or delete it."""
    after = None if value is None else item(value, name)
    history.note((name, "-"), {"id": {"S": name}}, after, now_s=at_s)


@pytest.mark.parametrize(
    ("time_s", "items"),
    [(101.9, []), (102.0, [item("1")]), (103.9, [item("1")]), (104.0, [item("2")]), (106.0, [])],
)
def test_table_is_as_it_was(history: History, time_s: float, items: list[Item]) -> None:
    """A write at the very time asked for is in; later ones are not."""
    write(history, 102.0, "1")
    write(history, 104.0, "2")
    write(history, 106.0, None)
    assert history.as_of(time_s) == items


def test_history_begins_with_what_was_there() -> None:
    """Items from before are in, whenever they were written."""
    history = History({KEY: item("old")}, now_s=100.5)
    assert history.as_of(101) == [item("old")]
    assert history.earliest_s == 101


def test_item_that_is_changed_in_place_does_not_change_the_past(history: History) -> None:
    """The handlers of ministack hold on to what they have stored."""
    stored = item("1")
    history.note(KEY, KEYS, stored, now_s=102.0)
    stored["v"]["S"] = "changed"
    assert history.as_of(102) == [item("1")]


def test_clock_that_goes_back_does_not_reorder_writes(history: History) -> None:
    """The later write wins."""
    write(history, 105.0, "1")
    write(history, 103.0, "2")
    assert history.as_of(104) == []
    assert history.as_of(105) == [item("2")]


def test_oldest_writes_are_forgotten_beyond_the_bound(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The beginning moves to the last write that was folded into it, and what is there stays."""
    monkeypatch.setattr(table_history, "WRITES_MAX", 2)
    for second in range(4):
        write(history, 102.25 + second, str(second), name=str(second))
    assert history.earliest_s == 104
    assert [one["v"]["S"] for one in history.as_of(104)] == ["0", "1"]
    assert len(history.as_of(106)) == 4


def test_window_has_each_item_once_with_its_first_and_last_image(history: History) -> None:
    """From inclusive, to exclusive, whatever happened in between."""
    write(history, 101.0, "0")
    for at_s, value in ((102.0, "1"), (103.0, "2"), (104.0, "3")):
        write(history, at_s, value)
    [change] = history.between(102.0, 104.0)
    assert (change.written_at_s, change.keys) == (103.0, KEYS)
    assert (change.before, change.after) == (item("0"), item("2"))


def test_window_tells_of_deletes_and_of_items_that_came_and_went(history: History) -> None:
    """A delete has no image after; one put and deleted in the window has none at all."""
    write(history, 101.0, "0", name="gone")
    write(history, 102.0, None, name="gone")
    write(history, 102.0, "1", name="short")
    write(history, 103.0, None, name="short")
    gone, short = history.between(101.5, 104.0)
    assert (gone.before, gone.after) == (item("0", "gone"), None)
    assert (short.before, short.after) == (None, None)
