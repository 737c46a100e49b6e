"""Recovery over fakes: whom it acts for, in which order, and where it stops."""

from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.limits import (
    MAX_ATTEMPTS,
    MAX_BACKOFF_S,
    MAX_FOLLOW_UP_ATTEMPTS,
    MAX_RECOVERED_PER_RUN,
    MAX_UNREADABLE_PER_KEY,
)
from handlers.domain.moves import Actor
from handlers.domain.ports import LedgerUnavailableError, MalformedRowError
from handlers.domain.regions.ownership import SharedOwnership
from handlers.domain.regions.recovery import RecoveryReport
from handlers.domain.states import analyzed, claimed, notified, parked, suppressed
from tests.unit.handlers.builders import LEASE_S, PEER, REGION, World, row
from topology.alerts import Severity, Status, open_key
from topology.queues import Queue


def run(world: World, *, seconds: float = 40) -> RecoveryReport:
    """One run with so many seconds."""
    return world.recovery.run(until_ms=world.clock.ms + round(seconds * 1000))


def run_in_both_regions(world: World) -> list[RecoveryReport]:
    """A run, and the other region's just before its first write."""
    rival = World(ledger=world.ledger, clock=world.clock, queue_sender=world.queue_sender, region=PEER)
    reports: list[RecoveryReport] = []

    def meanwhile(operation: str) -> None:
        if operation == "replace":
            world.ledger.before = lambda _operation: None
            reports.append(run(rival))

    world.ledger.before = meanwhile
    reports.append(run(world))
    return reports


def overdue(
    world: World, alert_id: str, *, late_s: int = 0, status: Status = Status.RECEIVED, **fields: Any
) -> Alert:
    """An open row that has been due for `late_s` seconds, put into the ledger."""
    alert = replace(row(alert_id, status=status, **fields), due_at=world.clock.s - late_s)
    world.hold(alert)
    return alert


@pytest.mark.parametrize(
    ("status", "severity", "queue"),
    [
        (Status.RECEIVED, "HIGH", Queue.PROCESSING),
        (Status.RECEIVED, "CRITICAL", Queue.PROCESSING_CRITICAL),
        (Status.ANALYZED, "HIGH", Queue.DISTRIBUTION),
        (Status.ANALYZED, "CRITICAL", Queue.DISTRIBUTION_CRITICAL),
    ],
)
def test_overdue_alert_is_sent_to_where_it_belongs(status: Status, severity: str, queue: Queue) -> None:
    """Its lease is renewed, its holder loses it, and the try is counted."""
    world = World()
    alert = overdue(world, "a1", status=status, severity=severity)
    world.hold(claimed(alert, token="crashed", due_at=world.clock.s))
    report = run(world)
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.attempts, stored.lease_token) == (status, 1, None)
    assert stored.due_at == world.clock.s + LEASE_S
    assert world.queue_sender.sent == [(queue, "a1", 0)]
    assert (report.recovered, report.passed_over, report.left_over) == (1, 0, False)


def test_alert_that_is_not_due_is_left_alone() -> None:
    """A live lease, or a fresh row, is somebody's business."""
    world = World()
    alert = overdue(world, "a1", late_s=-1)
    run(world)
    assert world.ledger.rows["a1"] == alert
    assert world.queue_sender.sent == []


@pytest.mark.parametrize("reason", [None, "r"], ids=["notified", "parked"])
def test_alert_at_rest_is_left_alone(reason: str | None) -> None:
    """Also when the index still shows it."""
    world = World()
    alert = overdue(world, "a1", status=Status.ANALYZED)
    rested = parked(alert, reason=reason, due_at=world.clock.s + 9) if reason else notified(alert, at_ms=1)
    world.ledger.overdue = lambda key, **_: ["a1"] if key.endswith("HIGH") else []  # type: ignore[method-assign]  # a stale index
    world.hold(rested)
    report = run(world)
    assert world.ledger.rows["a1"] == rested
    assert report.passed_over == 2
    assert world.queue_sender.sent == []


def test_alert_that_was_claimed_since_the_index_saw_it_is_left_alone() -> None:
    """The index lags behind the rows; the row counts."""
    world = World()
    held = claimed(row(), token="busy", due_at=world.clock.s + 1)
    world.hold(held)
    world.ledger.overdue = lambda key, **_: ["a1"] if key == held.open_key else []  # type: ignore[method-assign]  # a stale index
    report = run(world)
    assert world.ledger.rows["a1"] == held
    assert (report.recovered, report.passed_over) == (0, 1)


def test_most_severe_and_oldest_come_first() -> None:
    """Across both regions' keys."""
    world = World()
    overdue(world, "low", late_s=999, severity="LOW")
    overdue(world, "new-critical", late_s=1, severity="CRITICAL")
    overdue(world, "old-critical", late_s=2, severity="CRITICAL")
    peers = overdue(world, "peer-critical", late_s=50, severity="CRITICAL")
    world.hold(replace(peers, owner=PEER, open_key=open_key(PEER, Severity.CRITICAL)))
    run(world)
    assert [alert_id for _, alert_id, _ in world.queue_sender.sent] == [
        "old-critical",
        "new-critical",
        "peer-critical",
        "low",
    ]


def test_alone_it_acts_for_its_own_region_only() -> None:
    """Under eventual consistency an alert is its owner's."""
    world = World()
    alert = overdue(world, "a1")
    peers = replace(alert, owner=PEER, open_key=open_key(PEER, alert.severity))
    world.hold(peers)
    world.ownership = SharedOwnership(owners=(REGION,))
    run(world)
    assert world.ledger.rows["a1"] == peers
    assert {key.split("#")[0] for key in world.ledger.queried_keys} == {REGION}


def test_nothing_to_do_costs_one_query_a_key() -> None:
    """Constant, however many alerts are at rest."""
    world = World()
    for number in range(50):
        world.hold(notified(row(f"a{number}", status=Status.ANALYZED), at_ms=1))
    gets: list[str] = []
    world.ledger.before = gets.append
    report = run(world)
    lanes_of_a_region = len(Severity) + len(
        ("SILENCED", "FOLLOW_UP", "SUPPRESSED", "PARKED", "PARKED, counted")
    )
    assert len(world.ledger.queried_keys) == len(gets) == 2 * lanes_of_a_region
    assert report == RecoveryReport(
        recovered=0,
        parked=0,
        promoted=0,
        follow_ups=0,
        changed=0,
        unsilenced=0,
        passed_over=0,
        unreadable=0,
        left_over=False,
        parked_now=0,
    )


def test_too_many_attempts_park() -> None:
    """What never comes through is shown to people."""
    world = World()
    alert = overdue(world, "a1")
    world.hold(replace(alert, attempts=MAX_ATTEMPTS))
    report = run(world)
    stored = world.ledger.rows["a1"]
    assert (stored.status, report.parked, world.queue_sender.sent) == (Status.PARKED, 1, [])
    assert stored.parked_reason == "RECEIVED and tried 14 times without coming through"


def test_two_regions_at_once_recover_an_alert_once() -> None:
    """The conditional write decides, so one try is counted and one wake-up sent."""
    world = World()
    overdue(world, "a1")
    reports = run_in_both_regions(world)
    assert sorted(report.recovered for report in reports) == [0, 1]
    assert world.ledger.rows["a1"].attempts == 1
    assert len(world.queue_sender.sent) == 1


def test_run_is_bounded_and_says_what_is_left() -> None:
    """A backlog is worked off over several runs."""
    world = World()
    for number in range(MAX_RECOVERED_PER_RUN + 1):
        overdue(world, f"a{number}")
    first, second = run(world), run(world)
    assert (first.recovered, first.left_over) == (MAX_RECOVERED_PER_RUN, True)
    assert (second.recovered, second.left_over) == (1, False)
    assert len(world.queue_sender.sent) == MAX_RECOVERED_PER_RUN + 1


def test_run_stops_in_time() -> None:
    """What was moved is hinted; the rest waits for the next minute."""
    world = World()
    for number in range(30):
        overdue(world, f"a{number}")
    world.ledger.after = lambda _operation: world.clock.advance(1)
    report = run(world, seconds=12)
    assert (report.recovered, report.left_over) == (12, True)
    assert len(world.queue_sender.sent) == 12


def test_failing_queue_costs_another_lease_only() -> None:
    """The alert is due again, and the run goes on."""
    world = World()
    overdue(world, "a1")
    world.queue_sender.down = True
    assert run(world).recovered == 1
    world.queue_sender.down = False
    world.clock.advance(LEASE_S)
    assert run(world).recovered == 1
    assert world.queue_sender.sent == [(Queue.PROCESSING, "a1", 0)]


def test_failing_ledger_ends_the_run() -> None:
    """The schedule brings the next one, and the failure is counted."""
    world = World()
    overdue(world, "a1")

    def down(_operation: str) -> None:
        raise LedgerUnavailableError("on purpose")

    world.ledger.before = down
    with pytest.raises(LedgerUnavailableError):
        run(world)


def unreadable(world: World, *alert_ids: str) -> None:
    """Let nobody read these rows."""
    get = world.ledger.get

    def reads_others(alert_id: str) -> Alert | None:
        if alert_id in alert_ids:
            raise MalformedRowError("on purpose")
        return get(alert_id)

    world.ledger.get = reads_others  # type: ignore[method-assign]  # a fault of this one test


def test_unreadable_rows_stop_no_other() -> None:
    """However many come first: they are counted, and the ledger is not taken to fail."""
    world = World()
    bad = [f"bad{number}" for number in range(20)]
    for alert_id in bad:
        overdue(world, alert_id, late_s=9, severity="CRITICAL")
    overdue(world, "good")
    unreadable(world, *bad)
    report = run(world)
    assert (report.recovered, report.unreadable, report.passed_over) == (1, 20, 0)
    assert world.queue_sender.sent == [(Queue.PROCESSING, "good", 0)]


def test_rows_that_contradict_the_state_machine_stop_no_other() -> None:
    """They never move either, until somebody corrects them."""
    world = World()
    for number in range(20):
        alert = overdue(world, f"bad{number}", late_s=9, severity="CRITICAL")
        world.hold(replace(alert, expires_at=1))
    overdue(world, "good")
    report = run(world)
    assert (report.recovered, report.unreadable) == (1, 20)


def test_unreadable_rows_take_nobodys_turn() -> None:
    """A key full of them is read past, and the run still sees to as many as without."""
    world = World()
    bad = [f"bad{number}" for number in range(MAX_UNREADABLE_PER_KEY)]
    for alert_id in bad:
        overdue(world, alert_id, late_s=9)
    for number in range(MAX_RECOVERED_PER_RUN):
        overdue(world, f"a{number}")
    unreadable(world, *bad)
    report = run(world)
    assert (report.recovered, report.unreadable, report.left_over) == (
        MAX_RECOVERED_PER_RUN,
        MAX_UNREADABLE_PER_KEY,
        True,
    )


def test_key_with_too_many_unreadable_rows_holds_up_itself_only() -> None:
    """What is behind them in the key waits, which the report says; the other keys have their turn."""
    world = World()
    bad = [f"bad{number}" for number in range(MAX_RECOVERED_PER_RUN + MAX_UNREADABLE_PER_KEY)]
    for alert_id in bad:
        overdue(world, alert_id, late_s=9, severity="CRITICAL")
    overdue(world, "behind", severity="CRITICAL")
    overdue(world, "good")
    unreadable(world, *bad)
    report = run(world)
    assert (report.recovered, report.left_over) == (1, True)
    assert world.queue_sender.sent == [(Queue.PROCESSING, "good", 0)]


def test_tries_come_ever_later_and_outlast_an_outage_of_hours() -> None:
    """Doubling from the lease to a quarter of an hour, each try counted."""
    world = World()
    overdue(world, "a1")
    waits: list[int] = []
    while world.ledger.rows["a1"].status is Status.RECEIVED:
        run(world)
        wait_s = (world.ledger.rows["a1"].due_at or 0) - world.clock.s
        waits.append(wait_s)
        world.clock.advance(wait_s)
    assert waits[:5] == [120, 240, 480, 900, 900]
    assert len(waits) == MAX_ATTEMPTS + 1
    assert sum(waits) > 2 * 3_600


def parent_with_children(world: World, *children: str) -> Alert:
    """A PARKED alert a1 whose children are SUPPRESSED."""
    parent = parked(row("a1"), reason="r", due_at=world.clock.s)
    world.hold(parent)
    for child in children:
        world.hold(suppressed(replace(row(child), parent_id="a1"), due_at=world.clock.ms // 1000 + 60))
    return parent


def test_one_repeat_of_a_parked_alert_is_promoted() -> None:
    """Somebody has to be told, and once is enough."""
    world = World()
    parent_with_children(world, "a1.1", "a1.2")
    assert run(world).promoted == 1
    rows = world.ledger.rows
    assert (rows["a1.1"].status, rows["a1.2"].status) == (Status.RECEIVED, Status.SUPPRESSED)
    assert rows["a1"].successor_id == "a1.1"
    assert world.queue_sender.sent == [(Queue.PROCESSING, "a1.1", 0)]
    world.clock.advance(3_600)
    world.hold(notified(replace(rows["a1.1"], status=Status.ANALYZED, lease_token="t"), at_ms=1))
    assert run(world).promoted == 0


def test_next_repeat_is_promoted_when_the_first_is_parked_too() -> None:
    """One after the other, as each is found PARKED."""
    world = World()
    parent_with_children(world, "a1.1", "a1.2")
    run(world)
    world.hold(parked(world.ledger.rows["a1.1"], reason="r", due_at=world.clock.s))
    assert run(world).promoted == 1
    assert world.ledger.rows["a1.2"].status is Status.RECEIVED
    assert world.ledger.rows["a1"].successor_id == "a1.2"


def test_parked_alert_without_repeats_is_counted_and_left_for_an_hour() -> None:
    """It stays visible; looking again costs nothing until then."""
    world = World()
    parent_with_children(world)
    assert run(world).parked_now == 1
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.due_at) == (Status.PARKED, world.clock.s + 3_600)
    assert world.queue_sender.sent == []


def test_follow_up_gets_a_wake_up_and_given_up_in_the_end() -> None:
    """Later each time; the alert rests as NOTIFIED all along."""
    world = World()
    alert = analyzed(row(), "529", due_at=0, follow_up=True)
    world.hold(notified(alert, at_ms=world.clock.ms))
    for _ in range(MAX_FOLLOW_UP_ATTEMPTS):
        world.clock.advance((world.ledger.rows["a1"].due_at or 0) - world.clock.s)
        assert run(world).follow_ups == 1
    assert world.queue_sender.sent == [(Queue.PROCESSING, "a1", 0)] * MAX_FOLLOW_UP_ATTEMPTS
    world.clock.advance(MAX_BACKOFF_S)
    run(world)
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up, stored.open_key) == (Status.NOTIFIED, None, None)
    assert len(world.queue_sender.sent) == MAX_FOLLOW_UP_ATTEMPTS


def failing(world: World, *alert_ids: str) -> None:
    """The ledger takes no write of these rows."""
    replace_row = world.ledger.replace

    def fails_some(before: Alert, after: Alert, *, actor: Actor) -> bool:
        if before.alert_id in alert_ids:
            raise LedgerUnavailableError("on purpose")
        return replace_row(before, after, actor=actor)

    world.ledger.replace = fails_some  # type: ignore[method-assign]  # a fault of this one test


def test_row_that_cannot_be_written_costs_no_other_its_wake_up() -> None:
    """Those before it are hinted, and those behind it have their turn."""
    world = World()
    for number in range(9):
        overdue(world, f"a{number}", late_s=9 - number)
    failing(world, "a4")
    report = run(world)
    assert (report.recovered, report.passed_over) == (8, 1)
    assert [alert_id for _, alert_id, _ in world.queue_sender.sent] == [f"a{n}" for n in range(9) if n != 4]


def test_ledger_that_fails_everything_ends_the_run_after_its_hints() -> None:
    """What was moved before it failed is hinted all the same."""
    world = World()
    for number in range(9):
        overdue(world, f"a{number}", late_s=9 - number)
    failing(world, *(f"a{number}" for number in range(2, 9)))
    with pytest.raises(LedgerUnavailableError):
        run(world)
    assert [alert_id for _, alert_id, _ in world.queue_sender.sent] == ["a0", "a1"]


@pytest.mark.parametrize("successor_id", [None, "a1.1"])
def test_repeat_that_cannot_be_read_keeps_no_other_from_being_promoted(successor_id: str | None) -> None:
    """Also when it was the one to stand in: somebody has to be told."""
    world = World()
    parent = parent_with_children(world, "a1.1", "a1.2")
    world.hold(replace(parent, successor_id=successor_id))
    unreadable(world, "a1.1")
    assert run(world).promoted == 1
    assert world.ledger.rows["a1.2"].status is Status.RECEIVED


def test_two_regions_at_once_promote_one_repeat() -> None:
    """The first of the family names its successor, and only one of the two can write that."""
    world = World()
    parent_with_children(world, "a1.1", "a1.2")
    reports = run_in_both_regions(world)
    assert sorted(report.promoted for report in reports) == [0, 1]
    statuses = sorted(world.ledger.rows[child].status for child in ("a1.1", "a1.2"))
    assert statuses == [Status.RECEIVED, Status.SUPPRESSED]


def test_successor_that_was_named_and_not_promoted_is_promoted_later() -> None:
    """A crash between the two writes costs a lease, and promotes nobody else."""
    world = World()
    parent = parent_with_children(world, "a1.1", "a1.2")
    world.hold(replace(parent, successor_id="a1.2"))
    assert run(world).promoted == 1
    assert world.ledger.rows["a1.2"].status is Status.RECEIVED
    assert world.ledger.rows["a1.1"].status is Status.SUPPRESSED
