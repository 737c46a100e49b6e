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
    """`Coordination` on its table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """`client` decides region, timeouts and tries."""
        self._client = client
        self._table = table

    def read(self, name: str) -> Record | None:
        """See `Coordination`."""
        try:
            answer = self._client.get_item(
                TableName=self._table, Key={"name": {"S": name}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise CoordinationUnavailableError(f"the record {name!r} was not read: {error}") from error
        item = answer.get("Item")
        if not item:
            return None
        try:
            return msgspec.convert(plain_of(item), Record)
        except (msgspec.ValidationError, ValueError) as error:
            raise CoordinationUnavailableError(
                f"the record {name!r} is malformed: {error}; delete it, and it is made anew"
            ) from error

    def write(self, name: str, before: Record | None, values: Mapping[str, int]) -> bool:
        """See `Coordination`. A try that had been written after all makes the SDK's next one lose: False."""
        version = before.version if before else 0
        guard: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#name)"}
        guard["ExpressionAttributeNames"] = {"#name": "name"}
        if before is not None:
            guard = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(version)}},
            }
        item = item_of({"name": name, "version": version + 1, "values": dict(values)})
        try:
            self._client.put_item(TableName=self._table, Item=item, **guard)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOST:
                return False
            raise CoordinationUnavailableError(f"the record {name!r} was not written: {error}") from error
        except BotoCoreError as error:
            raise CoordinationUnavailableError(f"the record {name!r} was not written: {error}") from error
        return True
