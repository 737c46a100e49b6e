"""One process at a time changes the stack of a run folder: brings it up, deploys to it, takes it down.

`emulator.lock` says whether an emulator runs; this lock says that somebody is at work on what runs there, so
that a second `responder local up` does not deploy over a stack that the first has half made. The kernel
releases it when its process dies, however it dies.
"""

import contextlib
import fcntl
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emulator.errors import StackBusyError
from emulator.supervisor import runfile

WAIT_S: Final = 420.0
"""A start takes a minute at most, a deployment five, and a stop seconds."""

POLL_S: Final = 0.1

Say = Callable[[str], object]


@dataclass
class _Hold:
    """What this process has of a lock file. `depth`: how many blocks of one thread are in each other."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    depth: int = 0


_holds: Final[defaultdict[Path, _Hold]] = defaultdict(_Hold)


@contextlib.contextmanager
def changing(
    run_dir: Path, *, say: Say = lambda _: None, within_s: float | None = None, make: bool = True
) -> Iterator[None]:
    """Be the only one to change the stack in `run_dir` while the block runs; `say` is told whom it waits for.

    A block within another of the same thread holds it already. `make`: the folder is made and checked as a
    run folder; without it, it is somebody else's business, as that of a state file in a test.

    Raises:
        StackBusyError: another process is still at work after `within_s` seconds.
        EmulatorError: the folder cannot be a run folder.
    """
    run_dir = run_dir.resolve()
    within_s = WAIT_S if within_s is None else within_s
    hold, deadline = _holds[run_dir], time.monotonic() + within_s
    if not hold.lock.acquire(timeout=within_s):
        raise _busy(run_dir, str(os.getpid()))
    try:
        descriptor = None if hold.depth else _take(run_dir, deadline, say=say, make=make)
        hold.depth += 1
        try:
            yield
        finally:
            hold.depth -= 1
            if descriptor is not None:
                os.close(descriptor)
    finally:
        hold.lock.release()


def empty(run_dir: Path) -> None:
    """Remove what is in a run folder, but not the lock that its caller holds."""
    for path in run_dir.iterdir():
        if path.name == runfile.STACK_LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _take(run_dir: Path, deadline: float, *, say: Say, make: bool) -> int:
    """The descriptor that holds the lock of the file that is in the folder now: `local down` removes it."""
    while True:
        descriptor = _open(run_dir, make=make)
        try:
            _await(descriptor, run_dir, deadline, say)
            if _is_there(descriptor, run_dir / runfile.STACK_LOCK):
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _await(descriptor: int, run_dir: Path, deadline: float, say: Say) -> None:
    told = False
    while not _lock(descriptor):
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
        if time.monotonic() > deadline:
            raise _busy(run_dir, holder)
        if not told:
            say(f"process {holder} is changing the stack in {run_dir}; waiting until it is done")
            told = True
        time.sleep(POLL_S)


def _open(run_dir: Path, *, make: bool) -> int:
    if make:
        runfile.prepare(run_dir)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        return os.open(run_dir / runfile.STACK_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise runfile.unusable(run_dir, error) from error


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_there(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _busy(run_dir: Path, holder: str) -> StackBusyError:
    return StackBusyError(
        f"process {holder} is changing the stack in {run_dir}; run this again when it is done, "
        "or name another folder by --run-dir"
    )
