"""Each change of a fault's state is told, whatever stands between and whoever wrote it down."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.limits import REPEAT_LOOK_AFTER_S, SEEN_LOOK_AFTER_S
from handlers.domain.ports import MALFORMED, LedgerUnavailableError, Record
from handlers.domain.regions.ownership import MovingOwnership
from handlers.domain.states import suppressed
from tests.fakes.ledger import ledger_down
from tests.unit.handlers.builders import EVENT_WINDOW_S, PEER, REGION, World, body, fixture
from topology.alerts import CLOCK_ERROR_S, FaultState, Status
from topology.records import fault_record, ownership_record


def down(**fields: Any) -> bytes:
    """The fault is there."""
    return body(severity="critical", **fields)


def up(**fields: Any) -> bytes:
    """The fault is over."""
    return body(severity="critical", status="up", message="fine again", **fields)


def statuses(world: World, *bodies: bytes, every_s: float = 10) -> list[Status]:
    """What becomes of these bodies, one after the other."""
    found = []
    for content in bodies:
        (alert,) = world.accept(content)
        found.append(alert.status)
        world.clock.advance(every_s)
    return found


@pytest.mark.parametrize("named", [{}, {"event_id": "disk"}], ids=["by content", "by event id"])
def test_outage_after_a_recovery_is_told(named: dict[str, str]) -> None:
    """Down, up, down within the window: the second outage is no repeat of the first, nor is the next."""
    world = World()
    sent = [down(**named), up(**named)] * 3
    assert statuses(world, *sent) == [Status.RECEIVED] * 6
    assert len({row.fault_key for row in world.ledger.rows.values()}) == 1


def test_repeat_of_the_same_state_is_suppressed_under_its_own_outage() -> None:
    """Whether of the first or of the second outage; the state is the fault's, not the alert's severity."""
    world = World()
    first, _, second = (world.accept(content)[0] for content in (down(), up(), down()))
    (repeat,) = world.accept(down(timestamp="2026-11-23T08:00:30Z"))
    assert (repeat.status, repeat.parent_id) == (Status.SUPPRESSED, second.alert_id)
    assert second.alert_id != first.alert_id


def test_suppressed_recovery_still_ends_the_outage() -> None:
    """Up twice, then down: the second up changes nothing, and the outage after it is told."""
    world = World()
    again = up(timestamp="2026-11-23T08:00:30Z")
    assert statuses(world, down(), up(), again, down()) == [
        Status.RECEIVED,
        Status.RECEIVED,
        Status.SUPPRESSED,
        Status.RECEIVED,
    ]


def test_other_faults_recovery_changes_nothing() -> None:
    """Two volumes of one host are two faults."""
    world = World()
    root, var = {"labels": {"volume": "/"}}, {"labels": {"volume": "/var"}}
    again = down(**root, timestamp="2026-11-23T08:00:30Z")
    assert statuses(world, down(**root), down(**var), up(**var), again)[-1] is Status.SUPPRESSED


def test_missing_data_resolves_nothing() -> None:
    """It is unknown, never healthy."""
    world = World()
    alarm = json.loads(fixture("cloudwatch_alarm"))
    unknown = alarm | {"NewStateValue": "INSUFFICIENT_DATA"}
    (alert,) = world.accept(json.dumps(unknown).encode())
    assert alert.state is FaultState.FIRING


def test_idempotency_key_that_comes_again_tells_nothing_new() -> None:
    """A retry of the outage after its recovery is the outage of that time, and the recovery stands."""
    world = World()
    world.accept(down(), key="k")
    world.accept(up())
    (again,) = world.accept(down(), key="k")
    (recovery,) = world.accept(up(timestamp="2026-11-23T08:00:30Z"))
    assert (again.status, recovery.status) == (Status.RECEIVED, Status.SUPPRESSED)
    assert len(world.ledger.rows) == 3


def test_recovery_with_an_idempotency_key_ends_the_outage() -> None:
    """However it is identified, it says something of its fault."""
    world = World()
    world.accept(down())
    world.accept(up(), key="k")
    (outage,) = world.accept(down())
    assert outage.status is Status.RECEIVED
    assert len(world.ledger.rows) == 3


def episode(state: str, start: str, end: str = "0001-01-01T00:00:00Z") -> bytes:
    """Alertmanager's message about one fault."""
    document = json.loads(fixture("alertmanager"))
    part = document["alerts"][0] | {"status": state, "startsAt": start, "endsAt": end, "fingerprint": "f"}
    return json.dumps(document | {"alerts": [part]}).encode()


START, END = "2026-11-23T07:00:00Z", "2026-11-23T07:30:00Z"


def test_late_copy_of_an_outage_that_is_over_is_a_repeat() -> None:
    """Ordered by the source's own times: the peer of a pair of Alertmanagers may be behind."""
    world = World()
    late = episode("firing", START) + b" "
    found = statuses(world, episode("firing", START), episode("resolved", START, END), late)
    assert found == [Status.RECEIVED, Status.RECEIVED, Status.SUPPRESSED]


def test_times_that_no_clock_can_order_count_as_a_change() -> None:
    """A gap under the clock error, a time in the future, or none: told rather than not."""
    soon, future = "2026-11-23T07:00:04Z", "2027-01-01T00:00:00Z"
    for end in (soon, future, "yesterday"):
        world = World()
        sent = (episode("firing", START), episode("resolved", START, end), episode("firing", START) + b" ")
        assert statuses(world, *sent) == [Status.RECEIVED] * 3, end


def dated(state: str, **times: str) -> bytes:
    """Alertmanager's message about one fault, with these times and no others."""
    document = json.loads(fixture("alertmanager"))
    part = {
        name: value for name, value in document["alerts"][0].items() if name not in ("startsAt", "endsAt")
    }
    return json.dumps(document | {"alerts": [part | {"status": state, "fingerprint": "f"} | times]}).encode()


@pytest.mark.parametrize(
    "never", [{"startsAt": "0001-01-01T00:00:00Z"}, {"startsAt": "2099-01-01T00:00:00Z"}, {}]
)
@pytest.mark.parametrize("ended", [{}, {"startsAt": START}], ids=["as it fired", "with a start"])
def test_outage_without_a_start_is_told_after_a_recovery_that_has_its_end(
    never: dict[str, str], ended: dict[str, str]
) -> None:
    """The next outage has the identity of the first, so the recovery has to be written down."""
    world = World()
    sent = (dated("firing", **never), dated("resolved", **(never | {"endsAt": END} | ended)))
    assert statuses(world, *sent, *sent) == [Status.RECEIVED] * 4
    assert len(world.ledger.rows) == 4


def test_late_recovery_does_not_stand_for_the_one_that_came_before_it() -> None:
    """The later was recorded and its row not written; then an older one comes, and the later one again."""
    world = World()
    older, newer = (dated("resolved", endsAt=end) for end in (END, "2026-11-23T07:50:00Z"))
    world.accept(dated("firing"))
    world.ledger.before = ledger_down("create")
    with pytest.raises(LedgerUnavailableError):
        world.accept(newer)
    world.ledger.before = lambda _operation: None
    assert statuses(world, older, newer) == [Status.RECEIVED] * 2


def test_later_end_of_an_episode_is_told_after_another_outage() -> None:
    """Both recoveries have the start of the first outage, and the second of them ends what came between."""
    world = World()
    between, end = "2026-11-23T07:40:00Z", "2026-11-23T07:50:00Z"
    sent = (
        episode("firing", START),
        episode("resolved", START, END),
        episode("firing", between),
        episode("resolved", START, end),
        episode("resolved", START, end) + b" ",
    )
    assert statuses(world, *sent) == [Status.RECEIVED] * 4 + [Status.SUPPRESSED]


def test_two_regions_that_do_not_see_each_other_make_two_rows_of_two_recoveries() -> None:
    """With one id the row of one would replace that of the other, and what it ended would seem to go on."""
    here = World()
    there = World(clock=here.clock, region=PEER)
    for world in (here, there):
        world.accept(down())
    (one,) = here.accept(up())
    here.clock.advance(60)
    (other,) = there.accept(up())
    assert one.alert_id != other.alert_id


def test_retry_of_a_recovery_to_the_other_region_is_the_same_alert() -> None:
    """Also where that region does not see the first try."""
    here = World()
    there = World(clock=here.clock, region=PEER)
    ids = set()
    for world in (here, there):
        world.accept(down())
        (recovery,) = world.accept(up())
        ids.add(recovery.alert_id)
        world.clock.advance(5)
    assert len(ids) == 1


@pytest.mark.parametrize("flaps", [1, 2])
def test_change_after_the_record_of_those_before_expired_is_told(flaps: int) -> None:
    """A reminder of the time before rests under an id that is not made again."""
    world = World()
    named = {"event_id": "disk"}
    reminder, other = (up, down) if flaps == 1 else (down, up)
    statuses(world, *[down(**named), up(**named), down(**named)][: flaps + 1])
    (name,) = (name for name in world.coordination.records if name.startswith("fault#"))
    left_s = (world.coordination.expiries[name] or 0) - world.clock.s
    statuses(world, reminder(**named), every_s=left_s - 5)
    statuses(world, reminder(**named), every_s=10)
    world.coordination.delete_expired(name, now_s=world.clock.s)
    assert name not in world.coordination.records
    before_ms = world.clock.ms
    assert statuses(world, *(other(**named), reminder(**named)) * 2) == [Status.RECEIVED] * 4
    new = [row for row in world.ledger.rows.values() if row.accepted_at_ms >= before_ms]
    assert len(new) == 4


def test_record_that_cannot_be_read_counts_as_a_change() -> None:
    """It costs the others of its group nothing, and is made anew."""
    world = World()
    for content in (down(), up(), down()):
        world.accept(content)
    (name,) = (name for name in world.coordination.records if name.startswith("fault#"))
    world.coordination.records[name] = Record(version=MALFORMED, values={})
    assert statuses(world, down(timestamp="2026-11-23T08:00:30Z"), up(), down()) == [Status.RECEIVED] * 3
    assert world.coordination.records[name].version > 1


def test_recovery_while_a_repeat_is_being_written_has_it_told() -> None:
    """Whoever recorded the recovery did not see the repeat, and the repeat did not see the recovery."""
    world = World()
    world.accept(down())

    def recovers_meanwhile(operation: str) -> None:
        if operation == "create":
            world.ledger.after = lambda _operation: None
            world.accept(up())

    world.ledger.after = recovers_meanwhile
    (alert,) = world.accept(down(timestamp="2026-11-23T08:00:30Z"))
    assert world.ledger.rows[alert.alert_id].status is alert.status is Status.RECEIVED
    assert alert.alert_id in {alert_id for _, alert_id, _ in world.queue_sender.sent}


def test_unknown_state_promises_nothing() -> None:
    """Whether it is a change cannot be said, so the sender is asked to come again."""
    world = World()
    world.coordination.down = True
    with pytest.raises(LedgerUnavailableError, match="state"):
        world.accept(down())
    assert world.ledger.rows == {}


def test_change_whose_row_was_not_written_is_told_by_its_retry() -> None:
    """The record comes first: the retry finds the state changed, and its own row missing."""
    world = World()
    world.accept(down())

    def fails(operation: str) -> None:
        if operation == "create":
            raise LedgerUnavailableError("on purpose")

    world.ledger.before = fails
    with pytest.raises(LedgerUnavailableError):
        world.accept(up())
    world.ledger.before = lambda _operation: None
    assert statuses(world, up(), down()) == [Status.RECEIVED, Status.RECEIVED]


def test_record_is_there_only_for_what_was_resolved_and_expires() -> None:
    """A fault that fires and fires again costs no write."""
    world = World()
    statuses(world, down(), down(timestamp="2026-11-23T08:00:30Z"))
    assert not [name for name in world.coordination.records if name.startswith("fault#")]
    (alert,) = world.accept(up())
    name = fault_record(str(alert.fault_key))
    records, expiries = world.coordination.records, world.coordination.expiries
    assert [name] == [name for name in records if name.startswith("fault#")]
    assert (records[name].version, records[name].values["changed_ms"]) == (1, 0)
    assert expiries[name] == world.clock.s + 2 * EVENT_WINDOW_S


def looked_at(world: World, alert: Alert, *, after_s: float = REPEAT_LOOK_AFTER_S) -> Alert:
    """The alert when Recovery has run."""
    world.clock.advance(after_s)
    world.recovery.run(until_ms=world.clock.ms + 40_000)
    return world.ledger.rows[alert.alert_id]


def test_repeat_rests_once_its_fault_was_looked_at() -> None:
    """A repeat for certain leaves the index."""
    world = World()
    world.accept(down())
    world.clock.advance(10)
    (repeat,) = world.accept(down(timestamp="2026-11-23T08:00:30Z"))
    rests = looked_at(world, repeat)
    assert (rests.status, rests.open_key, rests.due_at) == (Status.SUPPRESSED, None, None)


def test_repeat_over_a_lost_record_is_told_all_the_same() -> None:
    """The ledger's own history shows the recovery between, as after a rebuild from a backup."""
    world = World()
    for content in (down(), up()):
        world.accept(content)
        world.clock.advance(60)
    world.coordination.records.clear()
    (repeat,) = world.accept(down(timestamp="2026-11-23T08:00:30Z"))
    assert repeat.status is Status.SUPPRESSED
    told = looked_at(world, repeat)
    assert (told.status, told.possible_duplicates) == (Status.RECEIVED, {})


def eventual(world: World, *, heartbeat_s: float = 0) -> World:
    """The world under an eventual ledger; the other region's heartbeat is so much younger than now."""
    world.ownership = MovingOwnership(
        coordination=world.coordination, clock=world.clock, region=REGION, peer=PEER, takeover_after_s=900
    )
    at_ms = world.clock.ms + round(heartbeat_s * 1000)
    values = {"heartbeat_ms": at_ms, "since_ms": 1}
    world.coordination.records[ownership_record(PEER)] = Record(version=1, values=values)
    return world


def repeat_of(world: World) -> Alert:
    """A repeat a minute after its outage."""
    (outage,) = world.accept(down())
    world.clock.advance(60)
    (repeat,) = world.accept(down(timestamp="2026-11-23T08:00:30Z"))
    assert (repeat.status, repeat.parent_id) == (Status.SUPPRESSED, outage.alert_id)
    return repeat


@pytest.mark.parametrize(("before_s", "causes"), [(30, {}), (CLOCK_ERROR_S - 2, {"state_uncertain": 1})])
def test_recovery_that_replicates_later_has_the_outage_told(before_s: int, causes: dict[str, int]) -> None:
    """Accepted in the other region before the repeat; what clocks cannot order is counted as in doubt."""
    world = World()
    repeat = repeat_of(world)
    other = World(clock=world.clock, region=PEER)
    other.clock.advance(-before_s)
    (recovery,) = other.accept(up())
    other.clock.advance(before_s)
    world.hold(recovery)
    told = looked_at(eventual(world), repeat)
    assert (told.status, told.possible_duplicates) == (Status.RECEIVED, causes)


def test_repeat_is_looked_at_until_the_other_regions_rows_are_here() -> None:
    """While the other is silent nobody knows what it took in."""
    world = World()
    repeat = repeat_of(world)
    waits = looked_at(eventual(world, heartbeat_s=-1), repeat)
    assert (waits.status, waits.open_key) == (Status.SUPPRESSED, f"{REGION}#SUPPRESSED")
    assert waits.due_at is not None
    assert waits.due_at > world.clock.s
    eventual(world, heartbeat_s=waits.due_at - world.clock.s)
    assert looked_at(world, repeat, after_s=waits.due_at - world.clock.s).open_key is not None
    assert looked_at(world, repeat, after_s=SEEN_LOOK_AFTER_S).open_key is None


def test_recovery_whose_index_is_behind_after_a_pause_of_replication_has_the_outage_told() -> None:
    """It comes at once with the other region's heartbeats; the last look is when indexes show it too."""
    world = World()
    repeat = repeat_of(world)
    other = World(clock=world.clock, region=PEER)
    other.clock.advance(-30)
    (recovery,) = other.accept(up())
    other.clock.advance(30)
    waits = looked_at(eventual(world, heartbeat_s=REPEAT_LOOK_AFTER_S), repeat)
    assert waits.open_key == f"{REGION}#SUPPRESSED"
    world.hold(recovery)
    told = looked_at(world, repeat, after_s=SEEN_LOOK_AFTER_S)
    assert (told.status, told.attempts) == (Status.RECEIVED, 0)


def test_recovery_after_a_repeat_leaves_it_a_repeat() -> None:
    """People hear of the recovery last."""
    world = World()
    repeat = repeat_of(world)
    world.clock.advance(30)
    world.accept(up())
    assert looked_at(eventual(world), repeat).status is Status.SUPPRESSED


def test_index_that_is_behind_promotes_no_repeat() -> None:
    """An old recovery is no reason where the outage that is repeated came after it."""
    world = World()
    world.accept(up())
    world.clock.advance(60)
    repeat = repeat_of(world)
    history = world.ledger.history

    def behind(fault_key: str, state: FaultState, *, until_ms: int, limit: int) -> Any:
        return [] if state is FaultState.FIRING else history(fault_key, state, until_ms=until_ms, limit=limit)

    world.ledger.history = behind  # type: ignore[method-assign]  # a fault of this one test
    assert looked_at(eventual(world), repeat).status is Status.SUPPRESSED


def test_row_of_a_release_without_faults_rests() -> None:
    """Two releases write one ledger during a deployment."""
    world = World()
    repeat = repeat_of(world)
    old = suppressed(repeat, due_at=world.clock.s)
    world.hold(replace(old, fault_key=None, state=None, changed_at_ms=None))
    assert looked_at(world, repeat).open_key is None


def test_repeat_is_looked_at_while_nothing_of_the_other_region_ever_came_here() -> None:
    """Its first heartbeat may be behind the change that it took in."""
    world = eventual(World())
    del world.coordination.records[ownership_record(PEER)]
    assert looked_at(world, repeat_of(world)).due_at is not None
