"""Distribution over fakes: every answer of Slack, and that nobody posts without a claim."""

import logging
from dataclasses import replace

import pytest

from handlers.domain.alert import Queue, Severity, Status, open_lane
from handlers.domain.claims import PoisonMessageError
from handlers.domain.ports import (
    LedgerUnavailableError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)
from handlers.domain.states import claimed, notified
from tests.fakes.ledger import ledger_down
from tests.unit.handlers.builders import LEASE_S, REGION, World, row

DOWN = NotifierUnavailableError("Slack answered 503", outcome_unknown=False)


def world_with(**fields: str) -> World:
    """A world with one ANALYZED alert, a1."""
    world = World()
    world.hold(row(status=Status.ANALYZED, **fields))
    return world


def test_posted_alert_is_notified_and_rests() -> None:
    """Slack's 200 is recorded with its time, and only now the row may expire."""
    world = world_with()
    world.clock.advance(3)
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert [message.alert_id for message in world.notifier.posted] == ["a1"]
    assert (stored.status, stored.notified_at_ms) == (Status.NOTIFIED, world.clock.ms)
    assert stored.expires_at == world.clock.s + 90 * 86_400
    assert (stored.open_lane, stored.due_at, stored.lease_token) == (None, None, None)
    assert world.outbox.sent == []


@pytest.mark.parametrize(("asked_s", "waited_s"), [(30, 30), (0, 1), (2.5, 3), (None, 5), (1e9, 3_600)])
def test_throttling_defers_and_is_no_attempt(asked_s: float | None, waited_s: int) -> None:
    """Retry-After becomes `not_before` and a delayed hint; nobody waits inside a worker."""
    world = world_with()
    world.notifier.script = [NotifierThrottledError("429", retry_after_s=asked_s)]
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.attempts, stored.lease_token) == (Status.ANALYZED, 0, None)
    assert stored.not_before == world.clock.s + waited_s
    assert stored.due_at == world.clock.s + waited_s + LEASE_S
    assert world.outbox.sent == [(Queue.DISTRIBUTION, "a1", min(waited_s, 900))]
    assert world.clock.slept_s == []


def test_failure_is_an_attempt_and_backs_off() -> None:
    """Each failure doubles the wait."""
    world = world_with()
    world.notifier.script = [DOWN]
    waits: list[int] = []
    for _ in range(4):
        world.distribution.work("a1", world.time())
        wait_s = (world.ledger.rows["a1"].not_before or 0) - world.clock.s
        waits.append(wait_s)
        world.clock.advance(wait_s)
    assert waits == [4, 8, 16, 32]
    assert [delay for _, _, delay in world.outbox.sent] == waits
    assert world.ledger.rows["a1"].attempts == 4


def test_last_attempt_parks_with_the_reason() -> None:
    """After five failures the alert is parked and no hint follows."""
    world = world_with()
    world.hold(replace(world.ledger.rows["a1"], attempts=4))
    world.notifier.script = [DOWN]
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert stored.status is Status.PARKED
    assert stored.parked_reason == "given up after 5 attempts; the last: Slack answered 503"
    assert world.outbox.sent == []


def test_refusal_parks_at_once() -> None:
    """What Slack will never take is not tried again."""
    world = world_with()
    world.notifier.script = [NotifierRefusedError("Slack refuses the message: 404 'no_service'")]
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.expires_at, stored.open_lane) == (Status.PARKED, None, None)
    assert stored.parked_reason == "Slack refuses the message: 404 'no_service'"


def test_deferred_alert_is_not_posted_early() -> None:
    """A hint that comes before `not_before` is sent again for then."""
    world = world_with()
    deferred = replace(world.ledger.rows["a1"], not_before=world.clock.s + 2_000)
    world.hold(deferred)
    world.distribution.work("a1", world.time())
    assert world.notifier.posted == []
    assert world.ledger.rows["a1"] == deferred
    assert world.outbox.sent == [(Queue.DISTRIBUTION, "a1", 900)]


def test_deferred_alert_is_posted_when_its_time_has_come() -> None:
    """The second named by `not_before` is not too early."""
    world = world_with()
    world.hold(replace(world.ledger.rows["a1"], not_before=world.clock.s))
    world.distribution.work("a1", world.time())
    assert world.ledger.rows["a1"].status is Status.NOTIFIED


def test_critical_alert_is_deferred_on_its_own_lane() -> None:
    """It never queues behind others."""
    world = world_with(severity="fatal")
    world.notifier.script = [NotifierThrottledError("429")]
    world.distribution.work("a1", world.time())
    assert world.outbox.sent == [(Queue.DISTRIBUTION_CRITICAL, "a1", 5)]
    assert world.ledger.rows["a1"].open_lane == open_lane(REGION, Severity.CRITICAL)


def test_claim_lost_before_the_post_posts_nothing() -> None:
    """An invocation that was frozen after its claim finds out before the side effect."""
    world = world_with()
    other = claimed(row(status=Status.ANALYZED), token="other", due_at=world.clock.s + 999)

    def taken_over(operation: str) -> None:
        if operation == "replace":
            world.ledger.rows["a1"] = other

    world.ledger.after = taken_over
    world.distribution.work("a1", world.time())
    assert world.notifier.posted == []
    assert world.ledger.rows["a1"] == other


def test_claim_that_ran_out_before_the_post_posts_nothing() -> None:
    """An invocation that was frozen beyond its end gives the alert back, even if nobody has taken it yet."""
    world = world_with()
    world.ledger.after = lambda _operation: world.clock.advance(60)
    world.distribution.work("a1", world.time(30))
    assert world.notifier.posted == []
    assert world.ledger.rows["a1"].lease_token is None


def test_little_time_defers_instead_of_posting() -> None:
    """A POST that would be cut off by the end of the invocation is not begun."""
    world = world_with()
    world.distribution.work("a1", world.time(1.2))
    assert world.notifier.posted == []
    assert world.ledger.rows["a1"].attempts == 0
    assert world.outbox.sent == [(Queue.DISTRIBUTION, "a1", 1)]


def test_post_gets_a_timeout_within_the_invocation() -> None:
    """At most ten seconds, and less when less is left."""
    world = world_with()
    world.hold(replace(row(status=Status.ANALYZED), alert_id="a2"))
    world.distribution.work("a1", world.time(30))
    world.distribution.work("a2", world.time(4))
    assert world.notifier.timeouts_s == [10, 3]


@pytest.mark.parametrize(
    ("unknown", "cause"), [(True, "outcome_unknown"), (False, None)], ids=["outcome unknown", "not posted"]
)
def test_possible_duplicate_is_logged_with_its_cause(
    caplog: pytest.LogCaptureFixture, *, unknown: bool, cause: str | None
) -> None:
    """Each cause of a duplicate can be counted apart."""
    world = world_with()
    world.notifier.script = [NotifierUnavailableError("timeout", outcome_unknown=unknown)]
    world.distribution.work("a1", world.time())
    (record,) = [r for r in caplog.records if r.message == "Slack failed"]
    assert record.__dict__.get("duplicate_cause") == cause
    assert record.__dict__["alert_id"] == "a1"


def test_post_that_cannot_be_recorded_is_logged_and_left_to_recovery(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The write is tried thrice; then the alert stays ANALYZED under its lease, and the cause is logged."""
    world = world_with()

    def fails_after_the_post(operation: str) -> None:
        if operation == "replace" and world.notifier.posted:
            raise LedgerUnavailableError("on purpose")

    world.ledger.before = fails_after_the_post
    world.distribution.work("a1", world.time())
    assert world.clock.slept_s == [0.5, 1.5]
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.lease_token is not None) == (Status.ANALYZED, True)
    (record,) = [r for r in caplog.records if r.message == "Notified but not recorded"]
    assert record.__dict__["duplicate_cause"] == "ledger_write_failed"
    assert world.outbox.sent == []


def test_claim_that_moved_during_the_post_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The other worker's row stands, and the possible duplicate has its cause."""
    world = world_with()
    other = notified(row(status=Status.ANALYZED), at_ms=1)

    def moved(operation: str) -> None:
        if operation == "replace" and world.notifier.posted:
            world.ledger.rows["a1"] = other

    world.ledger.before = moved
    caplog.set_level(logging.WARNING, "handlers")
    world.distribution.work("a1", world.time())
    assert world.ledger.rows["a1"] == other
    assert [
        r.__dict__["duplicate_cause"] for r in caplog.records if r.message == "Notified but not recorded"
    ] == ["claim_moved"]


def test_unknown_alert_is_poison() -> None:
    """A row is always written before its hint."""
    with pytest.raises(PoisonMessageError):
        World().distribution.work("a9", World().time())


def test_ledger_failing_posts_nothing() -> None:
    """Without the ledger nobody knows whether it was posted before."""
    world = world_with()
    world.ledger.before = ledger_down("get")
    world.distribution.work("a1", world.time())
    assert world.notifier.posted == []


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.NOTIFIED])
def test_alert_in_another_status_is_not_posted(status: Status) -> None:
    """Neither before its analysis nor twice."""
    world = World()
    analysed = row(status=Status.ANALYZED)
    world.hold(row() if status is Status.RECEIVED else notified(analysed, at_ms=1))
    world.distribution.work("a1", world.time())
    assert world.notifier.posted == []
