"""The ledger and the analysis cache on DynamoDB. The attribute names are the fields of `Alert`."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.items import get_batch, item_of, plain_of, serialize
from handlers.domain.alert import Alert, Analysis
from handlers.domain.limits import REST_RETENTION_S
from handlers.domain.moves import Actor
from handlers.domain.ports import (
    CacheUnavailableError,
    ExpiredRow,
    FaultEvent,
    IncidentRow,
    LedgerUnavailableError,
    MalformedRowError,
)
from handlers.domain.states import VERSION, check
from topology.alerts import FaultState, Severity, Status
from topology.tables import CHILDREN_INDEX, FAULT_INDEX, INCIDENT_INDEX, OPEN_INDEX, TIMESTAMP_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger(__name__)

_PROBE_ID: Final = "health-probe"
"""An id that no alert has: the read itself is what is tested."""

_CONFLICT_TRIES: Final = 3
_FILTERED_PAGE: Final = 500
"""Rows read for a page of a filtered query: DynamoDB's own limit counts before the filter. These index rows
are small, some 40 KB for such a page."""

_MAX_PAGES: Final = 4
"""Of one query. What lies behind them is found once what lies before has moved on."""


class DynamoLedger:
    """`Ledger` on the alerts table. Reads are strongly consistent, writes conditional."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """`client` decides region, timeouts and tries."""
        self._client = client
        self._table = table

    def probe(self) -> None:
        """See `Ledger`; the client's timeouts are the deadline."""
        self._read(_PROBE_ID)

    def get(self, alert_id: str) -> Alert | None:
        """See `Ledger`."""
        item = self._read(alert_id)
        if not item:
            return None
        row = _row_or_error(item)
        if isinstance(row, MalformedRowError):
            raise row
        return row

    def get_many(self, alert_ids: Sequence[str]) -> Mapping[str, Alert | MalformedRowError]:
        """See `Ledger`."""
        if not alert_ids:
            return {}
        keys = [{"alert_id": {"S": alert_id}} for alert_id in alert_ids]
        try:
            items = get_batch(self._client, self._table, keys)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return {item["alert_id"]["S"]: _row_or_error(item) for item in items}

    def create(self, alert: Alert, *, actor: Actor) -> bool:
        """See `Ledger`."""
        check(actor, None, alert)
        return self._write(
            self._client.put_item,
            Item=item_of(attributes_of(alert)),
            ConditionExpression="attribute_not_exists(alert_id)",
        )

    def replace(self, before: Alert, after: Alert, *, actor: Actor) -> bool:
        """See `Ledger`. Touches the changed attributes only: what a newer version wrote beside them stays."""
        check(actor, before, after)
        old, new = attributes_of(before), attributes_of(after)
        sets = {name: value for name, value in new.items() if old.get(name) != value}
        removes = sorted(old.keys() - new.keys())
        guards = {name: old.get(name) for name in VERSION}
        names = {f"#{name}": name for name in (*sets, *removes, *guards)}
        values = {f":{name}": serialize(value) for name, value in sets.items()}
        values |= {f":was_{name}": serialize(value) for name, value in guards.items() if value is not None}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in sets) if sets else ""
        if removes:
            update += " REMOVE " + ", ".join(f"#{name}" for name in removes)
        return self._write(
            self._client.update_item,
            Key={"alert_id": serialize(before.alert_id)},
            UpdateExpression=update.strip(),
            ConditionExpression=" AND ".join(
                f"attribute_not_exists(#{name})" if value is None else f"#{name} = :was_{name}"
                for name, value in guards.items()
            ),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def overdue(self, key: str, *, now_s: int, limit: int, since_s: int = 0) -> Sequence[str]:
        """See `Ledger`: usually one page of the sparse index."""
        return self._ids(
            limit=limit,
            IndexName=OPEN_INDEX.name,
            KeyConditionExpression="open_key = :key AND due_at BETWEEN :since AND :now",
            ExpressionAttributeValues={
                ":key": {"S": key},
                ":since": {"N": str(since_s)},
                ":now": {"N": str(now_s)},
            },
        )

    def waiting(self, key: str, *, until_s: int, limit: int) -> Sequence[str]:
        """See `Ledger`: among the first rows of the key."""
        return self._ids(
            limit=limit,
            IndexName=OPEN_INDEX.name,
            KeyConditionExpression="open_key = :key AND due_at <= :until",
            FilterExpression="#status = :status AND attribute_not_exists(lease_token)"
            " AND attribute_not_exists(alone)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":key": {"S": key},
                ":until": {"N": str(until_s)},
                ":status": {"S": Status.ANALYZED},
            },
        )

    def count(self, key: str, *, limit: int) -> int:
        """See `Ledger`. Reads the sparse index only."""
        return self._count(
            limit=limit,
            IndexName=OPEN_INDEX.name,
            KeyConditionExpression="open_key = :key",
            ExpressionAttributeValues={":key": {"S": key}},
        )

    def count_children(self, parent_id: str, *, limit: int) -> int:
        """See `Ledger`. Reads the index only."""
        return self._count(
            limit=limit,
            IndexName=CHILDREN_INDEX.name,
            KeyConditionExpression="parent_id = :parent",
            ExpressionAttributeValues={":parent": {"S": parent_id}},
        )

    def suppressed_children(self, parent_id: str, *, limit: int) -> Sequence[str]:
        """See `Ledger`."""
        return self._ids(
            limit=limit,
            IndexName=CHILDREN_INDEX.name,
            KeyConditionExpression="parent_id = :parent",
            FilterExpression="#status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":parent": {"S": parent_id}, ":status": {"S": Status.SUPPRESSED}},
        )

    def history(
        self, fault_key: str, state: FaultState, *, until_ms: int, limit: int
    ) -> Sequence[FaultEvent]:
        """See `Ledger`."""
        items = self._items(
            limit=limit,
            IndexName=FAULT_INDEX.name,
            KeyConditionExpression="fault_key = :key AND changed_at_ms < :until",
            FilterExpression="#state = :state",
            ProjectionExpression="alert_id, changed_at_ms",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":key": {"S": fault_key},
                ":until": {"N": str(until_ms)},
                ":state": {"S": state},
            },
            ScanIndexForward=False,
        )
        return [
            FaultEvent(alert_id=item["alert_id"]["S"], changed_at_ms=int(item["changed_at_ms"]["N"]))
            for item in items
        ]

    def incident(self, incident_id: str, *, limit: int) -> Sequence[IncidentRow]:
        """See `Ledger`. What the index shows of it is small: some thousands of rows are one page."""
        items = self._items(
            limit=limit,
            IndexName=INCIDENT_INDEX.name,
            KeyConditionExpression="incident_id = :incident",
            ExpressionAttributeValues={":incident": {"S": incident_id}},
        )
        return [msgspec.convert(plain_of(item), IncidentRow) for item in items]

    def expired(self, severity: Severity, *, now_s: int, limit: int) -> Sequence[ExpiredRow]:
        """See `ExpiringLedger`. No row expires sooner after its acceptance than rows are kept."""
        items = self._items(
            limit=limit,
            IndexName=TIMESTAMP_INDEX.name,
            KeyConditionExpression="severity = :severity AND #timestamp < :before",
            FilterExpression="expires_at <= :now",
            ProjectionExpression="alert_id, expires_at, fault_key",
            ExpressionAttributeNames={"#timestamp": "timestamp"},
            ExpressionAttributeValues={
                ":severity": {"S": severity},
                ":before": {"N": str(now_s - REST_RETENTION_S)},
                ":now": {"N": str(now_s)},
            },
        )
        return [
            ExpiredRow(
                alert_id=item["alert_id"]["S"],
                expires_at=int(item["expires_at"]["N"]),
                fault_key=item.get("fault_key", {}).get("S"),
            )
            for item in items
        ]

    def delete_expired(self, row: ExpiredRow) -> bool:
        """See `ExpiringLedger`."""
        return self._write(
            self._client.delete_item,
            Key={"alert_id": serialize(row.alert_id)},
            ConditionExpression="expires_at = :seen",
            ExpressionAttributeValues={":seen": serialize(row.expires_at)},
        )

    def _count(self, *, limit: int, **query: Any) -> int:
        counted = 0
        for page in self._pages(Select="COUNT", Limit=limit, **query):
            counted += page["Count"]
            if counted >= limit:
                break
        return min(counted, limit)

    def _ids(self, *, limit: int, **query: Any) -> list[str]:
        """The first `limit` ids that the query finds."""
        items = self._items(limit=limit, ProjectionExpression="alert_id", **query)
        return [item["alert_id"]["S"] for item in items]

    def _items(self, *, limit: int, **query: Any) -> list[Mapping[str, Any]]:
        """The first `limit` items that the query finds. A page may be empty with more behind it."""
        query["Limit"] = max(limit, _FILTERED_PAGE) if "FilterExpression" in query else limit
        found: list[Mapping[str, Any]] = []
        for page in self._pages(**query):
            found += page["Items"]
            if len(found) >= limit:
                break
        return found[:limit]

    def _pages(self, **query: Any) -> Iterator[Mapping[str, Any]]:
        start: Mapping[str, Any] = {}
        for _ in range(_MAX_PAGES):
            try:
                page = self._client.query(TableName=self._table, **query, **start)
            except (ClientError, BotoCoreError) as error:
                raise _unavailable(error) from error
            yield page
            if not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _read(self, alert_id: str) -> Mapping[str, Any]:
        try:
            answer = self._client.get_item(
                TableName=self._table, Key={"alert_id": {"S": alert_id}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return answer.get("Item", {})

    def _write(self, call: Callable[..., object], **request: Any) -> bool:
        """Whether the condition held. Two regions that write one item at once are told to try again.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
        """
        for _ in range(_CONFLICT_TRIES):
            try:
                call(TableName=self._table, **request)
            except ClientError as error:
                match error.response.get("Error", {}).get("Code"):
                    case "ConditionalCheckFailedException":
                        return False
                    case "ReplicatedWriteConflictException":
                        continue
                    case _:
                        raise _unavailable(error) from error
            except BotoCoreError as error:
                raise _unavailable(error) from error
            return True
        raise LedgerUnavailableError(
            f"the other region was writing too, {_CONFLICT_TRIES} times; try again later"
        )


NOT_ASKED_LATER: Final = "attribute_not_exists(asked_ms) OR asked_ms <= :asked_ms"
"""The condition of each write of a cache entry, of an analysis or of an eviction."""


class _Cached(msgspec.Struct):
    """An entry; without an analysis it was evicted at `asked_ms`, and what was asked for before is late."""

    expires_at: int
    analysis: Analysis | None = None


class DynamoAnalysisCache:
    """`AnalysisCache` on its table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """`client` decides region, timeouts and tries."""
        self._client = client
        self._table = table

    def get(self, signature: str, *, now_s: int) -> Analysis | None:
        """See `AnalysisCache`. TTL deletes late, so the expiry is read too."""
        try:
            answer = self._client.get_item(TableName=self._table, Key={"error_signature": {"S": signature}})
        except (ClientError, BotoCoreError) as error:
            raise CacheUnavailableError(f"the analysis cache did not answer: {error}") from error
        item = answer.get("Item")
        if not item:
            return None
        try:
            cached = msgspec.convert(plain_of(item), _Cached)
        except (msgspec.ValidationError, ValueError) as error:
            _log.warning(
                "A cached analysis is malformed", extra={"signature": signature, "reason": str(error)}
            )
            return None
        return cached.analysis if cached.expires_at > now_s else None

    def put(self, signature: str, analysis: Analysis, *, asked_ms: int, expires_at: int) -> None:
        """See `AnalysisCache`."""
        item = {
            "error_signature": signature,
            "analysis": attributes_of(analysis),
            "asked_ms": asked_ms,
            "expires_at": expires_at,
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item_of(item),
                ConditionExpression=NOT_ASKED_LATER,
                ExpressionAttributeValues={":asked_ms": {"N": str(asked_ms)}},
            )
        except (ClientError, BotoCoreError) as error:
            if (
                isinstance(error, ClientError)
                and error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            ):
                _log.info("The analysis came too late for the cache", extra={"signature": signature})
                return
            raise CacheUnavailableError(f"the analysis was not cached: {error}") from error


def _row_or_error(item: Mapping[str, Any]) -> Alert | MalformedRowError:
    try:
        return msgspec.convert(plain_of(item), Alert)
    except (msgspec.ValidationError, ValueError) as error:
        alert_id = item["alert_id"]["S"]
        return MalformedRowError(f"the row of {alert_id} is malformed: {error}; correct or delete it")


def attributes_of(value: Alert | Analysis) -> dict[str, Any]:
    """The attributes that are present, as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return {name: part for name, part in plain.items() if part is not None}


def _unavailable(error: ClientError | BotoCoreError) -> LedgerUnavailableError:
    return LedgerUnavailableError(f"the ledger did not do it: {error}; try again later")
