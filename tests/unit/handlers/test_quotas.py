"""The quota of each source: it keeps room for the others, and nobody loses an alert untold."""

import json

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.messages import Notification
from handlers.domain.limits import FOLD_AFTER_S
from handlers.domain.ports import LedgerUnavailableError
from handlers.domain.refusal import RefusedError
from handlers.domain.states import claimed, parked, redriven
from tests.fakes.ledger import ledger_down
from tests.unit.handlers.builders import LEASE_S, PEER, World, body, post
from tests.unit.handlers.test_pipeline import deliver
from topology.alerts import FaultState, Severity, Status

MINUTE_S = 60


def event(number: int, **fields: str) -> bytes:
    """A body about a fault of its own."""
    return body(event_id=f"event {number}", title=f"fault {number}", **fields)


def flood(world: World, count: int, *, first: int = 0, **fields: str) -> list[Alert]:
    """The rows of so many requests, each about another fault."""
    return [world.accept(event(first + number, **fields))[0] for number in range(count)]


def group(*severities: str) -> bytes:
    """A body with an alert of each severity, in this order."""
    alerts = [
        {
            "status": "firing",
            "fingerprint": f"{n:016x}",
            "labels": {"alertname": f"A{n}", "severity": severity},
        }
        for n, severity in enumerate(severities)
    ]
    return json.dumps({"version": "4", "groupKey": "g", "alerts": alerts}).encode()


def folds(world: World) -> list[Alert]:
    """The folds in the ledger."""
    return [row for row in world.ledger.rows.values() if row.folds]


def end_minute(world: World) -> None:
    """Let the minute end, and Recovery run when its folds are due."""
    world.clock.advance(MINUTE_S + FOLD_AFTER_S)
    world.recovery.run(until_ms=world.clock.ms + 40_000)


def test_flood_of_one_source_leaves_the_others_as_they_are() -> None:
    """Two sources: what is above the quota is SUPPRESSED below a fold, and the other source has its own."""
    world = World(quota=3)
    flooding = flood(world, 5, source="noisy")
    quiet = flood(world, 3, first=100, source="quiet")
    assert [row.status for row in flooding] == [Status.RECEIVED] * 3 + [Status.SUPPRESSED] * 2
    assert [row.status for row in quiet] == [Status.RECEIVED] * 3
    (fold,) = folds(world)
    assert fold.source == "noisy"
    assert {(row.folded, row.parent_id) for row in flooding[3:]} == {(True, fold.alert_id)}
    assert (fold.status, fold.severity) == (Status.RECEIVED, Severity.HIGH)
    assert {row.due_at for row in flooding[3:]} == {None}


def test_fold_is_posted_once_after_its_minute_and_counts_what_is_below_it() -> None:
    """However many requests were above the quota, people get one message, with the number first."""
    world = World(quota=2)
    flood(world, 9, source="noisy")
    deliver(world)
    (fold,) = folds(world)
    assert fold.alert_id not in world.notifier.alert_ids
    end_minute(world)
    deliver(world)
    messages = [
        m for m in world.notifier.posted if isinstance(m, Notification) and m.alert_id == fold.alert_id
    ]
    assert [message.header for message in messages] == [
        "HIGH: at least 7 more alerts, as noisy sends more than 2 alerts a minute"
    ]
    assert fold.alert_id in messages[0].message
    assert len(world.notifier.posted) == 2  # and the two within the quota, which are one incident
    assert world.ledger.rows[fold.alert_id].status is Status.NOTIFIED
    assert fold.alert_id not in {alert_id for alert_id, _ in world.analyst.asked}


def test_least_severe_of_a_request_are_folded() -> None:
    """Whatever their place in the body; each answer stays at its place."""
    world = World(quota=2)
    rows = world.accept(group("info", "high", "info", "medium"))
    assert [row.status for row in rows] == [
        Status.SUPPRESSED,
        Status.RECEIVED,
        Status.SUPPRESSED,
        Status.RECEIVED,
    ]


def test_critical_alerts_are_neither_counted_nor_folded() -> None:
    """They go out beside a flood, and take nothing from the quota of the rest."""
    world = World(quota=2)
    urgent = flood(world, 5, severity="CRITICAL")
    rest = flood(world, 3, first=100)
    assert {row.status for row in urgent} == {Status.RECEIVED}
    assert [row.status for row in rest] == [Status.RECEIVED, Status.RECEIVED, Status.SUPPRESSED]


def test_repeats_and_retries_take_nothing_from_the_quota() -> None:
    """Only what would go out counts."""
    world = World(quota=2)
    first = event(1)
    world.accept(first)
    for stamp in range(5):
        assert world.accept(event(1, timestamp=str(stamp)))[0].folded is None
        world.accept(first)
    assert flood(world, 1, first=2)[0].status is Status.RECEIVED
    assert folds(world) == []


@pytest.mark.parametrize("key", [None, "a-key"])
def test_retry_of_a_folded_body_is_answered_with_its_row_and_adds_nothing(key: str | None) -> None:
    """By its bytes, or by its key: the same row, and the fold counts it once."""
    world = World(quota=1)
    flood(world, 1)
    content = event(7)
    (row,) = world.accept(content, key=key)
    before = dict(world.ledger.rows)
    assert row.folded
    assert world.accept(content, key=key) == [row]
    assert world.ledger.rows == before


def test_key_of_a_folded_body_is_not_taken_for_another() -> None:
    """A folded row remembers its key as any other."""
    world = World(quota=1)
    flood(world, 1)
    world.accept(event(7), key="a-key")
    with pytest.raises(RefusedError, match="idempotency_key_reused"):
        world.accept(event(8), key="a-key")


def test_alert_that_comes_again_after_its_minute_is_not_silenced_by_its_folded_one() -> None:
    """It goes out, and what repeats it then is its repeat."""
    world = World(quota=1)
    flood(world, 1)
    (row,) = world.accept(event(7, timestamp="1"))
    assert row.folded
    world.clock.advance(MINUTE_S)
    (again,) = world.accept(event(7, timestamp="2"))
    assert (again.status, again.parent_id) == (Status.RECEIVED, None)
    (repeat,) = world.accept(event(7, timestamp="3"))
    assert (repeat.status, repeat.parent_id, repeat.folded) == (Status.SUPPRESSED, again.alert_id, None)


def test_each_minute_begins_anew() -> None:
    """With a quota, and a fold, of its own."""
    world = World(quota=1)
    for first in (0, 10):
        assert [row.status for row in flood(world, 2, first=first)] == [Status.RECEIVED, Status.SUPPRESSED]
        world.clock.advance(MINUTE_S)
    assert len(folds(world)) == 2


def test_each_region_has_quotas_and_folds_of_its_own() -> None:
    """A fold that both made would be two alerts of one id under an eventual ledger."""
    one = World(quota=1)
    other = World(quota=1, ledger=one.ledger, clock=one.clock, coordination=one.coordination, region=PEER)
    flood(one, 2)
    assert [row.status for row in flood(other, 2, first=10)] == [Status.RECEIVED, Status.SUPPRESSED]
    assert {fold.region for fold in folds(one)} == {one.region, PEER}


def test_nothing_is_folded_while_the_counter_is_out_of_reach() -> None:
    """Told rather than not. The states of the faults, which are in the same table, were read before."""
    world = World(quota=1)
    flood(world, 1)
    (found,) = [name for name in world.coordination.records if name.startswith("quota#")]
    world.coordination.unreachable.add(found)
    assert {row.status for row in flood(world, 5, first=10)} == {Status.RECEIVED}
    assert folds(world) == []


def test_same_body_that_says_so_again_after_a_change_is_another_folded_row() -> None:
    """A fold is one family for all of its minute, so the count of changes tells the two outages apart."""
    world = World(quota=1)
    flood(world, 1)
    down, up = event(7, status="down"), event(7, status="ok")
    rows = [world.accept(content)[0] for content in (down, up, down)]
    assert [row.state for row in rows] == [FaultState.FIRING, FaultState.RESOLVED, FaultState.FIRING]
    assert len({row.alert_id for row in rows}) == 3
    assert all(row.folded for row in rows)
    (fold,) = folds(world)
    assert world.ledger.count_children(fold.alert_id, limit=10) == 3


def test_two_alike_in_one_folded_body_are_both_folded() -> None:
    """Neither is a repeat that Recovery would have to look at."""
    world = World(quota=1)
    flood(world, 1, source="alertmanager")
    member = {"status": "firing", "fingerprint": "f", "labels": {"alertname": "A", "severity": "info"}}
    rows = world.accept(json.dumps({"version": "4", "groupKey": "g", "alerts": [member, member]}).encode())
    assert [row.folded for row in rows] == [True, True]
    assert rows[0].alert_id != rows[1].alert_id


def test_body_whose_fold_cannot_be_written_is_not_promised() -> None:
    """No row is folded below an alert that is not there."""
    world = World(quota=1)
    flood(world, 1)
    world.ledger.before = ledger_down("create")
    with pytest.raises(LedgerUnavailableError):
        world.accept(event(7))
    assert not any(row.folded for row in world.ledger.rows.values())


@pytest.mark.parametrize("key", [None, "a-key"])
def test_tries_that_wrote_nothing_take_nothing_from_the_quota(key: str | None) -> None:
    """A sender that comes again through an outage has not sent more for it."""
    world = World(quota=2)
    world.ledger.before = ledger_down("create")
    for _ in range(3):
        with pytest.raises(LedgerUnavailableError):
            world.accept(event(7), key=key)
    world.ledger.before = lambda _operation: None
    assert world.accept(event(7), key=key)[0].status is Status.RECEIVED
    assert [row.status for row in flood(world, 2)] == [Status.RECEIVED, Status.SUPPRESSED]


def test_parked_fold_has_one_of_its_children_promoted() -> None:
    """When people cannot be told of the number, they are told of one of them."""
    world = World(quota=1)
    flood(world, 3)
    (fold,) = folds(world)
    world.hold(parked(claimed(fold, token="t", due_at=1), reason="no attempt is left", due_at=world.clock.s))
    world.clock.advance(1)
    world.recovery.run(until_ms=world.clock.ms + 40_000)
    children = [row.status for row in world.ledger.rows.values() if row.folded]
    assert sorted(children) == [Status.RECEIVED, Status.SUPPRESSED]


def test_redriven_fold_still_has_a_message_of_its_own() -> None:
    """In a digest its number would not be seen."""
    world = World(quota=1)
    flood(world, 2)
    (fold,) = folds(world)
    gone = parked(claimed(fold, token="t", due_at=1), reason="r", due_at=1)
    assert fold.alone
    assert redriven(gone, due_at=world.clock.s + LEASE_S).alone
    assert redriven(replace(gone, folds=None), due_at=world.clock.s + LEASE_S).alone is None


def test_sender_sees_in_the_answer_what_is_folded() -> None:
    """By a word, beside the fold's id."""
    world = World(quota=1)
    flood(world, 1)
    (receipt,) = world.answer(post(event(7))).body["alerts"]
    (fold,) = folds(world)
    assert (receipt["status"], receipt["folded"], receipt["parent_id"]) == ("SUPPRESSED", True, fold.alert_id)
