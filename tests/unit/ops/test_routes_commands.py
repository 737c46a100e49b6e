"""`responder routes`: which channel would take an alert, without a stack and without sending it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ops.cli import app

ROUTES = [
    {"name": "old", "retired": True},
    {"name": "urgent", "match": {"severity": "CRITICAL"}},
    {"name": "payments", "match": {"labels": {"team": "pay*"}}, "webhookSecret": "slack-webhook-urgent"},
]
BODY = {
    "version": "4",
    "alerts": [
        {"labels": {"alertname": "A", "team": "payments", "severity": "warning"}},
        {"labels": {"alertname": "B", "team": "payments", "severity": "critical"}},
        {"labels": {"alertname": "C", "team": "search"}},
    ],
}


@pytest.fixture
def routes(tmp_path: Path) -> str:
    """A file for `--routes`."""
    path = tmp_path / "routes.yaml"
    path.write_text(yaml.safe_dump(ROUTES))
    return str(path)


def responder(*words: str, typed: object = "") -> Any:
    """What a person types."""
    text = typed if isinstance(typed, str) else json.dumps(typed)
    return CliRunner().invoke(app, ["routes", *words], input=text, env={"COLUMNS": "160"})


def test_each_alert_of_a_body_is_told_its_route(routes: str) -> None:
    """By the webhook's own reading; to whom it would go is named by channel or secret, never by a value."""
    tried = responder("try", "-", "--routes", routes, "--json", typed=BODY)
    assert tried.exit_code == 0, tried.output
    document = json.loads(tried.stdout)
    assert document["format"] == "alertmanager"
    assert [(alert["title"], alert["route"]) for alert in document["alerts"]] == [
        ("A", "payments"),
        ("B", "urgent"),
        ("C", "default"),
    ]
    addresses = [alert["to"] for alert in document["alerts"]]
    shared = "webhook in mcp-responder-local/slack-webhook-urgent"
    assert addresses == [shared, shared, "webhook in mcp-responder-local/slack-webhook"]
    assert "payments" in responder("try", "-", "--routes", routes, typed=BODY).output


def test_what_is_refused_of_a_body_is_named(routes: str) -> None:
    """Exit 1: not all of it can be taken, or none."""
    part = {**BODY, "alerts": [*BODY["alerts"], 5]}
    tried = responder("try", "-", "--routes", routes, "--json", typed=part)
    assert tried.exit_code == 1
    assert [member["index"] for member in json.loads(tried.stdout)["refused"]] == [3]
    assert "refused 3: " in responder("try", "-", "--routes", routes, typed=part).output
    whole = responder("try", "-", "--routes", routes, typed={"what": "ever"})
    assert whole.exit_code == 1
    assert "unknown_format" in whole.output


@pytest.mark.parametrize("under", [None, "mcp-incident-responder:routes"])
def test_routes_are_listed_in_their_order_with_the_default_last(tmp_path: Path, under: str | None) -> None:
    """From a file of their own, or a stack's; a retired one takes nothing new."""
    path = tmp_path / "routes.yaml"
    path.write_text(yaml.safe_dump({"config": {under: ROUTES}} if under else ROUTES))
    listed = json.loads(responder("list", "--routes", str(path), "--json").stdout)
    assert [(row["route"], row["takes"]) for row in listed] == [
        ("old", "nothing new"),
        ("urgent", "severity=CRITICAL"),
        ("payments", "'label.team=pay*'"),
        ("default", "whatever no route takes"),
    ]
    said = responder("list", "--routes", str(path)).output
    assert all(row["route"] in said for row in listed)


def test_a_bots_channels_are_named_by_their_id(tmp_path: Path) -> None:
    """A stack without a bot refuses them, with what to do."""
    path = tmp_path / "routes.yaml"
    path.write_text(yaml.safe_dump([{"name": "a", "match": {"source": "a"}, "channel": "C0123456789"}]))
    refused = responder("list", "--routes", str(path))
    assert refused.exit_code == 1
    assert "slackChannel" in str(refused.exception)


def test_a_stack_without_routes_has_the_default_channel() -> None:
    """As the local one is."""
    (row,) = json.loads(responder("list", "--json").stdout)
    assert row["route"] == "default"


@pytest.mark.parametrize("words", [("try", "no-such-file"), ("list", "--routes", "no-such-file")])
def test_what_cannot_be_read_is_wrong_use(words: tuple[str, ...]) -> None:
    """Exit 2, with the name of it."""
    tried = responder(*words)
    assert tried.exit_code == 2
    assert "no-such-file" in tried.output
