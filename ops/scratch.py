"""Folders in `.local/` for stacks that live as long as their command: made, removed, and swept after a kill.

Who makes one holds it, so that another command's sweep leaves it alone; the system lets go when the process
dies. What a killed one has left is removed by the next command of any kind.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from emulator.errors import EmulatorError
from emulator.supervisor import runfile
from lambda_packages import ROOT

SCRATCH: Final = ROOT / ".local"
KINDS: Final = ("demo", "chaos", "cost", "load", "drill-all", "prove", "tune")
KEPT: Final = "kept"
"""A file in a folder whose logs somebody was told to look into: it is never swept."""

_MAKING: Final = "scratch.lock"
_ENDS_WITHIN_S: Final = 12.0
_POLL_S: Final = 0.05


@contextlib.contextmanager
def scratch_folder(kind: str, *, parent: Path = SCRATCH) -> Iterator[Path]:
    """A new folder while the block runs, removed at its end unless `keep` was called for it.

    It stays where something still runs in it, for the next command to remove.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / _MAKING).open("a") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=parent))
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        if not (folder / KEPT).exists() and at_rest(folder):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def keep(folder: Path) -> None:
    """Keep a folder for a person to look into."""
    (folder / KEPT).touch()


def at_rest(folder: Path, *, within_s: float = _ENDS_WITHIN_S) -> bool:
    """Whether nothing runs in a folder, or has ended in time."""
    deadline = time.monotonic() + within_s
    while _runs(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def ending(folder: Path) -> str:
    """What to say of the processes of a folder whose command has ended."""
    if at_rest(folder):
        return "nothing is left running"
    return f"its processes in {folder} have not ended yet; the next run removes what is left"


def _sweep(parent: Path) -> None:
    """Remove the folders that killed commands have left, and end what still runs in them unsupervised."""
    for folder in sorted(path for kind in KINDS for path in parent.glob(f"{kind}-*") if path.is_dir()):
        with contextlib.suppress(OSError, EmulatorError):
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not (folder / KEPT).exists() and not _runs(folder):
                    for run_dir in _run_dirs(folder):
                        runfile.end_leftovers(run_dir)
                    shutil.rmtree(folder)
            finally:
                os.close(held)


def _runs(folder: Path) -> bool:
    return any(runfile.is_held(run_dir) for run_dir in _run_dirs(folder))


def _run_dirs(folder: Path) -> list[Path]:
    return [lock.parent for lock in folder.glob(f"**/{runfile.LOCK}")]
