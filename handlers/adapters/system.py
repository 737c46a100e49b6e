"""The clock, sleep, randomness and threads of the machine."""

import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_WORKERS: Final = 10


class SystemClock:
    """`Clock` by the machine's wall clock."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return time.time_ns() // 1_000_000


class SystemSleeper:
    """`Sleeper` by really sleeping."""

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)


class SystemRandomness:
    """`Randomness` by the operating system."""

    def hex(self, digits: int) -> str:
        """Unguessable hex digits."""
        return secrets.token_hex((digits + 1) // 2)[:digits]

    def fraction(self) -> float:
        """At least 0, below 1."""
        return secrets.randbelow(1 << 32) / (1 << 32)


class ThreadExecutor:
    """`Executor` over a few threads, which live as long as the execution environment."""

    def __init__(self) -> None:
        """Threads start when they are first needed."""
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="executor")
        # Of calls made by what `map` runs, which would wait for each other in one pool.
        self._overlaps = ThreadPoolExecutor(_WORKERS, thread_name_prefix="overlap")

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """See `Executor`. One item is done on the caller's own thread."""
        given = list(items)
        if len(given) <= 1:
            return [function(item) for item in given]
        futures = [self._pool.submit(function, item) for item in given]
        wait(futures)
        return [future.result() for future in futures]

    def overlap(self, call: Callable[[], R], *, patience_s: float, meanwhile: Callable[[], None]) -> R:
        """See `Executor`. `meanwhile` runs on the caller's own thread."""
        future = self._overlaps.submit(call)
        try:
            if wait([future], timeout=patience_s).not_done:
                meanwhile()
        finally:
            wait([future])
        return future.result()
