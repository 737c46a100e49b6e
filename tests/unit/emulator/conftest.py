"""Real servers on the loopback address for tests that drive the stand-ins with the real SDKs."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from aiohttp import web

STARTS_WITHIN_S = 5.0

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def run() -> Iterator[Run]:
    """Run a coroutine on an event loop in a thread of its own, which lives until the test ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(STARTS_WITHIN_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(STARTS_WITHIN_S)
    loop.close()


@pytest.fixture
def serve(run: Run) -> Iterator[Callable[[web.Application], str]]:
    """Serve an application and return its URL."""
    runners: list[web.AppRunner] = []

    async def start(app: web.Application) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield lambda app: str(run(start(app)))
    for runner in runners:
        run(runner.cleanup())
