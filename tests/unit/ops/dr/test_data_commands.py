"""`responder dr exports | compare | repair | status` as a person sees them, and what is said to do next."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dr.exports.requests import COMPLETED, FULL, INCREMENTAL, ExportInfo
from ops.cli import app
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack

ARN = f"arn:aws:dynamodb:{PRIMARY}:123456789012:table/alerts"
FULL_ID, CHANGES_ID = "01795460700175-e39308ef", "01795460760176-0badcafe"


def info(export_id: str, *, since: datetime | None = None) -> ExportInfo:
    """A completed export."""
    return ExportInfo(
        arn=f"{ARN}/export/{export_id}",
        status=COMPLETED,
        type=INCREMENTAL if since else FULL,
        table_arn=ARN,
        bucket="backups",
        prefix="dynamodb-exports/2026-11-23T19:05:00Z",
        since=since,
        shows=datetime(2026, 11, 23, 19, 5, 1, tzinfo=UTC),
        items=123_456,
        reason="",
    )


EXPORTS = [info(CHANGES_ID, since=datetime(2026, 11, 22, 18, 49, tzinfo=UTC)), info(FULL_ID)]


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """Of the stack dev."""
    return dr_stack()


@pytest.fixture
def outputs(stack: DrStack, tmp_path: Path) -> str:
    """As `pulumi stack output --json` writes them."""
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({**stack.outputs, "AlarmTopicArn": "arn:aws:sns:x:123456789012:alarms"}))
    return str(path)


def responder(*words: str) -> Any:
    """What a person types, on a terminal of 80 columns."""
    return CliRunner().invoke(app, words, env={"COLUMNS": "80"})


def know(monkeypatch: pytest.MonkeyPatch, found: list[ExportInfo]) -> None:
    """Have DynamoDB know these exports."""
    for module in ("ops.dr.data_commands", "ops.dr.states"):
        monkeypatch.setattr(f"{module}.list_exports", lambda *_: found)


def test_exports_are_shown_by_their_ids_whole_on_a_narrow_terminal(
    outputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the date of each time; the id is what other commands take."""
    know(monkeypatch, EXPORTS)
    _, changes, full = responder("dr", "exports", "--outputs", outputs).stdout.splitlines()
    assert changes.split() == [
        CHANGES_ID, "2026-11-23", "19:05:01", "2026-11-22", "18:49", "123,456", COMPLETED,
    ]  # fmt: skip
    assert full.split() == [FULL_ID, "2026-11-23", "19:05:01", "all", "items", "123,456", COMPLETED]
    assert len(full) <= 80


def test_times_of_exports_are_iso_8601_in_json(outputs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As programs read them."""
    know(monkeypatch, EXPORTS)
    shown = json.loads(responder("dr", "exports", "--json", "--outputs", outputs).stdout)
    assert (shown[0]["id"], shown[0]["shows"]) == (CHANGES_ID, "2026-11-23T19:05:01+00:00")
    assert (shown[0]["since"], shown[1]["since"]) == ("2026-11-22T18:49:00+00:00", None)


def test_without_exports_the_command_that_makes_one_is_told(
    outputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same stack and region, in place of an empty table."""
    know(monkeypatch, [])
    done = responder("dr", "exports", "--region", FAILOVER, "--outputs", outputs)
    assert (done.exit_code, done.stdout) == (1, "")
    make = f"responder dr export --region {FAILOVER} --outputs {outputs}"
    assert done.stderr == f"no exports; `{make}` makes one\n"


def test_a_table_that_is_given_for_an_export_is_told_how_it_is_written(
    outputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a state may be either; the newest export is named too."""
    know(monkeypatch, EXPORTS)
    compared = responder("dr", "compare", "live", "my-table", "--outputs", outputs)
    assert f"the newest is {CHANGES_ID}; if it is a table, write `table:my-table`" in str(compared.exception)
    checked = responder("dr", "check", "my-table", "--outputs", outputs)
    assert str(checked.exception).endswith(f"the newest is {CHANGES_ID}")


@pytest.mark.parametrize(("table", "hint"), [("nope", "there is no table nope"), ("alerts2", "--vouched")])
def test_a_table_that_cannot_be_repaired_from_is_said_with_what_helps(
    stack: DrStack, outputs: str, table: str, hint: str
) -> None:
    """One that is not there, and one of which DynamoDB does not know where it came from."""
    stack.clients.client("dynamodb", PRIMARY).create_table(
        TableName="alerts2",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "alert_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "alert_id", "AttributeType": "S"}],
    )
    assert hint in str(responder("dr", "repair", table, "--outputs", outputs).exception)


def test_a_region_without_an_export_is_told_apart_from_one_that_does_not_answer(
    stack: DrStack, outputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that makes one there."""
    monkeypatch.setattr(
        "ops.dr.commands.export_age_s", lambda _, region, __: 5 if region == PRIMARY else None
    )
    monkeypatch.setattr("ops.dr.commands.environment_of", lambda _: stack.environment)
    shown = responder("dr", "status", "--outputs", outputs).stdout
    assert "none yet" in shown
    make = f"responder dr export --region {FAILOVER} --outputs {outputs}"
    assert f"{FAILOVER} has no full export yet; `{make}` makes one" in shown
    assert f"{PRIMARY} has no full export" not in shown
