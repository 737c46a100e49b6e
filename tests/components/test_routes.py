"""A stack with routes: a secret for each of their webhooks, known to the functions that need it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.components.recorder import ACCOUNT, ROUTES, Run, run_program, stack_file, stand_ins
from topology.limits import LAMBDA_ENVIRONMENT_MAX_BYTES
from topology.route_config import parse_routes
from topology.routes import MAX_ROUTES_CHARS, decoded_routes

REGIONS = ("us-east-1", "us-west-2")
SECRET = "secretsmanager/secret:Secret"
KEY = "mcp-incident-responder:routes"


@pytest.fixture
def run(optioned: Run) -> Run:
    """The run of prod with routes, among other options."""
    return optioned


def environment(run: Run, function: str, region: str) -> dict[str, str]:
    """The variables of a function."""
    found: dict[str, str] = run.one("lambda/function:Function", f"{region}-{function}").inputs["environment"][
        "variables"
    ]
    return found


def test_each_webhook_of_a_route_is_one_secret_in_both_regions(run: Run) -> None:
    """Without a value, which people put; routes may share one, and one to a bot's channel has none."""
    own = [s for s in run.of(SECRET) if s.inputs["name"].startswith("mcp-responder/slack-webhook-")]
    (secret,) = own
    assert secret.inputs["name"] == "mcp-responder/slack-webhook-payments"
    assert secret.inputs["replicas"] == [{"region": "us-west-2"}]
    assert "secretString" not in secret.inputs
    assert run.outputs["SlackRouteSecretNames"] == "mcp-responder/slack-webhook-payments"


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("function", ["analysis", "distribution"])
def test_analysis_and_distribution_are_told_the_routes(function: str, region: str, run: Run) -> None:
    """In their order; how to find the secret's name, never its value."""
    told = environment(run, function, region)
    problems: list[str] = []
    assert decoded_routes(told["ALERT_ROUTES"]) == parse_routes(ROUTES, problems, bot=True)
    assert problems == []


@pytest.mark.parametrize("function", ["analysis", "distribution"])
def test_as_many_routes_as_are_allowed_have_room_beside_the_other_variables(function: str, run: Run) -> None:
    """Lambda refuses more than 4,096 bytes of names and values in all."""
    told = {
        name: text for name, text in environment(run, function, REGIONS[1]).items() if name != "ALERT_ROUTES"
    }
    others = sum(len(name) + len(text.encode()) for name, text in told.items())
    assert others + len("ALERT_ROUTES") + MAX_ROUTES_CHARS < LAMBDA_ENVIRONMENT_MAX_BYTES


def test_a_stack_without_routes_has_nothing_of_them(run_of: Callable[[str], Run]) -> None:
    """One secret for Slack, and an empty variable."""
    run = run_of("prod")
    assert [s.name for s in run.of(SECRET) if s.name.startswith("slack")] == ["slack-webhook"]
    assert environment(run, "analysis", REGIONS[0])["ALERT_ROUTES"] == ""
    assert "SlackRouteSecretNames" not in run.outputs


def test_a_route_may_share_the_default_channels_webhook(tmp_path: Path) -> None:
    """No further secret then, and none that is read twice."""
    routes = [{"name": "shared", "match": {"source": "a"}, "webhookSecret": "slack-webhook"}]
    run = run_program("prod", stack_file("prod") | {KEY: json.dumps(routes)}, stand_ins(tmp_path))
    assert run.error is None
    assert [s.name for s in run.of(SECRET) if s.name.startswith("slack")] == ["slack-webhook"]
    read = [
        statement["Resource"]
        for policy, document in run.policies()
        if policy.name == "us-west-2-distribution"
        for statement in document["Statement"]
        if statement["Action"] == ["secretsmanager:GetSecretValue"]
    ]
    arn = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:mcp-responder/slack-webhook-a1B2c3"
    assert read == [[arn]]


def test_wrong_routes_are_refused_before_anything_is_registered(tmp_path: Path) -> None:
    """Every problem in one message."""
    routes = [{"name": "a", "match": {"source": "*"}}, {"name": "b", "match": {"host": "x"}, "channel": "#b"}]
    run = run_program("prod", stack_file("prod") | {KEY: json.dumps(routes)}, stand_ins(tmp_path))
    for place in ("routes[0] (a).match", "routes[1] (b).channel: '#b'", "routes[1] (b).channel: only a bot"):
        assert place in str(run.error)
    assert run.resources == []
