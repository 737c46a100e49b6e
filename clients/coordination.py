"""The coordination table as operators use it: records under a version, and the switch of each region.

Disaster recovery writes a region's switch and keeps its own progress here, so that another machine can go on
where one died. The handlers read and write the same records (`handlers.adapters.aws.coordination`,
`handlers.domain.regions.switch`); a contract test compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from topology.errors import ExplainedError

_LOST: Final = frozenset({"ConditionalCheckFailedException", "ReplicatedWriteConflictException"})
"""Somebody else has written, or is writing in the other region.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""


class CoordinationUnreachableError(ExplainedError):
    """A region's coordination table did not answer: what it holds, or what a write did, is unknown."""


@dataclass(frozen=True)
class VersionedRecord:
    """A record as it was read. `values`: plain text, whole numbers, lists and maps."""

    version: int
    values: Mapping[str, Any]


def switch_name(region: str) -> str:
    """The name of a region's switch record."""
    return f"switch#{region}"


def ownership_name(region: str) -> str:
    """The name of the record by which a region's Recovery says whose alerts it works on."""
    return f"region#{region}"


class CoordinationRecords:
    """The records as one region sees them; every call goes to that region only."""

    def __init__(self, deployment: Deployment, region: str) -> None:
        """Nothing is read yet."""
        self.region: Final = region
        self._table = deployment.coordination_table
        self._client = deployment.clients.client("dynamodb", region)

    def read(self, name: str) -> VersionedRecord | None:
        """The record, or None if it was never written.

        Raises:
            CoordinationUnreachableError: the region does not answer.
        """
        try:
            answer = self._client.get_item(
                TableName=self._table, Key={"name": {"S": name}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise self._unreachable(name, "read", error) from error
        if "Item" not in answer:
            return None
        item = TypeDeserializer().deserialize({"M": answer["Item"]})
        return VersionedRecord(int(item["version"]), _whole(item["values"]))

    def write(self, name: str, before: VersionedRecord | None, values: Mapping[str, Any]) -> bool:
        """Put `values` in place of `before`; False if somebody else has written since it was read.

        Raises:
            CoordinationUnreachableError: it may have been written or not; read it again.
        """
        guard: dict[str, Any] = {
            "ConditionExpression": "attribute_not_exists(#name)",
            "ExpressionAttributeNames": {"#name": "name"},
        }
        if before is not None:
            guard = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(before.version)}},
            }
        record = {"name": name, "version": before.version + 1 if before else 1, "values": dict(values)}
        item = TypeSerializer().serialize(record)["M"]
        try:
            self._client.put_item(TableName=self._table, Item=item, **guard)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOST:
                return False
            raise self._unreachable(name, "written", error) from error
        except BotoCoreError as error:
            raise self._unreachable(name, "written", error) from error
        return True

    def switched_on_ms(self, *, of: str = "") -> int:
        """Since when the switch of this region is on, in epoch milliseconds; 0 while it is off.

        `of`: another region's, as this one has it by replication.

        Raises:
            CoordinationUnreachableError: the region does not answer.
        """
        record = self.read(switch_name(of or self.region))
        return int(record.values.get("since_ms", 0)) if record else 0

    def _unreachable(self, name: str, done: str, error: Exception) -> CoordinationUnreachableError:
        return CoordinationUnreachableError(f"record {name!r} was not {done} in {self.region}: {error}")


def _whole(value: Any) -> Any:
    """Numbers come as Decimal; every number of a record is whole."""
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value if isinstance(value, str | bool) or value is None else int(value)
