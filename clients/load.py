"""The one source of alerts of every run: posts that are due by a schedule, however long answers take.

The demo, replays, drills, chaos experiments, benchmarks and Locust's load tests send through it. The schedule
never waits for an answer, so what it counts is what a sender sees: a post that finds no free connection waits
in line, and its latency counts from when it was due. (A loop that posts, waits and posts again leaves out
just the samples that matter, which is called coordinated omission.)

It is made of threads that block. Under Locust, which patches them, they are greenlets.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from clients.receipts import ReceiptsFile, Tells
from clients.schedules import Schedule
from clients.sender import POST_TIMEOUT_S, RETRY_DEADLINE_S, Attempt, Outcome, Sender, Tally, Webhook
from topology.alerts import Severity
from topology.errors import ExplainedError

LONGEST_S: Final = 1_800.0
"""A load that nobody stops ends by itself."""

STOPPED_WITHIN_S: Final = RETRY_DEADLINE_S + 2 * POST_TIMEOUT_S

LATE_S: Final = 0.1
"""A post that begins later than this after it was due is late: nobody takes a poll of the clock for one."""

_POLL_S: Final = 0.1


class Post(NamedTuple):
    """A body, the webhooks in the order in which they are tried, and what each of its members tells.

    `severity` is that of its alerts, where whoever made the body knows it.
    """

    body: Mapping[str, object]
    webhooks: tuple[Webhook, ...]
    tells: tuple[Tells, ...] = ()
    severity: Severity | None = None


@dataclass(frozen=True)
class Arrival:
    """A post that has ended. Times in seconds from the load's start; latency counts from `due_s`."""

    number: int
    post: Post
    due_s: float
    begun_s: float
    ended_s: float
    outcome: Outcome

    @property
    def latency_s(self) -> float:
        """From when it was due to its last answer."""
        return self.ended_s - self.due_s

    @property
    def late(self) -> bool:
        """Whether it began late: the sender, not the stack, was too slow."""
        return self.begun_s - self.due_s > LATE_S


@dataclass(frozen=True)
class Shard:
    """The part of a load that one process sends: every `of`th post, from number `index` on."""

    index: int = 0
    of: int = 1


class LoadFailedError(ExplainedError):
    """A load died, or goes on posting: what its receipts and its tally show is not what was asked for."""


@dataclass(kw_only=True)
class Load:
    """A source at work: `post` number n is made and sent when `schedule` says, `at_once` of them at most.

    One thread makes the posts, in order. `begin_at` is the start on the clock of `time.time`, for processes
    that share a load, now if it is None. `observe` is told of each try, `ended` of each post that has ended,
    one at a time. `tally` may go on from another load's, which has ended.
    """

    post: Callable[[int], Post]
    schedule: Schedule
    receipts: Path
    at_once: int
    shard: Shard = field(default_factory=Shard)
    begin_at: float | None = None
    longest_s: float = LONGEST_S
    observe: Callable[[Attempt], None] = lambda _: None
    ended: Callable[[Arrival], None] = lambda _: None
    stopped_within_s: float = STOPPED_WITHIN_S
    retry_for_s: float = RETRY_DEADLINE_S
    """0 for a source that tries each post once."""

    tally: Tally = field(default_factory=Tally)
    late: int = field(default=0, init=False)
    never_sent: int = field(default=0, init=False)
    """Posts that were due and had found no free connection when the load was stopped."""

    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _error: BaseException | None = field(default=None, init=False)
    _begun: float = field(default=0.0, init=False)
    _line: "queue.SimpleQueue[tuple[int, Post, float] | None]" = field(
        default_factory=queue.SimpleQueue, init=False
    )
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    _idle: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0), init=False)

    @property
    def died(self) -> bool:
        """Whether it ended by an error; `stop` says which."""
        return self._error is not None

    @property
    def running(self) -> bool:
        """Whether posts are due or under way still."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="load")
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until every post of a schedule that ends has ended; returns whether that was in time."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.running

    def halt(self) -> None:
        """Post nothing new; returns at once."""
        self._stopped.set()

    def stop(self) -> Tally:
        """Post nothing new, wait until every post under way has its final answer, and say how it went.

        Raises:
            LoadFailedError: it had died, or does not end.
        """
        self.halt()
        if not self.wait(self.stopped_within_s):
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
        wait_s = 0.0 if self.begin_at is None else self.begin_at - time.time()
        self._begun = time.monotonic() + wait_s
        try:
            with ReceiptsFile(self.receipts) as receipts:
                sender = Sender(
                    receipts,
                    at_once=self.at_once,
                    observe=self.observe,
                    tally=self.tally,
                    retry_for_s=self.retry_for_s,
                )
                workers: list[threading.Thread] = []
                try:
                    self._dispatch(sender, workers)
                finally:
                    self._finish(workers)
                    sender.close()
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: `stop` raises it
            self._fail(error)

    def _dispatch(self, sender: Sender, workers: list[threading.Thread]) -> None:
        """Put each post in line when it is due, with one more worker if none is free to take it."""
        number = self.shard.index
        while (due_s := self._wait_until_due(number)) is not None:
            post = self.post(number)
            if not self._idle.acquire(blocking=False) and len(workers) < self.at_once:
                worker = threading.Thread(target=self._work, args=(sender,), daemon=True, name="load-post")
                workers.append(worker)
                worker.start()
            self._line.put((number, post, due_s))
            number += self.shard.of

    def _wait_until_due(self, number: int) -> float | None:
        """When the post is due, waited for; None if there is none, or the load is over."""
        while not self._stopped.is_set():
            due_s = self.schedule.due_s(number)
            if due_s is None or due_s > self.longest_s:
                return None
            wait_s = due_s - self._now_s()
            if wait_s <= 0:
                return due_s
            self._stopped.wait(min(_POLL_S, wait_s))
        return None

    def _finish(self, workers: list[threading.Thread]) -> None:
        """Wait until the workers have sent what is in line, or only what they began, if it was stopped."""
        for _ in workers:
            self._line.put(None)
        for worker in workers:
            worker.join()

    def _work(self, sender: Sender) -> None:
        try:
            while (item := self._line.get()) is not None:
                if self._stopped.is_set():
                    self._count(never_sent=1)
                else:
                    self._send(sender, *item)
                self._idle.release()
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: `stop` raises it
            self._fail(error)

    def _send(self, sender: Sender, number: int, post: Post, due_s: float) -> None:
        begun_s = self._now_s()
        outcome = sender.post(post.body, post.webhooks, post.tells)
        arrival = Arrival(number, post, due_s, begun_s, self._now_s(), outcome)
        self._count(late=arrival.late)
        with self._turn:
            self.ended(arrival)

    def _count(self, *, late: int = 0, never_sent: int = 0) -> None:
        with self._turn:
            self.late += late
            self.never_sent += never_sent

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._stopped.set()

    def _now_s(self) -> float:
        return time.monotonic() - self._begun
