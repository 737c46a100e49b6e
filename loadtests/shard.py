"""The part of a load that one process sends: told by an order of the master, which gets its snapshots."""

import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from clients import load
from clients.alert_source import AlertSource, in_turn, scattered
from clients.load import Arrival, Load, LoadFailedError, Post
from clients.schedules import Recorded, Schedule, Stage, Stages
from clients.sender import POST_TIMEOUT_S, Attempt, Webhook
from clients.streams import read_stream
from loadtests.figures import Accepted, Histogram, Snapshot

AT_ONCE_MIN: Final = 64
AT_ONCE_MAX: Final = 2_000


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to send, and when it begins: everything that it needs to know, in one message.

    `stages` are seconds and the rates at their ends; with a `stream`, the path of a recorded one, they say
    nothing. `begin_at` is on the clock of `time.time`, so the machines' clocks have to agree. `webhooks` are
    regions, URLs and keys; with `both_regions` each region is tried first as often, else the first always.
    """

    shape: str
    run: str
    begin_at: float
    webhooks: tuple[tuple[str, str, str], ...]
    stages: tuple[tuple[float, float, float], ...]
    receipts: str
    index: int = 0
    of: int = 1
    both_regions: bool = True
    critical_percent: float = 10.0
    causes: int = 8
    repeats_percent: float = 0.0
    formats: tuple[str, ...] = ("generic",)
    stream: str = ""
    speed: float = 1.0


class Planned(msgspec.Struct, frozen=True):
    """What all shards of an order send: its posts, how many, in how long, and how many a second at most."""

    post: Callable[[int], Post]
    schedule: Schedule
    count: int
    seconds: float
    peak_per_s: float


def plan(order: Order) -> Planned:
    """The posts of an order.

    Raises:
        StreamError: its stream cannot be read.
    """
    webhooks = tuple(Webhook(*webhook) for webhook in order.webhooks)
    ways = in_turn(webhooks) if order.both_regions else [webhooks]
    if order.stream:
        posts = read_stream(Path(order.stream))
        times = [post.at_s / order.speed for post in posts]

        def recorded(number: int) -> Post:
            return Post(posts[number].body, ways[number % len(ways)], posts[number].tells)

        seconds = max(times[-1] - times[0], 1.0)
        return Planned(recorded, Recorded(times), len(posts), seconds, len(posts) / seconds)
    source = AlertSource(
        source=f"load-{order.shape}",
        run=order.run,
        causes=order.causes,
        repeats_percent=order.repeats_percent,
        critical_percent=order.critical_percent,
        formats=order.formats,
    )
    stages = Stages(tuple(Stage(*stage) for stage in order.stages))

    def made(number: int) -> Post:
        return source.post(number, ways[scattered(number) // len(order.formats) % len(ways)])

    peak = max(max(stage.from_per_s, stage.to_per_s) for stage in stages.stages)
    return Planned(made, stages, stages.count, stages.seconds, peak)


class Shard:
    """The load of one process, from `start` on."""

    def __init__(self, order: Order, ended: Callable[[Arrival], None]) -> None:
        """Make ready to send what is ordered; `ended` is told of every post that has ended.

        Raises:
            StreamError: its stream cannot be read.
        """
        planned = plan(order)
        at_once = round(planned.peak_per_s / order.of * POST_TIMEOUT_S)
        self._seconds = planned.seconds
        self._run = order.run
        self._index, self._due = order.index, len(range(order.index, planned.count, order.of))
        self._http = Histogram()
        self._answers: Counter[str] = Counter()
        self._on_time = 0
        self._alerts: deque[Accepted] = deque()
        self._error: str | None = None
        self._ended = ended
        self._cpu_s = time.process_time()
        self._load = Load(
            post=planned.post,
            schedule=planned.schedule,
            receipts=Path(order.receipts) / f"receipts-{order.index}.jsonl",
            at_once=min(max(at_once, AT_ONCE_MIN), AT_ONCE_MAX),
            shard=load.Shard(order.index, order.of),
            begin_at=order.begin_at,
            longest_s=planned.seconds + 1,
            observe=self._observe,
            ended=self._note,
        )
        self._started = False

    def start(self) -> None:
        """Begin; a second time does nothing."""
        if not self._started:
            self._started = True
            self._load.start()

    def halt(self) -> None:
        """Post nothing new; returns at once, while posts are under way."""
        self._started = True
        self._load.halt()

    def snapshot(self) -> Snapshot:
        """What was counted until now."""
        over = self._started and not self._load.running
        if over:
            self._note_end()
        tally = self._load.tally
        return Snapshot(
            run=self._run,
            index=self._index,
            due=self._due,
            over=over,
            error=self._error,
            posted=tally.posted,
            on_time=self._on_time,
            late=self._load.late,
            never_sent=self._load.never_sent,
            accepted=tally.accepted,
            unnamed=tally.unnamed,
            retries=tally.retries,
            given_up=tally.given_up,
            answers=dict(self._answers),
            refused={str(status): count for status, count in tally.refused.items()},
            http=self._http.encode(),
            cpu_s=time.process_time() - self._cpu_s,
            alerts=[self._alerts.popleft() for _ in range(len(self._alerts))],
        )

    def _note_end(self) -> None:
        try:
            self._load.stop()
        except LoadFailedError as error:
            self._error = str(error)

    def _observe(self, attempt: Attempt) -> None:
        self._answers[str(attempt.status or "none")] += 1

    def _note(self, arrival: Arrival) -> None:
        self._http.add(arrival.latency_s * 1000)
        self._on_time += arrival.begun_s <= self._seconds + load.LATE_S
        severity = None if arrival.post.severity is None else str(arrival.post.severity)
        for alert in arrival.outcome.alerts:
            self._alerts.append(Accepted(alert.alert_id, alert.accepted_at_ms, severity))
        self._ended(arrival)
