"""Routes in the configuration: every problem is found before anything is created."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from topology.config import ConfigError, StackConfig
from topology.matchers import Matcher
from topology.route_config import parse_routes
from topology.routes import MAX_ROUTES, MAX_ROUTES_CHARS, RouteSpec, decoded_routes, encoded_routes

VALID = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"}
PAYMENTS = {"name": "payments", "match": {"labels": {"team": "pay*"}}}
URGENT = {"name": "urgent", "match": {"severity": "critical"}, "webhookSecret": "slack-webhook-payments"}
QUIET = {"name": "quiet", "match": {"source": "uptime-kuma"}, "channel": "C0123456789"}


def parsed(raw: object, *, bot: bool = False) -> tuple[RouteSpec, ...]:
    """The routes of a configuration without problems."""
    problems: list[str] = []
    routes = parse_routes(raw, problems, bot=bot)
    assert problems == []
    return routes


def problems_of(raw: object, *, bot: bool = True) -> list[str]:
    """The problems of a configuration's routes."""
    problems: list[str] = []
    parse_routes(raw, problems, bot=bot)
    return problems


def route(name: str = "b", **fields: object) -> Mapping[str, object]:
    """A route that is well, with `fields` in the place of its own."""
    return {"name": name, "match": {"source": name}, **fields}


@pytest.mark.parametrize("given", [list, json.dumps])
def test_routes_stay_in_their_order_and_have_a_secret_or_a_channel(given: Any) -> None:
    """By default the secret is called like its route; a list and its JSON are the same routes."""
    payments, urgent, quiet = parsed(given([PAYMENTS, URGENT, QUIET]), bot=True)
    assert payments == RouteSpec(
        name="payments", match=Matcher(labels={"team": "pay*"}), secret="slack-webhook-payments"
    )
    assert (urgent.match.severity, urgent.secret) == (("CRITICAL",), "slack-webhook-payments")
    assert (quiet.channel, quiet.secret) == ("C0123456789", "")


@pytest.mark.parametrize("raw", [None, "", [], "[]"])
def test_a_stack_needs_no_routes(raw: object) -> None:
    """And then its functions' environments hold nothing of them."""
    assert encoded_routes(parsed(raw)) == ""
    assert decoded_routes("") == ()


def test_what_the_deployment_writes_is_what_functions_read() -> None:
    """Every field, through the environment variable."""
    routes = parsed([PAYMENTS, URGENT, QUIET, {"name": "old", "retired": True}], bot=True)
    assert decoded_routes(encoded_routes(routes)) == routes


def test_a_retired_route_needs_no_matcher_and_hides_no_other() -> None:
    """It may keep the one that it had."""
    old, new = parsed(
        [route("old", match={"source": "a"}, retired=True), route("new", match={"source": "a"})]
    )
    assert old.retired
    assert not new.retired


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ("{", "routes: "),
        ({"payments": {}}, "routes: "),
        (5, "routes: "),
        (0, "routes: "),
        ([route(f"r{n}") for n in range(MAX_ROUTES + 1)], "routes: "),
        ([5], "routes[0]: "),
        ([route("Payments")], "routes[0].name: "),
        ([route("pay_ments")], "routes[0].name: "),
        ([route("-a")], "routes[0].name: "),
        ([route("a-")], "routes[0].name: "),
        ([route("a" * 41)], "routes[0].name: "),
        ([route("default")], "routes[0].name: "),
        ([{"match": {"source": "a"}}], "routes[0].name: "),
        ([route("a"), {"name": "b"}], "routes[1] (b).match: "),
        ([route(match={})], "routes[0] (b).match: "),
        ([route(match={"source": "*"})], "routes[0] (b).match: it matches every alert"),
        ([route(match={"sauce": "x"})], "routes[0] (b).match.sauce: "),
        ([route(matches={"source": "x"})], "routes[0] (b).matches: unknown field"),
        ([route(retired="no")], "routes[0] (b).retired: "),
        ([route(channel="general")], "routes[0] (b).channel: "),
        ([route(channel=None)], "routes[0] (b).channel: "),
        ([{**QUIET, "webhookSecret": "slack-webhook"}], "routes[0] (quiet).channel: webhookSecret"),
        ([route(webhookSecret="slack-webhook-typo")], "routes: 'b' names the secret 'slack-webhook-typo'"),
        ([route(webhookSecret="anthropic-key")], "routes: 'b' names the secret 'anthropic-key'"),
        ([route(webhookSecret=None)], "routes: 'b' names the secret 'None'"),
        ([QUIET, route(webhookSecret="slack-webhook-quiet")], "routes: 'b' names the secret"),
        ([route(), route(match={"source": "c"})], "routes: 'b' is there twice"),
        ([route("a"), route(match={"source": "A"})], "routes: no alert comes to 'b', as 'a' before it"),
        (
            [route("a"), route(match={"source": "a", "severity": "LOW"})],
            "routes: no alert comes to 'b', as 'a' before it",
        ),
    ],
)  # fmt: skip
def test_a_problem_names_its_place_and_what_is_allowed(raw: object, place: str) -> None:
    """One problem each, none of them a crash."""
    (problem,) = problems_of(raw)
    assert problem.startswith(place)
    assert any(words in problem for words in ("allowed: ", "say what it is about: "))


def test_a_channel_needs_the_stacks_bot() -> None:
    """A webhook has one channel, which Slack knows."""
    (problem,) = problems_of([QUIET], bot=False)
    assert problem.startswith("routes[0] (quiet).channel: only a bot")
    assert "slackChannel" in problem
    raw = {**VALID, "routes": [QUIET], "slackChannel": "C9876543210"}
    assert StackConfig.parse(stack="prod", raw=raw).routes == parsed([QUIET], bot=True)


def test_routes_that_have_no_room_in_the_environment_are_refused() -> None:
    """Random text does not compress."""
    raw = [route(f"r{n}", match={"title": "".join(f"{hash((n, i)):x}" for i in range(9))}) for n in range(18)]
    (problem,) = problems_of(raw)
    assert problem.endswith(f"at most {MAX_ROUTES_CHARS}; say less in their matchers")


def test_all_problems_of_a_stack_are_reported_together() -> None:
    """Of its routes and of every other key; one that follows from another is not told as well."""
    routes = [
        route("A"),
        route("b", match={"source": 5}),
        route("b", webhookSecret="x"),
        route("c", channel="C"),
    ]
    with pytest.raises(ConfigError) as raised:
        StackConfig.parse(stack="prod", raw={**VALID, "leaseS": "0", "routes": json.dumps(routes)})
    assert [problem.partition(": ")[0] for problem in raised.value.problems] == [
        "leaseS",
        "routes[0].name",
        "routes[1] (b).match.source",
        "routes[3] (c).channel",
        "routes[3] (c).channel",
        "routes",
        "routes",
    ]
