"""What ends a command from outside, asked of processes that put something back."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clients.interrupts import INTERRUPTED_CODE

pytestmark = pytest.mark.usefixtures("from_terminal")

PROGRAM = """
import os, signal, sys
from pathlib import Path
from clients.interrupts import interrupt_on_ending
{before}
interrupt_on_ending()
try:
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "go on\\n":
            sys.exit(0)
except KeyboardInterrupt:
    print("putting back", flush=True)
    {within}
    Path(sys.argv[1]).write_text("put back")
    sys.exit({code})
"""


def started(note: Path, *, before: str = "", within: str = "") -> "subprocess.Popen[str]":
    """A process that puts back what it did by writing `note`; it listens."""
    program = PROGRAM.format(before=before, within=within, code=INTERRUPTED_CODE)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(note)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_puts_back_what_it_did(tmp_path: Path, number: signal.Signals) -> None:
    """As after Ctrl-C."""
    with started(tmp_path / "note") as process:
        process.send_signal(number)
        assert process.wait(20) == INTERRUPTED_CODE
    assert (tmp_path / "note").read_text() == "put back"


def test_a_command_whose_terminal_is_gone_puts_back_what_it_did(tmp_path: Path) -> None:
    """It tells what it does, and nobody is there to be told."""
    with started(tmp_path / "note") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == INTERRUPTED_CODE
    assert (tmp_path / "note").read_text() == "put back"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_stop_the_putting_back(tmp_path: Path, number: signal.Signals) -> None:
    """A shell sends a hangup to its commands, and the kernel another; `timeout` ends a whole group."""
    with started(tmp_path / "note", within=f"os.kill(os.getpid(), {number:d})") as process:
        process.send_signal(number)
        assert process.wait(20) == INTERRUPTED_CODE
    assert (tmp_path / "note").read_text() == "put back"


def test_under_nohup_a_command_goes_on(tmp_path: Path) -> None:
    """Somebody wanted it so."""
    with started(tmp_path / "note", before="signal.signal(signal.SIGHUP, signal.SIG_IGN)") as process:
        process.send_signal(signal.SIGHUP)
        process.communicate("go on\n", timeout=20)
        assert process.returncode == 0
    assert not (tmp_path / "note").exists()
