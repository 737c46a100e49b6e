"""Holding a process without any rights: it is stopped when its share is used up, and killed for its memory.

Deviations from a cgroup: it is looked at each 5 ms at most, or when its share must be used up, so it can
have a little more than its share in a period, which the next ones pay for; memory that is taken and given
back between two looks is not seen; and only the runtime's own process counts, not those that it starts. A
process that waits while it is stopped counts as one that wants the processor.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

from emulator.lambda_host.confinement import thread_times, used_s
from emulator.lambda_host.processor import PERIOD_S, CpuTimes

LOOK_S: Final = 0.005
LEAST_LOOK_S: Final = 0.0005
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class DutyCycle:
    """The limits of one process; see `Confinement`."""

    joins: tuple[Path, ...] = ()

    def __init__(self, memory_mb: int, share: float) -> None:
        """Prepare; nothing is held before `attach`."""
        self._memory_bytes = memory_mb * 1024 * 1024
        self._share = share
        self._pid = 0
        self._killed = False
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped_at: float | None = None
        self._stopped_s = 0.0
        self._limited = 0

    def attach(self, pid: int) -> None:
        """See `Confinement`."""
        self._pid = pid
        self._thread = threading.Thread(target=self._hold, daemon=True, name=f"duty-cycle-{pid}")
        self._thread.start()

    def set_share(self, share: float) -> None:
        """See `Confinement`."""
        self._share = share

    def times(self) -> CpuTimes:
        """See `Confinement`."""
        with self._lock:
            stopped_s = self._stopped_s
            if self._stopped_at is not None:
                stopped_s += time.monotonic() - self._stopped_at
            return CpuTimes(
                used_s=used_s(self._pid),
                waited_s=stopped_s,
                limited=self._limited,
                threads=thread_times(self._pid),
            )

    def killed_for_memory(self) -> bool:
        """See `Confinement`."""
        return self._killed

    def close(self) -> None:
        """See `Confinement`; the process itself is the owner's to kill."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _hold(self) -> None:
        """Look at the process until it is gone or let go.

        `left_s` is what it may still use in this period; below zero while it owes.
        """
        with contextlib.suppress(OSError):
            before_s = used_s(self._pid)
            left_s, ends_at = self._share * PERIOD_S, time.monotonic() + PERIOD_S
            limited = False
            while not self._ended.is_set():
                now, now_used_s = time.monotonic(), used_s(self._pid)
                left_s -= now_used_s - before_s
                before_s = now_used_s
                if now >= ends_at:
                    over = int((now - ends_at) / PERIOD_S) + 1
                    self._limited += over if limited else 0
                    ends_at += over * PERIOD_S
                    left_s = min(left_s + over * self._share * PERIOD_S, self._share * PERIOD_S)
                    limited = False
                self._signal(stop=left_s <= 0)
                limited |= left_s <= 0
                self._kill_if_too_large()
                until_end_s = ends_at - time.monotonic()
                look_s = until_end_s if left_s <= 0 else min(LOOK_S, until_end_s, left_s)
                self._ended.wait(max(look_s, LEAST_LOOK_S))
            self._signal(stop=False)

    def _signal(self, *, stop: bool) -> None:
        with self._lock:
            if stop == (self._stopped_at is not None):
                return
            os.killpg(self._pid, signal.SIGSTOP if stop else signal.SIGCONT)
            if self._stopped_at is not None:
                self._stopped_s += time.monotonic() - self._stopped_at
            self._stopped_at = time.monotonic() if stop else None

    def _kill_if_too_large(self) -> None:
        resident = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * _PAGE
        if resident > self._memory_bytes:
            self._killed = True
            os.killpg(self._pid, signal.SIGKILL)
