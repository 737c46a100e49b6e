"""The simulator's command line: what it prints, writes and returns."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulator.cli import app
from simulator.mutants.catalogue import MUTANTS

RUN = CliRunner()


def test_seeds_are_run_and_reported(tmp_path: Path) -> None:
    """With the rate and with zeros, and the same as JSON in a file."""
    path = tmp_path / "reports" / "simulate.json"
    result = RUN.invoke(app, ["--seeds", "4", "--workers", "1", "--report", str(path)])
    assert result.exit_code == 0, result.output
    assert "seeds/s" in result.output
    assert "unaccounted 0, safety violations 0, not live 0" in result.output
    report = json.loads(path.read_text())
    assert (report["ok"], report["seeds"], report["runs"]) == (True, 4, 8)


def test_broken_promise_is_exit_1_and_says_how_to_see_it() -> None:
    """The seed, the rule and the command."""
    arguments = ["--seeds", "3", "--workers", "1", "--mutant", "no-rate-limit", "--consistency", "strong"]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 1
    assert "posted_without_slot" in result.output
    assert "responder simulate --seed" in result.output


def test_one_seed_prints_its_history() -> None:
    """In virtual time, with who did what."""
    result = RUN.invoke(app, ["--seed", "3", "--consistency", "strong"])
    assert result.exit_code == 0
    assert "ledger.create" in result.output
    assert "every promise was kept" in result.output


def test_one_seed_as_json() -> None:
    """For scripts."""
    result = RUN.invoke(app, ["--seed", "3", "--consistency", "eventual", "--json"])
    (one,) = json.loads(result.output)
    assert (one["seed"], one["consistency"], one["violation"]) == (3, "eventual", None)


def test_shrunk_seed_prints_a_short_history() -> None:
    """Of a seed that breaks a promise; exit 1."""
    arguments = ["--seed", "0", "--consistency", "strong", "--mutant", "no-rate-limit", "--shrink"]
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 1
    assert "1 requests, 0 faults" in result.output
    assert "broken: posted_without_slot" in result.output


def test_mutants_that_are_caught_are_exit_0(tmp_path: Path) -> None:
    """And the report has the seed of each."""
    path = tmp_path / "mutants.json"
    names = ["no-rate-limit", "child-dropped"]
    result = RUN.invoke(app, ["mutants", *names, "--workers", "1", "--report", str(path)])
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert [one["mutant"] for one in report["mutants"]] == names
    assert all(one["seed"] is not None for one in report["mutants"])


def test_mutant_that_survives_is_exit_1() -> None:
    """A checker without teeth is a failure."""
    result = RUN.invoke(app, ["mutants", "no-takeover", "--seeds", "2", "--workers", "1"])
    assert result.exit_code == 1
    assert "SURVIVED" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mutant", "nonsense"], MUTANTS[0].name),
        (["mutants", "nonsense"], MUTANTS[-1].name),
        (["--seed", "-1"], "a whole number from 0 to"),
        (["--seed", "x"], "a whole number from 0 to"),
        (["--first-seed", "4294967296"], "a whole number from 0 to 4294967295"),
        (["--shrink"], "--seed N"),
        (["--consistency", "weak"], "'eventual'"),
    ],
)
def test_misuse_is_exit_2_and_says_what_is_valid(arguments: list[str], said: str) -> None:
    """Without a traceback."""
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 2
    assert said in result.output
