"""DynamoDB's typed items and plain values. Our tables hold whole numbers only."""

from collections.abc import Mapping
from typing import Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer


class _WholeNumbers(TypeDeserializer):
    """boto3 would make Decimals of numbers."""

    def _deserialize_n(self, value: str) -> int:
        return int(value)


serialize: Final = TypeSerializer().serialize
_deserialize: Final = _WholeNumbers().deserialize


def item_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The item that holds these values."""
    return {name: serialize(value) for name, value in plain.items()}


def plain_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item.

    Raises:
        ValueError: a number in it is not whole, so nobody of ours wrote it.
    """
    return {name: _deserialize(value) for name, value in item.items()}
