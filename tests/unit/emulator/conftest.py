"""Real servers on the loopback address for tests that drive the stand-ins with the real SDKs."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.loop_thread import LoopThread

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    """An event loop that lives until the test ends."""
    running = LoopThread()
    yield running
    running.stop()


@pytest.fixture
def run(loop_thread: LoopThread) -> Run:
    """Run a coroutine on that loop."""
    return loop_thread.run


@pytest.fixture
def serve(loop_thread: LoopThread) -> Callable[[web.Application], str]:
    """Serve an application and return its URL."""
    return loop_thread.serve
