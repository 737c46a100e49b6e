"""How an execution environment's process is held to its memory and its share of the processor."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from emulator.errors import EmulatorError
from emulator.lambda_host.processor import CpuTimes


class Mechanism(StrEnum):
    """What holds a process, the best first."""

    CGROUP_V2 = "cgroup-v2"
    CGROUP_V1 = "cgroup-v1"
    DUTY_CYCLE = "duty-cycle"
    """Stop and continue, by a thread of ours: needs no rights, and is less exact."""


class HostError(EmulatorError):
    """This machine cannot host the function as asked."""


class Confinement(Protocol):
    """One environment's limits. It is made before the process, whose launcher writes its pid into `joins`."""

    @property
    def joins(self) -> tuple[Path, ...]:
        """The files into which the process writes its pid before it runs anything."""
        ...

    def attach(self, pid: int) -> None:
        """Hold this process from now on."""
        ...

    def set_share(self, share: float) -> None:
        """Hold it to that share of one vCPU from now on."""
        ...

    def times(self) -> CpuTimes:
        """What it has used so far.

        Raises:
            OSError: it is gone.
        """
        ...

    def killed_for_memory(self) -> bool:
        """Whether it has been killed since it had too much memory."""
        ...

    def close(self) -> None:
        """Kill what is left of it, and leave nothing behind."""
        ...


def used_s(pid: int) -> float:
    """The processor time of a process and its ended threads, to the nanosecond, also while it runs.

    The clock's number is what clock_getcpuclockid(3) returns.

    Raises:
        OSError: it is gone.
    """
    return time.clock_gettime((~pid << 3) | 2)


def thread_times(pid: int) -> dict[int, tuple[float, float]]:
    """How long each living thread of a process ran, and could have run and did not, in seconds.

    The first two fields of https://docs.kernel.org/scheduler/sched-stats.html; the second counts what a
    cgroup's limit holds back too.

    Raises:
        OSError: it is gone.
    """
    times = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        ran_ns, delayed_ns = (task / "schedstat").read_text().split()[:2]
        times[int(task.name)] = int(ran_ns) / 1e9, int(delayed_ns) / 1e9
    return times


def peak_memory_mb(pid: int) -> int:
    """The most memory that a process has had resident, in whole MB; 0 if it is gone.

    `VmHWM` of https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    peak_kb = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), "0")
    return round(int(peak_kb) / 1024)
