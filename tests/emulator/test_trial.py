"""The whole trial on an embedded AWS of its own, as `make prove-on-aws` runs it."""

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from deploy.trial.steps import STEPS
from deploy.trial.verdicts import Verdict, read_results
from tests.emulator.stack.conftest import RESPONDER

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

SETTLED_HERE = {"A5", "A6"}
"""What the program decides itself; all else the embedded AWS stands in for."""


def left_running() -> list[str]:
    """Processes of a trial's emulator."""
    lines = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if "/.local/prove-" in line]


def test_a_whole_trial_settles_what_can_be_settled_here_and_leaves_nothing(tmp_path: Path) -> None:
    """Exit 0: no claim failed, and everything was removed."""
    report = tmp_path / "proof.json"
    command = [str(RESPONDER), "deploy", "prove", "--report", str(report), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    where, results = read_results(report)
    assert where == "the embedded AWS"
    assert [one.id for one in results] == [step.id for step in STEPS]
    for one in results:
        expected = Verdict.HELD if one.id in SETTLED_HERE else Verdict.NOT_SETTLED
        assert one.verdict is expected, one
        assert one.id in SETTLED_HERE or "seen here, but" in one.evidence, one
    assert json.loads(done.stdout)["left_over"] == ""
    assert left_running() == []


def test_an_interrupted_trial_removes_what_it_deployed(tmp_path: Path) -> None:
    """By Ctrl-C in the middle of the second step: the tear-down runs, and the file says so."""
    report = tmp_path / "proof.json"
    command = [str(RESPONDER), "deploy", "prove", "--report", str(report)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("strong:"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=300) == 130, rest
    assert "tear-down" in rest
    assert json.loads(report.read_text())["left_over"] == ""
    assert left_running() == []
