"""Silences in the configuration: every problem is found before anything is created."""

import json

import pytest

from topology.config import ConfigError, StackConfig
from topology.matchers import Matcher
from topology.silence_config import MAX_CONFIGURED, parse_silences, parse_time
from topology.silences import MAX_SILENCES_CHARS, Silence

VALID = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"}
WINDOW = {
    "name": "db-move",
    "match": {"service": "db-*"},
    "from": "2026-12-01T22:00:00+01:00",
    "until": "2026-12-02T02:00:00+01:00",
    "reason": "The databases move",
}


def problems_of(raw: object) -> list[str]:
    """The problems of a configuration's silences."""
    problems: list[str] = []
    parse_silences(raw, problems)
    return problems


@pytest.mark.parametrize("raw", [[WINDOW], json.dumps([WINDOW])])
def test_a_list_and_its_json_are_the_same_silences(raw: object) -> None:
    """Pulumi hands structured values over as JSON."""
    assert problems_of(raw) == []
    assert parse_silences(raw, []) == (
        Silence(
            silence_id="db-move",
            matcher=Matcher(service="db-*"),
            from_s=1_796_158_800,
            until_s=1_796_173_200,
            reason="The databases move",
        ),
    )


@pytest.mark.parametrize("raw", [None, "", [], "[]"])
def test_a_stack_needs_no_silences(raw: object) -> None:
    """And a window that is over long ago does no harm."""
    assert problems_of(raw) == []
    past = WINDOW | {"from": "2020-01-01T00:00:00Z", "until": "2020-01-01T01:00:00Z"}
    assert problems_of([past]) == []


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"name": "DB move"}, "silences[0].name: 'DB move' is not allowed"),
        ({"match": {}}, "silences[0].match: '{}' is not allowed"),
        ({"match": {"title": "*"}}, "silences[0].match: it matches every alert"),
        ({"from": "2026-12-01T22:00:00"}, "silences[0].from: '2026-12-01T22:00:00' is not allowed"),
        ({"until": "tomorrow"}, "silences[0].until: 'tomorrow' is not allowed"),
        ({"until": "2026-12-01T21:00:00Z"}, "allowed: a time after `from`"),
        ({"reason": " "}, "silences[0].reason: ' ' is not allowed"),
        ({"by": 5}, "silences[0].by: '5' is not allowed"),
        ({"critical": "yes"}, "silences[0].critical: 'yes' is not allowed; allowed: true or false"),
        ({"untill": "x"}, "silences[0].untill: unknown field"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(fault: dict[str, object], problem: str) -> None:
    """With the value seen and what is allowed."""
    (found,) = problems_of([WINDOW | fault])
    assert problem in found


@pytest.mark.parametrize(
    "raw", ["{", {"a": 1}, [WINDOW | {"name": f"w{n}"} for n in range(MAX_CONFIGURED + 1)]]
)
def test_what_is_no_list_of_silences_is_refused(raw: object) -> None:
    """Too many are none either."""
    assert "allowed: a list of at most" in problems_of(raw)[0]


def test_two_silences_that_contradict_are_refused() -> None:
    """Which of two ends is meant, nobody can tell; windows that follow each other are fine."""
    longer = WINDOW | {"name": "db-move-2", "until": "2026-12-02T03:00:00+01:00"}
    (found,) = problems_of([WINDOW, longer])
    assert "db-move and db-move-2 are about the same alerts" in found
    (found,) = problems_of([WINDOW, longer | {"match": {"service": "DB-**"}}])
    assert "db-move and db-move-2 are about the same alerts" in found
    assert problems_of([WINDOW, longer | {"from": WINDOW["until"]}]) == []
    (found,) = problems_of([WINDOW, longer | {"name": "db-move", "match": {"service": "web"}}])
    assert "'db-move' is there twice" in found


def test_silences_without_a_name_have_no_name_in_common() -> None:
    """What they lack is told of each, and nothing else."""
    nameless = {key: value for key, value in WINDOW.items() if key != "name"}
    found = problems_of([nameless, nameless | {"match": {"service": "web"}}])
    assert [problem.partition(":")[0] for problem in found] == ["silences[0].name", "silences[1].name"]


def test_silence_of_critical_alerts_has_to_be_said() -> None:
    """One that names them and does not say so would silence none of them."""
    critical = WINDOW | {"match": {"severity": ["CRITICAL", "HIGH"]}}
    (found,) = problems_of([critical])
    assert "allowed: `critical: true` to silence them too" in found
    assert problems_of([critical | {"critical": True}]) == []


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-12-01"])
def test_time_that_no_clock_shows_or_without_offset_is_none(text: str) -> None:
    """What is kept can be shown in UTC."""
    assert parse_time(text) is None


def test_what_does_not_fit_into_the_environment_is_refused() -> None:
    """Before Lambda does, in the middle of a deployment."""
    many = [
        WINDOW | {"name": f"w{n}", "match": {"title": f"{n * 7_919**12:x}"}, "reason": f"{n**40:x}"[:150]}
        for n in range(1, MAX_CONFIGURED)
    ]
    assert f"allowed: at most {MAX_SILENCES_CHARS}" in problems_of(many)[0]


def test_silences_come_with_every_other_problem_of_the_stack() -> None:
    """One report, not one after the other."""
    with pytest.raises(ConfigError) as refused:
        StackConfig.parse(stack="prod", raw=VALID | {"silences": [WINDOW | {"name": "A"}], "leaseS": "x"})
    assert len(refused.value.problems) == 2
    assert StackConfig.parse(stack="prod", raw=VALID | {"silences": [WINDOW]}).silences[0].reason
