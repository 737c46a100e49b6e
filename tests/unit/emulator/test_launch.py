"""The report of a start comes through a pipe, which ends where the supervisor dies."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from emulator.errors import StartFailedError
from emulator.protocol import StartReport
from emulator.supervisor.launch import _await_start

REPORT = msgspec.json.encode(StartReport()) + b"\n"


@pytest.mark.parametrize("cut", range(len(REPORT)))
def test_a_report_that_does_not_end_is_a_start_that_failed(tmp_path: Path, cut: int) -> None:
    """With the end of the supervisor's log, not a traceback."""
    log = tmp_path / "supervisor.log"
    log.write_text("the last words\n")
    program = f"import sys; sys.stdout.buffer.write({REPORT[:cut]!r})"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with pytest.raises(StartFailedError, match="the last words"):
        _await_start(child, log)
    child.wait(timeout=10)
