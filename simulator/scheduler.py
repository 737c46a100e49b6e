"""Virtual time: what happens when, and greenlets that wait for it. Everything runs in one thread.

A handler's synchronous code runs in a greenlet. At each call of a port it gives control back to the hub, the
greenlet that runs `Scheduler.run`, and others go on meanwhile. No real time passes.
"""

import heapq
from collections.abc import Callable
from itertools import count

from greenlet import greenlet

START_MS = 1_795_420_800_000
"""2026-11-23T08:00:00Z, where every seed begins."""


class Scheduler:
    """A heap of (time, order of asking, action). Times in epoch milliseconds."""

    def __init__(self) -> None:
        """Begin with nothing planned."""
        self.now_ms = START_MS
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._hub = greenlet.getcurrent()

    @property
    def hub(self) -> greenlet:
        """The parent of every greenlet: the one to switch to for waiting."""
        return self._hub

    def at(self, when_ms: int, action: Callable[[], None]) -> None:
        """Do `action` at `when_ms`, or now if that has passed; at one time, what was asked first is first."""
        heapq.heappush(self._heap, (max(when_ms, self.now_ms), next(self._order), action))

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do `action` in `delay_ms`."""
        self.at(self.now_ms + delay_ms, action)

    def run(self, *, until_ms: int, stop: Callable[[], bool]) -> None:
        """Do everything up to `until_ms`, or until `stop`, which is asked after each action."""
        while self._heap and self._heap[0][0] <= until_ms and not stop():
            self.now_ms, _, action = heapq.heappop(self._heap)
            action()
