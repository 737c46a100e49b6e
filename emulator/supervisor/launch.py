"""Starts and ends the supervisor's process, for `emulator.client`."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from emulator import errors
from emulator.protocol import Options, StartReport
from emulator.supervisor import runfile
from emulator.supervisor.process_groups import INHERITED, log_tail
from lambda_packages import ROOT

START_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 10.0


def launch(options: Options) -> subprocess.Popen[bytes]:
    """Start a supervisor; everything it runs is healthy when this returns.

    Raises:
        AlreadyRunningError, PortInUseError, StartFailedError: what the supervisor reported; it has ended.
    """
    log = options.run_dir / runfile.LOGS / "supervisor.log"
    with log.open("ab") as log_file:
        child = subprocess.Popen(
            [sys.executable, "-m", "emulator.supervisor", msgspec.json.encode(options).decode()],
            stdin=subprocess.PIPE if options.with_parent else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,
            cwd=ROOT,
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
        )
    try:
        _await_start(child, log)
    except BaseException:
        end(child)
        raise
    return child


def end(child: subprocess.Popen[bytes]) -> None:
    """Stop a supervisor that this process started, and wait for its end."""
    if child.stdin is not None:
        child.stdin.close()
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(timeout=STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(timeout=STOP_WITHIN_S)


def end_attached(run_dir: Path, supervisor_pid: int) -> None:
    """Stop a supervisor that another process started, and wait until it has released the folder.

    The pid is the supervisor's as long as the folder is held.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_WITHIN_S
        if runfile.is_held(run_dir):
            os.kill(supervisor_pid, number)
        while runfile.is_held(run_dir) and time.monotonic() < deadline:
            time.sleep(0.02)


def _await_start(child: subprocess.Popen[bytes], log: Path) -> None:
    """Read the supervisor's report of its start; raise the error that it names."""
    stdout = cast("Any", child.stdout)
    with selectors.DefaultSelector() as selector, contextlib.closing(stdout):
        selector.register(stdout, selectors.EVENT_READ)
        line = stdout.readline() if selector.select(START_WITHIN_S) else b""
    if not line.endswith(b"\n"):
        what = "did not start in time" if child.poll() is None else "ended at its start"
        raise errors.StartFailedError(f"the emulator {what}: {log_tail(log)}")
    report = msgspec.json.decode(line, type=StartReport)
    if report.error is not None:
        raise getattr(errors, report.error)(report.message)
