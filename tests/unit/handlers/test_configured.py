"""Sources of the stack's configuration: what their paths find, what becomes a gap, and what ends."""

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from handlers.domain.configured import configured_formats, source_problems
from handlers.domain.formats import FORMATS, ParseResult, UnknownFormatError, parse
from handlers.domain.intake.alarms import AlarmMessage
from handlers.domain.limits import MAX_MEMBERS_LOOKED_AT
from handlers.domain.refusal import RefusedError
from tests.unit.handlers.builders import TOPIC, World, post
from topology.alerts import FaultState, Severity
from topology.source_config import parse_sources
from topology.sources import decoded_sources, encoded_sources

PROBES = {
    "match": "probe && results",
    "alerts": "results",
    "ignore": "verdict == 'skipped'",
    "title": "name",
    "message": "detail",
    "severity": "level",
    "severities": {"Red": "critical", "amber": "medium"},
    "status": "verdict",
    "resolved": ["passing again"],
    "event_id": "id",
    "started_at": "since",
    "component": "service",
    "host": "node.name",
    "labels": "tags",
    "links": {"source": "url", "runbook": "join('', ['https://runbooks.example.com/', service])"},
}
MEMBER = {
    "id": 71,
    "name": "login answers",
    "detail": "timed out\nafter 5 s",
    "level": "RED",
    "verdict": "failing",
    "since": "2026-11-29T08:00:00Z",
    "service": "login",
    "node": {"name": "probe-3"},
    "tags": {"team": "web", "port": 443},
    "url": "https://probes.example.com/71",
}


def taken(
    body: Mapping[str, Any], spec: Mapping[str, Any] = PROBES, headers: Mapping[str, str] | None = None
) -> ParseResult:
    """What is made of a body with one configured source, which is called `probes`."""
    problems: list[str] = []
    sources = parse_sources({"probes": spec}, problems)
    assert problems + source_problems(sources) == []
    return parse(json.dumps(body).encode(), headers or {}, sources=configured_formats(sources))


def group(*members: object) -> dict[str, Any]:
    """A body of the source."""
    return {"probe": "eu-1", "service": "of the group", "results": list(members)}


def test_every_field_comes_from_its_path() -> None:
    """Words of severity and links included; the source's name is format and source."""
    result = taken(group(MEMBER))
    (alert,) = result.alerts
    assert (result.format, alert.source) == ("probes", "probes")
    assert (alert.title, alert.message) == ("login answers", "timed out\nafter 5 s")
    assert (alert.severity, alert.severity_word) == (Severity.CRITICAL, None)
    assert (alert.event_id, alert.status, alert.state) == ("71", "failing", FaultState.FIRING)
    assert (alert.component, alert.host, alert.started_at) == ("login", "probe-3", "2026-11-29T08:00:00Z")
    assert alert.labels == {"team": "web", "port": "443"}
    assert alert.links == {
        "source": "https://probes.example.com/71",
        "runbook": "https://runbooks.example.com/login",
    }
    assert alert.episode is None
    assert alert.mended == ()
    assert json.loads(alert.part) == MEMBER


@pytest.mark.parametrize("word", ["passing again", "PASSING AGAIN", "ok"])
def test_a_word_of_resolution_resolves(word: str) -> None:
    """The configured words, in any case, beside those that every sender uses."""
    (alert,) = taken(group({**MEMBER, "verdict": word})).alerts
    assert (alert.state, alert.severity) == (FaultState.RESOLVED, Severity.INFO)


def test_a_truth_value_can_be_the_word_of_resolution() -> None:
    """A condition, as Grafana OnCall's auto-resolve template has one."""
    spec = {**PROBES, "status": "verdict == 'gone'", "resolved": [True]}
    states = [taken(group({**MEMBER, "verdict": word}), spec).alerts[0].state for word in ("gone", "failing")]
    assert states == [FaultState.RESOLVED, FaultState.FIRING]


def test_a_severity_in_no_map_means_what_it_means_for_everybody() -> None:
    """A known word is mapped, an unknown one is shown as it is."""
    known, unknown = taken(group({**MEMBER, "level": "warning"}, {**MEMBER, "level": "mauve"})).alerts
    assert (known.severity, known.severity_word) == (Severity.MEDIUM, None)
    assert (unknown.severity, unknown.severity_word) == (Severity.MEDIUM, "mauve")


def test_what_only_the_group_has_is_found_there_but_for_the_id() -> None:
    """Two members that shared an id would silence one another."""
    bare = {"name": "a", "level": "red", "verdict": "failing"}
    body = {**group(bare, bare), "id": "of the group"}
    for alert in taken(body).alerts:
        assert alert.component == "of the group"
        assert alert.event_id is None
        assert alert.mended == ("it has no event id at `id`",)


def test_a_member_that_lacks_what_is_expected_is_taken_and_its_gaps_are_named() -> None:
    """Its title is its message's first line, else that of the source; nothing is lost."""
    silent, empty = taken(group({"detail": "all is lost\nreally"}, {})).alerts
    assert (silent.title, empty.title) == ("all is lost", "an alert of probes")
    assert empty.severity is Severity.MEDIUM
    assert set(empty.mended) == {
        "it has no title at `name`",
        "it has no severity at `level`",
        "it has no status at `verdict`",
        "it has no event id at `id`",
    }


@pytest.mark.parametrize("part", [5, "text", None, [1], True])
def test_a_member_that_is_no_object_is_taken_all_the_same(part: object) -> None:
    """Its paths find nothing in it; that it came is told."""
    (alert,) = taken(group(part)).alerts
    assert alert.title == "an alert of probes"


def test_a_path_that_fails_over_a_value_costs_its_field_alone() -> None:
    """`join` of a number is an error of the library, which becomes a gap with the path."""
    (alert,) = taken({**group({**MEMBER, "service": 5}), "service": None}).alerts
    assert alert.links == {"source": "https://probes.example.com/71"}
    (gap,) = [gap for gap in alert.mended if "runbook" in gap]
    assert "join('', ['https://runbooks.example.com/', service])" in gap
    assert alert.title == "login answers"


def test_what_is_no_alert_is_ignored_with_the_path_that_says_so() -> None:
    """Alone, the whole body is; beside alerts, it is that member."""
    skipped = {**MEMBER, "verdict": "skipped"}
    alone = taken(group(skipped))
    assert alone.alerts == ()
    assert alone.ignored_reason == "`verdict == 'skipped'` is true of it"
    beside = taken(group(skipped, MEMBER))
    assert [alert.index for alert in beside.alerts] == [1]
    assert [member.index for member in beside.ignored] == [0]


@pytest.mark.parametrize("results", [None, [], "text", 5])
def test_a_body_without_members_is_refused(results: object) -> None:
    """With the path that found none, where it is the path's fault."""
    spec = {**PROBES, "match": "probe"}
    with pytest.raises(RefusedError) as raised:
        taken({"probe": 1, "results": results}, spec)
    assert raised.value.http_status == 422
    assert raised.value.body_format == "probes"


@pytest.mark.parametrize(
    ("spec", "headers", "matches"),
    [
        ({"title": "name", "match": "probe"}, {}, True),
        ({"title": "name", "match": "nothing"}, {}, False),
        ({"title": "name", "match": "join(probe, results)"}, {}, False),
        ({"title": "name", "header": "User-Agent: Probes/"}, {"user-agent": "probes/2.0"}, True),
        ({"title": "name", "header": "User-Agent: Probes/"}, {"user-agent": "curl"}, False),
        ({"title": "name", "header": "x-probe"}, {"x-probe": ""}, True),
        ({"title": "name", "header": "x-probe"}, {}, False),
        ({"title": "name", "header": "x-probe", "match": "nothing"}, {"x-probe": "1"}, False),
        ({"title": "name"}, {}, False),
        ({"title": "name"}, {"x-alert-source": "probes"}, True),
        ({"title": "name", "match": "nothing"}, {"x-alert-source": "probes"}, True),
        ({"title": "name", "match": "nothing"}, {"x-alert-source": "others"}, False),
    ],
)
def test_a_source_is_known_by_its_match_its_header_or_by_its_name(
    spec: Mapping[str, Any],
    headers: Mapping[str, str],
    matches: bool,  # noqa: FBT001 - a case of the table
) -> None:
    """With both, both must hold; a match that fails is none."""
    body = {"probe": "eu-1", "results": [MEMBER], "name": "x"}
    if matches:
        assert taken(body, spec, headers).format == "probes"
    else:
        with pytest.raises(UnknownFormatError) as raised:
            taken(body, spec, headers)
        assert "probes" in raised.value.hint


def test_a_built_in_format_is_asked_first_and_the_generic_one_after_the_sources() -> None:
    """A source cannot take another's bodies away by accident, but may look like the project's own."""
    spec = {"title": "title", "match": "`true`"}
    assert taken({"alerts": [{"labels": {"alertname": "x"}}], "version": "4"}, spec).format == "alertmanager"
    assert taken({"source": "x", "title": "y"}, spec).format == "probes"


def test_what_only_handlers_know_of_a_source_is_a_problem_with_its_place() -> None:
    """Paths that are none, kinds of links that there are not, and names of built-in formats."""
    problems: list[str] = []
    raw = {
        "alertmanager": {"title": "a"},
        "probes": {"title": "a[", "match": "shout(a)", "links": {"source": "b c", "wiki": "d"}},
    }
    found = source_problems(parse_sources(raw, problems))
    assert problems == []
    assert sorted(problem.partition(": ")[0] for problem in found) == [
        "sources.alertmanager",
        "sources.probes.links.source",
        "sources.probes.links.wiki",
        "sources.probes.match",
        "sources.probes.title",
    ]
    assert any("'a[' is not allowed: it is no JMESPath: " in p and "at character 3" in p for p in found)


@pytest.mark.parametrize("name", [known.name for known in FORMATS])
def test_no_source_takes_a_built_in_name(name: str) -> None:
    """Whatever formats there are."""
    (problem,) = source_problems(parse_sources({name: {"title": "a"}}, []))
    assert problem.startswith(f"sources.{name}: the name is a built-in format's")


def test_a_body_of_too_many_steps_has_its_other_members_refused_by_name() -> None:
    """A path that doubles what it has takes all steps at the first member; each is answered for."""
    spec = {"match": "probe", "alerts": "results", "title": "|".join(["[@, @][]"] * 11)}
    with pytest.raises(RefusedError) as raised:
        taken(group([0] * 20_000, MEMBER), spec)
    assert (raised.value.http_status, raised.value.code) == (413, "too_complex")


def test_a_group_of_more_members_than_are_looked_at_names_the_others() -> None:
    """As of every format."""
    result = taken(group(*[{"id": n, "name": "x"} for n in range(MAX_MEMBERS_LOOKED_AT + 2)]))
    assert {member.error.code for member in result.refused} == {"too_many_alerts", "too_many_members"}


def hostile(dice: random.Random, depth: int = 0) -> Any:
    """Any JSON value, with the source's own names among its names."""
    kind = dice.randrange(9 if depth < 5 else 6)
    if kind < 6:
        return dice.choice([None, True, 0, -1, 1e308, 2**63, "", "x" * 300, "\u202e{{ a }}", "red", "1e999"])
    if kind == 6:
        return [hostile(dice, depth + 1) for _ in range(dice.randrange(4))]
    names = ["probe", "results", *MEMBER, "@", "\x1b[31m"]
    return {dice.choice(names): hostile(dice, depth + 1) for _ in range(dice.randrange(6))}


@pytest.mark.parametrize("seed", range(20))
def test_no_body_raises_anything_but_a_refusal(seed: int) -> None:
    """Over paths with every kind of function, so that the library's own errors come up."""
    spec = {
        **PROBES,
        "match": "`true`",
        "alerts": "results || @",
        "title": "join(' ', sort(keys(@)))",
        "message": "to_string(sum(results[].level))",
        "severity": "max_by(results, &id).level",
        "host": "reverse(name)",
        "event_id": "results[?id > `1`] | [0].id || id",
        "labels": "merge(@, tags)",
    }
    dice = random.Random(seed)  # noqa: S311 - test data
    for _ in range(50):
        body = {"probe": 1, **{name: hostile(dice) for name in dice.sample([*MEMBER, "results"], 5)}}
        try:
            result = taken(body, spec)
        except RefusedError:
            continue
        assert all(alert.title for alert in result.alerts)


def test_a_configured_body_becomes_a_row_by_what_reception_reads_from_its_environment() -> None:
    """From the variable that the deployment writes to the ledger; a retry is the same alert."""
    variable = encoded_sources(parse_sources({"probes": PROBES}, []))
    world = World(sources=configured_formats(decoded_sources(variable)))
    request = post(json.dumps(group(MEMBER)).encode())
    first, again = world.answer(request), world.answer(request)
    assert (first.status, again.status) == (202, 202)
    assert first.body == again.body
    (row,) = world.ledger.rows.values()
    assert (row.format, row.source, row.severity, row.host) == ("probes", "probes", "CRITICAL", "probe-3")


def test_a_message_on_the_alarm_topic_is_its_source_s() -> None:
    """By its body, with or without SNS's envelope, since there is no header; as at the webhook."""
    body = json.dumps(group(MEMBER))
    for text in (body, json.dumps({"Type": "Notification", "TopicArn": TOPIC, "Message": body})):
        world = World(sources=configured_formats(parse_sources({"probes": PROBES}, [])))
        message = AlarmMessage(topic_arn=TOPIC, message_id="m", text=text)
        world.alarms.take(message, until_ms=world.clock.ms + 4_000)
        (alert,) = world.ledger.rows.values()
        assert (alert.format, alert.source, alert.title) == ("probes", "probes", "login answers")
