"""Distribution over fakes: every answer of Slack, and that nobody posts without a claim."""

from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.delivery.digests import digest_id_of
from handlers.domain.delivery.leases import PoisonMessageError
from handlers.domain.delivery.messages import FollowUpNotice
from handlers.domain.limits import (
    FIRST_BACKOFF_S,
    LEAST_JITTER,
    MAX_ADDRESS_ATTEMPTS,
    MAX_ATTEMPTS,
    MAX_BACKOFF_S,
    MAX_DIGEST_ALERTS,
    MAX_DIGEST_FAULTS,
    MAX_FOLLOW_UP_ATTEMPTS,
    MAX_FOLLOW_UP_WAITS,
)
from handlers.domain.ports import (
    LedgerUnavailableError,
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)
from handlers.domain.states import analyzed, claimed, follow_up_ready, notified
from tests.fakes.ledger import ledger_down
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import LEASE_S, PEER, REGION, World, row
from topology.alerts import DuplicateCause, FollowUp, Severity, Status, open_key
from topology.queues import Queue

DOWN = NotifierUnavailableError("Slack answered 503", outcome_unknown=False)
GONE = NotifierMisaddressedError("Slack refuses the webhook: 404 'no_service'")


def world_with(**fields: Any) -> World:
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
    assert world.notifier.alert_ids == ["a1"]
    assert (stored.status, stored.notified_at_ms) == (Status.NOTIFIED, world.clock.ms)
    assert stored.expires_at == world.clock.s + 90 * 86_400
    assert (stored.open_key, stored.due_at, stored.lease_token) == (None, None, None)
    assert world.queue_sender.sent == []


@pytest.mark.parametrize(("asked_s", "waited_s"), [(30, 30), (0, 1), (2.5, 3), (None, 5), (1e9, 3_600)])
def test_throttling_defers_and_is_no_attempt(asked_s: float | None, waited_s: int) -> None:
    """Retry-After becomes `not_before` and a delayed wake-up; nobody waits inside a worker."""
    world = world_with()
    world.notifier.script = [NotifierThrottledError("429", retry_after_s=asked_s)]
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.attempts, stored.lease_token) == (Status.ANALYZED, 0, None)
    assert stored.not_before == world.clock.s + waited_s
    assert stored.due_at == world.clock.s + waited_s + LEASE_S
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a1", min(waited_s, 900))]
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
    assert [delay for _, _, delay in world.queue_sender.sent] == waits
    assert world.ledger.rows["a1"].attempts == 4


def test_last_attempt_parks_with_the_reason() -> None:
    """After the last failure the alert is parked and no wake-up follows."""
    world = world_with()
    world.hold(replace(world.ledger.rows["a1"], attempts=MAX_ATTEMPTS - 1))
    world.notifier.script = [DOWN]
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert stored.status is Status.PARKED
    assert stored.parked_reason == "no attempt is left: Slack answered 503"
    assert world.queue_sender.sent == []


def wait_and_work(world: World, alert_id: str = "a1") -> int:
    """Let the alert's time come and work on it; how many seconds that was."""
    wait_s = max((world.ledger.rows[alert_id].not_before or 0) - world.clock.s, 0)
    world.clock.advance(wait_s)
    world.distribution.work(alert_id, world.time())
    return wait_s


@pytest.mark.parametrize("spent", [0, 3, MAX_ATTEMPTS - MAX_ADDRESS_ATTEMPTS])
def test_unusable_address_parks_after_half_a_minute(spent: int) -> None:
    """However often the alert was tried for another reason, it is as long."""
    world = world_with()
    world.hold(replace(world.ledger.rows["a1"], attempts=spent))
    world.notifier.script = [GONE]
    waits = [wait_and_work(world) for _ in range(MAX_ADDRESS_ATTEMPTS)]
    stored = world.ledger.rows["a1"]
    assert waits == [0, 4, 8, 16]
    assert (stored.status, stored.possible_duplicates) == (Status.PARKED, {})
    assert stored.parked_reason == (
        "Slack's address stays unusable: Slack refuses the webhook: 404 'no_service'"
    )
    assert len(world.notifier.timeouts_s) == MAX_ADDRESS_ATTEMPTS


def test_address_that_is_put_right_in_time_costs_nothing() -> None:
    """A webhook that is away while people rotate it parks nothing."""
    world = world_with()
    world.notifier.script = [GONE, GONE, None]
    for _ in range(MAX_ADDRESS_ATTEMPTS - 1):
        wait_and_work(world)
    assert world.notifier.alert_ids == ["a1"]
    assert world.ledger.rows["a1"].status is Status.NOTIFIED


def test_unusable_address_adds_no_attempt_to_those_there_are() -> None:
    """The last one is the last one, whatever it fails for."""
    world = world_with()
    world.hold(replace(world.ledger.rows["a1"], attempts=MAX_ATTEMPTS - 1))
    world.notifier.script = [GONE]
    world.distribution.work("a1", world.time())
    assert world.ledger.rows["a1"].status is Status.PARKED


def test_outage_after_an_unusable_address_is_waited_for_as_an_outage() -> None:
    """The attempts that are left are as far apart as an outage needs."""
    world = world_with()
    world.notifier.script = [GONE, DOWN]
    waits = [wait_and_work(world) for _ in range(MAX_ADDRESS_ATTEMPTS)]
    assert waits == [0, 4, MAX_BACKOFF_S, MAX_BACKOFF_S]
    assert world.ledger.rows["a1"].parked_reason == "no attempt is left: Slack answered 503"


def test_refusal_parks_at_once() -> None:
    """What Slack will never take is not tried again."""
    world = world_with()
    world.notifier.script = [NotifierRefusedError("Slack refuses the message: 400 'invalid_blocks'")]
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.expires_at, stored.open_key) == (Status.PARKED, None, f"{REGION}#PARKED")
    assert stored.parked_reason == "Slack refuses the message: 400 'invalid_blocks'"


def test_deferred_alert_is_not_posted_early() -> None:
    """A wake-up that comes before `not_before` is sent again for then."""
    world = world_with()
    deferred = replace(world.ledger.rows["a1"], not_before=world.clock.s + 2_000)
    world.hold(deferred)
    world.distribution.work("a1", world.time())
    assert world.notifier.posted == []
    assert world.ledger.rows["a1"] == deferred
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a1", 900)]


def test_deferred_alert_is_posted_when_its_time_has_come() -> None:
    """The second named by `not_before` is not too early."""
    world = world_with()
    world.hold(replace(world.ledger.rows["a1"], not_before=world.clock.s))
    world.distribution.work("a1", world.time())
    assert world.ledger.rows["a1"].status is Status.NOTIFIED


def test_critical_alert_is_deferred_on_its_own_key() -> None:
    """It never queues behind others."""
    world = world_with(severity="fatal")
    world.notifier.script = [NotifierThrottledError("429")]
    world.distribution.work("a1", world.time())
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION_CRITICAL, "a1", 5)]
    assert world.ledger.rows["a1"].open_key == open_key(REGION, Severity.CRITICAL)


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
    """An invocation that was frozen beyond its lease keeps off, even if nobody has taken the alert yet."""
    world = world_with()
    world.ledger.after = lambda _operation: world.clock.advance(60)
    world.distribution.work("a1", world.time(30))
    assert world.notifier.posted == []


def test_little_time_defers_instead_of_posting() -> None:
    """A POST that would be cut off by the end of the invocation is not begun."""
    world = world_with()
    world.distribution.work("a1", world.time(1.2))
    assert world.notifier.posted == []
    assert world.ledger.rows["a1"].attempts == 0
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a1", 1)]


def test_post_gets_a_timeout_within_the_invocation() -> None:
    """At most ten seconds, and less when less is left."""
    world = world_with()
    world.hold(replace(row(status=Status.ANALYZED), alert_id="a2"))
    world.distribution.work("a1", world.time(30))
    world.clock.advance(2)
    world.distribution.work("a2", world.time(4))
    assert world.notifier.timeouts_s == [10, 3]


@pytest.mark.parametrize(
    ("unknown", "possible_duplicates"),
    [(True, {DuplicateCause.OUTCOME_UNKNOWN: 1}), (False, {})],
    ids=["outcome unknown", "not posted"],
)
def test_possible_duplicate_is_counted_in_the_row(
    *, unknown: bool, possible_duplicates: dict[str, int]
) -> None:
    """Each cause of a duplicate can be counted apart."""
    world = world_with()
    world.notifier.script = [NotifierUnavailableError("timeout", outcome_unknown=unknown)]
    world.distribution.work("a1", world.time())
    assert world.ledger.rows["a1"].possible_duplicates == possible_duplicates


def test_post_that_cannot_be_recorded_is_left_to_recovery_with_a_possible_duplicate() -> None:
    """The write is tried thrice; the lease that nobody gives back is the cause."""
    world = world_with()

    def fails_after_the_post(operation: str) -> None:
        if operation == "replace" and world.notifier.posted:
            raise LedgerUnavailableError("on purpose")

    world.ledger.before = fails_after_the_post
    world.distribution.work("a1", world.time())
    assert world.clock.slept_s == [0.5, 1.5]
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.lease_token is not None) == (Status.ANALYZED, True)
    assert world.queue_sender.sent == []
    world.ledger.before = lambda _operation: None
    world.clock.advance(60)
    world.recovery.run(until_ms=world.clock.ms + 40_000)
    assert world.ledger.rows["a1"].possible_duplicates == {DuplicateCause.LEASE_EXPIRED: 1}


def test_claim_that_moved_during_the_post_is_not_overwritten() -> None:
    """The other worker's row stands."""
    world = world_with()
    other = notified(row(status=Status.ANALYZED), at_ms=1)

    def moved(operation: str) -> None:
        if operation == "replace" and world.notifier.posted:
            world.ledger.rows["a1"] = other

    world.ledger.before = moved
    world.distribution.work("a1", world.time())
    assert world.ledger.rows["a1"] == other


def test_unknown_alert_is_poison() -> None:
    """A row is always written before its wake-up."""
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


def crowd(*alert_ids: str, **fields: Any) -> World:
    """A world with these ANALYZED alerts."""
    world = World()
    world.hold(*(row(alert_id, status=Status.ANALYZED, **fields) for alert_id in alert_ids))
    return world


def test_second_message_of_a_second_waits_for_its_slot() -> None:
    """It is postponed in the ledger and by a delayed wake-up; nobody waits inside a worker."""
    world = crowd("a1", "a2")
    world.distribution.work("a1", world.time())
    world.distribution.work("a2", world.time())
    stored = world.ledger.rows["a2"]
    assert world.notifier.alert_ids == ["a1"]
    assert (stored.status, stored.attempts, stored.not_before) == (Status.ANALYZED, 0, world.clock.s + 3)
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a2", 3)]
    assert world.clock.slept_s == []


def test_alert_that_finds_no_room_again_waits_half_as_long_as_it_has_waited() -> None:
    """Else the wake-ups of a storm take the time of the workers that are to post its digests."""
    world, waits = crowd("a1", "a2"), []
    for _ in range(8):
        # Another message each time, right before it.
        world.hold(row("a1", status=Status.ANALYZED))
        world.distribution.work("a1", world.time())
        world.distribution.work("a2", world.time())
        waits.append((world.ledger.rows["a2"].not_before or 0) - world.clock.s)
        world.clock.advance(waits[-1])
    assert waits == [3, 6, 6, 9, 13, 20, 30, 31]


def test_regions_share_the_pace() -> None:
    """One channel, one limit, whoever posts."""
    world = crowd("a1", "a2")
    other = World(ledger=world.ledger, clock=world.clock, coordination=world.coordination, region=PEER)
    world.distribution.work("a1", world.time())
    other.distribution.work("a2", other.time())
    assert other.notifier.posted == []


def test_critical_alert_takes_the_slot_that_others_leave_free() -> None:
    """A second after another message it goes out, while an ordinary one still waits."""
    world = crowd("a1", "a2")
    world.hold(row("c1", status=Status.ANALYZED, severity="CRITICAL"))
    world.distribution.work("a1", world.time())
    world.clock.advance(1)
    world.distribution.work("a2", world.time())
    world.distribution.work("c1", world.time())
    assert world.notifier.alert_ids == ["a1", "c1"]


def test_retry_after_closes_the_channel_for_everybody() -> None:
    """Another alert, in another region, critical or not, is not even tried."""
    world = crowd("a1")
    world.hold(row("c1", status=Status.ANALYZED, severity="CRITICAL"))
    world.notifier.script = [NotifierThrottledError("429", retry_after_s=300), None]
    world.distribution.work("a1", world.time())
    world.clock.advance(299)
    world.distribution.work("c1", world.time())
    assert world.notifier.posted == []
    world.clock.advance(1)
    world.distribution.work("c1", world.time())
    assert world.notifier.alert_ids == ["c1"]


def test_unknown_pace_does_not_stop_alerts() -> None:
    """Slack's own limit is then the limit."""
    world = crowd("a1", "a2")
    world.coordination.down = True
    world.distribution.work("a1", world.time())
    world.distribution.work("a2", world.time())
    assert world.notifier.alert_ids == ["a1", "a2"]


def storm(count: int) -> World:
    """A world in which so many alerts have found no slot once, and their time has come."""
    world = crowd(*(f"a{number:03}" for number in range(count)))
    for alert_id, alert in world.ledger.rows.items():
        world.ledger.rows[alert_id] = replace(alert, not_before=world.clock.s)
    return world


def test_alerts_that_waited_go_out_as_one_digest() -> None:
    """Each is NOTIFIED with the digest's id, by which Slack's message can be compared with the ledger."""
    world = storm(40)
    world.distribution.work("a007", world.time())
    (digest,) = world.notifier.digests
    assert digest.alert_count == 40
    assert digest.digest_id == digest_id_of(world.ledger.rows)
    assert {(r.status, r.digest_id) for r in world.ledger.rows.values()} == {
        (Status.NOTIFIED, digest.digest_id)
    }


def test_newcomer_in_a_crowd_takes_the_others_along() -> None:
    """In a storm it is mostly newcomers who find the slot: the backlog must not wait behind them."""
    world = storm(10)
    world.distribution.channels.default.rate_limiter.reserve(urgent=False)
    world.clock.advance(2.5)
    world.hold(row("newcomer", status=Status.ANALYZED))
    world.distribution.work("newcomer", world.time())
    (digest,) = world.notifier.digests
    assert digest.alert_count == 11


def test_newcomer_at_a_quiet_time_goes_alone_and_asks_nobody() -> None:
    """The index is queried when there is a backlog only."""
    world = storm(10)
    world.distribution.work("a000", world.time())
    world.notifier.posted.clear()
    world.ledger.queried_keys.clear()
    world.clock.advance(60)
    world.hold(row("newcomer", status=Status.ANALYZED))
    world.distribution.work("newcomer", world.time())
    assert world.notifier.alert_ids == ["newcomer"]
    assert world.ledger.queried_keys == []


@pytest.mark.parametrize("count", [1, 3])
def test_few_that_waited_go_out_as_themselves(count: int) -> None:
    """A digest begins at four; fewer are soon through one by one."""
    world = storm(count)
    world.distribution.work("a000", world.time())
    assert world.notifier.alert_ids == ["a000"]


def test_row_that_was_read_ahead_and_moved_on_is_left_alone() -> None:
    """The others of the batch go out by the rows that were read with it."""
    world = World()
    world.hold(*(row(alert_id, status=Status.ANALYZED) for alert_id in ("a1", "a2")))
    worker = world.distribution
    assert worker.chains(["a1", "a2", "unknown"]) == [["a1", "a2", "unknown"]]
    elsewhere = claimed(world.ledger.rows["a1"], token="t", due_at=world.clock.s + 60)
    world.hold(elsewhere)
    worker.work("a1", world.time())
    world.clock.advance(2)
    worker.work("a2", world.time())
    assert world.ledger.rows["a1"] == elsewhere
    assert world.notifier.alert_ids == ["a2"]


def test_row_that_was_read_ahead_serves_once() -> None:
    """A second wake-up sees what the first one did."""
    world = World()
    world.hold(*(row(alert_id, status=Status.ANALYZED) for alert_id in ("a1", "a2")))
    worker = world.distribution
    worker.chains(["a1", "a2"])
    for _ in range(2):
        worker.work("a1", world.time())
        world.clock.advance(2)
    assert world.notifier.alert_ids == ["a1"]


def test_batch_that_cannot_be_read_ahead_is_read_one_by_one() -> None:
    """Reading ahead saves calls; nothing depends on it."""
    world = World()
    world.hold(*(row(alert_id, status=Status.ANALYZED) for alert_id in ("a1", "a2")))
    worker = world.distribution
    world.ledger.before = ledger_down()
    worker.chains(["a1", "a2"])
    world.ledger.before = lambda _operation: None
    worker.work("a1", world.time())
    assert world.notifier.alert_ids == ["a1"]


def test_digest_is_bounded_and_leaves_the_rest_to_the_next() -> None:
    """What did not fit goes out as soon as there is a slot again."""
    world = storm(MAX_DIGEST_FAULTS + 20)
    world.distribution.work("a000", world.time())
    world.clock.advance(3)
    left = [r.alert_id for r in world.ledger.rows.values() if r.status is Status.ANALYZED]
    world.distribution.work(left[0], world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [MAX_DIGEST_FAULTS, 20]
    assert {r.status for r in world.ledger.rows.values()} == {Status.NOTIFIED}


def test_no_gathering_while_more_wait_than_go_into_a_digest() -> None:
    """Though another worker was faster with some of them."""
    world = storm(2 * MAX_DIGEST_ALERTS)
    elsewhere = [f"a{number:03}" for number in range(10, 40)]

    def taken_meanwhile(operation: str) -> None:
        if operation == "get_many":
            for alert_id in elsewhere:
                due_at = world.clock.s + 60
                world.ledger.rows[alert_id] = claimed(world.ledger.rows[alert_id], token="t", due_at=due_at)
            elsewhere.clear()

    world.ledger.before = taken_meanwhile
    world.distribution.work("a000", world.time())
    world.clock.advance(3)
    world.distribution.work("a199", world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [MAX_DIGEST_FAULTS] * 2


def test_digest_leaves_out_what_is_not_its_own() -> None:
    """Critical alerts, what another works on, and what Slack refused go their own way."""
    world = storm(4)
    others = {
        "critical": row("critical", status=Status.ANALYZED, severity="CRITICAL"),
        "held": claimed(row("held", status=Status.ANALYZED), token="t", due_at=world.clock.s + 60),
        "refused": replace(row("refused", status=Status.ANALYZED), alone=True),
    }
    world.hold(*others.values())
    world.distribution.work("a000", world.time())
    (digest,) = world.notifier.digests
    assert digest.alert_count == 4
    assert {alert_id: world.ledger.rows[alert_id] for alert_id in others} == others


def test_storm_of_critical_alerts_goes_out_as_digests_of_its_own() -> None:
    """Critical alerts among themselves: nothing else is in their messages."""
    world = storm(2)
    for number in range(5):
        alert = row(f"c{number}", status=Status.ANALYZED, severity="CRITICAL")
        world.hold(replace(alert, not_before=world.clock.s))
    world.distribution.work("c0", world.time())
    (digest,) = world.notifier.digests
    assert digest.digest_id == digest_id_of(f"c{number}" for number in range(5))


def test_write_whose_answer_was_lost_is_recognised() -> None:
    """Trying again finds its own row: the alert was recorded, and nobody is told otherwise."""
    world = world_with()
    failures = iter([False, True])

    def answer_is_lost(operation: str) -> None:
        if operation == "replace" and next(failures, False):
            raise LedgerUnavailableError("on purpose")

    world.ledger.after = answer_is_lost
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.possible_duplicates) == (Status.NOTIFIED, {})


def test_throttled_digest_gives_every_alert_back() -> None:
    """Not an attempt of any of them."""
    world = storm(4)
    world.notifier.script = [NotifierThrottledError("429", retry_after_s=30)]
    world.distribution.work("a000", world.time())
    for stored in world.ledger.rows.values():
        assert (stored.status, stored.attempts, stored.lease_token) == (Status.ANALYZED, 0, None)
        assert stored.not_before == world.clock.s + 30
    assert len(world.queue_sender.sent) == 4


def test_digest_of_unknown_outcome_is_a_possible_duplicate_about_each() -> None:
    """Each may turn up twice."""
    world = storm(4)
    world.notifier.script = [NotifierUnavailableError("timeout", outcome_unknown=True)]
    world.distribution.work("a000", world.time())
    assert [r.possible_duplicates for r in world.ledger.rows.values()] == [
        {DuplicateCause.OUTCOME_UNKNOWN: 1}
    ] * 4


def test_refused_digest_lets_each_alert_be_judged_alone() -> None:
    """One that Slack cannot take does not park the others."""
    world = storm(4)
    world.notifier.script = [NotifierRefusedError("400 invalid_blocks"), None]
    world.distribution.work("a000", world.time())
    world.clock.advance(3)
    world.distribution.work("a001", world.time())
    assert world.notifier.alert_ids == ["a001"]
    assert world.ledger.rows["a002"].status is Status.ANALYZED


def test_digest_at_an_unusable_address_stays_together() -> None:
    """No member is the cause, so none has to be tried alone."""
    world = storm(4)
    world.notifier.script = [GONE, None]
    world.distribution.work("a000", world.time())
    assert {(r.status, r.alone) for r in world.ledger.rows.values()} == {(Status.ANALYZED, None)}
    wait_and_work(world, "a000")
    assert [digest.alert_count for digest in world.notifier.digests] == [4]


def test_member_that_the_ledger_fails_is_left_to_recovery_and_the_others_rest() -> None:
    """One write that fails is one duplicate_cause, not forty."""
    world = storm(4)

    failures = iter([False, True, True, True])

    def fails_for_one(operation: str) -> None:
        if operation == "replace" and world.notifier.posted and next(failures, False):
            raise LedgerUnavailableError("on purpose")

    world.ledger.before = fails_for_one
    world.distribution.work("a000", world.time())
    statuses = sorted(r.status for r in world.ledger.rows.values())
    assert statuses == [Status.ANALYZED, Status.NOTIFIED, Status.NOTIFIED, Status.NOTIFIED]


def test_follow_up_is_posted_after_its_alert() -> None:
    """Then nothing is left to do; the alert rests as before."""
    world = World()
    rested = notified(analyzed(row(), "529", due_at=0, follow_up=True), at_ms=1, slack_ref="C1/1.2")
    world.hold(follow_up_ready(rested, ANALYSIS, due_at=world.clock.s + 60))
    world.distribution.work("a1", world.time())
    (notice,) = world.notifier.posted
    assert isinstance(notice, FollowUpNotice)
    assert (notice.alert_id, notice.refers_to) == ("a1", "C1/1.2")
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up, stored.open_key) == (Status.NOTIFIED, None, None)


def test_alert_without_analysis_is_followed_up_after_it_was_posted() -> None:
    """Recovery finds it under a key of its own, a minute later."""
    world = World()
    world.hold(analyzed(row(), "529", due_at=world.clock.s, follow_up=True))
    world.notifier.script = ["C1/1.2"]
    world.distribution.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up, stored.slack_ref) == (
        Status.NOTIFIED,
        FollowUp.WANTED,
        "C1/1.2",
    )
    assert (stored.open_key, stored.due_at) == (f"{REGION}#FOLLOW_UP", world.clock.s + 60)


def test_outage_of_slack_leaves_the_backlog_to_digests() -> None:
    """Failed attempts do not send each alert alone for the rest of its life."""
    world = storm(30)
    world.notifier.script = [DOWN] * 5 + [None]
    for _ in range(6):
        waiting = [r for r in world.ledger.rows.values() if r.status is Status.ANALYZED]
        first = min(waiting, key=lambda r: (r.not_before or 0, r.alert_id))
        world.clock.advance(max((first.not_before or 0) - world.clock.s, 7))
        world.distribution.work(first.alert_id, world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [30]


def test_attempts_outlast_an_hour_of_an_outage() -> None:
    """With all the jitter there is against it."""
    waits = [min(FIRST_BACKOFF_S << attempts, MAX_BACKOFF_S) for attempts in range(MAX_ATTEMPTS - 1)]
    assert LEAST_JITTER * sum(waits) > 3_600


def test_follow_up_waits_while_people_are_still_to_be_told_of_alerts() -> None:
    """It takes no slot from them."""
    world = crowd("a1")
    rested = notified(analyzed(row("f1"), "529", due_at=0, follow_up=True), at_ms=1)
    world.hold(follow_up_ready(rested, ANALYSIS, due_at=world.clock.s + 60))
    world.distribution.work("f1", world.time())
    assert world.notifier.posted == []
    world.distribution.work("a1", world.time())
    assert world.notifier.alert_ids == ["a1"]
    world.clock.advance(10)
    world.distribution.work("f1", world.time())
    assert len(world.notifier.posted) == 2


def test_follow_up_does_not_wait_for_ever() -> None:
    """It waits ever longer, each time as one of its attempts, and then goes before what still waits."""
    world = crowd("a1")
    world.hold(replace(world.ledger.rows["a1"], not_before=world.clock.s + 3_600))
    rested = notified(analyzed(row("f1"), "529", due_at=0, follow_up=True), at_ms=1)
    world.hold(follow_up_ready(rested, ANALYSIS, due_at=world.clock.s + 60))
    waits = [wait_and_work(world, "f1") for _ in range(MAX_FOLLOW_UP_WAITS + 1)]
    assert waits == [0, 6, 11, 21, 41]
    assert [type(message) for message in world.notifier.posted] == [FollowUpNotice]
    assert world.ledger.rows["f1"].follow_up is None


def test_follow_up_to_an_unusable_address_is_given_up_as_soon_as_an_alert() -> None:
    """The alert rests as before."""
    world = World()
    rested = notified(analyzed(row(), "529", due_at=0, follow_up=True), at_ms=1)
    world.hold(follow_up_ready(rested, ANALYSIS, due_at=world.clock.s + 60))
    world.notifier.script = [GONE]
    assert [wait_and_work(world) for _ in range(MAX_ADDRESS_ATTEMPTS)] == [0, 4, 8, 16]
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up, stored.open_key) == (Status.NOTIFIED, None, None)


def test_follow_ups_waiting_leaves_attempts_for_posting() -> None:
    """Four of them, as an unusable address has."""
    assert MAX_FOLLOW_UP_WAITS + MAX_ADDRESS_ATTEMPTS <= MAX_FOLLOW_UP_ATTEMPTS
