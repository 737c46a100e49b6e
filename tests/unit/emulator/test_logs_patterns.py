"""Filter patterns of the embedded CloudWatch Logs, by the examples of AWS's documentation."""

import json
from typing import Any

import pytest

from emulator.aws.answers import RefusalError
from emulator.aws.logs.filter_patterns import matcher

LINES = ("[ERROR 400] BAD REQUEST", "[ERROR 419] MISSING ARGUMENTS", "[ERROR] WARN", "[INFO] no error")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("ERROR", [0, 1, 2]),
        ("error", [3]),
        ("ERROR ARGUMENTS", [1]),
        ('"BAD REQUEST"', [0]),
        ('"REQUEST BAD"', []),
        ("?ARGUMENTS ?WARN", [1, 2]),
        ("ERROR -ARGUMENTS", [0, 2]),
        ('ERROR -"BAD REQUEST" -WARN', [1]),
    ],
)
def test_terms_are_matched_with_their_case(pattern: str, found: list[int]) -> None:
    """All of them, none behind a minus, or any of those behind a question mark."""
    matches = matcher(pattern)
    assert [number for number, line in enumerate(LINES) if matches(line)] == found


EVENT: dict[str, Any] = {
    "alert_id": "a1", "level": "WARNING", "attempts": 3, "later": True, "reason": None,
    "user": {"name": "x-1"}, "items": [{"id": 7}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.alert_id = "a1" }', True),
        ('{ $.alert_id = "a" }', False),
        ('{ $.alert_id = "a*" }', True),
        ('{ $.alert_id != "a1" }', False),
        ('{ $.absent != "a1" }', False),
        ("{ $.level = WARNING }", True),
        ("{ $.attempts = 3 }", True),
        ('{ $.attempts = "3" }', False),
        ("{ $.attempts >= 3 && $.attempts < 4 }", True),
        ("{ $.attempts > 3 }", False),
        ("{ $.level > 3 }", False),
        ("{ $.later IS TRUE }", True),
        ("{ $.reason IS NULL }", True),
        ("{ $.later IS FALSE }", False),
        ("{ $.absent NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ('{ $.user.name = "x-1" }', True),
        ("{ $.items[0].id = 7 }", True),
        ("{ $.items[1].id = 7 }", False),
        ('{ ($.alert_id = "b" || $.level = "W*") && $.attempts = 3 }', True),
        ('{ $.alert_id = "b" && $.level = "W*" || $.attempts = 4 }', False),
    ],
)
def test_fields_of_a_json_line_are_compared(pattern: str, *, matches: bool) -> None:
    """A line that is no JSON matches no such pattern."""
    assert matcher(pattern)(json.dumps(EVENT)) is matches
    assert not matcher(pattern)("alert_id a1 " + json.dumps(EVENT))


@pytest.mark.parametrize(
    "pattern",
    [
        "[w1, w2]",
        "%regex%",
        "{ $.a = }",
        "{ $.a = 1",
        "{ a = 1 }",
        "{ $.a > x }",
        '"open',
        "a?b",
        "a ?b",
        "{ $.a = 1 } }",
    ],
)
def test_what_is_no_pattern_or_unknown_here_is_refused(pattern: str) -> None:
    """It never matches everything."""
    with pytest.raises(RefusalError, match="Invalid filter pattern") as refused:
        matcher(pattern)
    assert refused.value.code == "InvalidParameterException"
