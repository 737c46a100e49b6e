"""What Claude and Slack share in HTTP."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

T = TypeVar("T")

_LEAST_S = 0.001
"""A timeout of 0 would mean something else to a socket."""

_CALLS: Final = 64
"""At once, with those that were given up and have not ended yet."""


def retry_after_of(header: str | None) -> float | None:
    """The seconds of a Retry-After header; None where it is absent or no number (neither sends dates)."""
    try:
        seconds = float(header) if header is not None else -1.0
    except ValueError:
        return None
    return seconds if seconds >= 0 and math.isfinite(seconds) else None


def countdown(timeout_s: float) -> Callable[[], float]:
    """A function that says how many seconds are left, for calls that share one timeout."""
    until = time.monotonic() + timeout_s
    return lambda: max(until - time.monotonic(), _LEAST_S)


def within(timeout_s: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises, if it does so in time: name resolution, handshake, answer and all.

    A client's own timeouts hold for one read of a socket each, so a server that drips its answer outlives
    them, and with them the lease and the invocation. A call that is given up ends by itself on its
    thread, at its client's timeout at the latest after the last byte.

    Raises:
        TimeoutError: it did not, and may still happen.
    """
    outcome = _threads().submit(call)
    try:
        return outcome.result(timeout=timeout_s)
    finally:
        outcome.cancel()  # if it has not begun


@cache
def _threads() -> ThreadPoolExecutor:
    """Kept, since starting a thread takes as long as a POST. They are so many that no call waits for one."""
    return ThreadPoolExecutor(_CALLS, thread_name_prefix="within")
