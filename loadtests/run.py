"""One run of a load, as whoever leads it sees it: the master, or the only process.

It gives out the orders, adds the shards' snapshots up, watches Slack, waits until the alerts are at rest and
makes the report. It knows nothing of Locust, so that tests can drive it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from clients.alert_source import AlertSource
from clients.load import STOPPED_WITHIN_S
from clients.receipts import ReceiptsFile
from clients.rows import LedgerUnreachableError
from clients.sender import Sender
from emulator.claude_latency import HONEST, QUICK
from loadtests.delivery import Delivery
from loadtests.figures import Accepted, Snapshot, add_up
from loadtests.processor_time import ProcessorTime
from loadtests.report import Facts, LoadReport, make_report
from loadtests.shard import Order, plan
from loadtests.slo import Threshold
from loadtests.target import Target
from topology.errors import ExplainedError

SLACK_PER_S: Final = 1.0
"""A channel's limit. https://docs.slack.dev/apis/web-api/rate-limits"""

WARM_UP_ALERTS: Final = 6
WARM_WITHIN_S: Final = 120.0
_POLL_S: Final = 0.2
_POLL_RECORDS_S: Final = 2.0
_REPORTED_WITHIN_S: Final = 10.0


class Conditions:
    """The stand-ins of an embedded AWS as every load test has them: Claude takes its time, Slack has a limit.

    Of a real stack nothing is known of Claude.
    """

    def __init__(self, target: Target) -> None:
        """Set them."""
        self._emulator = target.emulator
        self.claude = "unknown"
        if self._emulator is not None:
            self._emulator.set_claude_latency(HONEST)
            self._emulator.limit_slack(per_s=SLACK_PER_S, burst=1)
            self.claude = str(HONEST)
            self.count_from_now()

    def count_from_now(self) -> None:
        """Leave out of the figures what happened until now."""
        if self._emulator is not None:
            self._since_ms = time.time_ns() // 1_000_000
            self._rate_limited = self._emulator.status().slack_rate_limited
            self._processor = ProcessorTime(self._emulator)

    @property
    def slack_429s(self) -> int | None:
        """Posts that Slack answered 429 since then; None where that is not known."""
        return self._emulator.status().slack_rate_limited - self._rate_limited if self._emulator else None

    @property
    def model_calls(self) -> int | None:
        """Calls that Claude answered since then; None where that is not known."""
        if self._emulator is None:
            return None
        return sum(call.received_at_ms >= self._since_ms for call in self._emulator.claude_calls())

    def processor_s(self) -> Mapping[str, float]:
        """Seconds of processor time by process of the embedded AWS since then."""
        return self._processor.used_s() if self._emulator else {}

    def end(self) -> None:
        """Lift Slack's limit again, and have Claude answer at once."""
        if self._emulator is not None:
            self._emulator.limit_slack(per_s=None)
            self._emulator.set_claude_latency(QUICK)


def warm_up(target: Target, order: Order) -> None:
    """Send a few alerts through each region, which are not counted: a stack in use is warm.

    They have receipts as all others have.
    """
    if target.deployment is None:
        return
    delivery = Delivery(target.deployment, target.emulator, lambda *_: None)
    with ReceiptsFile(Path(order.receipts) / "receipts-warm-up.jsonl") as receipts:
        sender = Sender(receipts)
        for webhook in target.webhooks:
            source = AlertSource(source=f"warm-up-{webhook.region}", critical_percent=50)
            for number in range(WARM_UP_ALERTS):
                post = source.post(number, (webhook,))
                alerts = sender.post(post.body, post.webhooks, post.tells).alerts
                delivery.accept(Accepted(alert.alert_id, alert.accepted_at_ms) for alert in alerts)
        sender.close()
    deadline = time.monotonic() + WARM_WITHIN_S
    while delivery.pending and time.monotonic() < deadline:
        time.sleep(_POLL_RECORDS_S / 2)
        delivery.read_ledger()


class Run:
    """A run whose shards were ordered. `watch` blocks; the rest may be called meanwhile."""

    def __init__(
        self,
        target: Target,
        order: Order,
        *,
        thresholds: Sequence[Threshold],
        rest_within_s: float,
        told: Callable[[str, float, str | None], None],
        lost: Callable[[], Iterable[int]],
        conditions: Conditions,
    ) -> None:
        """`lost` says which of the order's shards are gone; `told` is as of `Delivery`."""
        self._target, self._order, self._thresholds = target, order, thresholds
        self._rest_within_s, self._lost = rest_within_s, lost
        self._conditions = conditions
        self._seconds = plan(order).seconds
        self._delivery = Delivery(target.deployment, target.emulator, told)
        self._latest: dict[int, Snapshot] = {}
        self._failures: list[str] = []
        self._ended = threading.Event()

    def merge(self, snapshot: Snapshot) -> None:
        """Note a shard's latest snapshot; one of an earlier run may still be on its way."""
        if snapshot.run != self._order.run:
            return
        self._delivery.accept(snapshot.alerts)
        self._latest[snapshot.index] = msgspec.structs.replace(snapshot, alerts=[])

    def end_early(self, why: str) -> None:
        """Have `watch` wait for nothing but the shards' last snapshots."""
        self._failures.append(why)
        self._ended.set()

    def watch(self, poll: Callable[[], None], stop: Callable[[], None]) -> LoadReport:
        """Wait until all is sent and at rest, or should be, and make the report.

        `poll` is called now and then, `stop` when the shards are to stop.
        """
        self._watch_shards(poll, stop)
        gone = frozenset(self._lost()) - {index for index, s in self._latest.items() if s.over}
        backlog = self._wait_for_rest()
        self._delivery.end()
        total = add_up([*self._latest.values(), *self._silent()], gone)
        processor_s = {"sender": round(total.cpu_s, 1), **self._conditions.processor_s()}
        facts = Facts(
            shape=self._order.shape,
            run=self._order.run,
            stack=self._target.name,
            claude=self._conditions.claude,
            begun_at_ms=round(self._order.begin_at * 1000),
            seconds=self._seconds,
            workers=self._order.of,
            lost=gone,
            backlog=backlog,
            slack_429s=self._conditions.slack_429s,
            model_calls=self._conditions.model_calls,
            processor_s=processor_s,
            failures=tuple(self._failures),
        )
        return make_report(facts, total, self._delivery, self._thresholds)

    def _silent(self) -> list[Snapshot]:
        """Shards of which nothing was ever heard: all that they were to send is due."""
        count = plan(self._order).count
        silent = set(range(self._order.of)) - self._latest.keys()
        return [
            Snapshot(run=self._order.run, index=i, due=len(range(i, count, self._order.of)))
            for i in sorted(silent)
        ]

    def _watch_shards(self, poll: Callable[[], None], stop: Callable[[], None]) -> None:
        deadline = self._order.begin_at + self._seconds + STOPPED_WITHIN_S
        stopped, records_at = False, time.time()
        while not self._all_over():
            if not stopped and (self._ended.is_set() or time.time() > deadline):
                if not self._ended.is_set():
                    self._failures.append(f"the load does not end {STOPPED_WITHIN_S:g} s after its schedule")
                stopped, deadline = True, time.time() + STOPPED_WITHIN_S
                stop()
            if stopped and time.time() > deadline + _REPORTED_WITHIN_S:
                return
            time.sleep(_POLL_S)
            poll()
            if time.time() > records_at + _POLL_RECORDS_S:
                records_at = time.time()
                self._delivery.read_slack()

    def _all_over(self) -> bool:
        over = {index for index, snapshot in self._latest.items() if snapshot.over}
        return over | set(self._lost()) >= set(range(self._order.of))

    def _wait_for_rest(self) -> int | None:
        """Wait until the alerts are at rest; return how many were not when it began."""
        backlog = None
        deadline = time.monotonic() + self._rest_within_s
        try:
            while True:
                self._delivery.read_slack()
                self._delivery.read_ledger()
                pending = len(self._delivery.pending)
                backlog = pending if backlog is None else backlog
                if not pending or not self._delivery.reads_ledger or self._ended.is_set():
                    break
                if time.monotonic() > deadline:
                    break
                self._ended.wait(_POLL_RECORDS_S)
            self._delivery.read_slack()
        except (ExplainedError, LedgerUnreachableError) as error:
            self._failures.append(str(error))
        return backlog
