"""The drill's own source of alerts: a steady, numbered load that goes where the name points, with receipts.

It does what sources are told to do (`clients.sender`): where one region fails, the other is tried. Every try
goes to a file, from which the report draws what each region took in each second.
"""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import aiohttp
import msgspec

from clients.receipts import ReceiptsFile
from clients.sender import POST_TIMEOUT_S, RETRY_DEADLINE_S, Attempt, Sender, Tally, Webhook

PER_S: Final = 6.0
"""Two cores have to bear the load, two regions and the restore rehearsal, with room to catch up."""

SOURCE: Final = "responder-drill"
CAUSES: Final = ("connection pool is exhausted", "p99 latency is over its objective", "replica lags behind")
"""Few, so that the cache answers nearly every analysis."""

SEVERITIES: Final = ("HIGH", "MEDIUM", "LOW", "MEDIUM", "HIGH", "INFO", "MEDIUM", "LOW", "HIGH", "CRITICAL")
POSTS_AT_ONCE: Final = 2 * round(PER_S * POST_TIMEOUT_S)
"""A frozen region holds each post for its whole timeout; the pace must not break over it."""

NAME_TTL_S: Final = 1.0
LONGEST_S: Final = 1_800.0
"""A load that nobody stops ends by itself."""


@dataclass(frozen=True)
class Probe:
    """The alerts of one drill: `bodies` from a number on, so that a drill that is resumed repeats none."""

    drill_id: str

    def bodies(self, first: int) -> Iterator[dict[str, Any]]:
        """Alerts without end, each with its number in `event_id`."""
        for number in itertools.count(first):
            cause = CAUSES[number % len(CAUSES)]
            yield {
                "source": SOURCE,
                "event_id": f"{self.drill_id}-{number:06d}",
                "title": f"drill: {cause}",
                "message": f"{cause} (alert {number} of drill {self.drill_id})",
                "severity": SEVERITIES[number % len(SEVERITIES)],
                "component": f"drill-{CAUSES.index(cause)}",
            }


@dataclass
class Prober:
    """A source at work, on a thread of its own. `leading` says where the name points; None without a name."""

    drill_id: str
    webhooks: tuple[Webhook, ...]
    receipts: Path
    attempts: Path
    leading: Callable[[], str | None] = lambda: None
    per_s: float = PER_S
    tally: Tally = field(default_factory=Tally)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _leading: str | None = None
    _sent: int = 0
    _ahead: int = 0

    def start(self) -> None:
        """Begin after the last number that was ever sent; returns at once."""
        self._sent = read_log(self.attempts).posted
        self._leading = self.leading()
        for work, name in ((self._post_all, "prober"), (self._follow_name, "prober-name")):
            thread = threading.Thread(target=work, daemon=True, name=name)
            self._threads.append(thread)
            thread.start()

    def burst(self, count: int) -> None:
        """Post the next `count` alerts at once, and go on at the pace after them."""
        self._ahead += count

    def stop(self) -> Tally:
        """Post nothing new, wait until each post has its final answer, and say how it went."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(RETRY_DEADLINE_S + 2 * POST_TIMEOUT_S)
        return self.tally

    def _post_all(self) -> None:
        asyncio.run(self._send())

    async def _send(self) -> None:
        places = asyncio.Semaphore(POSTS_AT_ONCE)
        begun = time.monotonic()
        with ReceiptsFile(self.receipts) as receipts, self.attempts.open("a", encoding="utf-8") as log:
            connector = aiohttp.TCPConnector(limit=POSTS_AT_ONCE)
            async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as posts:
                sender = Sender(session, receipts, observe=lambda attempt: _append(log, attempt))
                sender.tally = self.tally
                for count, body in enumerate(Probe(self.drill_id).bodies(self._sent)):
                    while (wait_s := self._due_s(count, begun)) > 0 and not self._stopped.is_set():  # noqa: ASYNC110 - a thread sets it
                        await asyncio.sleep(min(0.1, wait_s))
                    if self._stopped.is_set() or time.monotonic() > begun + LONGEST_S:
                        return
                    await places.acquire()
                    _append(log, Numbered(number=self._sent + count))
                    post = posts.create_task(sender.post(body, self._order()))
                    post.add_done_callback(lambda _: places.release())

    def _due_s(self, count: int, begun: float) -> float:
        """Seconds until the alert after `count` others is due; a burst makes it due earlier meanwhile."""
        return begun + max(0, count - self._ahead) / self.per_s - time.monotonic()

    def _order(self) -> tuple[Webhook, ...]:
        """The webhooks as a source tries them: where the name points first, the primary without a name."""
        return tuple(
            sorted(self.webhooks, key=lambda one: one.region != self._leading and self._leading is not None)
        )

    def _follow_name(self) -> None:
        """Ask where the name points, as a resolver whose answers live `NAME_TTL_S`; keep the last answer."""
        while not self._stopped.wait(NAME_TTL_S):
            self._leading = self.leading() or self._leading


@dataclass(frozen=True)
class Numbered:
    """The number that is about to be sent: on disk before the post, so that it is never used twice."""

    number: int


@dataclass(frozen=True)
class ProbeLog:
    """What a drill sent: how many alerts, numbered from 0, and every try by the time of its answer."""

    posted: int
    attempts: tuple[Attempt, ...]


def read_log(path: Path) -> ProbeLog:
    """All of a drill, the processes that died in it included; a line that a kill cut off is left out."""
    lines = list(_lines(path))
    attempts = [msgspec.convert(line, Attempt) for line in lines if "sent_at_ms" in line]
    return ProbeLog(
        posted=sum("number" in line for line in lines),
        attempts=tuple(sorted(attempts, key=lambda attempt: attempt.answered_at_ms)),
    )


def _append(log: TextIO, line: Attempt | Numbered) -> None:
    log.write(json.dumps(asdict(line)) + "\n")
    log.flush()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
