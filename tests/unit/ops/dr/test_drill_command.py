"""`responder dr drill`: what it refuses before anything is started, and what it says it would do."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dr.drill.record import DrillFile, DrillStateError
from dr.drill.runner import ReportUnwrittenError
from dr.drill.scenarios import SCENARIOS
from emulator import local_stack
from emulator.client import Emulator
from emulator.errors import NotRunningError
from lambda_packages import ROOT
from ops.dr import drill_command
from ops.dr.drill_all import Line
from ops.dr.drill_command import drill
from tests.unit.dr.drill_examples import state

app = typer.Typer()
app.command()(drill)


def _drill(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_dry_run_lists_every_phase_and_starts_nothing(scenario: str) -> None:
    """In the order in which they are done."""
    found = _drill(scenario, "--dry-run", "--json")
    assert found.exit_code == 0
    assert list(json.loads(found.stdout)) == [phase.name for phase in SCENARIOS[scenario].phases]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["region-on-fire"], "no scenario"),
        (["--stack", "prod"], "chaos: allowed"),
        (["--stack", "staging"], "AWS FIS"),
        (["--decide-after", "-1"], "decide-after"),
        (["--stack", "nope"], "stack 'nope' is not known; there is dev, staging, prod, local"),
        (["--all", "--resume"], "--all begins anew"),
        (["--all", "table-corrupted"], "--all runs every scenario"),
        (["--all", "--run-dir", "somewhere"], "--all has a stack of its own"),
        (["--resume", "table-corrupted"], "--resume goes on with the scenario that was begun"),
        (["--resume", "--decide-after", "9"], "--resume keeps the time"),
        (["--resume", "--dry-run"], "--resume has no plan to show"),
    ],
)
def test_what_may_not_be_drilled_is_refused(arguments: list[str], said: str) -> None:
    """Used wrongly: exit 2, with the first reason; production is refused by its own configuration."""
    found = _drill(*arguments)
    assert found.exit_code == 2
    assert said in " ".join(found.output.replace("│", " ").split())


def test_a_drill_whose_stack_is_gone_cannot_be_gone_on_with(tmp_path: Path) -> None:
    """There is nothing left to roll back."""
    DrillFile.create(tmp_path, replace(state(), moments={}, phases=()))
    found = _drill("--resume", "--run-dir", str(tmp_path))
    assert isinstance(found.exception, DrillStateError)
    assert "is gone" in str(found.exception)


def test_a_folder_without_a_stack_is_not_drilled(tmp_path: Path) -> None:
    """The error says how to start one."""
    found = _drill("--run-dir", str(tmp_path))
    assert isinstance(found.exception, NotRunningError)


def test_a_dry_run_of_everything_lists_every_scenario() -> None:
    """Not only the one that runs when none is named."""
    shown = json.loads(_drill("--all", "--dry-run", "--json").stdout)
    assert list(shown) == list(SCENARIOS)
    assert "rebuilt" in _drill("--all", "--dry-run").stdout


@pytest.mark.parametrize("passed", [True, False])
def test_everything_as_json_is_a_line_of_each_exercise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, passed: bool
) -> None:
    """And nothing else on stdout."""
    line = Line("rebuild", passed, "us-east-1", 3.0)
    monkeypatch.setattr(drill_command, "_run_all", lambda *_: [line])
    found = _drill("--all", "--json", "--report", str(tmp_path))
    assert (json.loads(found.stdout), found.exit_code) == ([asdict(line)], 0 if passed else 1)


@pytest.mark.parametrize("arguments", [[], ["--all"], ["--resume"]])
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_broken(
    tmp_path: Path, arguments: list[str]
) -> None:
    """Here its folder would be below a file."""
    (tmp_path / "file").touch()
    found = _drill(*arguments, "--report", str(tmp_path / "file" / "reports"))
    assert found.exit_code == 2
    assert "no report can be written" in " ".join(found.output.replace("│", " ").split())


@pytest.mark.parametrize("error", [ReportUnwrittenError("no room"), DrillStateError("another one")])
def test_a_drills_own_stack_stays_only_for_a_report_that_is_still_to_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    """`--resume` writes it."""
    monkeypatch.setattr(drill_command, "ROOT", tmp_path)
    monkeypatch.setattr(drill_command, "DRILL_DIR", tmp_path / ".local" / "drill")
    monkeypatch.setattr(Emulator, "start", lambda *_, **__: None)
    monkeypatch.setattr(local_stack, "deploy", lambda *_, **__: None)
    taken_down: list[object] = []
    monkeypatch.setattr(drill_command, "_take_down", lambda emulator, _say: taken_down.append(emulator))
    config = drill_command.stack_config(ROOT, "local")
    with pytest.raises(type(error)), drill_command._own_stack(config, lambda _: None):  # noqa: SLF001 - real ones take a minute to start
        raise error
    assert bool(taken_down) is not isinstance(error, ReportUnwrittenError)
