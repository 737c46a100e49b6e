"""Items in DynamoDB's JSON, read by what they mean: two that mean the same have the same digest.

The order of attributes and of a set's members and the form of a number (`1`, `1.0`, `1E0`) mean nothing; the
order of a list does. `dr.comparison.items` and `dr.restores.repair` compare with it where texts differ.
"""

import hashlib
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from topology.errors import ExplainedError

NUMBERS: Final = Context(prec=60)
"""DynamoDB's have 38 digits.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"""

_SMALLEST, _LARGEST = -130, 125
"""Powers of ten of such a number (as above)."""

MISSING: Final = "(absent)"
_SHOWN: Final = 200
_DIGEST_BYTES: Final = 16

Item = Mapping[str, Any]
"""An item in DynamoDB's JSON: `{"alert_id": {"S": "a1"}, "attempts": {"N": "3"}}`."""


class NotAnItemError(ExplainedError):
    """A text or value is no item in DynamoDB's JSON; its file was not written by DynamoDB."""


def item_of(line: str | bytes) -> dict[str, Any]:
    """The item of a line `{"Item": {...}}`.

    Raises:
        NotAnItemError: it is none.
    """
    try:
        item = msgspec.json.decode(line, type=dict[str, dict[str, Any]])["Item"]
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, RecursionError) as error:
        raise NotAnItemError(f"a line is no item of an export: {error}") from error
    return item


def digest(item: Item) -> str:
    """128 bits of what the item means, in hex.

    Raises:
        NotAnItemError: an attribute has no form of DynamoDB's.
    """
    text = msgspec.json.encode(canonical({"M": item}))
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def canonical(value: Any) -> Any:
    """A typed value in the one form that stands for all that mean the same.

    Raises:
        NotAnItemError: it has no form of DynamoDB's.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise NotAnItemError(f"{str(value)[:_SHOWN]!r} is no value in DynamoDB's JSON")
    [(form, content)] = value.items()
    match form, content:
        case ("S" | "B", str()) | ("BOOL", bool()) | ("NULL", True):
            one_form = content
        case "N", str():
            one_form = _number(content)
        case "M", dict():
            one_form = {name: canonical(content[name]) for name in sorted(content)}
        case "L", list():
            one_form = [canonical(member) for member in content]
        case "SS" | "BS", list() if _all_text(content):
            one_form = sorted(content)
        case "NS", list() if _all_text(content):
            one_form = sorted(map(_number, content))
        case _:
            raise NotAnItemError(f"{str(value)[:_SHOWN]!r} is no value in DynamoDB's JSON")
    return {form: one_form}


def differing(left: Item, right: Item) -> dict[str, tuple[str, str]]:
    """The top-level attributes that differ, by name: what each side has, cut to be shown.

    Raises:
        NotAnItemError: an attribute has no form of DynamoDB's.
    """
    differences = {}
    for name in sorted(left.keys() | right.keys()):
        there = tuple(None if name not in side else canonical(side[name]) for side in (left, right))
        if there[0] != there[1]:
            differences[name] = (_shown(there[0]), _shown(there[1]))
    return differences


def _number(text: str) -> str:
    try:
        number = NUMBERS.create_decimal(text).normalize(NUMBERS)
    except InvalidOperation as error:
        raise NotAnItemError(f"{text[:_SHOWN]!r} is no number") from error
    if not number.is_finite() or (number and not _SMALLEST <= number.adjusted() <= _LARGEST):
        raise NotAnItemError(f"{text[:_SHOWN]!r} is no number of DynamoDB's")
    return format(number or Decimal(0), "f")


def _all_text(members: list[Any]) -> bool:
    return all(isinstance(member, str) for member in members)


def _shown(value: Any) -> str:
    text = MISSING if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
