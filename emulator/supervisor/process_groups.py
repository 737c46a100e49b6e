"""What there is to know and do about the embedded AWS's processes from outside of the supervisor."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

import psutil

END_WITHIN_S: Final = 3.0
LOG_TAIL_LINES: Final = 15

INHERITED: Final = ("PATH", "LANG", "LC_ALL", "TZ")
"""The variables that a host, and so a Lambda, inherits from the person: no key that happens to be set, and no
HOME, where SDKs look for profiles."""


def log_tail(log: Path) -> str:
    """The last lines of a log, for an error message."""
    if not log.exists():
        return f"there is no log at {log}"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return f"end of {log}:\n" + "\n".join(lines)


def memory_mb(pid: int, *, with_children: bool) -> float:
    """Resident memory of a process, and of all its descendants if asked, in MB; 0 if it is gone."""
    total = 0
    try:
        leader = psutil.Process(pid)
        family = [leader, *(leader.children(recursive=True) if with_children else ())]
    except psutil.NoSuchProcess:
        return 0.0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6


def end_group(pid: int, instance_id: str) -> bool:
    """SIGKILL the group that `pid` leads if it is a host of that instance; whether it was.

    A pid alone does not name a process, since the system hands it out again; the command line does.
    """
    try:
        process = psutil.Process(pid)
        if instance_id not in process.cmdline():
            return False
        os.killpg(pid, signal.SIGKILL)
        process.wait(timeout=END_WITHIN_S)
    except (psutil.Error, ProcessLookupError):
        return False
    return True
