"""Alerts in flight: a source that goes on posting while an experiment's faults fire, and keeps its receipts.

One load runs for each receipts file, on a thread of its own, started by one action and stopped by another;
Chaos Toolkit's background activities cannot be stopped early.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from clients.receipts import ReceiptsFile
from clients.sender import RETRY_DEADLINE_S, Sender, Tally, Webhook

CAUSES: Final = (
    "connection pool is exhausted", "p99 latency is over its objective", "disk is almost full",
    "certificate expires soon", "replica lags behind", "queue depth grows", "error rate is over 1 %",
    "memory is close to its limit",
)  # fmt: skip
"""As few as a real incident has, so that most analyses come from the cache."""

SEVERITIES: Final = ("HIGH", "MEDIUM", "LOW", "HIGH", "MEDIUM", "INFO", "HIGH", "MEDIUM", "LOW", "CRITICAL")
POSTS_AT_ONCE: Final = 8
LONGEST_S: Final = 900.0
"""A load that nobody stops ends by itself."""

_SERIAL: Final = itertools.count(time.time_ns())
"""Makes an alert's id new in every run, on the same stack too."""


def alerts(label: str, *, distinct_causes: bool = False) -> Iterator[dict[str, Any]]:
    """Alerts without end, each one of its own: a source's numbered events, of few causes.

    `distinct_causes`: no two of a cause, so that each needs an analysis of its own.
    """
    for number in itertools.count():
        cause = CAUSES[number % len(CAUSES)]
        service = _word(number) if distinct_causes else str(number % len(CAUSES))
        yield {
            "source": f"chaos-{label}",
            "event_id": str(next(_SERIAL)),
            "title": f"service-{service}: {cause}",
            "message": f"{cause} (alert {number} of {label})",
            "severity": SEVERITIES[number % len(SEVERITIES)],
            "component": f"service-{service}",
        }


def _word(number: int) -> str:
    """Letters for a number: a signature leaves numbers out."""
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


@dataclass
class Load:
    """A source at work. `burst` alerts at once, then `per_s` a second, to both regions in turn."""

    webhooks: tuple[Webhook, ...]
    receipts: Path
    burst: int
    per_s: float
    distinct_causes: bool = False
    tally: Tally = field(default_factory=Tally)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True, name="load")
        self._thread.start()

    def stop(self) -> Tally:
        """Post nothing new, wait until every post under way has its final answer, and say how it went."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(RETRY_DEADLINE_S + 2 * POSTS_AT_ONCE)
        return self.tally

    async def _send(self) -> None:
        places = asyncio.Semaphore(POSTS_AT_ONCE)
        begun = time.monotonic()
        with ReceiptsFile(self.receipts) as receipts:
            async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as posts:
                sender = Sender(session, receipts)
                sender.tally = self.tally
                for number, alert in enumerate(alerts("load", distinct_causes=self.distinct_causes)):
                    due = begun + max(0, number - self.burst) / self.per_s
                    while time.monotonic() < due and not self._stopped.is_set():  # noqa: ASYNC110 - a thread sets it
                        await asyncio.sleep(min(0.1, max(0.0, due - time.monotonic())))
                    if self._stopped.is_set() or time.monotonic() > begun + LONGEST_S:
                        return
                    await places.acquire()
                    post = posts.create_task(sender.post(alert, self._webhooks(number)))
                    post.add_done_callback(lambda _: places.release())

    def _webhooks(self, number: int) -> tuple[Webhook, ...]:
        """The webhooks in the order in which they are tried for one alert."""
        first = number % len(self.webhooks)
        return self.webhooks[first:] + self.webhooks[:first]


_LOADS: Final[dict[Path, Load]] = {}


def start_load(load: Load) -> None:
    """Start `load`, and know it by its receipts; one that runs there already is stopped first."""
    stop_load(load.receipts)
    _LOADS[load.receipts] = load
    load.start()


def stop_load(receipts: Path) -> Tally | None:
    """Stop the load that keeps these receipts, and say how it went; None if there is none."""
    load = _LOADS.pop(receipts, None)
    return None if load is None else load.stop()
