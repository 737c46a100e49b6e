"""`responder dr drill`: what it refuses before anything is started, and what it says it would do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dr.drill.record import DrillFile, DrillStateError
from dr.drill.scenarios import SCENARIOS
from emulator.errors import NotRunningError
from ops.dr_drill_command import drill
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
    ],
)
def test_what_may_not_be_drilled_is_refused(arguments: list[str], said: str) -> None:
    """Used wrongly: exit 2, with the reason; production is refused by its own configuration."""
    found = _drill(*arguments)
    assert found.exit_code == 2
    assert said in " ".join(found.output.replace("│", " ").split())


def test_a_drill_whose_stack_is_gone_cannot_be_gone_on_with(tmp_path: Path) -> None:
    """There is nothing left to put back."""
    DrillFile.create(tmp_path, replace(state(), moments={}, phases=()))
    found = _drill("--resume", "--run-dir", str(tmp_path))
    assert isinstance(found.exception, DrillStateError)
    assert "is gone" in str(found.exception)


def test_a_folder_without_a_stack_is_not_drilled(tmp_path: Path) -> None:
    """The error says how to start one."""
    found = _drill("--run-dir", str(tmp_path))
    assert isinstance(found.exception, NotRunningError)
