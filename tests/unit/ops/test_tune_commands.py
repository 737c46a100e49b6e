"""`responder tune`: what it refuses before anything is sent, in one line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaos.target import ChaosRefusedError
from loadtests.slo import SloError
from ops import tune_commands
from ops.cli import app
from topology.errors import ExplainedError


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    """And does not start one in a folder that somebody named."""
    done = CliRunner().invoke(
        app, ["tune", "throughput", "--run-dir", str(tmp_path), "--report", str(tmp_path / "r.html")]
    )
    assert done.exit_code == 1
    assert isinstance(done.exception, ExplainedError)
    assert "responder local up" in str(done.exception)


def test_an_unknown_objective_is_named(tmp_path: Path) -> None:
    """With those that are known."""
    file = tmp_path / "slo.yaml"
    file.write_text("throughput:\n  latency: <= 3\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["tune", "throughput", "--slo", str(file)])
    assert done.exit_code == 1
    assert isinstance(done.exception, SloError)
    assert "no metric latency; there are alone_percent" in str(done.exception)


@pytest.mark.parametrize("command", ["throughput", "prove"])
def test_a_stack_that_allows_no_chaos_is_not_loaded(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load is a fault that is injected."""

    def refuse(*_: object, **__: object) -> None:
        raise ChaosRefusedError("it does not say `chaos: allowed`")

    monkeypatch.setattr(tune_commands, "permit", refuse)
    done = CliRunner().invoke(app, ["tune", command])
    assert done.exit_code == 2
    assert "chaos: allowed" in done.output


def test_a_limit_that_there_is_not_is_refused_with_those_there_are() -> None:
    """Nothing is planted."""
    done = CliRunner().invoke(app, ["tune", "prove", "--only", "nonsense"])
    assert done.exit_code == 2
    said = " ".join(done.output.replace("│", " ").split())
    assert "no limit nonsense; there are API throttle, reception's concurrency, pollers" in said


@pytest.mark.parametrize("option", [["--seconds", "5"], ["--max-probes", "9"], ["--critical", "0"]])
def test_a_run_that_could_decide_nothing_is_refused(option: list[str]) -> None:
    """Too short a probe, more probes than are promised, no CRITICAL alert to measure."""
    assert CliRunner().invoke(app, ["tune", "throughput", *option]).exit_code == 2


def test_a_sweep_without_a_stack_has_nothing_to_put_back() -> None:
    """The local host changes no setting of anybody's."""
    done = CliRunner().invoke(app, ["tune", "memory", "--put-back"])
    assert done.exit_code == 2
    assert "--run-dir or --outputs" in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("option", [[], ["--put-back"]])
def test_a_sweep_of_a_stack_that_is_not_there_says_so(tmp_path: Path, option: list[str]) -> None:
    """In a line, before anything is built or changed."""
    done = CliRunner().invoke(app, ["tune", "memory", "--run-dir", str(tmp_path), *option])
    assert done.exit_code == 1
    assert isinstance(done.exception, ExplainedError)
    assert "no emulator runs in" in str(done.exception)
