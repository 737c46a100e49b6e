"""What `make test` says of its CPU time: of every process, also those whose parent died before them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "cpu_time.py"

ORPHANS = """
import os, time
if os.fork() == 0:
    os.setsid()
    while time.process_time() < 1.0:
        pass
    os._exit(0)
os._exit(7)
"""
"""A process that ends at once, with 7, and leaves one that works for a second."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt what others leave")
def test_work_of_an_orphan_is_counted_and_the_commands_end_is_passed_on() -> None:
    """As with the Lambda workers of a region that is killed."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), sys.executable, "-c", ORPHANS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 7
    told = re.search(r"CPU time of all processes: .* \(user (\d+) s, system (\d+) s\)", done.stdout)
    assert told, done.stdout
    assert int(told[1]) + int(told[2]) >= 1


def test_a_command_that_a_signal_ended_is_told_as_a_shell_tells_it() -> None:
    """128 and the signal's number."""
    command = [sys.executable, str(PROGRAM), sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 137
