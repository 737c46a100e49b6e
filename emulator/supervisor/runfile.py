"""The run folder's record of a running emulator: who holds the folder, where to reach it, what to end.

`emulator.lock` is held by the supervisor as long as it lives, so that a record without a holder is known to
be stale; `emulator.json` (mode 0600, it has the control token) says where everything is.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from emulator.errors import AlreadyRunningError, EmulatorError
from emulator.protocol import Layout
from emulator.supervisor.process_groups import end_group

RECORD: Final = "emulator.json"
LOCK: Final = "emulator.lock"
STACK_LOCK: Final = "stack.lock"
"""See `emulator.stack_lock`."""

LOGS: Final = "logs"
LOCK_WITHIN_S: Final = 0.5
"""A client that checks whether the folder is held takes the lock for an instant."""


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """The record. `instance_id` differs for every start: a deployment's state belongs to one instance."""

    instance_id: str
    layout: Layout
    auth: bool
    regions: tuple[str, ...]
    supervisor_pid: int
    processes: dict[str, int]
    """The AWS processes: name to pid, which is the process group's too."""
    control_url: str
    control_token: str
    edge_url: str
    slack_url: str
    webhook_base_urls: dict[str, str]
    dns_port: int
    """UDP, on the loopback."""


def write(run_dir: Path, record: RunFile) -> None:
    """Replace the record in one step."""
    draft = run_dir / f"{RECORD}.tmp"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(record))
    draft.replace(run_dir / RECORD)


def read(run_dir: Path) -> RunFile | None:
    """Return the record, or None if there is no readable one.

    Raises:
        EmulatorError: the folder is none, or somebody else's.
    """
    try:
        return msgspec.json.decode((run_dir / RECORD).read_bytes(), type=RunFile)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    except OSError as error:
        raise unusable(run_dir, error) from error


def prepare(run_dir: Path) -> None:
    """Make the folder, for its owner only.

    Raises:
        EmulatorError: it cannot be made, or holds what no emulator has put there.
    """
    try:
        there = run_dir.iterdir() if run_dir.is_dir() else ()
        foreign = sorted(path.name for path in there if path.name not in {LOGS, STACK_LOCK})
        if foreign and not is_run_dir(run_dir):
            raise EmulatorError(
                f"{run_dir} holds other things, such as {foreign[0]}; name a new or empty folder"
            )
        (run_dir / LOGS).mkdir(parents=True, exist_ok=True)
        run_dir.chmod(0o700)
    except OSError as error:
        raise unusable(run_dir, error) from error


def is_run_dir(run_dir: Path) -> bool:
    """Whether an emulator runs or ran in this folder, which may then be emptied."""
    return (run_dir / LOCK).is_file()


def unusable(run_dir: Path, error: OSError) -> EmulatorError:
    """The error to raise for a run folder where `error` came up."""
    return EmulatorError(
        f"{run_dir} cannot be a run folder: {error.strerror}; name a folder that you may write to"
    )


@contextlib.contextmanager
def hold(run_dir: Path) -> Iterator[None]:
    """Hold the run folder while the block runs; the system lets go when the process dies.

    Raises:
        AlreadyRunningError: another supervisor holds it.
    """
    descriptor = os.open(run_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + LOCK_WITHIN_S
        while not _lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise AlreadyRunningError(
                    f"an emulator already runs in {run_dir}; attach to it, or stop it first"
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def is_held(run_dir: Path) -> bool:
    """Whether a supervisor runs in this folder.

    Raises:
        EmulatorError: the folder is none, or somebody else's.
    """
    try:
        descriptor = os.open(run_dir / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unusable(run_dir, error) from error
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def end_leftovers(run_dir: Path) -> list[str]:
    """End what a supervisor that died left behind, and remove its record; return the names of what was ended.

    Call it only when nobody holds the folder.
    """
    record = read(run_dir)
    ended = []
    if record is not None:
        ended = [name for name, pid in record.processes.items() if end_group(pid, record.instance_id)]
    (run_dir / RECORD).unlink(missing_ok=True)
    return ended


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
