"""Recovery over fakes: whom it acts for, in which order, and where it stops."""

from dataclasses import replace

import pytest

from handlers.domain.alert import Alert, Queue, Severity, Status, open_lane
from handlers.domain.limits import MAX_RECOVERED_PER_RUN, MAX_RECOVERY_ATTEMPTS
from handlers.domain.ports import LedgerUnavailableError, MalformedRowError
from handlers.domain.recovery import Recovery, RecoveryReport
from handlers.domain.states import claimed, notified, parked
from tests.unit.handlers.builders import LEASE_S, PEER, REGION, World, row


def run(world: World, *, owners: tuple[str, ...] = (REGION, PEER), seconds: float = 40) -> RecoveryReport:
    """One run with so many seconds."""
    recovery = Recovery(
        ledger=world.ledger, outbox=world.outbox, clock=world.clock, owners=owners, lease_s=LEASE_S
    )
    return recovery.run(until_ms=world.clock.ms + round(seconds * 1000))


def overdue(
    world: World, alert_id: str, *, late_s: int = 0, status: Status = Status.RECEIVED, **fields: str
) -> Alert:
    """An open row that has been due for `late_s` seconds, put into the ledger."""
    alert = replace(row(alert_id, status=status, **fields), due_at=world.clock.s - late_s)
    world.hold(alert)
    return alert


@pytest.mark.parametrize(
    ("status", "severity", "queue"),
    [
        (Status.RECEIVED, "HIGH", Queue.PROCESSING),
        (Status.RECEIVED, "CRITICAL", Queue.PROCESSING),
        (Status.ANALYZED, "HIGH", Queue.DISTRIBUTION),
        (Status.ANALYZED, "CRITICAL", Queue.DISTRIBUTION_CRITICAL),
    ],
)
def test_overdue_alert_is_hinted_to_where_it_belongs(status: Status, severity: str, queue: Queue) -> None:
    """Its lease is renewed, its holder loses it, and the try is counted."""
    world = World()
    alert = overdue(world, "a1", status=status, severity=severity)
    world.hold(claimed(alert, token="crashed", due_at=world.clock.s))
    report = run(world)
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.attempts, stored.lease_token) == (status, 1, None)
    assert stored.due_at == world.clock.s + LEASE_S
    assert world.outbox.sent == [(queue, "a1", 0)]
    assert report == RecoveryReport(recovered=1, parked=0, passed_over=0, left_over=False)


def test_alert_that_is_not_due_is_left_alone() -> None:
    """A live lease, or a fresh row, is somebody's business."""
    world = World()
    alert = overdue(world, "a1", late_s=-1)
    run(world)
    assert world.ledger.rows["a1"] == alert
    assert world.outbox.sent == []


@pytest.mark.parametrize("reason", [None, "r"], ids=["notified", "parked"])
def test_alert_at_rest_is_left_alone(reason: str | None) -> None:
    """Also when the index still shows it."""
    world = World()
    alert = overdue(world, "a1", status=Status.ANALYZED)
    rested = parked(alert, reason=reason) if reason else notified(alert, at_ms=1)
    world.ledger.overdue = lambda lane, **_: ["a1"] if lane.endswith("HIGH") else []  # type: ignore[method-assign]  # a stale index
    world.hold(rested)
    report = run(world)
    assert world.ledger.rows["a1"] == rested
    assert report.passed_over == 2
    assert world.outbox.sent == []


def test_alert_that_was_claimed_since_the_index_saw_it_is_left_alone() -> None:
    """The index lags behind the rows; the row counts."""
    world = World()
    held = claimed(row(), token="busy", due_at=world.clock.s + 1)
    world.hold(held)
    world.ledger.overdue = lambda lane, **_: ["a1"] if lane == held.open_lane else []  # type: ignore[method-assign]  # a stale index
    report = run(world)
    assert world.ledger.rows["a1"] == held
    assert (report.recovered, report.passed_over) == (0, 1)


def test_most_severe_and_oldest_come_first() -> None:
    """Across both regions' lanes."""
    world = World()
    overdue(world, "low", late_s=999, severity="LOW")
    overdue(world, "new-critical", late_s=1, severity="CRITICAL")
    overdue(world, "old-critical", late_s=2, severity="CRITICAL")
    peers = overdue(world, "peer-critical", late_s=50, severity="CRITICAL")
    world.hold(replace(peers, owner=PEER, open_lane=open_lane(PEER, Severity.CRITICAL)))
    run(world)
    assert [alert_id for _, alert_id, _ in world.outbox.sent] == [
        "old-critical",
        "new-critical",
        "peer-critical",
        "low",
    ]


def test_alone_it_acts_for_its_own_region_only() -> None:
    """Under eventual consistency an alert is its owner's."""
    world = World()
    alert = overdue(world, "a1")
    peers = replace(alert, owner=PEER, open_lane=open_lane(PEER, alert.severity))
    world.hold(peers)
    run(world, owners=(REGION,))
    assert world.ledger.rows["a1"] == peers
    assert set(world.ledger.queried_lanes) == {open_lane(REGION, severity) for severity in Severity}


def test_nothing_to_do_costs_one_query_a_lane() -> None:
    """Constant, however many alerts are at rest."""
    world = World()
    for number in range(50):
        world.hold(notified(row(f"a{number}", status=Status.ANALYZED), at_ms=1))
    report = run(world)
    assert len(world.ledger.queried_lanes) == 2 * len(Severity)
    assert report == RecoveryReport(recovered=0, parked=0, passed_over=0, left_over=False)


def test_too_many_attempts_park() -> None:
    """What never comes through is shown to people."""
    world = World()
    alert = overdue(world, "a1")
    world.hold(replace(alert, attempts=MAX_RECOVERY_ATTEMPTS))
    report = run(world)
    stored = world.ledger.rows["a1"]
    assert (stored.status, report.parked, world.outbox.sent) == (Status.PARKED, 1, [])
    assert stored.parked_reason == "RECEIVED and tried 10 times without coming through"


def test_two_regions_at_once_recover_an_alert_once() -> None:
    """The conditional write decides, so one try is counted and one hint sent."""
    world = World()
    overdue(world, "a1")
    rival = World(ledger=world.ledger, clock=world.clock, outbox=world.outbox, region=PEER)
    reports: list[RecoveryReport] = []

    def meanwhile(operation: str) -> None:
        if operation == "replace":
            world.ledger.before = lambda _operation: None
            reports.append(run(rival))

    world.ledger.before = meanwhile
    reports.append(run(world))
    assert sorted(report.recovered for report in reports) == [0, 1]
    assert world.ledger.rows["a1"].attempts == 1
    assert len(world.outbox.sent) == 1


def test_run_is_bounded_and_says_what_is_left() -> None:
    """A backlog is worked off over several runs."""
    world = World()
    for number in range(MAX_RECOVERED_PER_RUN + 1):
        overdue(world, f"a{number}")
    first, second = run(world), run(world)
    assert (first.recovered, first.left_over) == (MAX_RECOVERED_PER_RUN, True)
    assert (second.recovered, second.left_over) == (1, False)
    assert len(world.outbox.sent) == MAX_RECOVERED_PER_RUN + 1


def test_run_stops_in_time() -> None:
    """What was moved is hinted; the rest waits for the next minute."""
    world = World()
    for number in range(30):
        overdue(world, f"a{number}")
    world.ledger.after = lambda _operation: world.clock.advance(1)
    report = run(world, seconds=12)
    assert (report.recovered, report.left_over) == (12, True)
    assert len(world.outbox.sent) == 12


def test_failing_queue_costs_another_lease_only() -> None:
    """The alert is due again, and the run goes on."""
    world = World()
    overdue(world, "a1")
    world.outbox.down = True
    assert run(world).recovered == 1
    world.outbox.down = False
    world.clock.advance(LEASE_S)
    assert run(world).recovered == 1
    assert world.outbox.sent == [(Queue.PROCESSING, "a1", 0)]


def test_failing_ledger_ends_the_run() -> None:
    """The schedule brings the next one, and the failure is counted."""
    world = World()
    overdue(world, "a1")

    def down(_operation: str) -> None:
        raise LedgerUnavailableError("on purpose")

    world.ledger.before = down
    with pytest.raises(LedgerUnavailableError):
        run(world)


def test_malformed_row_does_not_stop_the_others() -> None:
    """One row that nobody can read is passed over and logged."""
    world = World()
    overdue(world, "a1", late_s=9)
    overdue(world, "a2")
    get = world.ledger.get

    def cannot_read_a1(alert_id: str) -> Alert | None:
        if alert_id == "a1":
            raise MalformedRowError("on purpose")
        return get(alert_id)

    world.ledger.get = cannot_read_a1  # type: ignore[method-assign]  # a fault of this one test
    report = run(world)
    assert (report.recovered, report.passed_over) == (1, 1)
