"""A host that is killed, interrupted, or without rights: what it leaves behind, and what it can do."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from emulator.lambda_host.cgroups import PREFIX, CgroupV1, CgroupV2, remove_stale
from emulator.lambda_host.confinement import Mechanism
from emulator.lambda_host.host import LambdaHost

HOST = """
import sys
from pathlib import Path
from emulator.lambda_host.confinement import Mechanism
from emulator.lambda_host.host import LambdaHost

with LambdaHost(mechanism=Mechanism(sys.argv[2]) if sys.argv[2] else None) as host:
    made = host.environment(Path(sys.argv[1]), handler=sys.argv[3], memory_mb=256, timeout_s=60, variables={})
    first = made.invoke(sys.argv[4].encode())
    print(host.mechanism, first.outcome, first.duration_ms, first.answer.decode(), flush=True)
    made.invoke(b"50")
"""

ROOT = Path(__file__).parents[3]
WITHIN_S = 30.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_host(package: Path) -> Start:
    """Start a process that invokes a handler twice: the second time with `50`."""

    def start(
        handler: str, event: str, *, mechanism: Mechanism | None = None, prefix: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        arguments = [str(package), mechanism or "", handler, event]
        return subprocess.Popen(
            [*prefix, sys.executable, "-c", HOST, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    return start


def only_child(process: subprocess.Popen[str]) -> psutil.Process:
    """The function's process, while it sleeps in its second invocation."""
    assert process.stdout is not None
    assert " ok " in process.stdout.readline()
    (child,) = psutil.Process(process.pid).children()
    return child


def is_gone(process: psutil.Process) -> bool:
    """Whether it ends soon; one that nobody waits for is a zombie here."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def groups_of(pid: int) -> list[Path]:
    """The control groups that a host has made."""
    parents = {*CgroupV1.parents(), *CgroupV2.parents()}
    return [folder for parent in parents for folder in parent.glob(f"{PREFIX}{pid}-*")]


@pytest.mark.parametrize("mechanism", [None, Mechanism.DUTY_CYCLE])
def test_a_killed_host_takes_its_functions_along(start_host: Start, mechanism: Mechanism | None) -> None:
    """Whatever it could not remove, the next host does."""
    host = start_host("app.sleep", "0", mechanism=mechanism)
    child = only_child(host)
    host.kill()
    host.wait(WITHIN_S)
    assert is_gone(child)
    with LambdaHost(mechanism=Mechanism.DUTY_CYCLE):
        assert groups_of(host.pid) == []
        assert list(Path(tempfile.gettempdir()).glob(f"{PREFIX}{host.pid}-*")) == []


@pytest.mark.usefixtures("from_terminal")
def test_an_interrupted_host_leaves_nothing_behind(start_host: Start) -> None:
    """Ctrl-C in the midst of an invocation ends the function and removes its groups."""
    host = start_host("app.sleep", "0")
    child = only_child(host)
    host.send_signal(signal.SIGINT)
    assert host.wait(WITHIN_S) != 0
    assert is_gone(child)
    assert groups_of(host.pid) == []


def test_groups_of_a_host_that_lives_are_left_alone(host: LambdaHost, package: Path) -> None:
    """Two hosts can run at once."""
    made = host.environment(package, handler="app.count", memory_mb=256, timeout_s=30, variables={})
    with closing(made):
        before = made.invoke(b"1")
        remove_stale()
        assert made.invoke(b"1").answer == before.answer.replace(b", 1]", b", 2]")


def test_without_rights_a_function_is_held_by_stopping_it(start_host: Start) -> None:
    """Only root can make groups, unless it hands some to a user; shares are kept all the same."""
    prefix = as_nobody()
    with start_host("app.compute", "0.15", prefix=prefix) as host:
        assert host.stdout is not None
        mechanism, outcome, duration_ms, _ = host.stdout.readline().split(maxsplit=3)
        host.kill()
    assert outcome == "ok"
    if prefix:
        assert mechanism == Mechanism.DUTY_CYCLE
    assert float(duration_ms) / 1000 >= 0.7 * 0.15 / (256 / 1_769)


def as_nobody() -> Sequence[str]:
    """A command that takes root's rights away, all but that to read files: this Python may be root's own."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv (util-linux) is missing, so root cannot run anything without its rights")
    read = "+dac_read_search"
    nobody = "65534"
    return [
        setpriv, "--reuid", nobody, "--regid", nobody, "--clear-groups",
        "--inh-caps", read, "--ambient-caps", read,
    ]  # fmt: skip
