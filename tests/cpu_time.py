"""Runs a command and then prints the CPU time of every process of it, for the budget of `make test`.

`time` misses what a test's process leaves behind when it is killed, such as the workers of a region that is
lost. This one adopts such processes (PR_SET_CHILD_SUBREAPER of prctl(2)) and reaps them, so that the kernel
counts them: user and system time of every process that the command started, however deep, and that has ended.
Where there is no prctl (macOS) it counts what `time` does, and says so.
"""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h"""

ENDED_WITHIN_S = 15.0
"""What the command left running may take so long to end by itself."""


def main(command: list[str]) -> int:
    """Run the command, print the times, and return its exit code."""
    adopts = sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    began = time.monotonic()
    child = subprocess.Popen(command)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: child.send_signal(number))
    status = _reap_until_end_of(child.pid)
    left = _reap_the_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    total_s = used.ru_utime + used.ru_stime
    whom = "all processes" if adopts else "processes that were waited for"
    print(  # noqa: T201 - what this program is for
        f"CPU time of {whom}: {total_s / 60:.1f} min "
        f"(user {used.ru_utime:.0f} s, system {used.ru_stime:.0f} s); wall {time.monotonic() - began:.0f} s"
        + ("; something still runs and is not counted" if left else "")
    )
    return status


def _reap_until_end_of(pid: int) -> int:
    """Reap whatever ends until the command does; its exit code, as a shell gives it."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _reap_the_rest() -> bool:
    """Reap what the command left behind; whether something of it still runs after `ENDED_WITHIN_S`."""
    deadline = time.monotonic() + ENDED_WITHIN_S
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
