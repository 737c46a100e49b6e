"""The storm: a thousand alerts a minute into a stack whose Slack takes one message a second.

`responder storm` runs it. It measures what people on call feel: how long a CRITICAL alert takes to Slack in
the middle of it, and how long after its end the last alert is at rest.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from audit.in_flight import in_flight
from clients.deployment import Deployment
from clients.receipts import ReceiptsFile
from clients.sender import Sender, Tally, Webhook
from emulator.client import Emulator
from loadtests.processor_time import ProcessorTime

CRITICAL: Final = "CRITICAL"
OTHER_SEVERITIES: Final = ("HIGH", "MEDIUM", "HIGH", "LOW", "MEDIUM", "INFO")

SERVICES: Final = ("checkout", "orders-db", "search", "payments", "mail", "images", "login", "warehouse")
SYMPTOMS: Final = (
    "p99 latency is over its objective", "connection pool is exhausted", "error rate is over 1 %",
    "replica lags behind", "memory is close to its limit",
)  # fmt: skip
"""With the services they make forty causes, so that the analysis cache answers most, as in a real storm."""

HOSTS: Final = 60
SLACK_PER_S: Final = 1.0
POSTS_AT_ONCE: Final = 64
WARM_UP_ALERTS: Final = 6
AT_REST_WITHIN_S: Final = 300.0
"""The longest wait after the storm's end; what is not at rest by then misses the goal."""

POLL_S: Final = 2.0
"""Each poll scans the ledger, which costs the machine that is measured."""

_PERCENT: Final = 100


@dataclass(frozen=True)
class StormPlan:
    """The load of a storm: `critical_percent` of the alerts are CRITICAL; the seed picks which."""

    minutes: float = 3.0
    per_minute: int = 1_000
    critical_percent: float = 2.0
    seed: int = 1

    @property
    def count(self) -> int:
        """The number of alerts."""
        return round(self.minutes * self.per_minute)

    def bodies(self) -> Iterator[dict[str, Any]]:
        """Generate the alerts; no two are alike, in this run or another."""
        rng = random.Random(self.seed)  # noqa: S311 - a seeded choice, no secret
        run = time.time_ns()
        for number in range(self.count):
            service, symptom = rng.choice(SERVICES), rng.choice(SYMPTOMS)
            urgent = rng.random() * _PERCENT < self.critical_percent
            host = f"{service}-{number % HOSTS}"
            yield {
                "source": "storm",
                "event_id": f"{run}-{number}",
                "title": f"{service}: {symptom}",
                "message": f"{symptom} on {host}, sample {number}",
                "severity": CRITICAL if urgent else rng.choice(OTHER_SEVERITIES),
                "component": service,
                "host": host,
            }


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


async def run_storm(
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
    with ReceiptsFile(receipts) as out:
        async with aiohttp.ClientSession() as session:
            progress("warming both regions up")
            await _warm_up(Sender(session, out), webhooks)
            await _rested(deployment, receipts, lambda count: progress(f"warming up: {count} to go"))
            emulator.limit_slack(per_s=SLACK_PER_S, burst=1)
            processor = await asyncio.to_thread(ProcessorTime, emulator)
            sender, begun_ms = Sender(session, out), _now_ms()
            critical = await _send(sender, plan, webhooks, progress)
            ended_ms = _now_ms()
    rested = await _rested(deployment, receipts, lambda count: progress(f"over; {count} not at rest"))
    used_s = await asyncio.to_thread(processor.used_s)
    return Storm(plan, sender.tally, critical, begun_ms, ended_ms, rested, used_s)


async def _warm_up(sender: Sender, webhooks: tuple[Webhook, ...]) -> None:
    """Send a few alerts through each region, which are not counted: a stack in use is warm."""
    for webhook in webhooks:
        warm = StormPlan(minutes=1, per_minute=WARM_UP_ALERTS, critical_percent=50)
        await asyncio.gather(*(sender.post(body, (webhook,)) for body in warm.bodies()))


async def _send(
    sender: Sender, plan: StormPlan, webhooks: tuple[Webhook, ...], progress: Callable[[str], None]
) -> frozenset[str]:
    """Post at the plan's rate, however long answers take, with up to `POSTS_AT_ONCE` open posts.

    Returns the ids of the CRITICAL alerts.
    """
    critical: set[str] = set()

    async def post(body: dict[str, Any]) -> None:
        receipts = await sender.post(body, webhooks)
        if body["severity"] == CRITICAL:
            critical.update(receipt.alert_id for receipt in receipts)

    places = asyncio.Semaphore(POSTS_AT_ONCE)
    begun = time.monotonic()
    async with asyncio.TaskGroup() as posts:
        for number, body in enumerate(plan.bodies()):
            await asyncio.sleep(max(0.0, begun + number * 60 / plan.per_minute - time.monotonic()))
            await places.acquire()
            posts.create_task(post(body)).add_done_callback(lambda _: places.release())
            progress(f"posted {number + 1} of {plan.count}, accepted {sender.tally.accepted}")
    return frozenset(critical)


async def _rested(deployment: Deployment, receipts: Path, tell: Callable[[int], None]) -> bool:
    """Wait until everything accepted is at rest; return whether that was in time."""
    deadline = time.monotonic() + AT_REST_WITHIN_S
    while waiting := await asyncio.to_thread(in_flight, deployment, receipts):
        if time.monotonic() > deadline:
            return False
        tell(len(waiting))
        await asyncio.sleep(POLL_S)
    return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
