"""The commands that people are told to type, and the stack that they act on."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dr.drill.record import DrillUnderWayError, only_drill
from emulator.errors import NotRunningError
from emulator.supervisor import runfile
from ops.cli import app
from ops.local import running


def test_a_printed_command_acts_on_the_same_stack(tmp_path: Path) -> None:
    """With the folder of another stack than the usual one, quoted for a shell."""
    assert running.command_line("responder audit", running.RUN_DIR) == "responder audit"
    elsewhere = tmp_path / "my stack"
    assert running.command_line("responder audit", elsewhere) == f"responder audit --run-dir '{elsewhere}'"


def test_whoever_finds_no_stack_is_told_how_to_start_it_there(tmp_path: Path) -> None:
    """And not how to start another one."""
    with pytest.raises(NotRunningError, match=f"`responder local up --run-dir {tmp_path}`"):
        running.attach(tmp_path)


def test_down_removes_no_folder_where_no_stack_ever_ran(tmp_path: Path) -> None:
    """Whatever was typed by mistake is still there."""
    (tmp_path / "thesis.txt").touch()
    done = CliRunner().invoke(app, ["local", "down", "--run-dir", str(tmp_path)])
    assert (done.exit_code, "nothing to stop" in done.output) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_down_is_refused_while_a_drill_is_under_way(tmp_path: Path) -> None:
    """It would take the stack from under the drill; a drill whose process died is no longer under way."""
    (tmp_path / runfile.LOCK).touch()
    (tmp_path / "receipts.jsonl").touch()
    with only_drill(tmp_path):
        refused = CliRunner().invoke(app, ["local", "down", "--run-dir", str(tmp_path)])
    assert (refused.exit_code, isinstance(refused.exception, DrillUnderWayError)) == (1, True)
    assert (tmp_path / "receipts.jsonl").exists()
    done = CliRunner().invoke(app, ["local", "down", "--run-dir", str(tmp_path)])
    assert (done.exit_code, tmp_path.exists()) == (0, False), done.output
