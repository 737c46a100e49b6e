"""Where the processor time went during a load test: by process, Lambda workers apart."""

from collections import defaultdict
from typing import Final

import psutil

from emulator.client import Emulator

WORKERS: Final = " workers"
"""How the name of a region's Lambda workers ends: many processes, while each other name is one."""


class ProcessorTime:
    """Measures from its creation on; the time of a process or worker that ended meanwhile is missing."""

    def __init__(self, emulator: Emulator) -> None:
        """Note how much each process has used so far."""
        self._emulator = emulator
        self._before = self._read()

    def used_s(self) -> dict[str, float]:
        """Seconds by the name of a process since then."""
        used: defaultdict[str, float] = defaultdict(float)
        for (name, pid), seconds in self._read().items():
            used[name] += max(0.0, seconds - self._before.get((name, pid), 0.0))
        return {name: round(seconds, 1) for name, seconds in used.items()}

    def _read(self) -> dict[tuple[str, int], float]:
        """Seconds by name and pid: a region that was killed comes back as other processes."""
        used: dict[tuple[str, int], float] = {}
        for process in self._emulator.status().processes:
            try:
                leader = psutil.Process(process.pid)
                children = leader.children(recursive=True) if process.name != "supervisor" else []
            except psutil.NoSuchProcess:
                continue
            used[process.name, process.pid] = _used_s(leader)
            for child in children:
                used[f"{process.name}{WORKERS}", child.pid] = _used_s(child)
        return used


def _used_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
