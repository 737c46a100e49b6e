"""`responder local pulumi` on a running embedded AWS, with a CLI that only notes how it is called."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import local_stack
from emulator.attached_stack import STATE_FILE
from emulator.client import Emulator
from emulator.errors import RefusedError
from emulator.pulumi.plugin.workspace import Workspace
from emulator.pulumi.state import Record, State
from lambda_packages import ROOT
from topology.names import LOCAL_STACK, PROJECT

RESPONDER = Path(sys.executable).with_name("responder")
WITHIN_S = 60.0

CLI = """#!{python}
import json, os, signal, sys, time
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]) + "\\n")
if "wait" in sys.argv:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(8))
    signal.signal(signal.SIGTERM, lambda *_: (print("ended", flush=True), sys.exit(9)))
    print("waiting", flush=True)
    for _ in range(int({within} * 10)):
        time.sleep(0.1)  # a signal just before it would be seen to after it
if "fail" in sys.argv:
    sys.exit(7)
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """What the CLI was called with, a line each."""
    return tmp_path / "calls"


@pytest.fixture
def environment(tmp_path: Path, calls: Path) -> dict[str, str]:
    """An environment where `pulumi` is that CLI."""
    cli = tmp_path / "bin" / "pulumi"
    cli.parent.mkdir()
    cli.write_text(CLI.format(python=sys.executable, calls=str(calls), within=WITHIN_S))
    cli.chmod(0o700)
    return {**os.environ, "PATH": f"{cli.parent}{os.pathsep}{os.environ['PATH']}", "PULUMI_STACK": "prod"}


@pytest.fixture
def command(emulator: Emulator) -> list[str]:
    """The command, on this emulator."""
    return [str(RESPONDER), "local", "pulumi", "--run-dir", str(emulator.run_dir), "--"]


@pytest.fixture
def cli_state(emulator: Emulator) -> Iterator[Path]:
    """Where the CLI keeps its state of the local stack; it is gone afterwards."""
    state = Workspace.of(emulator).folder / "state" / ".pulumi" / "stacks" / PROJECT / f"{LOCAL_STACK}.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    yield state
    state.unlink(missing_ok=True)


def test_the_cli_runs_in_the_copy_with_its_own_backend(
    command: list[str], environment: dict[str, str], calls: Path, emulator: Emulator
) -> None:
    """The stack is made first where there is none, and the exit code is the CLI's."""
    done = subprocess.run([*command, "fail", "policy"], env=environment, cwd=ROOT / "tests", check=False)
    assert done.returncode == 7
    made, typed = (json.loads(line) for line in calls.read_text().splitlines())
    assert made[0] == ["stack", "select", "--create", LOCAL_STACK, "--non-interactive"]
    assert typed[0] == ["fail", "policy"]
    workspace = Workspace.of(emulator)
    assert made[1] == typed[1] == str(workspace.project_dir), "wherever it was typed"
    assert typed[2]["PULUMI_STACK"] == LOCAL_STACK
    assert typed[2]["PULUMI_BACKEND_URL"] == f"file://{workspace.folder}/state"
    assert typed[2]["RESPONDER_EMULATOR"] == emulator.edge_url


def test_ctrl_c_is_the_clis(command: list[str], environment: dict[str, str]) -> None:
    """It ends its update tidily; the command waits for that, and exits as the CLI does."""
    started = subprocess.Popen(
        [*command, "wait"], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with started:
        assert started.stdout is not None
        assert started.stdout.readline() == "waiting\n"
        os.killpg(started.pid, signal.SIGINT)
        begun = time.monotonic()
        assert started.wait(timeout=WITHIN_S) == 8
    assert time.monotonic() - begun < WITHIN_S


@pytest.mark.usefixtures("from_terminal")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_command_ends_the_cli(
    command: list[str], environment: dict[str, str], sent: signal.Signals
) -> None:
    """And the command waits for it: a CLI that is left behind would go on deploying."""
    started = subprocess.Popen(
        [*command, "wait"], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with started:
        assert started.stdout is not None
        assert started.stdout.readline() == "waiting\n"
        started.send_signal(sent)
        assert started.wait(timeout=WITHIN_S / 2) == 9
        assert started.stdout.read() == "ended\n"


def test_a_stack_that_was_deployed_in_process_is_refused(
    command: list[str], environment: dict[str, str], calls: Path, emulator: Emulator
) -> None:
    """Two engines on one stack would each take the other's resources for missing."""
    state = State(emulator.run_dir / STATE_FILE, LOCAL_STACK, emulator.instance_id)
    state.put("urn", Record("aws:sqs/queue:Queue", "url", "us-east-1", {}, {}))
    try:
        done = subprocess.run([*command, "up"], env=environment, capture_output=True, text=True, check=False)
    finally:
        state.erase()
    assert done.returncode == 1
    assert "responder local down" in done.stderr
    assert not calls.exists()


def test_a_stack_of_the_clis_is_not_deployed_in_process(emulator: Emulator, cli_state: Path) -> None:
    """The other way round."""
    latest = {"resources": [{"type": "aws:sqs/queue:Queue", "custom": True}]}
    cli_state.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    with pytest.raises(RefusedError, match="responder local pulumi -- up"):
        local_stack.deploy(emulator)
