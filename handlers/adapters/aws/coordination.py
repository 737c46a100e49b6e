"""The coordination table on DynamoDB: `{name, version, values, expires_at?}`, one small item a record.

Each write is conditional on the version that it was decided on. Under an eventual ledger that holds within a
region; between regions the last writer wins, which the domain allows for.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.items import get_batch, item_of, plain_of, serialize
from handlers.domain.ports import MALFORMED, CoordinationUnavailableError, Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger(__name__)

_LOST: Final = frozenset({"ConditionalCheckFailedException", "ReplicatedWriteConflictException"})
"""Somebody has written since, in this region; or is writing now, in the other.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""


_WINDOW: Final = "window"
_COUNT: Final = "count"
_ADDITIONS: Final = 3


class DynamoCoordination:
    """`Coordination` on the coordination table of one region."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """`client` decides region, timeouts and tries."""
        self._client = client
        self._table = table

    def read(self, name: str) -> Record | None:
        """See `Coordination`."""
        try:
            item = read_record(self._client, self._table, name)
        except (ClientError, BotoCoreError) as error:
            raise CoordinationUnavailableError(f"the record {name!r} was not read: {error}") from error
        return None if item is None else _record(item)

    def read_many(self, names: Sequence[str]) -> Mapping[str, Record]:
        """See `Coordination`."""
        if not names:
            return {}
        try:
            items = get_batch(self._client, self._table, [{"name": {"S": name}} for name in names])
        except (ClientError, BotoCoreError) as error:
            raise CoordinationUnavailableError(f"{len(names)} records were not read: {error}") from error
        return {item["name"]["S"]: _record_or_malformed(item) for item in items}

    def write(
        self, name: str, before: Record | None, values: Mapping[str, int], *, expires_at: int | None = None
    ) -> bool:
        """See `Coordination`. A try that had been written after all makes the SDK's next one lose: False."""
        version = before.version if before else 0
        try:
            return write_record(self._client, self._table, name, version, values, expires_at=expires_at)
        except (ClientError, BotoCoreError) as error:
            raise CoordinationUnavailableError(f"the record {name!r} was not written: {error}") from error

    def add(self, name: str, number: int, *, window: int, expires_at: int) -> int:
        """See `Coordination`. A try that had been written unseen makes the SDK's next one add once more."""
        key, values = {"name": {"S": name}}, {":window": serialize(window)}
        begun = {"name": name, "version": 1, "values": {_WINDOW: window, _COUNT: number}}
        for _ in range(_ADDITIONS):
            added = self._written(
                self._client.update_item,
                name,
                Key=key,
                UpdateExpression="SET #values.#count = #values.#count + :number",
                ConditionExpression="#values.#window >= :window",
                ExpressionAttributeNames={"#values": "values", "#window": _WINDOW, "#count": _COUNT},
                ExpressionAttributeValues=values | {":number": serialize(number)},
                ReturnValues="UPDATED_NEW",
            )
            if added is not None:
                return int(added["Attributes"]["values"]["M"][_COUNT]["N"])
            first = self._written(
                self._client.put_item,
                name,
                Item=item_of(begun | {"expires_at": expires_at}),
                ConditionExpression="attribute_not_exists(#values) OR #values.#window < :window",
                ExpressionAttributeNames={"#values": "values", "#window": _WINDOW},
                ExpressionAttributeValues=values,
            )
            if first is not None:
                return number
        raise CoordinationUnavailableError(f"the record {name!r} was begun by others {_ADDITIONS} times")

    def delete_expired(self, name: str, *, now_s: int) -> None:
        """See `ExpiringRecords`."""
        self._written(
            self._client.delete_item,
            name,
            Key={"name": {"S": name}},
            ConditionExpression="expires_at <= :now",
            ExpressionAttributeValues={":now": {"N": str(now_s)}},
        )

    def _written(self, call: Callable[..., Any], name: str, **request: Any) -> Any | None:
        """What a conditional write answers; None if its condition does not hold."""
        try:
            return call(TableName=self._table, **request)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOST:
                return None
            raise CoordinationUnavailableError(f"the record {name!r} was not written: {error}") from error
        except BotoCoreError as error:
            raise CoordinationUnavailableError(f"the record {name!r} was not written: {error}") from error


def _record(item: Mapping[str, Any]) -> Record:
    try:
        return msgspec.convert(plain_of(item), Record)
    except (msgspec.ValidationError, ValueError) as error:
        raise CoordinationUnavailableError(
            f"the record {item['name']['S']!r} is malformed: {error}; delete it, and it is made anew"
        ) from error


def _record_or_malformed(item: Mapping[str, Any]) -> Record:
    try:
        return _record(item)
    except CoordinationUnavailableError:
        _log.exception("It will be written over")
        return Record(version=MALFORMED, values={})


def read_record(client: "DynamoDBClient", table: str, name: str) -> Mapping[str, Any] | None:
    """The record's item by a strongly consistent read, or None if it was never written.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: nothing is known.
    """
    answer = client.get_item(TableName=table, Key={"name": {"S": name}}, ConsistentRead=True)
    return answer.get("Item") or None


def write_record(
    client: "DynamoDBClient",
    table: str,
    name: str,
    version: int,
    values: Mapping[str, Any],
    *,
    expires_at: int | None = None,
) -> bool:
    """Put `values` over the record of this `version`; False if somebody else has written.

    0: there is none; `MALFORMED`: whatever there is.

    `expires_at`: epoch seconds from which on it may be deleted; never if not given.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: whether it was written is unknown.
    """
    guard: dict[str, Any] = {}
    if version == 0:
        guard = {
            "ConditionExpression": "attribute_not_exists(#name)",
            "ExpressionAttributeNames": {"#name": "name"},
        }
    elif version != MALFORMED:
        guard = {
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }
    item = item_of({"name": name, "version": max(version, 0) + 1, "values": dict(values)})
    if expires_at is not None:
        item["expires_at"] = serialize(expires_at)
    try:
        client.put_item(TableName=table, Item=item, **guard)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _LOST:
            return False
        raise
    return True
