"""Runs the real Pulumi program of a stack in this process, without the Pulumi CLI, against a monitor.

`emulator.pulumi.deploy` makes on the embedded AWS what it registers; `costs.program` counts that.
"""

import asyncio
import logging
import runpy
import threading
from typing import Final, Protocol

import pulumi
from pulumi import runtime
from pulumi.runtime.mocks import MockEngine
from pulumi.runtime.settings import SETTINGS, Settings, configure
from pulumi.runtime.stack import run_in_stack

from emulator.pulumi.project import Project
from topology.errors import ExplainedError

TIMEOUT_S: Final = 300
"""Of a whole run: packages that have to be built first take most of it."""

STOP_TIMEOUT_S: Final = 60
"""How long calls under way may take to end after an interruption; each has a timeout of its own."""


class DeployError(ExplainedError):
    """The stack is not as the program wants it; `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the lines apart, for whoever shows them as a list."""
        self.problems = problems
        super().__init__("\n".join(problems))


class ProgramMonitor(Protocol):
    """What the program registers with. `problems` has one line for each resource that failed."""

    problems: list[str]

    def stop(self) -> None:
        """Register no further resource."""


def run_program(project: Project, monitor: ProgramMonitor) -> None:
    """Run the program to its end in a thread of its own.

    A fresh thread has no context variables, in which the SDK keeps its settings: so several runs of one
    process do not meet, and no event loop of the caller's is in the way.

    Raises:
        DeployError: as `up`.
    """
    failures: list[BaseException] = []

    def program() -> None:
        try:
            _run(project, monitor)
        except BaseException as error:  # noqa: BLE001 - the edge of the thread: handed to the caller below
            failures.append(error)

    thread = threading.Thread(target=program, name=f"pulumi-{project.stack}", daemon=True)
    thread.start()
    try:
        thread.join(TIMEOUT_S)
    except KeyboardInterrupt:
        monitor.stop()
        thread.join(STOP_TIMEOUT_S)
        raise
    if thread.is_alive():
        monitor.stop()
        raise DeployError([f"the program has not ended within {TIMEOUT_S} s; see what it waits for"])
    cause = failures[0] if failures else None
    if monitor.problems:
        raise DeployError(sorted(set(monitor.problems))) from cause
    if cause is not None:
        raise DeployError(_lines(cause)) from cause


def _run(project: Project, monitor: ProgramMonitor) -> None:
    """Run the program as the Pulumi CLI's language host does, against `monitor`."""
    configure(
        Settings(
            project=project.name,
            stack=project.stack,
            monitor=monitor,
            engine=MockEngine(logging.getLogger("emulator.pulumi.program")),
            dry_run=False,
            organization="organization",
            root_directory=str(project.directory),
        )
    )
    runtime.set_all_config(dict(project.config), secret_keys=[])

    async def program() -> None:
        runpy.run_path(str(project.directory / "__main__.py"), run_name="__main__")
        await _settle()

    with asyncio.Runner() as runner:
        # After one failure each output that hangs on it would be reported: thousands of lines.
        runner.get_loop().set_exception_handler(lambda _loop, _context: None)
        runner.run(run_in_stack(program))


async def _settle() -> None:
    """Wait until every output has its value, or one failed; the SDK reports which.

    The SDK's own wait looks at all of them again whenever one has its value, which for this program's
    hundreds takes longer than making the resources.
    """
    while True:
        with SETTINGS.lock:
            waiting = [task for task in SETTINGS.outputs if not task.done()]
        if not waiting:
            return
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() for task in done):
            return


def _lines(error: BaseException) -> list[str]:
    """What a person is told of an error that the program raised itself."""
    problems = getattr(error.__cause__, "problems", None)
    if isinstance(problems, list):
        return [str(problem) for problem in problems]
    if isinstance(error, pulumi.RunError):
        return [str(error)]
    return [f"the program failed: {type(error).__name__}: {error}"]
