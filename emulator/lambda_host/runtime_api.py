"""The Runtime API of one function's process, on a port of its own.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from emulator.lambda_host.invocations import Failure, Outcome
from emulator.ports import LOOPBACK
from topology.limits import LAMBDA_RESPONSE_MAX_BYTES

_ROOT: Final = "/2018-06-01/runtime"
_TAKEN: Final = 202
_GONE: Final = 410
STOPPED_WITHIN_S: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Event:
    """What the runtime is handed for one invocation; the deadline in epoch milliseconds."""

    request_id: str
    deadline_ms: int
    function_arn: str
    body: bytes


class _Error(msgspec.Struct, rename="camel"):
    """The fields of an error that are read."""

    error_type: str = "Unknown"
    error_message: str = ""


class RuntimeApi:
    """Hands the runtime its events, and keeps what it says. Used from the host's event loop only."""

    def __init__(self, *, before_exit: Callable[[], None]) -> None:
        """Nothing listens before `start`; `before_exit` is called when a process is about to exit."""
        self._before_exit = before_exit
        self.asks = asyncio.Event()
        """Set while the runtime waits for an event: INIT, or the invocation, is over."""
        self.asked_at = 0.0
        """Since when, by CLOCK_MONOTONIC."""
        self.handed_at = 0.0
        """When it was handed the last event."""
        self.answer: bytes | None = None
        self.failure: Failure | None = None
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen on a free port; return `<host>:<port>`."""
        app = web.Application(client_max_size=LAMBDA_RESPONSE_MAX_BYTES)
        app.add_routes(
            [
                web.get(f"{_ROOT}/invocation/next", self._next),
                web.post(_ROOT + "/invocation/{request_id}/response", self._response),
                web.post(_ROOT + "/invocation/{request_id}/error", self._error),
                web.post(f"{_ROOT}/init/error", self._init_error),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOPPED_WITHIN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        port: int = self._runner.addresses[0][1]
        return f"{LOOPBACK}:{port}"

    async def stop(self) -> None:
        """Listen no more; who still asks gets no event."""
        self._events.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()

    def hand(self, event: Event) -> None:
        """Give the runtime, which asks, its next event."""
        self.asks.clear()
        self.answer = self.failure = None
        self.handed_at = time.monotonic()
        self._events.put_nowait(event)

    async def _next(self, _: web.Request) -> web.Response:
        self.asked_at = time.monotonic()
        self.asks.set()
        event = await self._events.get()
        if event is None:
            return web.Response(status=_GONE)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
        }
        self.handed_at = time.monotonic()
        return web.Response(body=event.body, headers=headers, content_type="application/json")

    async def _response(self, request: web.Request) -> web.Response:
        self.answer = await request.read()
        return web.Response(status=_TAKEN)

    async def _error(self, request: web.Request) -> web.Response:
        return await self._fail(request, Outcome.FUNCTION_ERROR)

    async def _init_error(self, request: web.Request) -> web.Response:
        self._before_exit()
        return await self._fail(request, Outcome.INIT_FAILED)

    async def _fail(self, request: web.Request, outcome: Outcome) -> web.Response:
        self.answer = await request.read()
        error = msgspec.json.decode(self.answer, type=_Error)
        self.failure = Failure(outcome=outcome, error_type=error.error_type, message=error.error_message)
        return web.Response(status=_TAKEN)
