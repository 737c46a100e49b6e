"""The record of the silences that people made, in the coordination table: a text by the name `SILENCES`."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from handlers.adapters.aws.coordination import read_record
from handlers.adapters.aws.items import plain_of
from handlers.domain.ports import CoordinationUnavailableError
from topology.records import SILENCES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SILENCES_TEXT = "text"
"""The one value of the record; `clients.silences` writes it."""


class DynamoSilences:
    """`StoredSilences` in one region."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """`client` decides region, timeouts and tries."""
        self._client = client
        self._table = table

    def read(self) -> str:
        """See `StoredSilences`. A record of another form is text that is malformed."""
        try:
            item = read_record(self._client, self._table, SILENCES)
        except (ClientError, BotoCoreError) as error:
            raise CoordinationUnavailableError(f"the record {SILENCES!r} was not read: {error}") from error
        if item is None:
            return ""
        values = plain_of(item).get("values")
        return str(values.get(SILENCES_TEXT, "{}")) if isinstance(values, dict) else "{}"
