"""How much processor a memory size has, whether this machine has it, and how much an invocation got.

Lambda allots processor time in proportion to memory, one vCPU at 1,769 MB:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from topology.limits import LAMBDA_MEMORY_MAX_MB, LAMBDA_MEMORY_MIN_MB, LAMBDA_VCPU_MB

PERIOD_S: Final = 0.02
"""A share is allotted anew each 20 ms: one of 0.5 is 10 ms of each. Longer periods make short invocations
faster than on Lambda, shorter ones cost the kernel more."""

INIT_SHARE: Final = 1.0
"""INIT's least share of a vCPU, whatever the memory. AWS does not document it; it has been measured at 128 MB
and up, as one vCPU (https://github.com/DataDog/datadog-lambda-extension/issues/191) and as two
(https://bitesizedserverless.com/bite/when-is-the-lambda-init-phase-free-and-when-is-it-billed/). Python
loads modules in one thread, which cannot tell these apart. An INIT that is repeated within an invocation has
the memory's own share (the former source)."""

LONG_PERIODS: Final = 20
"""From this many periods on, a share can be measured directly: where in a period an invocation began is then
worth less than 5 % of it."""

BUSY: Final = 0.95
"""An invocation that used or waited for the processor for this part of its time was never idle."""

WAKING_UP: Final = 0.01
WAKING_UP_S: Final = 0.0005
"""Waiting that the limit does not explain is none below this part of the duration, or below half of the
millisecond that Lambda bills by: waking up takes some."""


def vcpus(memory_mb: int) -> float:
    """The share of one vCPU that comes with that memory; above 1,769 MB more than one."""
    return memory_mb / LAMBDA_VCPU_MB


@cache
def cores() -> frozenset[int]:
    """The cores that this process might use when it was first asked."""
    return frozenset(os.sched_getaffinity(0))


def others_cores() -> frozenset[int]:
    """The cores that are left to all but functions: one is theirs, where there are several."""
    return cores() - {max(cores())} or cores()


def cores_of(memory_mb: int) -> frozenset[int]:
    """The cores that a function's threads may use: one for up to one vCPU.

    A limit that two cores share is dealt out to each in slices, so that threads wait on one core for what is
    left over on the other.
    """
    return frozenset({max(cores())}) if memory_mb <= LAMBDA_VCPU_MB else cores()


def not_measurable(memory_mb: int) -> str | None:
    """Why that memory size cannot be measured on this machine, or None."""
    if not LAMBDA_MEMORY_MIN_MB <= memory_mb <= LAMBDA_MEMORY_MAX_MB:
        return f"Lambda has {LAMBDA_MEMORY_MIN_MB} to {LAMBDA_MEMORY_MAX_MB:,} MB, not {memory_mb:,}"
    if memory_mb > len(cores()) * LAMBDA_VCPU_MB:
        return (
            f"{memory_mb:,} MB comes with {vcpus(memory_mb):.1f} vCPUs, and this machine has {len(cores())}"
        )
    return None


@dataclass(frozen=True, kw_only=True)
class CpuTimes:
    """What a process has used of the processor since some time.

    `waited_s` is the time in which it could have run and did not, held by the limit or since the cores were
    busy. `limited` are the periods in which it used up its share. `threads` has what each thread used and how
    long it could have run and did not, by its number; `since` makes `waited_s` of it.
    """

    used_s: float
    waited_s: float = 0.0
    limited: int
    threads: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    def since(self, before: "CpuTimes") -> "CpuTimes":
        """What came after `before`.

        A thread that waits may wait for another one of its process: of its waiting counts what the others'
        running does not explain, and of all threads the one that waited longest.
        """
        used_s = self.used_s - before.used_s
        alone_s = 0.0
        for thread, (ran_s, delayed_s) in self.threads.items():
            ran_before_s, delayed_before_s = before.threads.get(thread, (0.0, 0.0))
            others_s = used_s - (ran_s - ran_before_s)
            alone_s = max(alone_s, delayed_s - delayed_before_s - others_s)
        return CpuTimes(
            used_s=used_s,
            waited_s=self.waited_s - before.waited_s + alone_s,
            limited=self.limited - before.limited,
        )


def achieved_share(target: float, times: CpuTimes, *, wall_s: float) -> float | None:
    """The share of a vCPU that an invocation of `wall_s` seconds got while it wanted the processor.

    - If it was never idle and took 20 periods or more, it is what was used, by the time that it took. The
      period in which it began is one that it had a part of; that leaves an error of half a period in all.
    - Else it had bursts, in which the limit allows more than the share, and a share by time would say nothing
      about the limit. What can be told is whether anything else held it up: the target is lowered by how much
      longer it wanted the processor than the limit explains. That too is a share which is too low where the
      cores are busy, though not an exact one.
    - None if the limit explains all of its waiting, or it was never limited and waited for nothing.

    Where several threads compute at once, what they could have waited for each other is not held against the
    machine: a share that is too low may then go unnoticed.
    """
    quota_s = target * PERIOD_S
    wanted_s = min(times.used_s + times.waited_s, wall_s)
    limited = times.limited > 0
    if (limited or target < 1) and wanted_s >= BUSY * wall_s and wall_s >= LONG_PERIODS * PERIOD_S:
        return times.used_s / (wall_s + (max(PERIOD_S - quota_s, 0.0) if limited else 0.0))
    free_s = max(times.used_s - times.limited * quota_s, 0.0)
    explained_s = free_s + (times.used_s - free_s) / target
    if wanted_s <= explained_s + max(wall_s * WAKING_UP, WAKING_UP_S):
        return None
    return target * explained_s / wanted_s
