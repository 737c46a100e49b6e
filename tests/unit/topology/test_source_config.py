"""Sources in the configuration: every problem is found before anything is created."""

import json

import pytest

from topology.config import ConfigError, StackConfig
from topology.limits import LAMBDA_ENVIRONMENT_MAX_BYTES
from topology.source_config import MAX_EXPRESSION_CHARS, MAX_SOURCES, MAX_WORDS, parse_sources
from topology.sources import MAX_SOURCES_CHARS, SourceSpec, decoded_sources, encoded_sources

VALID = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"}
CHECKS = {
    "match": "probe && verdict",
    "header": "User-Agent: Probes/",
    "alerts": "probe.results",
    "title": "join(' ', [name, 'is', verdict])",
    "severity": "level",
    "severities": {"Red": "critical", "5": "low"},
    "status": "verdict",
    "resolved": ["Passing", 1],
    "event_id": "id",
    "links": {"source": "url"},
}


def parsed(raw: object) -> tuple[SourceSpec, ...]:
    """The sources of a configuration without problems."""
    problems: list[str] = []
    sources = parse_sources(raw, problems)
    assert problems == []
    return sources


def problems_of(raw: object) -> list[str]:
    """The problems of a configuration's sources."""
    problems: list[str] = []
    parse_sources(raw, problems)
    return problems


@pytest.mark.parametrize("raw", [{"checks": CHECKS}, json.dumps({"checks": CHECKS})])
def test_a_mapping_and_its_json_are_the_same_sources(raw: object) -> None:
    """Pulumi hands structured values over as JSON; words are compared in lower case, whatever they were."""
    (source,) = parsed(raw)
    assert source.name == "checks"
    assert source.header == "user-agent:Probes/"
    assert source.severities == {"red": "CRITICAL", "5": "LOW"}
    assert source.resolved == ("passing", "1")
    assert source.expressions.keys() == {
        "match", "alerts", "title", "severity", "status", "event_id", "links.source",
    }  # fmt: skip


@pytest.mark.parametrize("raw", [None, "", {}, "{}"])
def test_a_stack_needs_no_sources(raw: object) -> None:
    """And then its functions' environment holds nothing of them."""
    assert encoded_sources(parsed(raw)) == ""
    assert decoded_sources("") == ()


def test_what_the_deployment_writes_is_what_reception_reads() -> None:
    """Every field, through the environment variable."""
    sources = parsed({"checks": CHECKS, "other": {"title": "name"}})
    assert decoded_sources(encoded_sources(sources)) == sources


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ("{", "sources"),
        ("[]", "sources"),
        (5, "sources"),
        ({"Bad Name": {"title": "a"}}, "sources.Bad Name"),
        ({"x" * 41: {"title": "a"}}, "sources." + "x" * 41),
        ({"checks": "title"}, "sources.checks"),
        ({"checks": {}}, "sources.checks.title"),
        ({"checks": {"title": ""}}, "sources.checks.title"),
        ({"checks": {"title": 5}}, "sources.checks.title"),
        ({"checks": {"title": "a" * (MAX_EXPRESSION_CHARS + 1)}}, "sources.checks.title"),
        ({"checks": {"title": "a", "titel": "b"}}, "sources.checks.titel"),
        ({"checks": {"title": "a", "header": "two words: x"}}, "sources.checks.header"),
        ({"checks": {"title": "a", "header": 1}}, "sources.checks.header"),
        ({"checks": {"title": "a", "severities": {"red": "purple"}}}, "sources.checks.severities.red"),
        ({"checks": {"title": "a", "severities": ["red"]}}, "sources.checks.severities"),
        ({"checks": {"title": "a", "resolved": ["x"] * (MAX_WORDS + 1)}}, "sources.checks.resolved"),
        ({"checks": {"title": "a", "resolved": [""]}}, "sources.checks.resolved"),
        ({"checks": {"title": "a", "links": {"source": None}}}, "sources.checks.links.source"),
        ({"checks": {"title": "a", "links": "b"}}, "sources.checks.links"),
        ({f"n{n}": {"title": "a"} for n in range(MAX_SOURCES + 1)}, "sources"),
    ],
)
def test_a_problem_names_its_place_and_what_is_allowed(raw: object, place: str) -> None:
    """One problem each, none of them a crash."""
    (problem,) = problems_of(raw)
    assert problem.startswith(f"{place}: ")
    assert "allowed: " in problem


def test_all_problems_of_a_stack_are_reported_together() -> None:
    """Of its sources, of what handlers know of these, and of every other key."""
    with pytest.raises(ConfigError) as raised:
        StackConfig.parse(
            stack="prod",
            raw={**VALID, "leaseS": "0", "sources": {"a": {"titel": "x"}, "b": {"title": "y"}}},
            check_sources=lambda sources: [f"sources.{source.name}: not today" for source in sources],
        )
    assert [problem.partition(": ")[0] for problem in raised.value.problems] == [
        "leaseS", "sources.a.titel", "sources.a.title", "sources.a", "sources.b",
    ]  # fmt: skip


def test_sources_that_have_no_room_in_the_environment_are_refused() -> None:
    """Random text does not compress; half of Lambda's limit is the rest of the environment's."""
    texts = [f"{hash((n, i)):x}" for n in range(18) for i in range(15)]
    raw = {f"n{n}": {"title": f"join('', ['{''.join(texts[n * 15 : n * 15 + 15])}'])"} for n in range(18)}
    (problem,) = problems_of(raw)
    assert f"at most {MAX_SOURCES_CHARS}" in problem
    assert MAX_SOURCES_CHARS * 2 <= LAMBDA_ENVIRONMENT_MAX_BYTES
