"""What the handler tests build again and again: bodies, requests, rows, and workers over the fakes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlers.domain.alert import Alert, Step
from handlers.domain.delivery.analysis import AnalysisWork
from handlers.domain.delivery.arrivals import Arrivals
from handlers.domain.delivery.breaker import Breaker
from handlers.domain.delivery.channels import Channel, Channels
from handlers.domain.delivery.digests import Group
from handlers.domain.delivery.distribution import DistributionWork
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.delivery.leases import Deadline, Leases
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.delivery.routing import Routing
from handlers.domain.formats import Format, parse
from handlers.domain.formats.generic import FORMAT
from handlers.domain.identity import body_hash_of
from handlers.domain.intake.alarms import AlarmIntake
from handlers.domain.intake.faults import Change, Faults
from handlers.domain.intake.heartbeats import Heartbeats
from handlers.domain.intake.quotas import Quotas
from handlers.domain.intake.reception import Reception, Submission
from handlers.domain.intake.refusals import Refusals
from handlers.domain.intake.rows import new_row
from handlers.domain.intake.webhook import Request, Response, Webhook
from handlers.domain.moves import Actor
from handlers.domain.regions.ownership import Ownership, SharedOwnership
from handlers.domain.regions.recovery import Recovery
from handlers.domain.regions.switch import Switch
from handlers.domain.silences import Silences
from handlers.domain.states import analyzed, received
from tests.fakes.ledger import FakeAnalysisCache, FakeCoordination, FakeLedger
from tests.fakes.machine import FakeClock, FakeRandomness, SerialExecutor
from tests.fakes.services import (
    ANALYSIS,
    FakeAnalyst,
    FakeNotifier,
    FakeQueueSender,
    FakeRefusalMeter,
    FakeStoredSilences,
)
from topology.alerts import Status
from topology.heartbeats import HeartbeatSpec

REGION, PEER = "us-east-1", "us-west-2"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
LEASE_S, EVENT_WINDOW_S, CONTENT_WINDOW_S, CACHE_TTL_S = 120, 3_600, 300, 86_400
SLACK_INTERVAL_MS = 1_000
CRITICAL_PATIENCE_S = 2
INCIDENT_WINDOW_S = 300


def fixture(name: str) -> bytes:
    """A payload sample of the project's own."""
    return (Path(__file__).parent / "fixtures" / f"{name}.json").read_bytes()


def body(**fields: Any) -> bytes:
    """A body in the project's own format; a field set to None is left out."""
    full = {
        "source": "billing",
        "title": "Queue is growing",
        "message": "depth 1200 on host a",
        "severity": "ERROR",
        "timestamp": "2026-11-23T08:00:00Z",
    } | fields
    return json.dumps({name: value for name, value in full.items() if value is not None}).encode()


def post(content: bytes, **headers: str) -> Request:
    """A request with this body."""
    given = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return Request(method="POST", path="/alerts", headers=given, body=content)


def row(
    alert_id: str = "a1", *, status: Status = Status.RECEIVED, at_ms: int | None = None, **fields: Any
) -> Alert:
    """A stored row that is open: RECEIVED, or ANALYZED with an analysis."""
    clock = FakeClock()
    incoming = FORMAT.parse(json.loads(body(**fields)), {})[0]
    accepted_ms = clock.ms if at_ms is None else at_ms
    new = new_row(
        incoming,
        alert_id=alert_id,
        identity="i" * 64,
        change=Change.of(incoming, accepted_at_ms=accepted_ms),
        body_hash="b" * 64,
        at_ms=accepted_ms,
        region=REGION,
        body_format="generic",
    )
    alert = received(new, due_at=new.timestamp + LEASE_S)
    if status is Status.ANALYZED:
        alert = analyzed(alert, ANALYSIS, due_at=new.timestamp + LEASE_S)
    return alert


def one_each(alerts: Sequence[Alert]) -> list[Group]:
    """The groups of alerts that belong to no incident."""
    return [Group(alerts=(alert,)) for alert in alerts]


@dataclass
class World:
    """One region over fakes. `restart` gives a worker of a fresh process over the same ledger."""

    clock: FakeClock = field(default_factory=FakeClock)
    executor: SerialExecutor = field(default_factory=SerialExecutor)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    queue_sender: FakeQueueSender = field(default_factory=FakeQueueSender)
    cache: FakeAnalysisCache = field(default_factory=FakeAnalysisCache)
    analyst: Any = field(default_factory=FakeAnalyst)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    randomness: FakeRandomness = field(default_factory=FakeRandomness)
    coordination: FakeCoordination = field(default_factory=FakeCoordination)
    refusal_meter: FakeRefusalMeter = field(default_factory=FakeRefusalMeter)
    ownership: Ownership = field(default_factory=lambda: SharedOwnership(owners=(REGION, PEER)))
    region: str = REGION
    quota: int = 3_000
    edits: bool = False
    escalate_after_s: int = 0
    other_channels: dict[str, Channel] = field(default_factory=dict)
    routing: Routing = field(default_factory=Routing)
    silenced: FakeStoredSilences = field(default_factory=FakeStoredSilences)
    sources: Sequence[Format] = ()
    heartbeats: Sequence[HeartbeatSpec] = ()

    @property
    def reception(self) -> Reception:
        """Reception in this region."""
        return Reception(
            ledger=self.ledger,
            faults=Faults(coordination=self.coordination, executor=self.executor, keep_s=2 * EVENT_WINDOW_S),
            quotas=Quotas(coordination=self.coordination, region=self.region, per_minute=self.quota),
            queue_sender=self.queue_sender,
            clock=self.clock,
            randomness=self.randomness,
            executor=self.executor,
            ownership=self.ownership,
            region=self.region,
            lease_s=LEASE_S,
            event_window_s=EVENT_WINDOW_S,
            content_window_s=CONTENT_WINDOW_S,
        )

    @property
    def noted(self) -> Heartbeats:
        """The heartbeats that come to this region."""
        return Heartbeats(
            coordination=self.coordination, clock=self.clock, region=self.region, specs=self.heartbeats
        )

    def answer(self, request: Request) -> Response:
        """The webhook's answer, with four seconds to write."""
        webhook = Webhook(
            reception=self.reception,
            refusals=Refusals(meter=self.refusal_meter),
            probe=self.ledger,
            switch=Switch(coordination=self.coordination, region=self.region),
            heartbeats=self.noted,
            sources=self.sources,
        )
        return webhook.answer(request, until_ms=self.clock.ms + 4_000)

    @property
    def alarms(self) -> AlarmIntake:
        """The intake of the alarm topic `TOPIC`."""
        return AlarmIntake(
            reception=self.reception,
            refusals=Refusals(meter=self.refusal_meter),
            allowed_topic_arn=TOPIC,
            heartbeats=self.noted,
            sources=self.sources,
        )

    def accept(self, content: bytes, *, key: str | None = None) -> list[Alert]:
        """The rows that answer for a body, with an `Idempotency-Key` or without."""
        parsed = parse(content, {})
        submission = Submission(
            format=parsed.format, alerts=parsed.alerts, body_hash=body_hash_of(content), key=key
        )
        return self.reception.accept(submission, until_ms=self.clock.ms + 4_000)

    def leases(self, actor: Actor, step: Step) -> Leases:
        """The claims of one worker."""
        return Leases(
            ledger=self.ledger,
            queue_sender=self.queue_sender,
            ownership=self.ownership,
            clock=self.clock,
            randomness=self.randomness,
            sleeper=self.clock,
            actor=actor,
            step=step,
            lease_s=LEASE_S,
        )

    @property
    def incidents(self) -> Incidents:
        """The incidents of this region's alerts."""
        return Incidents(
            ledger=self.ledger,
            coordination=self.coordination,
            clock=self.clock,
            window_s=INCIDENT_WINDOW_S,
        )

    @property
    def analysis(self) -> AnalysisWork:
        """The analysis worker."""
        return AnalysisWork(
            leases=self.leases(Actor.ANALYSIS, Step.ANALYSIS),
            incidents=self.incidents,
            routing=self.routing,
            silences=Silences(stored=self.silenced, clock=self.clock),
            cache=self.cache,
            analyst=self.analyst,
            breaker=Breaker(coordination=self.coordination, clock=self.clock),
            executor=self.executor,
            cache_ttl_s=CACHE_TTL_S,
            critical_patience_s=CRITICAL_PATIENCE_S,
        )

    @property
    def distribution(self) -> DistributionWork:
        """The distribution worker."""
        return DistributionWork(
            leases=self.leases(Actor.DISTRIBUTION, Step.DISTRIBUTION),
            incidents=self.incidents,
            channels=Channels(default=self._channel(self.notifier), by_route=self.other_channels),
            arrivals=Arrivals(coordination=self.coordination),
            executor=self.executor,
            escalate_after_s=self.escalate_after_s,
        )

    def add_channel(self, route: str) -> FakeNotifier:
        """A channel of its own for a route, and what is posted there."""
        notifier = FakeNotifier()
        self.other_channels[route] = self._channel(notifier, route)
        return notifier

    def _channel(self, notifier: FakeNotifier, route: str = "") -> Channel:
        rate_limiter = RateLimiter(
            coordination=self.coordination, clock=self.clock, interval_ms=SLACK_INTERVAL_MS, route=route
        )
        return Channel(notifier=notifier, rate_limiter=rate_limiter, edits=self.edits)

    @property
    def recovery(self) -> Recovery:
        """Recovery in this region."""
        return Recovery(
            ledger=self.ledger,
            queue_sender=self.queue_sender,
            ownership=self.ownership,
            clock=self.clock,
            lease_s=LEASE_S,
            silences=Silences(stored=self.silenced, clock=self.clock),
        )

    def time(self, seconds: float = 30) -> Deadline:
        """So many seconds for a message, the invocation ending with them."""
        end_ms = self.clock.ms + round(seconds * 1000)
        return Deadline(soft_ms=end_ms, hard_ms=end_ms)

    def hold(self, *alerts: Alert) -> None:
        """Put rows into the ledger."""
        for alert in alerts:
            self.ledger.rows[alert.alert_id] = alert
