"""Matchers: what they match, and that every mistake in one is told."""

import shlex
from dataclasses import dataclass, field
from typing import Any

import pytest

from topology.alerts import Severity
from topology.matchers import (
    MAX_LABELS,
    MAX_PATTERN_CHARS,
    MAX_WILDCARDS,
    Matcher,
    parse_matcher,
    words_to_parts,
)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a matcher sees of an alert."""

    source: str = "grafana"
    component: str | None = "checkout"
    title: str = "Disk is full"
    host: str | None = "db-1"
    severity: Severity = Severity.HIGH
    labels: dict[str, str] = field(default_factory=lambda: {"team": "payments", "zone": "eu"})


def parsed(raw: object) -> Matcher:
    """The matcher of a mapping without problems."""
    problems: list[str] = []
    matcher = parse_matcher("m", raw, problems)
    assert problems == []
    return matcher


def problems_of(raw: object) -> list[str]:
    """The problems of a mapping."""
    problems: list[str] = []
    parse_matcher("m", raw, problems)
    return problems


@pytest.mark.parametrize(
    "raw",
    [
        {"source": "grafana"},
        {"source": "GRAF*"},
        {"service": "check*", "title": "disk*full"},
        {"host": "db-?"},
        {"severity": "high"},
        {"severity": ["LOW", "HIGH"]},
        {"labels": {"team": "pay*", "zone": "EU"}},
        {"source": " grafana "},
    ],
)
def test_all_that_a_matcher_says_has_to_hold(raw: dict[str, Any]) -> None:
    """Of any letter case; and with one thing more that does not hold, it matches no longer."""
    assert parsed(raw).matches(Sent())
    labels = {**raw.get("labels", {}), "zone": "us"}
    assert not parsed({**raw, "labels": labels}).matches(Sent())


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ({"source": "graf"}, Sent()),
        ({"title": "disk"}, Sent()),
        ({"host": "db-??"}, Sent()),
        ({"host": "db-?"}, Sent(host="db-")),
        ({"severity": ["LOW"]}, Sent()),
        ({"labels": {"Team": "payments"}}, Sent()),
        ({"service": "?*"}, Sent(component=None)),
        ({"host": "?*"}, Sent(host=None)),
        ({"labels": {"owner": "?*"}}, Sent()),
        ({"source": "grafana"}, Sent(source="grafana\n")),
    ],
)
def test_a_pattern_matches_the_whole_text_only(raw: dict[str, Any], sent: Sent) -> None:
    """What an alert does not have is an empty text, and a label's name is exact."""
    assert not parsed(raw).matches(sent)


@pytest.mark.parametrize(
    ("pattern", "title"),
    [
        ("[FIRING:1] *", "[firing:1] disk"),
        ("[a-z]", "[a-z]"),
        ("[!a]", "[!a]"),
        ("a]b[", "a]b["),
        ("back\\slash", "back\\slash"),
        ("(a|b)+.$^", "(a|b)+.$^"),
        ("two*lines", "two\nlines"),
        ("STRASSE", "Straße"),
        ("caf\u00e9", "CAFE\u0301"),
        ("?", "\U0001f525"),
        ("\u0130stanbul", "i\u0307stanbul"),
    ],
)
def test_nothing_but_star_and_question_mark_is_special(pattern: str, title: str) -> None:
    """Neither brackets nor a regular expression's signs; and letters are compared as people see them."""
    assert parsed({"title": pattern}).matches(Sent(title=title))


def test_brackets_are_no_set_of_characters() -> None:
    """As `fnmatch` has them: Alertmanager's own titles begin with one."""
    assert not parsed({"title": "[abc]"}).matches(Sent(title="a"))


def test_a_resolution_is_matched_by_the_title_of_its_fault() -> None:
    """The row's mark is ours, and no sender's."""
    assert parsed({"title": "disk*"}).matches(Sent(title="[RESOLVED] Disk is full"))


def test_the_worst_pattern_takes_steps_in_proportion_to_the_text() -> None:
    """A pattern that fails at its very end, against a text of which every beginning fits.

    With stars that are tried again and again this one would take as many steps as 16,000 to the fourth.
    """
    worst = parsed({"title": "*a*a*a*b"})
    assert not worst.matches(Sent(title="a" * 16_000))


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (None, "m"),
        ({}, "m"),
        ("source=grafana", "m"),
        ([], "m"),
        ({"source": 5}, "m.source"),
        ({"source": ""}, "m.source"),
        ({"title": "  "}, "m.title"),
        ({"title": "x" * (MAX_PATTERN_CHARS + 1)}, "m.title"),
        ({"title": "*a" * (MAX_WILDCARDS + 1)}, "m.title"),
        ({"title": None}, "m.title"),
        ({"title": "\x1b[31mred"}, "m.title"),
        ({"host": "\udc80"}, "m.host"),
        ({"severity": "purple"}, "m.severity"),
        ({"severity": ["HIGH", None]}, "m.severity"),
        ({"severity": {"HIGH": 1}}, "m.severity"),
        ({"labels": ["team"], "source": "a"}, "m.labels"),
        ({"labels": {"": "x"}}, "m.labels"),
        ({"labels": {"x" * 257: "x"}}, "m.labels"),
        ({"labels": {f"l{n}": "x" for n in range(MAX_LABELS + 1)}}, "m.labels"),
        ({"labels": {"team": ["a"]}}, "m.labels.team"),
        ({"sauce": "grafana"}, "m.sauce"),
        ({"source": "*"}, "m"),
        ({"source": "?*", "title": "*?", "host": "**"}, "m"),
        ({"severity": list(Severity), "labels": {"team": "*"}}, "m"),
        ({"severity": [], "labels": {}}, "m"),
    ],
)
def test_a_problem_is_told_once_by_its_place(raw: object, place: str) -> None:
    """With what is allowed; a matcher that matches everything is one."""
    (problem,) = problems_of(raw)
    assert problem.startswith(f"{place}: ")
    assert any(words in problem for words in ("allowed: ", "say what it is about: "))


def test_what_only_asks_that_there_is_one_does_not_match_everything() -> None:
    """An alert may have no host, and a source may have a name of two letters."""
    assert parsed({"host": "?*"}).matches(Sent())
    assert not Matcher(source="??").matches_everything
    assert not Matcher(host="??*").matches_everything


@pytest.mark.parametrize("pattern", ["*", "?*", "??*", "*??", "?*?*?", "?" * 20 + "*"])
@pytest.mark.parametrize("name", ["source", "title"])
def test_wildcards_alone_match_everything(name: str, pattern: str) -> None:
    """A number of characters of a source or title says nothing of what an alert is about."""
    assert Matcher(**{name: pattern}).matches_everything
    assert not Matcher(**{name: pattern}, host="db-1").matches_everything  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "matcher",
    [
        Matcher(source="grafana"),
        Matcher(title="Disk is *full", severity=("HIGH", "LOW")),
        Matcher(service="a'b", host='"', labels={"team": "pay*", "k8s.io/app": "x=y"}),
    ],
)
def test_a_matcher_reads_what_it_says_of_itself(matcher: Matcher) -> None:
    """As a mapping, and as the words that a shell makes of its text."""
    assert parsed(matcher.parts) == matcher
    assert Matcher.of(matcher.parts) == matcher
    problems: list[str] = []
    assert parsed(words_to_parts(shlex.split(str(matcher)), problems)) == matcher
    assert problems == []


@pytest.mark.parametrize(
    "words",
    [["grafana"], ["source="], ["=x"], ["labels=x"], ["source=a", "source=b"], ["label.a=1", "label.a=2"]],
)
def test_a_word_that_says_nothing_or_a_name_twice_is_told(words: list[str]) -> None:
    """Not the last one wins."""
    problems: list[str] = []
    parse_matcher("m", words_to_parts(words, problems), problems)
    assert problems[0].startswith(repr(words[-1])) or problems[0].startswith("m.: unknown field")


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"source": "grafana"}, {"source": "GRAFANA"}),
        ({"source": "grafana"}, {"source": "grafana", "severity": "LOW"}),
        ({"severity": ["LOW", "INFO"]}, {"severity": ["INFO"]}),
        ({"source": "graf*"}, {"source": "grafana-*"}),
        ({"source": "g?af*"}, {"source": "g?afana"}),
        ({"labels": {"team": "pay*"}}, {"labels": {"team": "payments", "zone": "eu"}}),
        ({"source": "grafana", "host": "*"}, {"source": "grafana"}),
    ],
)
def test_a_matcher_covers_what_matches_no_alert_that_it_does_not(
    wide: dict[str, Any], narrow: dict[str, Any]
) -> None:
    """And itself, but not what is wider."""
    assert parsed(wide).covers(parsed(narrow))
    assert parsed(wide).covers(parsed(wide))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"source": "grafana", "severity": "LOW"}, {"source": "grafana"}),
        ({"severity": ["INFO"]}, {"severity": ["LOW", "INFO"]}),
        ({"source": "a?"}, {"source": "a*"}),
        ({"source": "?*a"}, {"source": "*a"}),
        ({"source": "a"}, {"source": "?"}),
        ({"host": "?*"}, {"source": "grafana"}),
        ({"labels": {"team": "a"}}, {"labels": {"zone": "a"}}),
    ],
)
def test_a_matcher_covers_nothing_that_may_match_more(wide: dict[str, Any], narrow: dict[str, Any]) -> None:
    """Where patterns do not show it, it is not said."""
    assert not parsed(wide).covers(parsed(narrow))
