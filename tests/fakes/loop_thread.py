"""An event loop in a thread of its own: serves aiohttp applications to tests that block."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

_WITHIN_S = 5.0


class LoopThread:
    """Runs from its making to `stop`."""

    def __init__(self) -> None:
        """Start the loop."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runners: list[web.AppRunner] = []

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What the coroutine returns or raises."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_WITHIN_S)

    def serve(self, app: web.Application) -> str:
        """Serve an application on a free port of the loopback; give its URL."""
        return str(self.run(self._serve(app)))

    def stop(self) -> None:
        """End the servers, whatever hangs on purpose, and the loop."""
        for runner in self._runners:
            self.run(runner.cleanup())
        self.run(_cancel_the_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WITHIN_S)
        self._loop.close()

    async def _serve(self, app: web.Application) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
