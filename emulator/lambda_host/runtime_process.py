"""One process that runs a function by AWS's own runtime client, from its start to its death."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emulator.lambda_host import launch
from emulator.lambda_host.confinement import Confinement, HostError, peak_memory_mb
from emulator.lambda_host.invocations import EXITED, TIMED_OUT, Failure, Outcome
from emulator.lambda_host.processor import CpuTimes, cores_of
from emulator.lambda_host.runtime_api import RuntimeApi

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
"""What a function is told of where it runs, unless its variables say something else."""

LAUNCHED_WITHIN_S: Final = 30.0
"""For the launcher to become the runtime, on a busy machine; none of it counts as INIT."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """What runs in an environment; `package` is its unpacked folder."""

    name: str
    package: Path
    handler: str
    memory_mb: int
    timeout_s: float
    variables: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """All variables that its process has but the runtime's own two.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
        """
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return {
            "_HANDLER": self.handler,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{python}",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "LAMBDA_TASK_ROOT": str(self.package),
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TZ": ":UTC",
            **self.variables,
        }


class RuntimeProcess:
    """Used from the host's event loop only."""

    def __init__(self, confinement: Confinement) -> None:
        """Describe a process; nothing runs before `start`."""
        self.api = RuntimeApi(before_exit=self._note_memory)
        self.confinement = confinement
        self.peak_mb = 0
        self._process: Process | None = None

    async def start(self, function: Function, *, runtime: Path, log: Path) -> float:
        """Start the process; return when the runtime began, by CLOCK_MONOTONIC.

        `-S` and `-B`: it sees no site-packages, and leaves no byte code in the package.

        Raises:
            HostError: it could not be started, or not within its limits.
        """
        address = await self.api.start()
        command = [sys.executable, "-S", "-B", "-m", "awslambdaric", function.handler]
        own = {"AWS_LAMBDA_RUNTIME_API": address, "PYTHONPATH": str(runtime)}
        with log.open("wb") as written:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", launch.__file__, str(os.getpid()),
                *map(str, self.confinement.joins), "--", *command,
                stdin=DEVNULL, stdout=PIPE, stderr=written, start_new_session=True, cwd=function.package,
                env={**function.environment(), **own},
            )  # fmt: skip
        if self._process.stdout is None:
            raise RuntimeError("unreachable: the launcher's output is a pipe")
        async with asyncio.timeout(LAUNCHED_WITHIN_S):
            began = await self._process.stdout.readline()
        self.confinement.attach(self._process.pid)
        with contextlib.suppress(ProcessLookupError):  # it is dead already, which the next line tells
            os.sched_setaffinity(self._process.pid, cores_of(function.memory_mb))
        if not began:
            why = log.read_text(errors="replace")  # noqa: ASYNC240 - a few lines, and nothing goes on
            raise HostError(f"a function's process did not start: {why}")
        return float(began)

    async def until_it_asks(self, *, within_s: float) -> Failure | None:
        """Wait until the runtime asks for an event; why it did not, or what the function failed with.

        One that is late still runs.
        """
        if self._process is None:
            raise RuntimeError("unreachable: it was started")
        asks, exits = _task(self.api.asks.wait()), _task(self._process.wait())
        await asyncio.wait({asks, exits}, timeout=max(within_s, 0.0), return_when=asyncio.FIRST_COMPLETED)
        asks.cancel()
        exits.cancel()
        self._note_memory()
        if self.api.asks.is_set():
            return self.api.failure
        if self._process.returncode is None:
            return Failure(outcome=Outcome.TIMEOUT, error_type=TIMED_OUT, message="")
        return self._why_it_exited(self._process.returncode)

    def times(self) -> CpuTimes | None:
        """What it has used of the processor so far; None if it is gone."""
        with contextlib.suppress(OSError):
            return self.confinement.times()
        return None

    @property
    def alive(self) -> bool:
        """Whether it can take another event."""
        return self._process is not None and self._process.returncode is None and self.api.asks.is_set()

    async def kill(self) -> None:
        """Kill it with all that it started, and remove its limits."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        self.confinement.close()
        await self.api.stop()

    def _note_memory(self) -> None:
        if self._process is not None:
            self.peak_mb = max(self.peak_mb, peak_memory_mb(self._process.pid))

    def _why_it_exited(self, code: int) -> Failure:
        if self.confinement.killed_for_memory():
            outcome = Outcome.OUT_OF_MEMORY
        elif self.api.failure is not None:
            return self.api.failure
        else:
            outcome = Outcome.FUNCTION_ERROR
        how = (
            f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
            if code < 0
            else f"exit status {code}"
        )
        message = f"Runtime exited with error: {how}" if code else "Runtime exited without providing a reason"
        return Failure(outcome=outcome, error_type=EXITED, message=message)


def _task(waiting: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(waiting)
