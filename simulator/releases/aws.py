"""AWS's clients over the simulated tables and queues: what a release's own adapters call.

They know as much of DynamoDB's expressions as our adapters use, and refuse what they do not know.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

import operator
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.items import item_of, plain_of
from handlers.domain.alert import Alert
from handlers.domain.moves import Actor
from handlers.domain.ports import (
    CacheUnavailableError,
    CoordinationUnavailableError,
    LedgerUnavailableError,
    QueueSendError,
    Record,
)
from handlers.domain.states import IllegalMoveError, check
from simulator.history import short
from simulator.ledger import LedgerPort, Store
from simulator.queues import QueueSenderPort
from simulator.records import CachePort, CoordinationPort
from simulator.releases.items import Item, ItemRow, ItemStore
from simulator.releases.release import Release
from simulator.wiring import Ports
from topology.queues import Queue
from topology.tables import (
    ALERTS,
    ANALYSIS_CACHE,
    CHILDREN_INDEX,
    COORDINATION,
    FAULT_INDEX,
    INCIDENT_INDEX,
    OPEN_INDEX,
)

_ABSENT: Final = re.compile(r"attribute_not_exists\((#?\w+)\)")
_COMPARED: Final = re.compile(r"([#\w.]+) (=|<=|<|>=) (:\w+)")
_BETWEEN: Final = re.compile(r"([#\w.]+) BETWEEN (:\w+) AND (:\w+)")
_ADDITION: Final = re.compile(r"SET #values\.(#\w+) = #values\.\1 \+ (:\w+)")
_UPDATE: Final = re.compile(r"(?:SET (.+?))?(?: ?REMOVE (.+))?")
_OPERATORS: Final = {"=": operator.eq, "<=": operator.le, "<": operator.lt, ">=": operator.ge}


class UnknownRequestError(Exception):
    """An adapter asks for something that these clients do not simulate: teach them."""


class SimulatedOutageError(BotoCoreError):
    """A call that failed, or whose answer was lost."""

    fmt = "{reason}"


def over_aws(direct: Ports, store: Store, release: Release) -> Ports:
    """The same ports, reached through the adapters of `release`."""
    if not isinstance(store, ItemStore):
        raise TypeError("rows that are no items; use the store of the mixed fleet")
    dynamodb, sqs = _DynamoDb(direct, store), _Sqs(direct.queue_sender)
    return replace(
        direct,
        ledger=release.adapters.ledger(dynamodb),
        coordination=release.adapters.coordination(dynamodb),
        cache=release.adapters.cache(dynamodb),
        queue_sender=release.adapters.queue_sender(sqs),
    )


@contextmanager
def _failing_as_aws() -> Iterator[None]:
    """What the simulated ports say no with, as botocore says it."""
    try:
        yield
    except (
        LedgerUnavailableError,
        CoordinationUnavailableError,
        CacheUnavailableError,
        QueueSendError,
    ) as error:
        raise SimulatedOutageError(reason=str(error)) from error


class _DynamoDb:
    """DynamoDB's client in one execution environment."""

    def __init__(self, direct: Ports, store: ItemStore) -> None:
        self._ledger: LedgerPort = direct.ledger
        self._coordination: CoordinationPort = direct.coordination
        self._cache: CachePort = direct.cache
        self._machine = direct.machine
        self._store = store

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        (key,) = (value["S"] for value in request["Key"].values())
        with _failing_as_aws():
            item = self._read(request["TableName"], key)
        return {} if item is None else {"Item": item}

    def batch_get_item(self, **request: Any) -> Mapping[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        keys = [value["S"] for key in wanted["Keys"] for value in key.values()]
        with _failing_as_aws():
            if table == COORDINATION.key:
                records = self._coordination.read_many(keys)
                items = [_record_item(name, record) for name, record in records.items()]
            else:
                rows = self._ledger.get_many(keys).values()
                items = [row.item for row in rows if isinstance(row, ItemRow)]
        return {"Responses": {table: items}}

    def put_item(self, **request: Any) -> Mapping[str, Any]:
        item: Item = request["Item"]
        writer = self._machine.invocation.name
        with _failing_as_aws():
            if request["TableName"] == ANALYSIS_CACHE.key:
                self._store.check_cache_entry(item, writer=writer)
                written = self._cache.write(
                    item["error_signature"]["S"], item, lambda stored: _holds(request, stored or {})
                )
            elif request["TableName"] == COORDINATION.key:
                self._store.check_record(item, writer=writer)
                written = self._put_record(item, request)
            else:
                written = self._write_row("put", item["alert_id"]["S"], item, request)
        _require(written)
        return {}

    def update_item(self, **request: Any) -> Mapping[str, Any]:
        if request["TableName"] == COORDINATION.key:
            return self._add(request)
        if request["TableName"] != ALERTS.key:
            raise UnknownRequestError(f"update_item of {request['TableName']}")
        with _failing_as_aws():
            written = self._write_row("update", request["Key"]["alert_id"]["S"], None, request)
        _require(written)
        return {}

    def query(self, **request: Any) -> Mapping[str, Any]:
        if request["TableName"] != ALERTS.key or "ExclusiveStartKey" in request:
            raise UnknownRequestError(f"query of {request}")
        with _failing_as_aws():
            items = self._ledger.call(
                f"query {sorted(request['ExpressionAttributeValues'].items())}", lambda: self._found(request)
            )
        return {"Items": items, "Count": len(items)}

    def _read(self, table: str, key: str) -> Item | None:
        if table == ANALYSIS_CACHE.key:
            entry: Item | None = self._cache.read(key)
            return entry
        if table == COORDINATION.key:
            record = self._coordination.read(key)
            return None if record is None else _record_item(key, record)
        row = self._ledger.get(key)
        return row.item if isinstance(row, ItemRow) else None

    def _put_record(self, item: Item, request: Mapping[str, Any]) -> bool:
        plain = plain_of(item)
        new = Record(version=plain["version"], values=plain["values"])

        def condition(stored: Record | None) -> bool:
            return _holds(request, {} if stored is None else _record_item(plain["name"], stored))

        return self._coordination.put(plain["name"], new, condition)

    def _add(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The one update of a record that there is: a number more in one of its values."""
        added = _ADDITION.fullmatch(request["UpdateExpression"])
        if added is None:
            raise UnknownRequestError(f"the update {request['UpdateExpression']!r}")
        name = request["Key"]["name"]["S"]
        counted = request["ExpressionAttributeNames"][added[1]]
        number = int(request["ExpressionAttributeValues"][added[2]]["N"])

        def change(stored: Record | None) -> Record | None:
            if stored is None or not _holds(request, _record_item(name, stored)):
                return None
            values = {**stored.values, counted: stored.values[counted] + number}
            return Record(version=stored.version, values=values)

        with _failing_as_aws():
            record = self._coordination.change(name, f"coordination.update {name} {number}", change)
        _require(record is not None)
        return {"Attributes": _record_item(name, record) if record else {}}

    def _write_row(self, verb: str, alert_id: str, new: Item | None, request: Mapping[str, Any]) -> bool:
        """A conditional write of `new`, or of what the request's update makes of the stored item.

        Whichever release writes, the move must be one of today's.
        """
        actor, writer = Actor(self._machine.function), self._machine.invocation.name

        def change(stored: Alert | None) -> Alert | None:
            item = stored.item if isinstance(stored, ItemRow) else {}
            if not _holds(request, item):
                return None
            row = self._store.row_of(_updated(request, item) if new is None else new, writer=writer)
            try:
                check(actor, stored, row)
            except IllegalMoveError as error:
                self._store.world.checker.rows.illegal(alert_id, str(error))
            return row

        return self._ledger.write(f"ledger {verb} {short(alert_id)}", alert_id, change, actor=actor)

    def _found(self, request: Mapping[str, Any]) -> list[Item]:
        """The items of an index that a query finds. The limit counts before the filter, as in DynamoDB."""
        region = self._machine.region
        indexes = {
            OPEN_INDEX.name: (OPEN_INDEX, self._store.under),
            CHILDREN_INDEX.name: (CHILDREN_INDEX, self._store.children),
            FAULT_INDEX.name: (FAULT_INDEX, self._store.of_fault),
            INCIDENT_INDEX.name: (INCIDENT_INDEX, self._store.of_incident),
        }
        index, shown = indexes[request["IndexName"]]
        keys = [
            request["ExpressionAttributeValues"][placeholder]["S"]
            for name, comparison, placeholder in _COMPARED.findall(request["KeyConditionExpression"])
            if (name, comparison) == (index.hash_key.name, "=")
        ]
        if len(keys) != 1:
            raise UnknownRequestError(f"query of {request}")
        rows = shown(region, keys[0])
        items = [row.item for row in rows if isinstance(row, ItemRow)]
        items = [item for item in items if _holds(request, item, "KeyConditionExpression")]
        if not request.get("ScanIndexForward", True):
            items.reverse()
        return [item for item in items[: request["Limit"]] if _holds(request, item, "FilterExpression")]


class _Sqs:
    """SQS's client in one execution environment."""

    def __init__(self, queues: QueueSenderPort) -> None:
        self._queues = queues

    def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
        entries = request["Entries"]
        bodies = [entry["MessageBody"] for entry in entries]
        delay_s = entries[0]["DelaySeconds"]
        with _failing_as_aws():
            self._queues.send_bodies(
                Queue(request["QueueUrl"]), bodies, delay_s=delay_s, shown=f"{bodies} in {delay_s} s"
            )
        return {}


def _record_item(name: str, record: Record) -> Item:
    return item_of({"name": name, "version": record.version, "values": dict(record.values)})


def _require(written: bool) -> None:  # noqa: FBT001 - what a write answers
    if not written:
        raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")


def _holds(request: Mapping[str, Any], item: Item, expression: str = "ConditionExpression") -> bool:
    """Whether an item meets a request's expression; without one, every item does."""
    if expression not in request:
        return True
    compared = _BETWEEN.sub(r"\1 >= \2 AND \1 <= \3", request[expression])
    return any(
        all(_clause_holds(request, item, clause) for clause in clauses.split(" AND "))
        for clauses in compared.split(" OR ")
    )


def _clause_holds(request: Mapping[str, Any], item: Item, clause: str) -> bool:
    names = request.get("ExpressionAttributeNames", {})
    if absent := _ABSENT.fullmatch(clause):
        return names.get(absent[1], absent[1]) not in item
    compared = _COMPARED.fullmatch(clause)
    if compared is None:
        raise UnknownRequestError(f"the condition {clause!r}")
    name, comparison, placeholder = compared.groups()
    value: Any = {"M": item}
    for part in name.split("."):
        value = value and value["M"].get(names.get(part, part))
    wanted = request["ExpressionAttributeValues"][placeholder]
    return value is not None and bool(_OPERATORS[comparison](_comparable(value), _comparable(wanted)))


def _comparable(value: Mapping[str, Any]) -> tuple[str, Any]:
    ((kind, content),) = value.items()
    return kind, int(content) if kind == "N" else content


def _updated(request: Mapping[str, Any], item: Item) -> Item:
    """What a request's update makes of an item."""
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    update = _UPDATE.fullmatch(request["UpdateExpression"])
    if update is None:
        raise UnknownRequestError(f"the update {request['UpdateExpression']!r}")
    sets, removes = (part.split(", ") if part else [] for part in update.groups())
    new = {**item, **request["Key"]}
    for name, placeholder in (part.split(" = ") for part in sets):
        new[names[name]] = values[placeholder]
    for name in removes:
        new.pop(names[name], None)
    return new
