"""An execution environment: one function at one memory size, in one process at a time, cold or warm."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from emulator.lambda_host.confinement import Confinement, HostError
from emulator.lambda_host.invocations import (
    TIMED_OUT,
    Failure,
    Invocation,
    Outcome,
    billed_ms,
    failure_payload,
    report_line,
)
from emulator.lambda_host.processor import INIT_SHARE, CpuTimes, achieved_share, vcpus
from emulator.lambda_host.runtime_api import Event
from emulator.lambda_host.runtime_process import ACCOUNT, REGION, Function, RuntimeProcess
from topology.limits import LAMBDA_INIT_TIMEOUT_S

LOG_TAIL_BYTES: Final = 4096
"""As much of a log as Invoke returns. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""


class ExecutionEnvironment:
    """Invocations of one function, one after another. `LambdaHost.environment` makes it.

    The first invocation begins with INIT, which has a limit of its own and at least one vCPU. If INIT fails
    or is late, it is repeated within the invocation, at the memory's share and within the function's
    timeout, and so it is in the first invocation after the process died. As on Lambda:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html

    Unlike on Lambda the process is not frozen between invocations, and /tmp is the machine's.
    """

    def __init__(
        self,
        function: Function,
        *,
        runtime: Path,
        log: Path,
        confine: Callable[[int, float], Confinement],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Nothing runs before the first `invoke`."""
        self._function = function
        self._log = log
        self._runtime = runtime
        self._confine = confine
        self._loop = loop
        self._share = vcpus(function.memory_mb)
        self._process: RuntimeProcess | None = None
        self._begun = False
        self._closed = False

    def invoke(self, event: bytes) -> Invocation:
        """Invoke the function with a JSON event and wait for its end; one call at a time.

        Raises:
            RuntimeError: it is closed.
            HostError: its limits cannot be set any more.
        """
        if self._closed:
            raise RuntimeError("this execution environment is closed")
        return asyncio.run_coroutine_threadsafe(self._invoke(event), self._loop).result()

    def close(self) -> None:
        """End its process; what is under way ends too."""
        if not self._closed:
            self._closed = True
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()

    def log(self) -> str:
        """The end of what the function has written since its process started."""
        return self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") if self._log.exists() else ""

    async def _invoke(self, event: bytes) -> Invocation:
        course = _Course(request_id=str(uuid.uuid4()))
        if self._process is not None and not self._process.alive:
            await self._end()
        if not self._begun:
            self._begun = True
            await self._start(course, max(self._share, INIT_SHARE), within_s=LAMBDA_INIT_TIMEOUT_S)
            course.phase_ms = None if course.failure else course.init_ms
        if self._process is None:
            await self._start(course, self._share, within_s=self._function.timeout_s)
            course.spent_s = (course.init_ms or 0.0) / 1000
            if course.failure is not None and course.failure.outcome is not Outcome.OUT_OF_MEMORY:
                course.failure = replace(course.failure, outcome=Outcome.INIT_FAILED)
        if self._process is not None:
            await self._handle(self._process, course, event)
        return self._invocation(course)

    async def _start(self, course: "_Course", share: float, *, within_s: float) -> None:
        """Start a process, and wait for the end of its INIT."""
        try:
            confinement = self._confine(self._function.memory_mb, share)
        except OSError as error:
            raise HostError(
                f"{self._function.memory_mb} MB cannot be held here ({error}), as where this process itself "
                "is held to less; choose a smaller size"
            ) from error
        self._process = process = RuntimeProcess(confinement)
        try:
            began = await process.start(self._function, runtime=self._runtime, log=self._log)
        except BaseException:
            await self._end()
            raise
        before, seen = process.times(), time.monotonic()
        course.failure = await process.until_it_asks(within_s=began + within_s - time.monotonic())
        ended = time.monotonic() if course.failure else process.api.asked_at
        course.init_ms = min(ended - began, within_s) * 1000
        course.peak_mb = process.peak_mb
        if course.failure:
            await self._end()
        else:
            course.note_share(before, process.times(), share, wall_s=ended - seen)

    async def _handle(self, process: RuntimeProcess, course: "_Course", event: bytes) -> None:
        """Have the handler called, and wait for its end."""
        process.confinement.set_share(self._share)
        within_s = self._function.timeout_s - course.spent_s
        before = process.times()
        process.api.hand(
            Event(
                request_id=course.request_id,
                deadline_ms=time.time_ns() // 1_000_000 + round(within_s * 1000),
                function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self._function.name}",
                body=event,
            )
        )
        course.failure = await process.until_it_asks(within_s=within_s)
        ended = process.api.asked_at if process.alive else time.monotonic()
        took_s = min(ended - process.api.handed_at, within_s)
        course.note_share(before, process.times(), self._share, wall_s=took_s)
        course.spent_s += took_s
        course.answer = process.api.answer
        course.peak_mb = process.peak_mb
        if not process.alive:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.kill()

    def _invocation(self, course: "_Course") -> Invocation:
        memory_mb, failure, duration_ms = self._function.memory_mb, course.failure, course.spent_s * 1000
        if failure is not None and failure.outcome is Outcome.OUT_OF_MEMORY:
            course.peak_mb = memory_mb
        if failure is not None and failure.error_type == TIMED_OUT:
            failure = replace(failure, message=f"Task timed out after {self._function.timeout_s:.2f} seconds")
        return Invocation(
            outcome=failure.outcome if failure else Outcome.OK,
            duration_ms=duration_ms,
            billed_ms=billed_ms(duration_ms, course.phase_ms or 0.0),
            init_ms=course.init_ms,
            memory_mb=memory_mb,
            max_memory_mb=course.peak_mb,
            target_share=self._share,
            cpu_share=None if course.lost_s is None else self._share * (1 - course.lost_s / course.wall_s),
            report=report_line(
                request_id=course.request_id,
                duration_ms=duration_ms,
                init_ms=course.phase_ms,
                memory_mb=memory_mb,
                max_memory_mb=course.peak_mb,
                failure=failure,
            ),
            answer=course.answer
            if course.answer is not None
            else failure_payload(failure, course.request_id),
            error=f"{failure.error_type}: {failure.message}" if failure else "",
        )


@dataclass(kw_only=True)
class _Course:
    """How an invocation has gone so far.

    `phase_ms` is of an INIT that succeeded in its own phase. Of `wall_s` seconds of INIT and handler,
    `lost_s` would have been spared by the whole share, as far as it was told.
    """

    request_id: str
    init_ms: float | None = None
    phase_ms: float | None = None
    spent_s: float = 0.0
    failure: Failure | None = None
    answer: bytes | None = None
    wall_s: float = 0.0
    lost_s: float | None = None
    peak_mb: int = 0

    def note_share(
        self, before: CpuTimes | None, after: CpuTimes | None, share: float, *, wall_s: float
    ) -> None:
        """Take in what the process got of its share in INIT or in the handler, unless it is gone."""
        if before is None or after is None:
            return
        got = achieved_share(share, after.since(before), wall_s=wall_s)
        self.wall_s += wall_s
        if got is not None:
            self.lost_s = (self.lost_s or 0.0) + wall_s * (1 - got / share)
