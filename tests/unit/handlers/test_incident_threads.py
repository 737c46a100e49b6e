"""Incidents under threads: many workers of both regions, one ledger, one question to the model a region."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Semaphore
from typing import Any

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.digests import digest_id_of
from handlers.domain.ports import ModelAnswer
from handlers.domain.states import received
from tests.fakes.ledger import FakeCoordination, FakeLedger
from tests.fakes.machine import FakeClock
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import INCIDENT_WINDOW_S, LEASE_S, PEER, REGION, World, row
from topology.alerts import Status

ALERTS = 100
WORKERS = 16


class OneAtATime:
    """A table as DynamoDB is one: each conditional write is one step."""

    def __init__(self, **fields: Any) -> None:
        """Begin empty."""
        super().__init__(**fields)
        self.lock = Lock()


class Ledger(OneAtATime, FakeLedger):
    """`Ledger` for threads."""

    def replace(self, *args: Any, **given: Any) -> bool:
        """See `Ledger`."""
        with self.lock:
            return super().replace(*args, **given)

    def incident(self, *args: Any, **given: Any) -> Any:
        """See `Ledger`."""
        with self.lock:
            return super().incident(*args, **given)


class Coordination(OneAtATime, FakeCoordination):
    """`Coordination` for threads."""

    def write(self, *args: Any, **given: Any) -> bool:
        """See `Coordination`."""
        with self.lock:
            return super().write(*args, **given)


class SlowAnalyst:
    """`Analyst` that answers no one before every other alert has been worked on."""

    def __init__(self, others: Semaphore) -> None:
        """`others`: released by each alert that has been worked on."""
        self.asked: Counter[str] = Counter()
        self._others = others

    def analyse(self, alert: Alert, *, timeout_s: float) -> ModelAnswer:
        """See `Analyst`."""
        del timeout_s
        self.asked[alert.region] += 1
        for _ in range(ALERTS - 1):
            self._others.acquire(timeout=30)
        return ModelAnswer(analysis=ANALYSIS, input_tokens=1, output_tokens=1)


def test_hundred_alerts_at_once_in_each_region_ask_once_and_all_are_told() -> None:
    """While the model is being asked the other 99 are placed behind the first, and go out with it."""
    ledger, coordination, clock = Ledger(), Coordination(), FakeClock()
    for region in (REGION, PEER):
        worked_on = Semaphore(0)
        analyst = SlowAnalyst(worked_on)
        world = World(ledger=ledger, coordination=coordination, clock=clock, analyst=analyst, region=region)
        ids = [f"{region[3:]}{number:03}" for number in range(ALERTS)]
        for alert_id in ids:
            new = replace(row(alert_id), region=region, owner=region, fault_key=alert_id)
            world.hold(received(new, due_at=world.clock.s + LEASE_S))

        def work(alert_id: str, world: World = world, done: Semaphore = worked_on) -> None:
            world.analysis.work(alert_id, world.time())
            done.release()

        with ThreadPoolExecutor(WORKERS) as threads:
            list(threads.map(work, ids))
        assert analyst.asked == {region: 1}
        assert {ledger.rows[alert_id].incident_id for alert_id in ids} == {ledger.rows[ids[0]].incident_id}
        lead = next(alert_id for alert_id in ids if ledger.rows[alert_id].lead)
        world.clock.advance(INCIDENT_WINDOW_S)
        world.distribution.work(lead, world.time())
        assert {ledger.rows[alert_id].status for alert_id in ids} == {Status.NOTIFIED}
        (digest,) = world.notifier.digests
        assert digest.digest_id == digest_id_of(ids)
