"""The four workers together over fakes: an alert's way from its body to Slack."""

from handlers.domain.ports import NotifierUnavailableError
from tests.unit.handlers.builders import LEASE_S, PEER, World, body, fixture
from topology.alerts import Status
from topology.queues import Queue


def deliver(world: World) -> None:
    """Work on every wake-up until none is left; delayed ones when their time has come."""
    for _ in range(200):
        if not world.queue_sender.sent:
            return
        queue, alert_id, delay_s = world.queue_sender.sent.pop(0)
        world.clock.advance(delay_s)
        analyses = queue in (Queue.PROCESSING, Queue.PROCESSING_CRITICAL)
        worker = world.analysis if analyses else world.distribution
        worker.work(alert_id, world.time())
    raise AssertionError("wake-ups never end")


def test_every_accepted_alert_reaches_slack_once() -> None:
    """Different alerts are each notified; repeats are not."""
    world = World()
    again = body(timestamp="2026-11-23T08:00:30Z")
    accepted = [*world.accept(body()), *world.accept(again), *world.accept(fixture("alertmanager"))]
    deliver(world)
    statuses = [world.ledger.rows[alert.alert_id].status for alert in accepted]
    assert statuses == [Status.NOTIFIED, Status.SUPPRESSED, Status.NOTIFIED, Status.NOTIFIED]
    assert sorted(world.notifier.alert_ids) == sorted(
        alert.alert_id for alert, status in zip(accepted, statuses, strict=True) if status is Status.NOTIFIED
    )


def test_trouble_at_slack_delays_and_does_not_lose() -> None:
    """Two failures, then success: one message."""
    world = World()
    down = NotifierUnavailableError("Slack answered 503", outcome_unknown=False)
    world.notifier.script = [down, down, None]
    world.accept(body())
    deliver(world)
    assert len(world.notifier.posted) == 1
    assert {alert.status for alert in world.ledger.rows.values()} == {Status.NOTIFIED}


def test_purged_queues_of_a_lost_region_are_recovered_by_the_other() -> None:
    """What the first region had accepted is notified by the second after a lease, once."""
    lost = World()
    lost.accept(body())
    lost.accept(fixture("alertmanager"))
    lost.queue_sender.sent.clear()
    other = World(ledger=lost.ledger, clock=lost.clock, region=PEER)
    assert other.recovery.run(until_ms=other.clock.ms + 40_000).recovered == 0
    other.clock.advance(LEASE_S)
    assert other.recovery.run(until_ms=other.clock.ms + 40_000).recovered == 3
    deliver(other)
    assert {alert.status for alert in other.ledger.rows.values()} == {Status.NOTIFIED}
    assert len(other.notifier.posted) == 3


def test_wake_ups_delivered_twice_notify_once() -> None:
    """Queues deliver at least once; the ledger makes it once."""
    world = World()
    world.accept(body())
    world.queue_sender.sent *= 3
    deliver(world)
    assert len(world.notifier.posted) == 1
