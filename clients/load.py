"""Load: alerts posted at a steady rate, by a thread of its own, for experiments and drills."""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp

from clients.receipts import ReceiptsFile, Tells
from clients.sender import POST_TIMEOUT_S, RETRY_DEADLINE_S, Attempt, Sender, Tally, Webhook
from topology.errors import ExplainedError

LONGEST_S: Final = 1_800.0
"""A load that nobody stops ends by itself."""

STOPPED_WITHIN_S: Final = RETRY_DEADLINE_S + 2 * POST_TIMEOUT_S


class Post(NamedTuple):
    """A body, the webhooks in the order in which they are tried, and what each of its members tells."""

    body: Mapping[str, object]
    webhooks: tuple[Webhook, ...]
    tells: tuple[Tells, ...] = ()


class LoadFailedError(ExplainedError):
    """A load died, or goes on posting: what its receipts and its tally show is not what was asked for."""


@dataclass(kw_only=True)
class Load:
    """A source at work: `ahead` posts at once, then `per_s` a second, `at_once` of them open at most.

    `posts`, which has no end, is asked for the next one when that is due; more `ahead` make it due earlier.
    """

    posts: Iterator[Post]
    receipts: Path
    per_s: float
    at_once: int
    ahead: int = 0
    observe: Callable[[Attempt], None] = lambda _: None
    stopped_within_s: float = STOPPED_WITHIN_S
    tally: Tally = field(default_factory=Tally, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _error: BaseException | None = field(default=None, init=False)

    @property
    def died(self) -> bool:
        """Whether it ended by an error; `stop` says which."""
        return self._error is not None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="load")
        self._thread.start()

    def stop(self) -> Tally:
        """Post nothing new, wait until every post under way has its final answer, and say how it went.

        Raises:
            LoadFailedError: it had died, or does not end.
        """
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(self.stopped_within_s)
            if self._thread.is_alive():
                raise LoadFailedError(
                    f"the load does not end within {self.stopped_within_s:g} s of being stopped; "
                    f"end this process, and see {self.receipts} for what was accepted"
                )
        if self._error is not None:
            cause = f"{type(self._error).__name__}: {self._error}"
            raise LoadFailedError(
                f"the load died after {self.tally.posted} posts: {cause}; "
                f"see what answers at the webhooks, and {self.receipts} for what was accepted"
            ) from self._error
        return self.tally

    def _run(self) -> None:
        try:
            asyncio.run(self._send())
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: `stop` raises it
            while isinstance(error, BaseExceptionGroup):  # of its posts
                error = error.exceptions[0]
            self._error = error

    async def _send(self) -> None:
        places = asyncio.Semaphore(self.at_once)
        begun = time.monotonic()
        with ReceiptsFile(self.receipts) as receipts:
            connector = aiohttp.TCPConnector(limit=self.at_once)
            async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
                sender = Sender(session, receipts, observe=self.observe)
                sender.tally = self.tally
                for count in itertools.count():
                    while (wait_s := self._due_s(count, begun)) > 0 and not self._stopped.is_set():  # noqa: ASYNC110 - a thread sets it
                        await asyncio.sleep(min(0.1, wait_s))
                    await places.acquire()
                    if self._stopped.is_set() or time.monotonic() > begun + LONGEST_S:
                        return
                    post = next(self.posts)
                    task = tasks.create_task(sender.post(*post))
                    task.add_done_callback(lambda _: places.release())

    def _due_s(self, count: int, begun: float) -> float:
        """Seconds until the post after `count` others is due."""
        return begun + max(0, count - self.ahead) / self.per_s - time.monotonic()
