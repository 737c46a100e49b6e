"""The storm: a thousand alerts a minute into a stack whose Slack takes one message a second.

`responder storm` runs it. It measures what people on call feel: how long a CRITICAL alert takes to Slack in
the middle of it, and how long after its end the last alert is at rest.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit.in_flight import in_flight
from clients.alert_source import AlertSource
from clients.deployment import Deployment
from clients.load import Arrival, Load
from clients.schedules import Schedule, Stage, Stages
from clients.sender import Tally, Webhook
from emulator.claude_latency import HONEST
from emulator.client import Emulator
from loadtests.processor_time import ProcessorTime
from topology.alerts import Severity

CAUSES: Final = 40
"""So few that the analysis cache answers most, as in a real storm."""

SLACK_PER_S: Final = 1.0
LONGEST_S: Final = 3_600.0
POSTS_AT_ONCE: Final = 64
WARM_UP_ALERTS: Final = 6
WARM_WITHIN_S: Final = 60.0
AT_REST_WITHIN_S: Final = 300.0
"""The longest wait after the storm's end; what is not at rest by then misses the goal."""

POLL_S: Final = 2.0
"""Each poll scans the ledger, which costs the machine that is measured."""


@dataclass(frozen=True)
class StormPlan:
    """The load of a storm: `critical_percent` of the alerts are CRITICAL."""

    minutes: float = 3.0
    per_minute: int = 1_000
    critical_percent: float = 2.0

    @property
    def schedule(self) -> Stages:
        """A steady rate."""
        per_s = self.per_minute / 60
        return Stages((Stage(self.minutes * 60, per_s, per_s),))


@dataclass(frozen=True)
class Storm:
    """What was sent and how it ended. Times in seconds, `begun_ms` and `ended_ms` in epoch milliseconds.

    `critical`: the ids of the alerts that were sent as CRITICAL; `rested`: everything accepted came to rest
    within `AT_REST_WITHIN_S` of the end.
    """

    plan: StormPlan
    tally: Tally
    critical: frozenset[str]
    begun_ms: int
    ended_ms: int
    rested: bool
    processor_s: dict[str, float]


def run_storm(
    plan: StormPlan,
    *,
    emulator: Emulator,
    deployment: Deployment,
    webhooks: tuple[Webhook, ...],
    receipts: Path,
    progress: Callable[[str], None],
) -> Storm:
    """Warm both regions up, limit Slack, send the storm, and wait until all is at rest.

    Sources send to the primary, and retry on the failover, as sources should.
    """
    progress("warming both regions up")
    for webhook in webhooks:
        warm = Stages((Stage(1, WARM_UP_ALERTS, WARM_UP_ALERTS),))
        _, load = _load(StormPlan(critical_percent=50), warm, (webhook,), receipts)
        load.wait(WARM_WITHIN_S)
    _rested(deployment, receipts, lambda count: progress(f"warming up: {count} to go"))
    emulator.limit_slack(per_s=SLACK_PER_S, burst=1)
    emulator.set_claude_latency(HONEST)
    processor, begun_ms = ProcessorTime(emulator), _now_ms()
    critical, load = _load(plan, plan.schedule, webhooks, receipts)
    while not load.wait(POLL_S):
        progress(f"posted {load.tally.posted} of {plan.schedule.count}, accepted {load.tally.accepted}")
    tally, ended_ms = load.stop(), _now_ms()
    rested = _rested(deployment, receipts, lambda count: progress(f"over; {count} not at rest"))
    return Storm(plan, tally, frozenset(critical), begun_ms, ended_ms, rested, processor.used_s())


def _load(
    plan: StormPlan, schedule: Schedule, webhooks: tuple[Webhook, ...], receipts: Path
) -> tuple[set[str], Load]:
    """A load that has begun, and the ids of its CRITICAL alerts so far."""
    critical: set[str] = set()
    source = AlertSource(source="storm", causes=CAUSES, critical_percent=plan.critical_percent)

    def ended(arrival: Arrival) -> None:
        if arrival.post.severity is Severity.CRITICAL:
            critical.update(receipt.alert_id for receipt in arrival.outcome.alerts)

    load = Load(
        post=lambda number: source.post(number, webhooks),
        schedule=schedule,
        receipts=receipts,
        at_once=POSTS_AT_ONCE,
        ended=ended,
        longest_s=LONGEST_S,
    )
    load.start()
    return critical, load


def _rested(deployment: Deployment, receipts: Path, tell: Callable[[int], None]) -> bool:
    """Wait until everything accepted is at rest; return whether that was in time."""
    deadline = time.monotonic() + AT_REST_WITHIN_S
    while waiting := in_flight(deployment, receipts):
        if time.monotonic() > deadline:
            return False
        tell(len(waiting))
        time.sleep(POLL_S)
    return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
