"""Holding a process by control groups, as Lambda does: version 1 or 2, wherever this user may make one.

- Version 1, processor: https://docs.kernel.org/scheduler/sched-bwc.html
- Version 1, memory: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
- Version 2: https://docs.kernel.org/admin-guide/cgroup-v2.html

Whether a group can be made is found out by making one. Groups are made below the group that this process is
in (of version 2 below the nearest above it that may have groups), so that what limits that one limits them
too. A group's name has the pid of the host that made it: what a killed host left behind is ended and removed
by the next one.
"""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar, Final

import psutil

from emulator.lambda_host.confinement import thread_times, used_s
from emulator.lambda_host.processor import PERIOD_S, CpuTimes

PREFIX: Final = "lambda-host-"
_NAME: Final = re.compile(PREFIX + r"(\d+)-")
_NUMBERS: Final = count(1)
_PERIOD_US: Final = round(PERIOD_S * 1e6)
_MOST_SHARES: Final = 262_144
_MOST_WEIGHT: Final = 10_000
"""The greatest weight of each version: up to its limit, a function goes before what else runs here."""

REMOVED_WITHIN_S: Final = 5.0
_POLL_S: Final = 0.002


class Cgroup:
    """One environment's group; see `Confinement`. Each version knows its own folders and files."""

    CONTROLLERS: ClassVar[tuple[str, ...]]

    def __init__(self, memory_mb: int, share: float) -> None:
        """Make the group.

        Raises:
            OSError: it cannot be made here.
        """
        name = f"{PREFIX}{os.getpid()}-{next(_NUMBERS)}"
        self._folders = [parent / name for parent in self.parents()]
        if not self._folders:
            raise FileNotFoundError(f"no hierarchy has {' and '.join(self.CONTROLLERS)}")
        self.joins = tuple(folder / "cgroup.procs" for folder in self._folders)
        self._pid = 0
        try:
            for folder in self._folders:
                folder.mkdir()
            self.set_share(share)
            self._set_rest(memory_mb * 1024 * 1024)
        except OSError:
            self.close()
            raise

    @staticmethod
    def parents() -> list[Path]:
        """The folders in which the groups are made."""
        raise NotImplementedError

    def set_share(self, share: float) -> None:
        """See `Confinement`."""
        raise NotImplementedError

    def _set_rest(self, memory_bytes: int) -> None:
        raise NotImplementedError

    def killed_for_memory(self) -> bool:
        """See `Confinement`."""
        raise NotImplementedError

    def attach(self, pid: int) -> None:
        """See `Confinement`."""
        self._pid = pid

    def times(self) -> CpuTimes:
        """See `Confinement`."""
        return CpuTimes(
            used_s=used_s(self._pid),
            limited=_numbers(self._folders[0] / "cpu.stat")["nr_throttled"],
            threads=thread_times(self._pid),
        )

    def close(self) -> None:
        """See `Confinement`."""
        for folder in self._folders:
            _remove(folder)


class CgroupV1(Cgroup):
    """A group in the hierarchies of `cpu` and `memory`, which may be one."""

    CONTROLLERS = ("cpu", "memory")

    @staticmethod
    def parents() -> list[Path]:
        """See `Cgroup`."""
        own = {c: path for c, path in _own_paths() if c}
        mounts = {c: place for kind, place, options in _mounts() if kind == "cgroup" for c in options}
        if not {*CgroupV1.CONTROLLERS} <= mounts.keys():
            return []
        below = [_below(mounts[c], own.get(c, "/")) for c in CgroupV1.CONTROLLERS]
        return list(dict.fromkeys(below))

    def set_share(self, share: float) -> None:
        """See `Confinement`."""
        _write(self._folders[0] / "cpu.cfs_period_us", _PERIOD_US)
        _write(self._folders[0] / "cpu.cfs_quota_us", round(share * _PERIOD_US))

    def _set_rest(self, memory_bytes: int) -> None:
        _write(self._folders[0] / "cpu.shares", _MOST_SHARES)
        _write(self._folders[-1] / "memory.limit_in_bytes", memory_bytes)
        with_swap = self._folders[-1] / "memory.memsw.limit_in_bytes"
        if with_swap.exists():
            _write(with_swap, memory_bytes)

    def killed_for_memory(self) -> bool:
        """See `Confinement`."""
        return _numbers(self._folders[-1] / "memory.oom_control").get("oom_kill", 0) > 0


class CgroupV2(Cgroup):
    """A group of the unified hierarchy, where it has both controllers for this user."""

    CONTROLLERS = ("cpu", "memory")

    @staticmethod
    def parents() -> list[Path]:
        """See `Cgroup`: the group of this process, or the nearest above it that can have groups with limits.

        One that has processes of its own cannot, but for the root.
        """
        mount = next((place for kind, place, _ in _mounts() if kind == "cgroup2"), None)
        if mount is None:
            return []
        own = _below(mount, next((path for c, path in _own_paths() if not c), "/"))
        for folder in (own, *own.parents):
            if not folder.is_relative_to(mount):
                break
            with contextlib.suppress(OSError):
                missing = {*CgroupV2.CONTROLLERS} - _words(folder / "cgroup.subtree_control")
                if missing:
                    _write(folder / "cgroup.subtree_control", " ".join(f"+{c}" for c in sorted(missing)))
                return [folder]
        return []

    def set_share(self, share: float) -> None:
        """See `Confinement`."""
        _write(self._folders[0] / "cpu.max", f"{round(share * _PERIOD_US)} {_PERIOD_US}")

    def _set_rest(self, memory_bytes: int) -> None:
        _write(self._folders[0] / "cpu.weight", _MOST_WEIGHT)
        _write(self._folders[0] / "memory.max", memory_bytes)
        _write(self._folders[0] / "memory.oom.group", 1)
        swap = self._folders[0] / "memory.swap.max"
        if swap.exists():
            _write(swap, 0)

    def killed_for_memory(self) -> bool:
        """See `Confinement`."""
        return _numbers(self._folders[0] / "memory.events").get("oom_kill", 0) > 0


def remove_stale() -> None:
    """End and remove the groups of hosts that are gone."""
    for version in (CgroupV1, CgroupV2):
        for parent in version.parents():
            for folder in left_behind(parent):
                _remove(folder)


def left_behind(parent: Path) -> list[Path]:
    """The folders in `parent` that hosts made which are gone: their names begin with the host's pid."""
    named = [(folder, _NAME.match(folder.name)) for folder in parent.glob(f"{PREFIX}*")]
    return [folder for folder, name in named if name and not psutil.pid_exists(int(name[1]))]


def _remove(folder: Path) -> None:
    """Kill all processes of a group, and remove it or leave it to the next host."""
    deadline = time.monotonic() + REMOVED_WITHIN_S
    while folder.exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(_POLL_S)


def _mounts() -> Iterator[tuple[str, Path, set[str]]]:
    """Kind, place and options of each mount; https://man7.org/linux/man-pages/man5/proc_pid_mounts.5.html."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _, place, kind, options = line.split()[:4]
            yield kind, Path(place), set(options.split(","))


def _own_paths() -> Iterator[tuple[str, str]]:
    """Each controller with this process's group; "" stands for version 2. See cgroups(7)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            yield from ((controller, path) for controller in controllers.split(","))


def _below(mount: Path, path: str) -> Path:
    """A group's folder, or the mount where a container hides it."""
    folder = mount / path.lstrip("/")
    return folder if folder.is_dir() else mount


def _write(file: Path, value: object) -> None:
    file.write_text(str(value), encoding="ascii")


def _words(file: Path) -> set[str]:
    return set(file.read_text(encoding="ascii").split())


def _numbers(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in map(str.split, file.read_text(encoding="ascii").splitlines())}
