"""DynamoDB's typed items, plain values, and reading a batch. Our tables hold whole numbers only."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH_TRIES: Final = 8
"""A batch stops at 16 MB, which is more than 40 rows of the largest size.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


class LeftUnreadError(BotoCoreError):
    """DynamoDB left keys of a batch unread, however often it was asked."""

    fmt = "{left} keys were left unread: the table is throttled"


class _WholeNumbers(TypeDeserializer):
    """boto3 would make Decimals of numbers."""

    def _deserialize_n(self, value: str) -> int:
        return int(value)


serialize: Final = TypeSerializer().serialize
_deserialize: Final = _WholeNumbers().deserialize


def item_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The item that holds these values."""
    return {name: serialize(value) for name, value in plain.items()}


def get_batch(
    client: "DynamoDBClient", table: str, keys: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Those items that there are of up to `DYNAMODB_BATCH_GET_MAX` keys, by strongly consistent reads.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: nothing is known.
    """
    found: list[Mapping[str, Any]] = []
    wanted: Any = {table: {"Keys": keys, "ConsistentRead": True}}
    for _ in range(_BATCH_TRIES):
        answer = client.batch_get_item(RequestItems=wanted)
        found += answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys")
        if not wanted:
            return found
    raise LeftUnreadError(left=len(wanted[table]["Keys"]))


def plain_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item.

    Raises:
        ValueError: a number in it is not whole, so nobody of ours wrote it.
    """
    return {name: _deserialize(value) for name, value in item.items()}
