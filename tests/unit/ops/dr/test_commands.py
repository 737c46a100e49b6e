"""`responder dr` as a person types it: what is asked first, and what a real stack is named by."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dr.operations.operation import Outcome
from ops.cli import app
from ops.dr.commands import _conclude
from ops.local.running import RUN_DIR
from ops.opened_stack import command_on, confirm, deployment_of
from tests.fakes.dr_stack import DrStack, dr_stack


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """Of the stack dev."""
    return dr_stack()


def test_another_name_than_the_stacks_stops_a_command(stack: DrStack) -> None:
    """Whether it is typed or given."""
    with pytest.raises(typer.BadParameter, match="'prod' is not 'dev'; nothing was done"):
        confirm(stack.deployment, "What?", yes=False, stack_name="prod")
    confirm(stack.deployment, "What?", yes=False, stack_name="dev")
    confirm(stack.deployment, "What?", yes=True, stack_name="")


@pytest.mark.parametrize("content", ["", "[]", '"text"'])
def test_outputs_that_are_no_json_object_are_used_wrongly(tmp_path: Path, content: str) -> None:
    """Exit 2, and the file is named."""
    path = tmp_path / "outputs.json"
    path.write_text(content)
    with pytest.raises(typer.BadParameter, match=r"outputs\.json"):
        deployment_of(str(path))


def test_the_next_command_that_is_told_is_of_the_same_stack(tmp_path: Path) -> None:
    """A person copies it; without its options it would be of another one."""
    words = "responder dr status"
    assert command_on(words, RUN_DIR, None) == words
    assert command_on(words, tmp_path, None) == f"{words} --run-dir {tmp_path}"
    assert command_on(words, RUN_DIR, "my outputs.json") == f"{words} --outputs 'my outputs.json'"


@pytest.mark.parametrize("bucket", ["my-backups", "us-west-2:", ":name"])
def test_a_bucket_without_its_region_is_used_wrongly(tmp_path: Path, bucket: str) -> None:
    """With the form that is meant; and no folder is left of what was not begun."""
    folder = tmp_path / "rebuild"
    words = ["dr", "rebuild", "--region", "eu-west-1", "--bucket", bucket, "--folder", str(folder)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "REGION:NAME" in done.output
    assert not folder.exists()


def test_every_step_of_a_failover_of_a_real_stack_is_shown_before_it(tmp_path: Path, stack: DrStack) -> None:
    """From its outputs alone, and nothing is called."""
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(stack.outputs))
    shown = CliRunner().invoke(
        app, ["dr", "failback", "--dry-run", "--json", "--outputs", str(outputs)], catch_exceptions=False
    )
    assert [one["step"] for one in json.loads(shown.output)] == [
        "check", "replication", "test-alert", "switch", "rest",
    ]  # fmt: skip


def test_a_failover_of_last_week_is_told_with_its_date(capsys: pytest.CaptureFixture[str]) -> None:
    """A time of day alone would be taken for today's."""
    done = Outcome(
        operation="failover",
        token="",
        already_done=True,
        started_ms=0,
        ended_ms=1_700_000_000_000,
        steps=(),
    )
    _conclude(done, "already failed over", "responder dr status", as_json=False)
    assert capsys.readouterr().out == "already failed over, since 2023-11-14 22:13:20Z\n"
