"""The local stack that the tests of this folder share, brought up and taken down by the installed command."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from audit.ledger import read_ledger
from emulator.client import Emulator
from emulator.local_stack import LocalStack, deploy
from ops.cli import app, main
from tests.emulator.conftest import SOON_S

AT_REST = {"NOTIFIED", "SUPPRESSED", "PARKED"}

RECOVERY_EACH_S = 8.0
"""The local lease: an earlier run would find nothing."""

RESPONDER = Path(sys.executable).with_name("responder")

Done = subprocess.CompletedProcess[str]
Responder = Callable[..., Done]
"""`responder(*words, typed="")`: run a command on this folder's stack."""


@pytest.fixture(scope="package")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stack."""
    return tmp_path_factory.mktemp("local") / "stack"


@pytest.fixture(scope="package")
def brought_up(run_dir: Path) -> Iterator[Done]:
    """The first `responder local up`, in a process of its own; the stack is taken down at the end."""
    yield in_a_process("local", "up", "--free-ports", "--run-dir", str(run_dir))
    down = in_a_process("local", "down", "--run-dir", str(run_dir))
    assert down.returncode == 0, down.stderr
    assert_nothing_left(run_dir)


@pytest.fixture(scope="package")
def emulator(brought_up: Done, run_dir: Path) -> Emulator:
    """The stack's embedded AWS."""
    assert brought_up.returncode == 0, brought_up.stderr
    return Emulator.attach(run_dir)


@pytest.fixture(scope="package")
def stack(emulator: Emulator) -> LocalStack:
    """The stack, deployed a second time."""
    return deploy(emulator)


@pytest.fixture(autouse=True)
def _left_at_rest(stack: LocalStack, eventually: Callable[..., Any]) -> Iterator[None]:
    """After each test every alert comes to rest, or the next one's would wait behind them: one a second."""
    yield

    def open_alerts() -> list[str]:
        rows = read_ledger(stack.deployment, stack.deployment.primary.region)
        return [alert_id for alert_id, row in rows.items() if row.status not in AT_REST]

    def recovered() -> bool:
        for endpoints in stack.deployment.regions:
            stack.deployment.run_recovery(endpoints.region)
        deadline = time.monotonic() + RECOVERY_EACH_S
        while (waiting := open_alerts()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return not waiting

    if open_alerts():
        eventually(recovered, within_s=4 * SOON_S, shown=open_alerts)


@pytest.fixture
def responder(run_dir: Path) -> Responder:
    """Run a command on this folder's stack, in this process: what it prints, and how it ends, is the same."""

    def run(*words: str, typed: str = "") -> Done:
        return in_this_process(*words, "--run-dir", str(run_dir), typed=typed)

    return run


def in_a_process(*words: str) -> Done:
    """Run the installed command."""
    return subprocess.run([str(RESPONDER), *words], capture_output=True, text=True, timeout=300, check=False)


def in_this_process(*words: str, typed: str = "") -> Done:
    """Run the command's own `main`; the interpreter and its imports cost two seconds of a processor less."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in signals}
    code: int | str | None = 0
    with CliRunner().isolation(input=typed) as (out, err, _):
        try:
            main(lambda: app(list(words), prog_name="responder"))
        except SystemExit as ended:
            code = ended.code
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        sys.stderr.flush()
        shown, told = out.getvalue().decode(), err.getvalue().decode()
    assert isinstance(code, int)
    return subprocess.CompletedProcess(list(words), code, shown, told)


def assert_nothing_left(run_dir: Path) -> None:
    """No folder of a stack that was taken down, and no process."""
    assert not run_dir.exists()
    left = [p for p in psutil.process_iter(["cmdline"]) if str(run_dir) in " ".join(p.info["cmdline"] or ())]
    _, alive = psutil.wait_procs(left, timeout=30)  # one that was killed takes a moment to be gone
    assert alive == []


@contextmanager
def taken_out(ledger: Any, table: str, alert_id: str) -> Iterator[None]:
    """Take a row out of the ledger, and put it back: the other tests' audits look for it."""
    key = {"alert_id": {"S": alert_id}}
    row = ledger.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    ledger.delete_item(TableName=table, Key=key)
    try:
        yield
    finally:
        ledger.put_item(TableName=table, Item=row)
