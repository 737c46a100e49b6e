"""Two items that mean the same have the same digest, and no others."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dr.comparison.canonical import MISSING, NotAnItemError, canonical, differing, digest, item_of

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12)
SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text()),
    st.builds(lambda number: {"N": str(number)}, NUMBERS),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(st.text(), unique=True, min_size=1)),
    st.builds(lambda numbers: {"NS": [str(n) for n in numbers]}, st.lists(NUMBERS, unique=True, min_size=1)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda members: {"L": members}, st.lists(inner, max_size=4)),
        st.builds(lambda members: {"M": members}, st.dictionaries(st.text(), inner, max_size=4)),
    ),
    max_leaves=8,
)
ITEMS = st.dictionaries(st.text(), VALUES, max_size=6)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same value, written in another order and with other forms of numbers."""
    [(form, content)] = value.items()
    if form == "M":
        members = list(content.items())
        chance.shuffle(members)
        return {"M": {name: shuffled(member, chance) for name, member in members}}
    if form == "L":
        return {"L": [shuffled(member, chance) for member in content]}
    if form in ("SS", "NS"):
        return {form: chance.sample(content, len(content))}
    return {"N": f"{content}E0"} if form == "N" and "E" not in content else value


@settings(max_examples=40, deadline=None)
@given(ITEMS, st.integers())
def test_order_and_form_mean_nothing(item: dict[str, Any], seed: int) -> None:
    """Of attributes, nested ones too, of sets and of numbers."""
    other = shuffled({"M": item}, random.Random(seed))["M"]  # noqa: S311 - an order
    assert digest(other) == digest(item)
    assert differing(item, other) == {}


@settings(max_examples=40, deadline=None)
@given(ITEMS, ITEMS)
def test_items_that_differ_have_differing_attributes(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The digest and the list of attributes agree."""
    assert (digest(one) == digest(other)) == (not differing(one, other))


@pytest.mark.parametrize("form", ["1", "1.0", "1E0", "10E-1", "+1", "0.1E1"])
def test_a_number_has_many_forms(form: str) -> None:
    """All of them are one."""
    assert canonical({"N": form}) == {"N": "1"}


@pytest.mark.parametrize("form", ["0", "-0", "0.00", "0E5"])
def test_there_is_one_zero(form: str) -> None:
    """DynamoDB has no negative one."""
    assert canonical({"N": form}) == {"N": "0"}


def test_numbers_of_38_digits_are_told_apart() -> None:
    """As many as DynamoDB has."""
    digits = "1" * 37
    assert canonical({"N": f"{digits}1"}) != canonical({"N": f"{digits}2"})


def test_the_order_of_a_list_and_the_type_of_a_value_mean_something() -> None:
    """`"1"` is not 1."""
    assert digest({"a": {"L": [{"S": "x"}, {"S": "y"}]}}) != digest({"a": {"L": [{"S": "y"}, {"S": "x"}]}})
    assert differing({"a": {"N": "1"}}, {"a": {"S": "1"}}) == {"a": ('{"N":"1"}', '{"S":"1"}')}
    assert differing({}, {"a": {"NULL": True}}) == {"a": (MISSING, '{"NULL":true}')}


@pytest.mark.parametrize(
    "value",
    [
        {}, {"S": "a", "N": "1"}, {"S": 1}, {"N": 1}, {"N": "one"}, {"N": "NaN"}, {"N": "Infinity"},
        {"N": "1E126"},
        {"X": "a"}, {"NULL": False}, {"SS": [1]}, {"M": []}, {"L": {}}, "text", None, {"M": {"a": "b"}},
    ],
)  # fmt: skip
def test_what_is_no_value_of_dynamodbs_is_refused(value: Any) -> None:
    """Not guessed at."""
    with pytest.raises(NotAnItemError):
        canonical(value)


DEEP = '{"Item":{"a":' + '{"L":[' * 5_000 + "]}" * 5_000 + "}}"


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"Item":1}', '{"Item":{"a":', "\ud800", DEEP])
def test_a_line_that_is_no_item_is_refused(line: str) -> None:
    """Half a line is none."""
    with pytest.raises(NotAnItemError):
        item_of(line.encode("utf-8", "surrogatepass"))


def test_a_long_value_is_cut_where_it_is_shown() -> None:
    """An attribute may have 400 KB."""
    [(left, _)] = differing({"a": {"S": "x" * 1_000}}, {}).values()
    assert len(left) < 250
    assert json.dumps(left)
