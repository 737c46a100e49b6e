"""Counts inside an AWS process what AWS bills by use: capacity units, calls that send messages, log bytes.

`emulator.aws.host` installs it; `costs.measuring` reads it. ministack works out write units as AWS does when
a call asks for them, but bills each read alike, whatever its size; the caller is told what is counted here:
what was read, whatever a filter, a projection or a count leaves of it.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Other.html
"""

# ruff: noqa: SLF001 - it watches ministack, whose functions are private

import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Final

from ministack.services import cloudwatch_logs, dynamodb, sqs

from emulator.aws_capacity import TableUse, Usage
from topology.limits import DYNAMODB_READ_UNIT_BYTES, DYNAMODB_WRITE_UNIT_BYTES

LINE_BYTES: Final = 26
"""Billed for each line of a log besides its text.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""

Item = Mapping[str, Any]

_page_bytes: Final[ContextVar[int]] = ContextVar("page_bytes")
"""Of the items that the query or scan under way has evaluated."""


def install(usage: Usage) -> None:
    """Count into `usage` from now on."""
    meter = Meter(usage)
    dynamodb._paginate_evaluated_items = _weighing(dynamodb._paginate_evaluated_items)
    dynamodb._add_consumed_capacity = meter.counting_units(dynamodb._add_consumed_capacity)
    dynamodb._conditional_check_failed = meter.counting_refusals(dynamodb._conditional_check_failed)
    dynamodb._batch_get_item = meter.counting_batches(dynamodb._batch_get_item)
    for action in ("SendMessage", "SendMessageBatch"):
        sqs._HANDLERS[action] = meter.counting_sends(sqs._HANDLERS[action])
    cloudwatch_logs._append_log_events = meter.counting_logs(cloudwatch_logs._append_log_events)


class Meter:
    """Counts into a `Usage` that the process's threads share."""

    def __init__(self, usage: Usage) -> None:
        """Nothing is counted yet."""
        self._usage = usage
        self._turn = threading.Lock()

    def counting_units(self, report: Callable[..., None]) -> Callable[..., None]:
        """Return what ministack calls at the end of each read and write of one table."""

        def report_and_count(
            result: dict[str, Any], data: dict[str, Any], table_name: str, **changed: Any
        ) -> None:
            report(result, data, table_name, **changed)
            if changed.get("write"):
                worked_out: dict[str, Any] = {}
                report(worked_out, {**data, "ReturnConsumedCapacity": "INDEXES"}, table_name, **changed)
                self._count_writes(table_name, worked_out["ConsumedCapacity"])
                return
            key = data.get("Key")
            size = _stored_bytes(dynamodb._tables[table_name], key) if key else _page_bytes.get()
            units = read_units([size], data.get("ConsistentRead"))
            self._count(_named(table_name, changed.get("index_name")), reads=units)
            _tell(result.get("ConsumedCapacity"), units)

        return report_and_count

    def counting_refusals(self, refuse: Callable[..., Any]) -> Callable[..., Any]:
        """Return what answers a write whose condition does not hold; the item there is billed as written."""

        def refuse_and_count(data: dict[str, Any], old_item: Item | None, *more: Any) -> Any:
            size = dynamodb._item_size_bytes(old_item) if old_item else 0
            self._count(
                str(data.get("TableName")), writes=max(1, math.ceil(size / DYNAMODB_WRITE_UNIT_BYTES))
            )
            return refuse(data, old_item, *more)

        return refuse_and_count

    def counting_batches(self, get: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        """Return BatchGetItem: each key is a read by itself, and the caller is told the units of all."""

        def get_and_count(data: dict[str, Any]) -> Any:
            consumed: list[dict[str, Any]] = []
            for name, wanted in (data.get("RequestItems") or {}).items():
                table = dynamodb._tables.get(name)
                sizes = [_stored_bytes(table, key) for key in wanted.get("Keys", ())] if table else []
                units = read_units(sizes, wanted.get("ConsistentRead"))
                self._count(name, reads=units)
                consumed.append({"TableName": name, "CapacityUnits": units})
            status, headers, body = get(data)
            if status == HTTPStatus.OK and data.get("ReturnConsumedCapacity", "NONE") != "NONE":
                body = json.dumps({**json.loads(body), "ConsumedCapacity": consumed}).encode()
            return status, headers, body

        return get_and_count

    def counting_sends(self, send: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call that sends messages: one request, however many are in it."""

        def send_and_count(data: dict[str, Any], url: str) -> Any:
            with self._turn:
                self._usage.queue_sends += 1
            return send(data, url)

        return send_and_count

    def counting_logs(self, append: Callable[..., None]) -> Callable[..., None]:
        """Return what takes lines of a log."""

        def append_and_count(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
            size = sum(len(event["message"].encode()) + LINE_BYTES for event in events)
            with self._turn:
                self._usage.log_bytes += size
            append(stream, events)

        return append_and_count

    def _count_writes(self, table_name: str, consumed: Mapping[str, Any]) -> None:
        self._count(table_name, writes=consumed["Table"]["CapacityUnits"])
        for index, units in consumed.get("GlobalSecondaryIndexes", {}).items():
            self._count(_named(table_name, index), writes=units["CapacityUnits"])

    def _count(self, name: str, *, reads: float = 0.0, writes: float = 0.0) -> None:
        with self._turn:
            use = self._usage.tables.setdefault(name, TableUse())
            use.reads += reads
            use.writes += writes


def _weighing(page_of: Callable[..., Any]) -> Callable[..., Any]:
    def page_and_weigh(items: Iterable[Item], limit: object, table: Item, index: str | None = None) -> Any:
        page, more = page_of(items, limit, table, index)
        entries = (dynamodb._apply_index_projection(item, table, index) for item in page)
        _page_bytes.set(sum(map(dynamodb._item_size_bytes, entries)))
        return page, more

    return page_and_weigh


def _tell(consumed: dict[str, Any] | None, units: float) -> None:
    """Put the units of a read, which are all of the table or all of one index, into what its caller gets."""
    indexes = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
    if consumed is not None:
        parts = [part for name in indexes for part in consumed.get(name, {}).values()]
        for part in (consumed, consumed.get("Table", consumed), *parts):
            part["CapacityUnits"] = units if part["CapacityUnits"] else 0.0


def read_units(sizes: Iterable[int], consistent: object) -> float:
    """The units of reads of so many bytes each: half as many where old data will do; nothing found is one."""
    units = sum(max(1, math.ceil(size / DYNAMODB_READ_UNIT_BYTES)) for size in sizes)
    return units if consistent else units / 2


def _named(table: str, index: str | None) -> str:
    return f"{table}/index/{index}" if index else table


def _stored_bytes(table: dict[str, Any], key: Item) -> int:
    partition, sort, _ = dynamodb._resolve_table_key_values(table, key, allow_extra=False)
    item = table["items"].get(partition, {}).get(sort)
    return dynamodb._item_size_bytes(item) if item else 0
