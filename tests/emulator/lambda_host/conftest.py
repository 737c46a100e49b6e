"""A package with handlers of every kind, and hosts that run it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.lambda_host.confinement import Mechanism
from emulator.lambda_host.environment import ExecutionEnvironment
from emulator.lambda_host.host import LambdaHost

APP = """
import importlib.util, os, sys, time
calls = 0

def echo(event, context):
    return event

def count(event, context):
    global calls
    calls += 1
    if event == "fail":
        raise ValueError("bad event")
    return [os.getpid(), calls]

def look(event, context):
    found = [name for name in event if importlib.util.find_spec(name)]
    left_ms = context.get_remaining_time_in_millis()
    return {"environment": dict(os.environ), "modules": found, "left_ms": left_ms}

def compute(event, context):
    until = time.process_time() + event
    while time.process_time() < until:
        pass

def allocate(event, context):
    return len(bytearray(os.urandom(1024 * 1024)) * event)

def sleep(event, context):
    time.sleep(event)

def leave(event, context):
    os._exit(3)

def bear(event, context):
    import subprocess
    return subprocess.Popen(["/bin/sleep", "600"]).pid
"""

Make = Callable[..., ExecutionEnvironment]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked package: `app` is whole, `broken` needs what it has not, `slow` takes 0.6 s to load."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "app.py").write_text(APP, encoding="utf-8")
    (folder / "broken.py").write_text("import not_in_the_package\n", encoding="utf-8")
    (folder / "slow.py").write_text("import time\ntime.sleep(0.6)\nfrom app import echo\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session", params=["best", Mechanism.DUTY_CYCLE])
def host(request: pytest.FixtureRequest) -> Iterator[LambdaHost]:
    """A host by the best mechanism of this machine, and one that needs no rights."""
    wanted = None if request.param == "best" else request.param
    with LambdaHost(mechanism=wanted) as running:
        yield running


@pytest.fixture
def function(host: LambdaHost, package: Path) -> Iterator[Make]:
    """Make an environment of one of the package's handlers; it is closed with the test."""
    made: list[ExecutionEnvironment] = []

    def make(
        handler: str, *, memory_mb: int = 1_024, timeout_s: float = 30.0, **variables: str
    ) -> ExecutionEnvironment:
        made.append(
            host.environment(
                package, handler=handler, memory_mb=memory_mb, timeout_s=timeout_s, variables=variables
            )
        )
        return made[-1]

    yield make
    for environment in made:
        environment.close()
