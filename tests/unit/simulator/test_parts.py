"""The simulated world's own parts: what they do wrong, they do as AWS does."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.states import claimed, notified, parked, repeat_looked_at, suppressed
from simulator.final_checks import unsettled
from simulator.history import History
from simulator.ledger import Store
from simulator.queues import Message, OnEnd, WorkQueue
from simulator.scenario import REGIONS, Consistency, Faults, Incident, Kind, Scenario
from simulator.scheduler import START_MS
from simulator.tables import Table
from simulator.world import World
from tests.unit.handlers.builders import row
from topology.queues import MAX_RECEIVE_COUNT, PROCESSING

EAST, WEST = REGIONS
VISIBILITY_MS = 360_000


def world_of(
    *incidents: Incident, consistency: Consistency = "eventual", faults: Faults | None = None
) -> World:
    """A world in which nothing happens but what the test does."""
    scenario = Scenario(
        seed=1,
        consistency=consistency,
        horizon_ms=3_600_000,
        arrivals=(),
        incidents=incidents,
        faults=faults or Faults(),
    )
    return World(scenario, History(kept=False))


def pass_s(world: World, seconds: float) -> None:
    """Let virtual time go by."""
    until_ms = world.now_ms + round(seconds * 1000)
    world.scheduler.run(until_ms=until_ms, stop=lambda: False)
    world.scheduler.now_ms = until_ms


def create(store: Store, region: str, alert: Alert) -> bool:
    """What the handlers' adapter does to make a row."""
    return store.change(region, alert.alert_id, lambda stored: alert if stored is None else None) is not None


def overwrite(store: Store, region: str, before: Alert, after: Alert) -> Alert | None:
    """What it does to change one; what is stored then, or None."""
    written = store.change(region, before.alert_id, lambda stored: store.replaced(stored, before, after))
    return None if written is None else written[1]


def test_strong_table_is_one_store() -> None:
    """What one region writes the other reads at once."""
    table: Table[str] = Table(world_of(), name="t", replicated=False)
    table.write(EAST, "key", "value")
    assert table.read(WEST, "key") == "value"
    assert table.converged


def test_replica_sees_a_write_later() -> None:
    """Within seconds where nothing is in the way."""
    world = world_of()
    table: Table[str] = Table(world, name="t", replicated=True)
    table.write(EAST, "key", "value")
    assert table.read(WEST, "key") is None
    assert not table.converged
    pass_s(world, 5)
    assert table.read(WEST, "key") == "value"
    assert table.converged


def test_last_writer_wins_in_both_replicas() -> None:
    """Whichever arrives first."""
    world = world_of()
    table: Table[str] = Table(world, name="t", replicated=True)
    table.write(EAST, "key", "earlier")
    pass_s(world, 0.01)
    table.write(WEST, "key", "later")
    pass_s(world, 10)
    assert {table.read(region, "key") for region in REGIONS} == {"later"}


@pytest.mark.parametrize("kind", [Kind.PARTITION, Kind.REPLICATION_PAUSED, Kind.REGION_DOWN])
def test_replication_waits_for_the_end_of_an_incident(kind: Kind) -> None:
    """Nothing is lost meanwhile."""
    world = world_of(Incident(kind=kind, from_ms=0, to_ms=60_000, region=WEST))
    table: Table[str] = Table(world, name="t", replicated=True)
    table.write(EAST, "key", "value")
    pass_s(world, 59)
    assert table.read(WEST, "key") is None
    pass_s(world, 10)
    assert table.read(WEST, "key") == "value"


def test_conditional_write_is_refused_when_the_row_has_moved_on() -> None:
    """By the attributes that the handlers' adapter compares."""
    store = Store(world_of(consistency="strong"))
    before = row("a1")
    assert create(store, EAST, before)
    mine = claimed(before, token="mine", due_at=9)
    assert overwrite(store, EAST, before, mine) == mine
    assert overwrite(store, WEST, before, claimed(before, token="yours", due_at=9)) is None
    assert not create(store, WEST, before)


def test_index_shows_a_row_a_moment_later() -> None:
    """And no more under the key that it left."""
    world = world_of(consistency="strong")
    store = Store(world)
    before = row("a1")
    key = before.open_key or ""
    assert create(store, EAST, before)
    assert store.under(EAST, key) == []
    pass_s(world, 1)
    assert [one.alert_id for one in store.under(WEST, key)] == ["a1"]
    overwrite(store, EAST, before, parked(before, reason="r", due_at=9))
    pass_s(world, 1)
    assert store.under(EAST, key) == []
    assert [one.alert_id for one in store.under(EAST, f"{before.owner}#PARKED")] == ["a1"]


def test_index_that_lags_shows_what_was() -> None:
    """For seconds to a minute."""
    world = world_of(consistency="strong", faults=Faults(index_lag=1))
    store = Store(world)
    assert create(store, EAST, row("a1"))
    pass_s(world, 1)
    assert store.under(EAST, row("a1").open_key or "") == []
    pass_s(world, 61)
    assert store.under(EAST, row("a1").open_key or "") != []
    assert world.counts["index_lag"] == len(REGIONS)


def queue_of(world: World, seen: list[str], *, answer: frozenset[str] | None) -> WorkQueue:
    """A queue whose workers end at once, with this answer."""

    def consume(batch: Sequence[Message], on_end: OnEnd) -> None:
        seen.extend(message.body for message in batch)
        kept = answer if answer is None else frozenset(one.message_id for one in batch if one.body in answer)
        world.scheduler.after(10, lambda: on_end(kept, kept is None))

    return WorkQueue(
        world=world,
        region=EAST,
        spec=PROCESSING,
        visibility_ms=VISIBILITY_MS,
        concurrency=2,
        consume=consume,
    )


def test_message_that_was_worked_on_is_gone() -> None:
    """It is received once."""
    world, seen = world_of(), list[str]()
    queue = queue_of(world, seen, answer=frozenset())
    queue.put("wake-up", delay_ms=5_000)
    pass_s(world, 4)
    assert seen == []
    pass_s(world, 4 * VISIBILITY_MS / 1000)
    assert seen == ["wake-up"]
    assert queue.messages == queue.dead == []


@pytest.mark.parametrize("answer", [None, frozenset({"poison"})])
def test_message_that_nobody_can_do_goes_to_the_dead_letter_queue(answer: frozenset[str] | None) -> None:
    """After as many receives as the real queue allows, be it poison or deadly."""
    world, seen = world_of(), list[str]()
    queue = queue_of(world, seen, answer=answer)
    queue.put("poison", delay_ms=0, is_poison=True)
    pass_s(world, (MAX_RECEIVE_COUNT + 2) * VISIBILITY_MS / 1000)
    assert seen == ["poison"] * MAX_RECEIVE_COUNT
    assert [message.body for message in queue.dead] == ["poison"]


def test_purged_queue_is_empty() -> None:
    """Also of what is still delayed."""
    world, seen = world_of(), list[str]()
    queue = queue_of(world, seen, answer=frozenset())
    queue.put("wake-up", delay_ms=5_000)
    queue.purge()
    pass_s(world, 60)
    assert seen == []


def test_region_that_is_down_receives_nothing_until_it_is_back() -> None:
    """Its queue keeps what it had."""
    world, seen = world_of(Incident(kind=Kind.REGION_DOWN, from_ms=0, to_ms=60_000, region=EAST)), list[str]()
    queue = queue_of(world, seen, answer=frozenset())
    queue.put("wake-up", delay_ms=0)
    pass_s(world, 59)
    assert seen == []
    pass_s(world, 5)
    assert seen == ["wake-up"]


def test_suppressed_alert_needs_one_of_its_family_alive() -> None:
    """Open or NOTIFIED; a PARKED parent alone leaves nobody told."""
    at_ms = START_MS
    parent, new = row("a1"), suppressed(replace(row("a1.1"), parent_id="a1"), due_at=1)
    child = repeat_looked_at(new, due_at=None)
    gone = parked(claimed(parent, token="t", due_at=9), reason="r", due_at=9)
    told = notified(parent, at_ms=at_ms)
    assert unsettled({"a1": told, "a1.1": child}) == []
    assert [problem.split()[0] for problem in unsettled({"a1": told, "a1.1": new})] == ["a1.1"]
    assert unsettled({"a1": gone}) == []
    assert [problem.split()[0] for problem in unsettled({"a1": gone, "a1.1": child})] == ["a1.1"]
    assert [problem.split()[0] for problem in unsettled({"a1": parent, "a1.1": child})] == ["a1"]
