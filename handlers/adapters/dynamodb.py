"""The ledger and the analysis cache on DynamoDB. The attribute names are the fields of `Alert`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from handlers.domain.alert import Alert, Analysis
from handlers.domain.ports import CacheUnavailableError, LedgerUnavailableError, MalformedRowError
from handlers.domain.states import VERSION, Actor, check

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger(__name__)

OPEN_INDEX: Final = "open-index"
_PROBE_ID: Final = "health-probe"
"""An id that no alert has: the read itself is what is tested."""

_CONFLICT_TRIES: Final = 3


class _WholeNumbers(TypeDeserializer):
    """Our tables hold whole numbers only; boto3 would make Decimals of them."""

    def _deserialize_n(self, value: str) -> int:
        return int(value)


_serialize: Final = TypeSerializer().serialize
_deserialize: Final = _WholeNumbers().deserialize


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
        try:
            return msgspec.convert(_plain(item), Alert)
        except msgspec.ValidationError as error:
            raise MalformedRowError(
                f"the row of {alert_id} is malformed: {error}; correct or delete it"
            ) from error

    def create(self, alert: Alert, *, actor: Actor) -> bool:
        """See `Ledger`."""
        check(actor, None, alert)
        return self._write(
            self._client.put_item,
            Item={name: _serialize(value) for name, value in _attributes(alert).items()},
            ConditionExpression="attribute_not_exists(alert_id)",
        )

    def replace(self, before: Alert, after: Alert, *, actor: Actor) -> bool:
        """See `Ledger`. Touches the changed attributes only: what a newer version wrote beside them stays."""
        check(actor, before, after)
        old, new = _attributes(before), _attributes(after)
        sets = {name: value for name, value in new.items() if old.get(name) != value}
        removes = sorted(old.keys() - new.keys())
        guards = {name: old.get(name) for name in VERSION}
        names = {f"#{name}": name for name in (*sets, *removes, *guards)}
        values = {f":{name}": _serialize(value) for name, value in sets.items()}
        values |= {f":was_{name}": _serialize(value) for name, value in guards.items() if value is not None}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in sets) if sets else ""
        if removes:
            update += " REMOVE " + ", ".join(f"#{name}" for name in removes)
        return self._write(
            self._client.update_item,
            Key={"alert_id": _serialize(before.alert_id)},
            UpdateExpression=update.strip(),
            ConditionExpression=" AND ".join(
                f"attribute_not_exists(#{name})" if value is None else f"#{name} = :was_{name}"
                for name, value in guards.items()
            ),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def overdue(self, lane: str, *, now_s: int, limit: int) -> Sequence[str]:
        """See `Ledger`: one page of the sparse index."""
        try:
            page = self._client.query(
                TableName=self._table,
                IndexName=OPEN_INDEX,
                KeyConditionExpression="open_lane = :lane AND due_at <= :now",
                ExpressionAttributeValues={":lane": {"S": lane}, ":now": {"N": str(now_s)}},
                ProjectionExpression="alert_id",
                Limit=limit,
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return [item["alert_id"]["S"] for item in page["Items"]]

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
        item = _plain(answer.get("Item", {}))
        if not item or item.get("expires_at", 0) <= now_s:
            return None
        try:
            return msgspec.convert(item.get("analysis"), Analysis)
        except msgspec.ValidationError as error:
            _log.warning(
                "A cached analysis is malformed", extra={"signature": signature, "reason": str(error)}
            )
            return None

    def put(self, signature: str, analysis: Analysis, *, expires_at: int) -> None:
        """See `AnalysisCache`."""
        item = {"error_signature": signature, "analysis": _attributes(analysis), "expires_at": expires_at}
        try:
            self._client.put_item(
                TableName=self._table, Item={name: _serialize(value) for name, value in item.items()}
            )
        except (ClientError, BotoCoreError) as error:
            raise CacheUnavailableError(f"the analysis was not cached: {error}") from error


def _attributes(value: Alert | Analysis) -> dict[str, Any]:
    """The attributes that are present, as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return {name: part for name, part in plain.items() if part is not None}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}


def _unavailable(error: ClientError | BotoCoreError) -> LedgerUnavailableError:
    return LedgerUnavailableError(f"the ledger did not do it: {error}; try again later")
