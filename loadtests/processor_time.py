"""Where the processor time went during a load test: by process, Lambda workers apart."""

import psutil

from emulator.client import Emulator


class ProcessorTime:
    """Measures from its creation on; the time of a worker that ended meanwhile is missing."""

    def __init__(self, emulator: Emulator) -> None:
        """Note how much each process has used so far."""
        self._emulator = emulator
        self._before = self._read()

    def used_s(self) -> dict[str, float]:
        """Seconds by process since then."""
        now = self._read()
        return {name: round(seconds - self._before.get(name, 0.0), 1) for name, seconds in now.items()}

    def _read(self) -> dict[str, float]:
        pids = {process.name: process.pid for process in self._emulator.status().processes}
        used: dict[str, float] = {}
        for name, pid in pids.items():
            leader = psutil.Process(pid)
            used[name] = _used_s(leader)
            if name != "supervisor":
                used[f"{name} workers"] = sum(map(_used_s, leader.children(recursive=True)))
        return used


def _used_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
