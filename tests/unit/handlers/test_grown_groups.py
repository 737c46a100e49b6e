"""Groups grown from real ones and spoilt, at a small size here; `make grown-groups` checks 50,000."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from handlers.domain.intake.webhook import Request, Response
from tests.grown_groups.__main__ import main
from tests.grown_groups.checking import Answer, check_seeds
from tests.grown_groups.growth import read_payloads
from tests.grown_groups.spoilers import GROUPS, MEMBERS
from tests.unit.handlers.builders import World
from topology.alerts import Severity, Status

FIXTURES = Path(__file__).parent / "fixtures"
PAYLOADS = read_payloads(FIXTURES)
SEEDS = range(1, 301)


def test_no_good_member_is_lost_whatever_stands_beside_it() -> None:
    """Each has a row at work with its own severity, title and labels; every other one is a row or named."""
    tally = check_seeds(PAYLOADS, SEEDS)
    assert (tally.problems, tally.lost, tally.unaccounted) == ([], 0, 0)
    assert tally.good > len(SEEDS)
    assert tally.refused > 0
    assert tally.ignored > 0
    assert tally.spoilt.keys() == {*MEMBERS, *GROUPS, "single body", "mutated body", "mutated member"}


def _loses_a_row(world: World, request: Request) -> Response:
    answered = world.answer(request)
    world.ledger.rows.pop(next(iter(world.ledger.rows), ""), None)
    return answered


def _refuses_all(_world: World, _request: Request) -> Response:
    return Response(status=422, body={"error": "planted"})


def _raises(_world: World, _request: Request) -> Response:
    raise OverflowError("planted")


def _suppresses(world: World, request: Request) -> Response:
    answered = world.answer(request)
    for row in list(world.ledger.rows.values()):
        world.hold(replace(row, status=Status.SUPPRESSED))
    return answered


def _changes_severity(world: World, request: Request) -> Response:
    answered = world.answer(request)
    for row in list(world.ledger.rows.values()):
        world.hold(replace(row, severity=Severity.LOW))
    return answered


@pytest.mark.parametrize("planted", [_loses_a_row, _refuses_all, _raises, _suppresses, _changes_severity])
def test_a_planted_loss_is_found(planted: Answer) -> None:
    """So that the test above cannot pass by looking at nothing."""
    tally = check_seeds(PAYLOADS, SEEDS[:20], planted)
    assert tally.lost + tally.unaccounted > 0
    assert tally.problems


def test_the_counts_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command that `make grown-groups` is."""
    report = tmp_path / "report.json"
    words = ["--payloads", str(FIXTURES), "--groups", "30", "--processes", "1", "--report", str(report)]
    assert main(words) == 0
    assert "30 groups of " in capsys.readouterr().out
    assert json.loads(report.read_text())["lost"] == 0
