"""The coordination table as operators use it: records under a version, and the switch of each region.

Disaster recovery writes a region's switch and keeps its own progress here, so that another machine can go on
where one died. The handlers read and write the same records, by the same two functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from handlers.adapters.aws.coordination import read_record, write_record
from handlers.adapters.aws.items import plain_of
from topology.errors import ExplainedError
from topology.records import switch_record


class CoordinationUnreachableError(ExplainedError):
    """A region's coordination table did not answer: what it holds, or what a write did, is unknown."""


@dataclass(frozen=True)
class VersionedRecord:
    """A record as it was read. `values`: plain text, whole numbers, lists and maps."""

    version: int
    values: Mapping[str, Any]


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
            item = read_record(self._client, self._table, name)
        except (ClientError, BotoCoreError) as error:
            raise self._unreachable(name, "read", error) from error
        if item is None:
            return None
        record = plain_of(item)
        return VersionedRecord(record["version"], record["values"])

    def write(self, name: str, before: VersionedRecord | None, values: Mapping[str, Any]) -> bool:
        """Put `values` in place of `before`; False if somebody else has written since it was read.

        Raises:
            CoordinationUnreachableError: it may have been written or not; read it again.
        """
        try:
            return write_record(self._client, self._table, name, before.version if before else 0, values)
        except (ClientError, BotoCoreError) as error:
            raise self._unreachable(name, "written", error) from error

    def switched_on_ms(self, *, of: str = "") -> int:
        """Since when the switch of this region is on, in epoch milliseconds; 0 while it is off.

        `of`: another region's, as this one has it by replication.

        Raises:
            CoordinationUnreachableError: the region does not answer.
        """
        record = self.read(switch_record(of or self.region))
        return int(record.values.get("since_ms", 0)) if record else 0

    def _unreachable(self, name: str, done: str, error: Exception) -> CoordinationUnreachableError:
        return CoordinationUnreachableError(f"record {name!r} was not {done} in {self.region}: {error}")
