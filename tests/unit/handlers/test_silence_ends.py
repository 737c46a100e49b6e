"""What people are told when a silence ends: of each fault the state that they do not know, once."""

from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.limits import MAX_RECOVERED_PER_RUN, MAX_SILENCED_EVENTS_READ, SEEN_LOOK_AFTER_S
from handlers.domain.ports import Record
from handlers.domain.regions.ownership import MovingOwnership, SharedOwnership
from handlers.domain.states import analyzed, notified, parked, silenced, suppressed
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import LEASE_S, PEER, REGION, World, row
from topology.alerts import DuplicateCause, FaultState, Status
from topology.matchers import Matcher
from topology.records import ownership_record
from topology.silences import Silence, stored_text

MINUTE_S = 60
FIRING, RESOLVED = FaultState.FIRING, FaultState.RESOLVED


def event(world: World, alert_id: str, at_s: int, *, state: FaultState = FIRING, **fields: Any) -> Alert:
    """A RECEIVED event of one fault, `at_s` seconds from the world's start."""
    at_ms = world.clock.ms + at_s * 1000
    new = replace(row(alert_id, at_ms=at_ms, **fields), fault_key="f" * 64, state=state, changed_at_ms=at_ms)
    world.hold(new)
    return new


def under_silence(world: World, alert: Alert, *, until_s: int = 10 * MINUTE_S, silence_id: str = "s") -> None:
    """The event silenced until so many seconds from now."""
    world.hold(silenced(alert, silence_id=silence_id, until=world.clock.s + until_s))


def told(world: World, alert: Alert) -> None:
    """The event as people were told of it."""
    analysed = analyzed(alert, ANALYSIS, due_at=1)
    world.hold(notified(analysed, at_ms=alert.accepted_at_ms))


def silence_over(world: World, *, after_s: int = 11 * MINUTE_S) -> dict[str, Status]:
    """The states of all rows after a run at this time."""
    world.clock.advance(after_s)
    world.recovery.run(until_ms=world.clock.ms + 40_000)
    return {alert_id: alert.status for alert_id, alert in world.ledger.rows.items()}


def test_fault_that_still_fires_is_told_when_its_silence_ends() -> None:
    """Its row waits for a worker as a new one does, under no silence; its wake-up is sent."""
    world = World()
    under_silence(world, event(world, "a1", 0))
    assert silence_over(world, after_s=10 * MINUTE_S - 1)["a1"] is Status.SUPPRESSED
    assert silence_over(world, after_s=MINUTE_S)["a1"] is Status.RECEIVED
    stored = world.ledger.rows["a1"]
    assert (stored.silence_id, stored.expires_at, stored.due_at) == (None, None, world.clock.s + LEASE_S)
    assert [alert_id for _, alert_id, _ in world.queue_sender.sent] == ["a1"]
    assert stored.possible_duplicates == {}


def test_of_what_fired_and_was_resolved_under_a_silence_nobody_hears() -> None:
    """Both rest for good: Recovery has nothing to look for any more."""
    world = World()
    under_silence(world, event(world, "a1", 0))
    under_silence(world, event(world, "r1", 60, state=RESOLVED))
    assert silence_over(world) == {"a1": Status.SUPPRESSED, "r1": Status.SUPPRESSED}
    assert {alert.open_key for alert in world.ledger.rows.values()} == {None}


def test_resolution_under_a_silence_of_a_fault_told_before_is_told_at_its_end() -> None:
    """People wait for it."""
    world = World()
    told(world, event(world, "a1", -60))
    under_silence(world, event(world, "r1", 60, state=RESOLVED))
    assert silence_over(world) == {"a1": Status.NOTIFIED, "r1": Status.RECEIVED}


def test_fault_that_flapped_under_a_silence_is_told_in_its_last_state_only() -> None:
    """By the latest event; what fired before the silence, and fires at its end, is no news."""
    world = World()
    for number, state in enumerate([FIRING, RESOLVED, FIRING]):
        under_silence(world, event(world, f"e{number}", 60 * number, state=state))
    states = silence_over(world)
    assert [alert_id for alert_id, status in states.items() if status is Status.RECEIVED] == ["e2"]
    known = World()
    told(known, event(known, "before", -600))
    under_silence(known, event(known, "r1", 0, state=RESOLVED))
    under_silence(known, event(known, "a2", 60))
    assert Status.RECEIVED not in silence_over(known).values()


def test_one_of_several_alerts_of_a_fault_that_fires_is_told() -> None:
    """The latest one, in whatever order their rows are looked at, and when their silences end apart too."""
    for ends_s in ((600, 600), (600, 60), (60, 600)):
        world = World()
        for number, until_s in enumerate(ends_s):
            under_silence(world, event(world, f"a{number}", 20 * number), until_s=until_s)
        silence_over(world, after_s=120)
        states = silence_over(world)
        assert list(states.values()).count(Status.RECEIVED) == 1, ends_s


def test_repeats_of_a_silenced_alert_do_not_hide_it() -> None:
    """However many: they rest under it, and it is the one that goes out."""
    world = World()
    first = event(world, "a1", 0)
    under_silence(world, first)
    for number in range(3 * MAX_SILENCED_EVENTS_READ):
        repeat = replace(event(world, f"a1.{number:08x}", number), parent_id="a1")
        world.hold(suppressed(repeat, due_at=None))
    assert silence_over(world)["a1"] is Status.RECEIVED
    assert world.ledger.rows["a1"].possible_duplicates == {}


@pytest.mark.parametrize(("before", "goes_out"), [("HIGH", Status.RECEIVED), ("CRITICAL", Status.SUPPRESSED)])
def test_fault_that_grew_worse_under_a_silence_is_told(before: str, goes_out: Status) -> None:
    """People know that it fires, but not how bad it is."""
    world = World()
    told(world, event(world, "a1", -60, severity=before))
    under_silence(world, event(world, "a2", 60, severity="CRITICAL"))
    assert silence_over(world)["a2"] is goes_out


def test_alert_rests_if_a_later_one_outside_the_silence_is_told() -> None:
    """Or is on its way; of a later change people hear by that."""
    for later in (FIRING, RESOLVED):
        world = World()
        under_silence(world, event(world, "a1", 0))
        told(world, event(world, "b", 60, state=later))
        assert silence_over(world)["a1"] is Status.SUPPRESSED


def test_parked_alert_tells_nobody() -> None:
    """What is silenced after it goes out in its place."""
    world = World()
    world.hold(parked(event(world, "a1", -60), reason="refused", due_at=world.clock.s + 86_400))
    under_silence(world, event(world, "a2", 60))
    assert silence_over(world)["a2"] is Status.RECEIVED


@pytest.mark.parametrize("gap_s", [-4, 0, 4])
def test_events_within_the_clocks_error_are_told_and_counted(gap_s: int) -> None:
    """Nobody can say which came last, so people hear of both."""
    world = World()
    under_silence(world, event(world, "a1", 60))
    under_silence(world, event(world, "r1", 60 + gap_s, state=RESOLVED))
    assert set(silence_over(world).values()) == {Status.RECEIVED}
    counted = [alert.possible_duplicates for alert in world.ledger.rows.values()]
    assert counted == [{DuplicateCause.STATE_UNCERTAIN: 1}] * 2


def test_most_severe_is_told_first() -> None:
    """Of all whose silence ends at once."""
    world = World()
    for number, severity in enumerate(["INFO", "LOW", "HIGH", "CRITICAL"]):
        alert = replace(event(world, severity, number, severity=severity), fault_key=severity * 9)
        under_silence(world, alert)
    silence_over(world)
    assert [alert_id for _, alert_id, _ in world.queue_sender.sent] == ["CRITICAL", "HIGH", "LOW", "INFO"]


def test_alert_is_looked_at_by_its_owner_only() -> None:
    """Under an eventual ledger the other region may not have seen all."""
    world = World(ownership=SharedOwnership(owners=(REGION,)))
    peers = replace(event(world, "a1", 0), owner=PEER)
    under_silence(world, peers)
    assert silence_over(world)["a1"] is Status.SUPPRESSED


def test_alert_waits_for_one_that_may_be_silenced_once_more() -> None:
    """Another silence may cover what goes out at the end of one: people were not told yet."""
    world = World()
    event(world, "a1", -60)
    under_silence(world, event(world, "a2", 60))
    silence_over(world)
    assert (world.ledger.rows["a2"].status, world.ledger.rows["a2"].open_key) == (
        Status.SUPPRESSED,
        f"{REGION}#SILENCED",
    )
    under_silence(world, world.ledger.rows["a1"], until_s=60 * MINUTE_S)
    assert silence_over(world, after_s=2 * MINUTE_S)["a2"] is Status.RECEIVED


def test_alert_rests_once_people_are_told_by_one_that_was_received() -> None:
    """It has its place in Slack now."""
    world = World()
    before = event(world, "a1", -60)
    under_silence(world, event(world, "a2", 60))
    silence_over(world)
    told(world, before)
    assert silence_over(world, after_s=2 * MINUTE_S)["a2"] is Status.SUPPRESSED
    assert world.ledger.rows["a2"].open_key is None


def test_resolution_is_told_where_a_repeat_goes_out_for_a_parked_alert() -> None:
    """Recovery promotes the repeat, and people would believe that the fault lasts."""
    world = World()
    world.hold(parked(event(world, "a1", -60), reason="refused", due_at=world.clock.s))
    repeat = replace(event(world, "a1.00000001", -30), parent_id="a1")
    world.hold(suppressed(repeat, due_at=None))
    under_silence(world, event(world, "r1", 60, state=RESOLVED))
    states = silence_over(world)
    assert (states["r1"], states["a1.00000001"]) == (Status.RECEIVED, Status.RECEIVED)


def eventual(world: World, *, heard_s: int) -> None:
    """The world under an eventual ledger; the other region was heard of last so many seconds from now."""
    world.ownership = MovingOwnership(
        coordination=world.coordination, clock=world.clock, region=REGION, peer=PEER, takeover_after_s=9_000
    )
    values = {"heartbeat_ms": world.clock.ms + heard_s * 1000, "since_ms": 1}
    world.coordination.records[ownership_record(PEER)] = Record(version=1, values=values)


def test_resolution_waits_for_what_the_other_region_told() -> None:
    """Its alert was told there, and replication pauses while the silence ends; then the index is behind."""
    world = World()
    under_silence(world, event(world, "r1", 60, state=RESOLVED))
    eventual(world, heard_s=0)
    assert silence_over(world)["r1"] is Status.SUPPRESSED
    assert world.ledger.rows["r1"].open_key is not None
    eventual(world, heard_s=-30)
    assert silence_over(world, after_s=MINUTE_S)["r1"] is Status.SUPPRESSED
    told(world, replace(event(world, "a1", -13 * MINUTE_S), owner=PEER))
    assert silence_over(world, after_s=SEEN_LOOK_AFTER_S)["r1"] is Status.RECEIVED


def test_resolution_waits_for_what_the_other_region_is_about_to_tell() -> None:
    """Its alert was silenced there too, and that region may not have seen that it is over."""
    world = World()
    fired = replace(event(world, "a1", 0), owner=PEER)
    under_silence(world, fired)
    under_silence(world, event(world, "r1", 60, state=RESOLVED))
    eventual(world, heard_s=5 * MINUTE_S)
    for after_s in (11 * MINUTE_S, SEEN_LOOK_AFTER_S, SEEN_LOOK_AFTER_S):
        assert silence_over(world, after_s=after_s)["r1"] is Status.SUPPRESSED
    assert world.ledger.rows["r1"].open_key is not None
    told(world, fired)
    assert silence_over(world, after_s=5 * MINUTE_S)["r1"] is Status.RECEIVED


def test_silence_that_somebody_ended_is_over_for_what_it_silenced() -> None:
    """At the next run, also for what waits for an end before the last one; others of the time stay."""
    world = World()
    end_s, first_end_s = world.clock.s + 600, world.clock.s + 300
    for number, (silence_id, until_s) in enumerate([("s", 300), ("s", 600), ("other", 600)]):
        alert = replace(event(world, f"a{number}", 10 * number), fault_key=f"{number}" * 64)
        under_silence(world, alert, until_s=until_s, silence_id=silence_id)
    over = Silence(
        silence_id="s",
        matcher=Matcher(source="billing"),
        from_s=1,
        until_s=world.clock.s + 60,
        reason="r",
        due_s=(first_end_s, end_s),
    )
    world.silenced.text = stored_text([over])
    assert set(silence_over(world, after_s=59).values()) == {Status.SUPPRESSED}
    states = silence_over(world, after_s=1)
    assert states == {"a0": Status.RECEIVED, "a1": Status.RECEIVED, "a2": Status.SUPPRESSED}


def test_silence_that_was_ended_is_over_however_many_alerts_wait_for_another_of_the_same_end() -> None:
    """Windows end at full hours: those of another neither hide its alerts nor take their turns."""
    world = World()
    end_s = world.clock.s + 600
    for number in range(MAX_RECOVERED_PER_RUN):
        other = replace(event(world, f"a{number}", 0), fault_key=f"{number:064}")
        under_silence(world, other, silence_id="other")
    under_silence(world, replace(event(world, "z1", 0), fault_key="z" * 64))
    over = Silence(
        silence_id="s",
        matcher=Matcher(source="billing"),
        from_s=1,
        until_s=world.clock.s + 60,
        reason="r",
        due_s=(end_s,),
    )
    world.silenced.text = stored_text([over])
    states = silence_over(world, after_s=60)
    assert [alert_id for alert_id, status in states.items() if status is Status.RECEIVED] == ["z1"]


def test_end_of_a_silence_leaves_turns_to_what_else_is_due() -> None:
    """Also for the region that works for both."""
    world = World()
    for number in range(2 * MAX_RECOVERED_PER_RUN):
        silent = replace(event(world, f"a{number}", 0), fault_key=f"{number:064}")
        under_silence(world, replace(silent, owner=(REGION, PEER)[number % 2]))
    repeat = replace(event(world, "r1", 0), parent_id="a1", fault_key=None)
    world.hold(suppressed(repeat, due_at=world.clock.s + 1))
    silence_over(world)
    assert world.ledger.rows["r1"].due_at is None


def test_alert_that_rests_for_good_is_not_promoted_for_a_parked_one_again_and_again() -> None:
    """What was promoted in the place of a PARKED alert, and silenced, waits for the silence's end."""
    world = World()
    first = parked(event(world, "a1", -60), reason="refused", due_at=world.clock.s)
    world.hold(replace(first, successor_id="a1.1"))
    repeat = replace(event(world, "a1.1", 0), parent_id="a1")
    under_silence(world, repeat)
    assert silence_over(world, after_s=1)["a1.1"] is Status.SUPPRESSED
    assert silence_over(world)["a1.1"] is Status.RECEIVED


def test_row_that_says_nothing_of_its_fault_is_told() -> None:
    """One of an earlier release: nothing can be compared."""
    world = World()
    under_silence(world, replace(event(world, "a1", 0), fault_key=None))
    assert silence_over(world)["a1"] is Status.RECEIVED
