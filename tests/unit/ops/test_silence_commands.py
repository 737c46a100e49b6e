"""`responder silence` and `responder alerts`, as people type them: what they print, and what they refuse."""

import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.states import notified
from ops.cli import app
from tests.fakes.deployment import PRIMARY, deployment_on_moto
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import row
from topology.alerts import Status
from topology.outputs import ALL

WORDS = ("source=billing", "--reason", "They move", "--by", "ann")


@pytest.fixture
def outputs(aws: None, tmp_path: Path) -> Path:  # noqa: ARG001 - moto must run
    """The outputs of a stack on moto that has taken an alert just now and one long ago."""
    deployment = deployment_on_moto()
    known: dict[str, object] = dict.fromkeys(ALL, "unused")
    known |= {
        "Stack": "dev",
        "PrimaryRegion": deployment.primary.region,
        "FailoverRegion": deployment.failover.region,
        "LedgerConsistency": "strong",
        "AlertsTableName": deployment.alerts_table,
        "CoordinationTableName": deployment.coordination_table,
    }
    now_ms = time.time_ns() // 1_000_000
    for alert_id, at_ms in (("a1", now_ms), ("a0", now_ms - 7_200_000)):
        alert = notified(row(alert_id, status=Status.ANALYZED, at_ms=at_ms), at_ms=at_ms)
        boto3.client("dynamodb", region_name=PRIMARY).put_item(
            TableName=deployment.alerts_table, Item=item_of(attributes_of(alert))
        )
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(known))
    return file


def run(outputs: Path, *words: str) -> Any:
    """A command on that stack, in a wide terminal."""
    return CliRunner().invoke(app, [*words, "--outputs", str(outputs)], env={"COLUMNS": "200"})


def test_silence_is_previewed_made_extended_and_ended(outputs: Path) -> None:
    """The preview counts the last hour's alerts, and makes nothing."""
    would = run(outputs, "silence", "add", *WORDS, "--for", "2h", "--dry-run")
    assert would.exit_code == 0, would.output
    assert "it would have silenced 1 of 1 alerts of the last hour" in would.output
    assert "nothing was done" in would.output
    made = json.loads(run(outputs, "silence", "add", *WORDS, "--for", "2h", "--json").output)
    assert (made["made"], made["last_hour"]) == (True, {"alerts": 1, "silenced": 1})
    silence = made["silence"]
    assert silence["until_s"] - silence["from_s"] == 7_200
    extended = run(outputs, "silence", "extend", silence["silence_id"], "--for", "3h", "--json")
    assert json.loads(extended.output)["due_s"] == [silence["until_s"]]
    assert "is over" in run(outputs, "silence", "end", silence["silence_id"]).output


def test_region_that_does_not_answer_is_named_beside_the_answer(outputs: Path) -> None:
    """On stderr, so that what `--json` prints is JSON."""
    boto3.client("dynamodb", region_name=PRIMARY).delete_table(TableName="coordination")
    for words in (("silence", "add", *WORDS, "--for", "2h", "--json"), ("heartbeats", "list", "--json")):
        found = run(outputs, *words)
        assert found.exit_code == 0, found.output
        json.loads(found.stdout)
        assert found.stderr == "us-east-1 did not answer; us-west-2 did, and was asked instead\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("title=*", "--for", "2h"), "it matches every alert"),
        (("sauce=billing", "--for", "2h"), "unknown field"),
        (("billing", "--for", "2h"), "allowed: NAME=PATTERN"),
        (("source=a",), "one of --for and --until"),
        (("source=a", "--for", "2h", "--until", "2099-01-01T00:00:00Z"), "one of --for and --until"),
        (("source=a", "--for", "soon"), "such as 30m, 2h, 1d"),
        (("source=a", "--until", "2099-01-01"), "no time with its offset"),
        (("source=a", "--until", "2020-01-01T00:00:00Z"), "is in the past"),
        (("source=a", "--for", "8d"), "add --long"),
        (("severity=CRITICAL,HIGH", "--for", "2h"), "add --critical"),
    ],
)
def test_silence_that_is_hardly_meant_is_refused(outputs: Path, words: tuple[str, ...], problem: str) -> None:
    """As used wrongly, with what is allowed; nothing is made."""
    done = run(outputs, "silence", "add", *words, "--reason", "r", "--by", "ann")
    assert done.exit_code == 2
    assert problem in " ".join(done.output.replace("│", " ").split())


def test_long_silence_of_critical_alerts_is_made_if_it_is_said(outputs: Path) -> None:
    """Both, by their options."""
    words = ("severity=CRITICAL", "--for", "8d", "--reason", "r", "--by", "ann", "--critical", "--long")
    assert run(outputs, "silence", "add", *words).exit_code == 0


def test_alert_is_shown_with_the_analysis_that_it_was_told_with(outputs: Path) -> None:
    """Its own, or its incident's, also for what repeats it; nothing controls the terminal."""
    table = json.loads(outputs.read_text())["AlertsTableName"]
    lead = replace(row("b1", status=Status.ANALYZED), incident_id="i1", lead=True, analysis=ANALYSIS)
    held = replace(row("b2", status=Status.ANALYZED, title="\x1b[31mred"), incident_id="i1", analysis=None)
    repeat = replace(row("b3"), parent_id="b2")
    for alert in (lead, replace(held, analysis_error="asked for another"), repeat):
        boto3.client("dynamodb", region_name=PRIMARY).put_item(
            TableName=table, Item=item_of(attributes_of(alert))
        )
    for alert_id in ("b1", "b2", "b3"):
        shown = run(outputs, "alerts", "show", alert_id)
        assert shown.exit_code == 0
        assert f"analysis of b1: {ANALYSIS.summary}" in shown.output
        assert "\x1b" not in shown.output
        found = json.loads(run(outputs, "alerts", "show", alert_id, "--json").output)
        assert (found["alert"]["alert_id"], found["analysis_of"]) == (alert_id, "b1")
    missing = run(outputs, "alerts", "show", "c1")
    assert "there is no such alert" in str(missing.exception)


def test_alert_without_an_analysis_is_shown_with_the_reason(outputs: Path) -> None:
    """Nobody searches for one."""
    table = json.loads(outputs.read_text())["AlertsTableName"]
    alert = replace(row("b1", status=Status.ANALYZED), analysis=None, analysis_error="the model has no key")
    boto3.client("dynamodb", region_name=PRIMARY).put_item(
        TableName=table, Item=item_of(attributes_of(alert))
    )
    assert "no analysis: the model has no key" in run(outputs, "alerts", "show", "b1").output


def test_alert_is_acknowledged_by_its_id(outputs: Path) -> None:
    """By whom is said, and kept."""
    assert "acknowledged by ann" in run(outputs, "alerts", "ack", "a1", "--by", "ann").output
    again = run(outputs, "alerts", "ack", "a1", "--by", "bob")
    assert "ann has acknowledged it already" in str(again.exception)
    assert run(outputs, "alerts", "ack", "a1", "--by", " ").exit_code == 2
    assert run(outputs, "alerts", "snooze", "a1", "--by", "ann", "--for", "2d").exit_code == 2
