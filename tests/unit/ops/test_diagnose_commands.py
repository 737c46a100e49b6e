"""`responder diagnose` for people and scripts: hostile text stays text, secrets stay out, exit codes hold."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from click.testing import Result
from typer.testing import CliRunner

from deploy.checks.identity import NotTheAccountError
from ops.cli import app
from ops.opened_stack import OpenedStack
from ops.runbook import diagnose_commands
from tests.fakes.diagnosed import NOW_MS, healthy, scene
from tests.fakes.recorded_aws import PRIMARY, RecordedAws, recorded_deployment
from topology.contacts import Contact

WEBHOOK = "https://hooks.slack.com/services/T0123ABCD/B0123ABCD/abcdefghijklmnopqrstuvwx"
HOSTILE = f"\x1b[2J[bold]gone[/] {WEBHOOK}"
CALLED = (Contact(who="on call", reach="ops@example.com"),)


def logged(reason: str) -> dict[str, Any]:
    """A failure of Slack in every function's log."""
    line = {"message": "Slack failed", "level": "WARNING", "reason": reason}
    return {"events": [{"timestamp": NOW_MS - 1_000, "message": json.dumps(line)}]}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on a stack that is healthy but for these answers of AWS."""

    def invoke(*words: str, **answers: Any) -> Result:
        recorded = RecordedAws(
            {**healthy(), **{name.replace("__", "."): one for name, one in answers.items()}}
        )
        monkeypatch.setattr(diagnose_commands, "_scene", lambda *_: scene(recorded, contacts=CALLED))
        result: Result = CliRunner().invoke(app, ["diagnose", *words])
        return result

    return invoke


def test_a_healthy_stack_is_one_line(run: Any) -> None:
    """Exit 0, and nobody is to be called."""
    done = run()
    assert (done.exit_code, done.stdout) == (0, "nothing wrong is seen\n")


def test_text_of_others_neither_controls_the_terminal_nor_is_markup(run: Any) -> None:
    """It is shown as it is, without what would act; whom to call is the last line."""
    done = run(logs__filter_log_events=logged(HOSTILE))
    assert done.exit_code == 1
    assert "\x1b" not in done.stdout
    assert "[bold]gone[/]" in done.stdout
    assert WEBHOOK not in done.stdout
    lines = done.stdout.splitlines()
    assert "Slack does not answer" in lines[0]
    assert any(line.strip().startswith("next: `responder logs tail --function ") for line in lines)
    assert any(line.strip() == "see docs/runbook.md#slack-messages-not-delivered" for line in lines)
    assert lines[-1] == "Contacts: on call: ops@example.com"


def test_json_has_what_scripts_need_and_no_secret(run: Any) -> None:
    """Its names are a contract."""
    done = run("--json", logs__filter_log_events=logged(HOSTILE))
    report = json.loads(done.stdout)
    assert list(report) == [
        "stack",
        "since_ms",
        "verdict",
        "causes",
        "unexplained",
        "observations",
        "contacts",
    ]
    cause = report["causes"][0]
    assert list(cause) == ["id", "title", "likelihood", "regions", "evidence", "next", "see"]
    assert list(cause["evidence"][0]) == ["sign", "region", "what", "detail"]
    assert report["contacts"] == [{"who": "on call", "reach": "ops@example.com"}]
    assert WEBHOOK not in done.stdout


def test_the_bundle_has_the_logs_and_no_secret_that_they_quote(run: Any, tmp_path: Path) -> None:
    """An alert's text in a failure may hold one."""
    file = tmp_path / "bundle.zip"
    done = run("--bundle", str(file), logs__filter_log_events=logged(HOSTILE))
    assert done.exit_code == 1
    with zipfile.ZipFile(file) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert f"logs/{PRIMARY}/DistributionFunction.log" in texts
    assert "Slack failed" in texts[f"logs/{PRIMARY}/DistributionFunction.log"]
    assert [name for name, text in texts.items() if WEBHOOK in text] == []


def test_what_slack_refused_is_counted(run: Any) -> None:
    """By region and reason, with where the default route leads and never its address."""
    done = run("slack", "--json", logs__filter_log_events=logged("Slack answered 500"))
    report = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [(one["reason"], one["count"]) for one in report["errors"]] == [("Slack answered 500", 1)] * 2
    assert report["routes"][0]["goes_to"] == "the webhook in mcp-responder/slack-webhook"


def test_a_time_that_is_none_is_wrong_use() -> None:
    """Before any stack is asked."""
    done = CliRunner().invoke(app, ["diagnose", "--since", "yesterday"])
    assert done.exit_code == 2
    assert "such as 30m" in " ".join(done.output.split())


def test_no_credentials_are_one_line_and_no_unknown_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is looked at: each probe would only say the same."""
    aws = RecordedAws({"sts.get_caller_identity": NoCredentialsError()})
    outputs = tmp_path / "outputs.json"
    outputs.write_text("{}", encoding="utf-8")
    opened = OpenedStack(recorded_deployment(aws), None)
    monkeypatch.setattr(diagnose_commands, "open_stack", lambda *_, **__: opened)
    done = CliRunner().invoke(app, ["diagnose", "--outputs", str(outputs)])
    assert isinstance(done.exception, NotTheAccountError)
    assert "log in to account 123456789012" in str(done.exception)
    assert aws.asked == [f"sts.get_caller_identity@{PRIMARY}"]
