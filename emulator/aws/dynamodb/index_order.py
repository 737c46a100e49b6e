"""Indexes kept in their order, so that a page of a query with a Limit costs what it reads, not what is there.

For each page ministack sorts an index's whole partition and evaluates the key condition of each item there,
while nothing else is answered. Here it is given just the items that can be on the page; it sorts, checks and
pages those by itself. Without a Limit those are all that the key condition leaves.
"""

# ruff: noqa: SLF001 - it replaces ministack's functions, which are private

import threading
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Final

from ministack.services import dynamodb

Item = dict[str, Any]
Table = dict[str, Any]
Member = tuple[Any, Any]
"""The values of an item's partition and sort key, as ministack keeps them."""

Place = tuple[Any, ...]
"""Where an item is in an index: its sort key there, then the table's keys."""

_query_under_way: Final[ContextVar[dict[str, Any] | None]] = ContextVar("query_under_way", default=None)

_turn: Final = threading.RLock()
"""Held by what reads or changes indexes: ministack removes expired items in a thread beside its calls."""


def install() -> None:
    """Have ministack's DynamoDB keep its indexes so."""
    dynamodb._index_members, dynamodb._index_item = _indexes, _index_item
    dynamodb._query = _in_turn(_remembering(dynamodb._query))
    dynamodb._set_item, dynamodb._remove_item = _in_turn(dynamodb._set_item), _in_turn(dynamodb._remove_item)


class Index:
    """The items of an index, in its order. Of ministack's own record, whose place it takes, `get` is used."""

    def __init__(self, table: Table, hashes: Sequence[str], ranges: Sequence[str]) -> None:
        """Index what is in the table."""
        self._hashes, self._ranges = list(hashes), list(ranges)
        self._order = dynamodb._index_order_keys(table, self._ranges)
        self._partitions: defaultdict[Any, list[tuple[Place, Member]]] = defaultdict(list)
        self._entries: dict[Member, tuple[Any, Place]] = {}
        for pk, items in table["items"].items():
            for sk, item in items.items():
                self.add((pk, sk), item, insert=list.append)
        for entries in self._partitions.values():
            entries.sort()

    def add(self, member: Member, item: Item, *, insert: Callable[[list[Any], Any], None] = insort) -> None:
        """Take an item in, if it has the index's keys."""
        partition = dynamodb._index_partition(item, self._hashes, self._ranges)
        if partition is not None:
            place = self._place(item)
            self._entries[member] = partition, place
            insert(self._partitions[partition], (place, member))

    def discard(self, member: Member) -> None:
        """Take an item out, if it is in."""
        if member in self._entries:
            partition, place = self._entries.pop(member)
            entries = self._partitions[partition]
            del entries[bisect_left(entries, (place, member))]

    def get(self, partition: Any, _default: object = ()) -> list[Member]:
        """What of the partition can be on the page that is asked for."""
        entries = self._partitions.get(partition, [])
        return [member for _, member in entries[self._page(entries, _query_under_way.get() or {})]]

    def _page(self, entries: list[tuple[Place, Member]], query: dict[str, Any]) -> slice:
        bounds = self._bounds(query)
        if bounds is None:
            return slice(None)
        start, end = 0, len(entries)
        for bound, is_low, is_inside in bounds:
            # What equals an upper bound that is inside lies before the end, as with a lower one that is not.
            at = (bisect_left if is_low is is_inside else bisect_right)(entries, bound, key=_sort_key)
            start, end = (max(start, at), end) if is_low else (start, min(end, at))
        forward, cursor = query.get("ScanIndexForward", True), query.get("ExclusiveStartKey")
        if cursor and forward:
            start = max(start, bisect_right(entries, self._place(cursor), key=_place))
        elif cursor:
            end = min(end, bisect_left(entries, self._place(cursor), key=_place))
        if (limit := query.get("Limit")) is not None:
            start, end = (start, min(end, start + limit)) if forward else (max(start, end - limit), end)
        return slice(start, max(start, end))

    def _bounds(self, query: dict[str, Any]) -> list[tuple[Any, bool, bool]] | None:
        """The limits of the sort key: each with whether it is the lower one, and whether it is inside.

        None where the condition is of another form, and only ministack knows what it leaves.
        """
        expression = query.get("KeyConditionExpression")
        if not expression or len(self._ranges) > 1:
            return None
        names, values = query.get("ExpressionAttributeNames", {}), query.get("ExpressionAttributeValues", {})
        for clause in dynamodb._key_condition_clauses(dynamodb._tokenize(expression)):
            kinds, words = zip(*clause, strict=True)
            name = names.get(words[0], words[0])
            if name in self._hashes:
                continue
            if name not in self._ranges:
                return None
            ends = [self._sort_key(values[word]) for kind, word in clause if kind == "VALUE_REF"]
            if words[1].upper() == "BETWEEN":
                return [(ends[0], True, True), (ends[1], False, True)]
            if kinds[2:] != ("VALUE_REF",) or kinds[1] not in _COMPARED:
                return None
            return [(ends[0], is_low, is_inside) for is_low, is_inside in _COMPARED[kinds[1]]]
        return []

    def _sort_key(self, value: Any) -> Any:
        return dynamodb._sort_key_value(value, self._order[0][1])

    def _place(self, item: Item) -> Place:
        return tuple(dynamodb._index_order_value(item, name, kind) for name, kind in self._order)


_COMPARED: Final = {
    "EQ": ((True, True), (False, True)),
    "LT": ((False, False),),
    "LE": ((False, True),),
    "GT": ((True, False),),
    "GE": ((True, True),),
}


def _place(entry: tuple[Place, Member]) -> Place:
    return entry[0]


def _sort_key(entry: tuple[Place, Member]) -> Any:
    return entry[0][0]


def _indexes(table: Table) -> dict[str, Index]:
    """The table's indexes, made at the first use; ministack drops them when all items are replaced."""
    indexes: dict[str, Index] | None = table.get(dynamodb._INDEX_MEMBERS)
    if indexes is None:
        schemas = dynamodb._index_key_schemas(table)
        indexes = {name: Index(table, hashes, ranges) for name, hashes, ranges in schemas}
        table[dynamodb._INDEX_MEMBERS] = indexes
    return indexes


def _index_item(table: Table, pk: Any, sk: Any, item: Item, add: bool) -> None:  # noqa: FBT001 - ministack's
    """Keep the indexes current; those that are not made yet will be, of all items."""
    for index in table.get(dynamodb._INDEX_MEMBERS, {}).values():
        if add:
            index.add((pk, sk), item)
        else:
            index.discard((pk, sk))


def _remembering(query: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def remembering(data: dict[str, Any]) -> Any:
        token = _query_under_way.set(data)
        try:
            return query(data)
        finally:
            _query_under_way.reset(token)

    return remembering


def _in_turn(call: Callable[..., Any]) -> Callable[..., Any]:
    def wait_and_call(*asked: Any) -> Any:
        with _turn:
            return call(*asked)

    return wait_and_call
