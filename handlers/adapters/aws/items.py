"""DynamoDB's typed items, plain values, and reading a batch. Our tables hold whole numbers only."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH_TRIES: Final = 8
"""A batch stops at 16 MB, which is more than 40 rows of the largest size.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


class LeftUnreadError(BotoCoreError):
    """DynamoDB left keys of a batch unread, however often it was asked."""

    fmt = "{left} keys were left unread: the table is throttled"


def serialize(value: object) -> dict[str, Any]:
    """A plain value as DynamoDB types it.

    boto3 has the same, at 26 ms of cold start and a third of a row's processor time: docs/adr/0014.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html

    Raises:
        TypeError: nothing of ours is made of such values.
    """
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case dict():
            return {"M": {name: serialize(part) for name, part in value.items()}}
        case list() | tuple():
            return {"L": [serialize(part) for part in value]}
        case None:
            return {"NULL": True}
    raise TypeError(f"{type(value).__name__} is no type of an item; correct what writes it")


def _plain(typed: Mapping[str, Any]) -> Any:
    """The plain value of a typed one; sets and bytes, which nobody of ours writes, as they came."""
    ((kind, value),) = typed.items()
    match kind:
        case "N":
            return int(value)
        case "M":
            return {name: _plain(part) for name, part in value.items()}
        case "L":
            return [_plain(part) for part in value]
        case "NULL":
            return None
    return value


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
    return {name: _plain(value) for name, value in item.items()}
