"""What becomes a function's process: it ties its life to the host's, joins its groups, and is the runtime.

The host runs this file with `python -I -S launch.py <host's pid> <file to write its pid into>... --
<command>...`. Standard output is where it says when the runtime began (seconds of CLOCK_MONOTONIC),
standard error the log. By standard library only: nothing of the project is on its path.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
"""https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html; it stays over an exec."""


def main(host: int, joins: list[str], command: list[str]) -> None:
    """Become `command`."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != host:
        sys.exit("the host is gone")
    for file in joins:
        with open(file, "w", encoding="ascii") as procs:  # noqa: PTH123 - pathlib would cost each start 10 ms
            procs.write(str(os.getpid()))
    log = os.dup(2)
    os.write(1, repr(time.monotonic()).encode() + b"\n")
    os.dup2(log, 1)
    os.close(log)
    os.execv(command[0], command)  # noqa: S606 - the host's own command


if __name__ == "__main__":
    separator = sys.argv.index("--")
    main(int(sys.argv[1]), sys.argv[2:separator], sys.argv[separator + 1 :])
