"""The coordination table on DynamoDB: `{name, version, values}`, one small item a record.

Each write is conditional on the version that it was decided on. Under an eventual ledger that holds within a
region; between regions the last writer wins, which the domain allows for.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.items import item_of, plain_of
from handlers.domain.ports import CoordinationUnavailableError, Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LOST: Final = frozenset({"ConditionalCheckFailedException", "ReplicatedWriteConflictException"})
"""Somebody has written since, in this region; or is writing now, in the other.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""


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
        if item is None:
            return None
        try:
            return msgspec.convert(plain_of(item), Record)
        except (msgspec.ValidationError, ValueError) as error:
            raise CoordinationUnavailableError(
                f"the record {name!r} is malformed: {error}; delete it, and it is made anew"
            ) from error

    def write(self, name: str, before: Record | None, values: Mapping[str, int]) -> bool:
        """See `Coordination`. A try that had been written after all makes the SDK's next one lose: False."""
        try:
            return write_record(self._client, self._table, name, before.version if before else 0, values)
        except (ClientError, BotoCoreError) as error:
            raise CoordinationUnavailableError(f"the record {name!r} was not written: {error}") from error


def read_record(client: "DynamoDBClient", table: str, name: str) -> Mapping[str, Any] | None:
    """The record's item by a strongly consistent read, or None if it was never written.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: nothing is known.
    """
    answer = client.get_item(TableName=table, Key={"name": {"S": name}}, ConsistentRead=True)
    return answer.get("Item") or None


def write_record(
    client: "DynamoDBClient", table: str, name: str, version: int, values: Mapping[str, Any]
) -> bool:
    """Put `values` over the record of this `version` (0: there is none); False if somebody else has written.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: whether it was written is unknown.
    """
    guard: dict[str, Any] = {
        "ConditionExpression": "attribute_not_exists(#name)",
        "ExpressionAttributeNames": {"#name": "name"},
    }
    if version:
        guard = {
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }
    item = item_of({"name": name, "version": version + 1, "values": dict(values)})
    try:
        client.put_item(TableName=table, Item=item, **guard)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _LOST:
            return False
        raise
    return True
