"""`responder alerts send`: what was answered, and a next step that acts on the same stack."""

from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from clients.deployment import Deployment
from ops.cli import app
from ops.hints import act_on
from ops.opened_stack import OpenedStack
from ops.runbook import send_command
from runbook.sending import Answer, Journey, Journeys
from tests.fakes.deployment import PRIMARY, deployment_on_moto

ALERT_ID = "a" + "1" * 32


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack on moto."""
    return deployment_on_moto()


def run(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, answer: Answer, *words: str) -> Result:
    """The command on that stack, chosen by its name, where the webhook answers so and no alert gets on."""

    def opened(*_: object, **__: object) -> OpenedStack:
        act_on("--stack dev")
        return OpenedStack(deployment, None)

    journeys = Journeys([Journey(ALERT_ID, {"status": "SUPPRESSED", "accepted_at_ms": 1})])
    monkeypatch.setattr(send_command, "open_stack", opened)
    monkeypatch.setattr(send_command, "send_body", lambda *_: answer)
    monkeypatch.setattr(send_command, "follow", lambda *_, **__: journeys)
    result: Result = CliRunner().invoke(app, ["alerts", "send", "--title", "x", *words])
    return result


@pytest.mark.parametrize(
    "document", [{"message": "Forbidden \x1b[2J"}, {"error": "not_json", "hint": "Forbidden"}]
)
def test_what_is_not_taken_says_why_and_what_is_next(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, document: dict[str, Any]
) -> None:
    """Be it reception that says so or API Gateway: exit 1."""
    done = run(deployment, monkeypatch, Answer(PRIMARY, 403, document, 1, 2))
    assert done.exit_code == 1
    assert "Forbidden" in done.stdout
    assert "\x1b" not in done.stdout
    assert "`responder diagnose --stack dev`" in done.stderr


def test_what_does_not_come_to_slack_names_the_command_that_says_why(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the stack that it was sent to: exit 1."""
    taken = {"alerts": [{"alert_id": ALERT_ID, "status": "RECEIVED"}]}
    done = run(deployment, monkeypatch, Answer(PRIMARY, 202, taken, 1, 2), "--wait")
    assert done.exit_code == 1
    assert f"it is SUPPRESSED; see `responder why {ALERT_ID} --stack dev`" in done.stderr
