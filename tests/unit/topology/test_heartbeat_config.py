"""Heartbeats in the configuration: every problem is found before anything is created."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from topology.config import ConfigError, StackConfig
from topology.heartbeat_config import HEARTBEATS_KEY, parse_heartbeats
from topology.heartbeats import (
    MAX_HEARTBEATS,
    MAX_HEARTBEATS_CHARS,
    HeartbeatSpec,
    decoded_heartbeats,
    encoded_heartbeats,
)
from topology.matchers import Matcher
from topology.names import PROJECT

DOCUMENT: Final = (Path(__file__).parents[3] / "docs" / "heartbeats.md").read_text(encoding="utf-8")

VALID = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"}
WATCHDOG = {
    "name": "watchdog",
    "match": {"source": "alertmanager", "labels": {"alertname": "Watchdog"}},
    "everyS": 120,
}


def parsed(*raw: Any) -> tuple[HeartbeatSpec, ...]:
    """The heartbeats of a configuration without problems."""
    problems: list[str] = []
    heartbeats = parse_heartbeats(list(raw), problems)
    assert problems == []
    return heartbeats


def problems_of(raw: object) -> list[str]:
    """The problems of a configuration's heartbeats."""
    problems: list[str] = []
    parse_heartbeats(raw, problems)
    return problems


def test_a_stack_takes_its_heartbeats_from_the_configuration() -> None:
    """Pulumi hands them over as JSON; a number may be quoted, as the other keys' are; HIGH is the default."""
    raw = json.dumps([WATCHDOG, WATCHDOG | {"name": "backup", "everyS": "86400", "severity": "critical"}])
    config = StackConfig.parse(stack="dev", raw=VALID | {"heartbeats": raw})
    match = Matcher(source="alertmanager", labels={"alertname": "Watchdog"})
    assert config.heartbeats == (
        HeartbeatSpec(name="watchdog", match=match, every_s=120, severity="HIGH"),
        HeartbeatSpec(name="backup", match=match, every_s=86_400, severity="CRITICAL"),
    )
    assert config.synthetic_interval_s == 300
    assert StackConfig.parse(stack="dev", raw=VALID).heartbeats == ()


def test_the_documented_heartbeats_are_valid() -> None:
    """As people copy them into their stack's file."""
    (block,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    ((key, given),) = yaml.safe_load(block).items()
    assert key == f"{PROJECT}:{HEARTBEATS_KEY}"
    assert [(one.name, one.every_s, one.severity) for one in parsed(*given)] == [
        ("watchdog", 120, "CRITICAL"),
        ("nightly-backup", 86_400, "HIGH"),
    ]


def test_every_problem_is_told_by_its_place() -> None:
    """One deployment attempt shows all of them, those of other keys besides."""
    wrong: dict[str, Any] = {
        "name": "Watch dog",
        "everyS": 29,
        "severity": "urgent",
        "grace": 1,
        "match": {"sourc": "a"},
    }
    raw = [WATCHDOG, wrong, "beat", WATCHDOG | {"everyS": True, "match": {"source": "*"}}]
    with pytest.raises(ConfigError) as caught:
        StackConfig.parse(stack="dev", raw=VALID | {"heartbeats": raw, "syntheticIntervalS": "59"})
    told = "\n".join(caught.value.problems)
    for place in (
        "heartbeats[1].name: 'Watch dog'",
        "heartbeats[1].grace: unknown field; allowed: name, match, everyS, severity",
        "heartbeats[1].everyS: '29' is not allowed; allowed: 30 to 86400 seconds",
        "heartbeats[1].severity: 'urgent' is not allowed; allowed: CRITICAL, HIGH, MEDIUM, LOW, INFO",
        "heartbeats[1].match.sourc: unknown field",
        "heartbeats[2]: 'beat' is not allowed",
        "heartbeats[3] (watchdog).everyS: 'True' is not allowed",
        "heartbeats[3] (watchdog).match: it matches every alert",
        "heartbeats: 'watchdog' is there twice",
        "syntheticIntervalS: '59' is not allowed; allowed: 0, or 60 to 3600 s",
    ):
        assert place in told


@pytest.mark.parametrize(
    "match",
    [{"source": "alertmanager"}, {"severity": ["INFO"], "host": "db-7"}, {"source": "a", "title": "*?"}],
)
def test_a_matcher_that_names_no_alert_is_refused(match: dict[str, object]) -> None:
    """Whatever a heartbeat matches is heard by nobody: a whole source would be silenced by a slip."""
    (problem,) = problems_of([WATCHDOG | {"match": match}])
    assert (
        "it names no alert, and nobody hears of what it matches; say its title, or one of its labels"
        in problem
    )


@pytest.mark.parametrize("raw", [{"watchdog": WATCHDOG}, "{", [WATCHDOG] * (MAX_HEARTBEATS + 1), 7])
def test_anything_but_a_short_list_is_refused(raw: object) -> None:
    """A mapping of names, as sources have it, is the likeliest slip."""
    (problem,) = problems_of(raw)
    assert f"allowed: a list of at most {MAX_HEARTBEATS} mappings" in problem


def test_as_many_as_are_allowed_have_room_in_an_environment() -> None:
    """By title and label; longer ones are refused by what they take together."""
    match = {"title": "Watchdog", "labels": {"cluster": "prod-eu-1"}}
    usual = [WATCHDOG | {"name": f"watchdog-{n}", "match": match} for n in range(MAX_HEARTBEATS)]
    specs = parsed(*usual)
    assert len(encoded_heartbeats(specs)) < MAX_HEARTBEATS_CHARS
    assert decoded_heartbeats(encoded_heartbeats(specs)) == specs
    assert (encoded_heartbeats(()), decoded_heartbeats("")) == ("", ())
    long = [one | {"match": {"title": sha256(bytes([n])).hexdigest()}} for n, one in enumerate(usual)]
    (problem,) = problems_of(long)
    assert f"allowed: at most {MAX_HEARTBEATS_CHARS}; say less in their matchers" in problem
