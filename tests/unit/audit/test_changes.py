"""A change of a fault's state that nobody was told must be named, by the ledger and by the sender alone."""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from audit.comparison import EVER, Window, compare
from audit.ledger import LedgerRow
from audit.outcome import Audit
from clients.receipts import BodyReceipt, Receipt, Tells
from tests.fakes.receipts import body_of
from topology.alerts import CLOCK_ERROR_S, FaultState

EAST = "us-east-1"
MINUTE_MS = 60_000
UNTOLD = "SUPPRESSED, but its fault had changed from resolved to firing, which nobody was told"


def row(alert_id: str, state: str, minute: float, status: str = "NOTIFIED", **values: object) -> LedgerRow:
    """A row of one fault that came into `state` in this minute."""
    at_ms = round(minute * MINUTE_MS)
    usual = LedgerRow(
        alert_id=alert_id,
        status=status,
        region=EAST,
        accepted_at_ms=at_ms,
        fault_key="f" * 32,
        state=state,
        changed_at_ms=at_ms,
    )
    return replace(usual, **values)  # type: ignore[arg-type]  # tests


DOWN, UP = row("a1", "firing", 1), row("a2", "resolved", 2)
DOWN_AGAIN = row("a1.c", "firing", 3, "SUPPRESSED", parent_id="a1")
"""Down, up, down within the window: the second outage is taken for a repeat of the first."""


def told(rows: Iterable[LedgerRow]) -> list[BodyReceipt]:
    """The receipts of a sender that knows of each row which fault and state it tells of."""
    return [
        body_of(
            Receipt(
                alert_id=one.alert_id,
                status="SUPPRESSED" if one.status == "SUPPRESSED" else "RECEIVED",
                region=EAST,
                sent_at_ms=one.changed_at_ms - 20,
                accepted_at_ms=one.changed_at_ms + 20,
                tells=Tells("disk of db-1", FaultState(one.state)),
            )
        )
        for one in rows
        if one.changed_at_ms is not None and one.state in ("firing", "resolved")
    ]


def blank(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """The rows of a pipeline that knows nothing of faults."""
    return [replace(one, fault_key=None, state=None, changed_at_ms=None) for one in rows]


def run(
    rows: Sequence[LedgerRow], receipts: Iterable[Receipt | BodyReceipt] = (), window: Window = EVER
) -> Audit:
    """Audit these rows, in both regions alike."""
    return compare(
        receipts=receipts,
        ledgers={EAST: rows, "us-west-2": rows},
        slack=None,
        consistency="strong",
        window=window,
    )


def test_an_untold_change_is_named_by_the_ledger() -> None:
    """Whether the sender has a receipt of it or not, and once."""
    rows = [DOWN, UP, DOWN_AGAIN]
    receipt = Receipt("a1.c", "SUPPRESSED", EAST, 1, 2)
    for receipts in ([], [receipt], [receipt, receipt]):
        found = run(rows, receipts)
        assert found.problems == {"a1.c": f"{UNTOLD} (by the ledger)"}
        assert (found.untold, found.unaccounted, found.suppressed, found.passed) == (1, 1, 0, False)
        assert found.states_known == {"sender": 0, "ledger": 3}


def test_an_untold_change_is_named_by_the_sender() -> None:
    """By its own knowledge alone, where the ledger has none or calls it another fault; or by both."""
    rows = [DOWN, UP, DOWN_AGAIN]
    elsewhere = replace(DOWN_AGAIN, fault_key="e" * 32)
    for ledger in (blank(rows), [DOWN, UP, elsewhere]):
        found = run(ledger, told(rows))
        assert found.problems == {"a1.c": f"{UNTOLD} (by the sender)"}
        assert (found.untold, found.passed) == (1, False)
    assert run(rows, told(rows)).problems == {"a1.c": f"{UNTOLD} (by the ledger and the sender)"}


def test_an_untold_resolution_is_named() -> None:
    """Both ways count."""
    silent = replace(UP, status="SUPPRESSED", parent_id="a1")
    assert (
        run([DOWN, silent]).problems["a2"].startswith("SUPPRESSED, but its fault had changed from firing to")
    )


@pytest.mark.parametrize("status", ["NOTIFIED", "PARKED"])
def test_a_change_that_goes_out_is_told(status: str) -> None:
    """By itself, promoted or not; PARKED is seen by an operator."""
    rows = [DOWN, UP, replace(DOWN_AGAIN, status=status)]
    for found in (run(rows), run(blank(rows), told(rows))):
        assert (found.untold, found.problems) == (0, {})
        assert found.passed


def test_a_repeat_of_a_state_is_no_change() -> None:
    """Nor is one of a change that was told; of an untold one, the first is named."""
    again = replace(DOWN_AGAIN, alert_id="a1.d", changed_at_ms=4 * MINUTE_MS)
    assert run([DOWN, DOWN_AGAIN, again]).untold == 0
    assert run([DOWN, UP, replace(DOWN_AGAIN, status="NOTIFIED"), again]).untold == 0
    assert list(run([DOWN, UP, DOWN_AGAIN, again]).problems) == ["a1.c"]


def test_another_fault_does_not_change_this_one() -> None:
    """Faults have their own order."""
    assert run([DOWN, replace(UP, fault_key="e" * 32), DOWN_AGAIN]).untold == 0


def test_the_order_is_that_of_the_source_where_it_says_so() -> None:
    """A late retry of the first outage, taken after the resolution, is a repeat of it."""
    late = replace(DOWN_AGAIN, changed_at_ms=DOWN.changed_at_ms)
    assert run([DOWN, UP, late]).untold == 0
    receipts = told([DOWN, UP])
    receipts.append(
        body_of(
            Receipt("a1.c", "SUPPRESSED", EAST, 3 * MINUTE_MS, 3 * MINUTE_MS,
                    tells=Tells("disk of db-1", FaultState.FIRING, DOWN.changed_at_ms))
        )
    )  # fmt: skip
    assert run(blank([DOWN, UP, late]), receipts).untold == 0


@pytest.mark.parametrize(("gap_ms", "untold"), [(CLOCK_ERROR_S * 1_000, 1), (CLOCK_ERROR_S * 1_000 - 1, 0)])
def test_events_closer_than_clocks_agree_are_in_no_order(gap_ms: int, untold: int) -> None:
    """Nobody is accused where the repeat may have come before the resolution."""
    at_ms = 2 * MINUTE_MS + gap_ms
    assert run([DOWN, UP, replace(DOWN_AGAIN, changed_at_ms=at_ms)]).untold == untold


def test_a_change_is_named_where_every_order_leaves_it_untold() -> None:
    """Which of two close events was the first does not matter if neither was told."""
    rows = [DOWN, UP, DOWN_AGAIN, replace(DOWN_AGAIN, alert_id="a1.b", changed_at_ms=3 * MINUTE_MS + 1)]
    assert list(run(rows).problems) == ["a1.c"]
    assert run([*rows[:3], replace(rows[3], status="NOTIFIED")]).untold == 0


def test_a_flood_that_is_folded_is_told_by_its_parent() -> None:
    """The parent's message counts what it stands for."""
    parent = LedgerRow(alert_id="a9", status="NOTIFIED", region=EAST, accepted_at_ms=1, folds=True)
    rows = [DOWN, UP, replace(DOWN_AGAIN, parent_id="a9"), parent]
    assert run(rows).untold == run(blank(rows), told(rows)).untold == 0


def test_a_change_told_by_a_try_that_the_sender_saw_no_answer_of_is_told() -> None:
    """The first try was taken and its connection broke: the second is its repeat."""
    unseen = row("a3", "firing", 2.9)
    rows = [DOWN, UP, unseen, replace(DOWN_AGAIN, parent_id="a3")]
    receipts = told([rows[0], rows[1], rows[3]])
    assert run(rows, receipts).untold == run(blank(rows), receipts).untold == 0
    assert (
        run([DOWN, UP, replace(unseen, status="SUPPRESSED", parent_id="a1"), rows[3]], receipts).untold == 2
    )


def test_a_change_that_is_answered_with_an_old_row_is_named() -> None:
    """Taken for a retry of the first outage, whose row was told before the resolution."""
    receipts = told([DOWN, UP, replace(DOWN, changed_at_ms=3 * MINUTE_MS)])
    why = UNTOLD.replace("SUPPRESSED", "NOTIFIED")
    assert run(blank([DOWN, UP]), receipts).problems == {"a1": f"{why} (by the sender)"}


def of_fault(receipt: BodyReceipt, fault: str, state: FaultState = FaultState.FIRING) -> BodyReceipt:
    """The receipt of a sender that tells of another fault or state."""
    (member,) = receipt.members
    tells = Tells(fault, state)
    return replace(receipt, members=(replace(member, tells=tells),))


REPEAT = replace(DOWN_AGAIN, changed_at_ms=DOWN.changed_at_ms)


@pytest.mark.parametrize("one", [DOWN, UP])
def test_what_was_told_as_the_other_state_is_named(one: LedgerRow) -> None:
    """People who read that a fault is there were not told that it is over, nor the other way round."""
    (receipt,) = told([one])
    other = FaultState.RESOLVED if one.state == "firing" else FaultState.FIRING
    reversed_receipt = of_fault(receipt, "disk of db-1", other)
    assert run([one], [reversed_receipt]).problems == {
        one.alert_id: "its sender told the other state of its fault"
    }
    assert run([one], [receipt]).passed
    assert run(blank([one]), [reversed_receipt]).passed


def test_two_faults_that_were_taken_for_one_are_named() -> None:
    """Nobody was told of the other: it was answered with the row of the first, or as a repeat of it."""
    first, again = told([DOWN, REPEAT])
    rows = blank([DOWN, REPEAT])
    assert run(rows, [first, again]).passed
    repeat = run(rows, [first, of_fault(again, "disk of db-2")])
    assert repeat.problems == {"a1.c": "SUPPRESSED, but what it repeats is of another fault of its sender"}
    row_of_the_other = run(rows[:1], [first, of_fault(first, "disk of db-2")])
    assert row_of_the_other.problems == {"a1": "it stands for several faults of its sender"}
    folded = [replace(one, folds=True) for one in rows]
    assert run(folded, [first, of_fault(again, "disk of db-2"), of_fault(first, "disk of db-3")]).passed


def test_a_repeat_of_another_fault_is_named_by_the_ledger() -> None:
    """No sender's knowledge is needed."""
    other = replace(REPEAT, fault_key="e" * 32)
    receipt = Receipt("a1.c", "SUPPRESSED", EAST, 1, 2)
    assert run([DOWN, REPEAT], [receipt]).passed
    assert run([DOWN, other], [receipt]).problems == {
        "a1.c": "SUPPRESSED, but what it repeats is of another fault"
    }


def test_a_row_that_lost_what_was_answered_is_named() -> None:
    """Whoever compares states by the ledger would pass it over."""
    receipt = Receipt("a1", "RECEIVED", EAST, 1, 2, DOWN.fault_key, "firing")
    assert run([DOWN], [receipt]).passed
    (problem,) = run(blank([DOWN]), [receipt]).problems.values()
    assert problem == f"answered as firing of the fault {DOWN.fault_key}, but its row says nothing of none"


def test_a_change_outside_of_the_window_is_not_of_it() -> None:
    """The events before it may be."""
    rows = [DOWN, UP, DOWN_AGAIN]
    assert run(rows, window=Window(since_ms=3 * MINUTE_MS)).untold == 1
    assert run(rows, window=Window(since_ms=3 * MINUTE_MS + 1)).untold is None
    assert run(rows, told(rows), window=Window(since_ms=3 * MINUTE_MS)).untold == 1


def test_a_row_with_half_of_a_state_is_unknown() -> None:
    """Nothing can be said of it."""
    for lack in ("fault_key", "state", "changed_at_ms"):
        assert run([DOWN, UP, replace(DOWN_AGAIN, **{lack: None})]).untold == 0


@dataclass(frozen=True, eq=False)
class Event:
    """One event of a fault, in seconds."""

    since_s: int
    until_s: int
    state: str
    told: bool


def untold_in(order: Sequence[Event]) -> set[Event]:
    """The changes that were not told if this was the order."""
    return {
        after for before, after in itertools.pairwise(order) if after.state != before.state and not after.told
    }


def possible_orders(events: Sequence[Event]) -> Iterable[Sequence[Event]]:
    """The orders of these events that clocks allow."""
    for order in itertools.permutations(events):
        if all(
            later.until_s + CLOCK_ERROR_S > one.since_s for one, later in itertools.combinations(order, 2)
        ):
            yield order


def test_a_fault_is_accused_only_if_every_order_of_its_events_leaves_a_change_untold() -> None:
    """And certainly where one event is the change in all of them; tried out on random faults."""
    seed = random.SystemRandom().randrange(1_000_000)
    rng = random.Random(seed)  # noqa: S311 - a seeded choice, no secret
    faults: dict[str, list[Event]] = {}
    for number in range(400):
        starts = [(rng.randrange(40), rng.choice((0, 0, 3, 9))) for _ in range(rng.randrange(2, 6))]
        faults[f"k{number}"] = [
            Event(at_s, at_s + length_s, rng.choice(("firing", "resolved")), rng.random() < 0.5)
            for at_s, length_s in starts
        ]
    rows, receipts = [LedgerRow(alert_id="a", status="NOTIFIED", region=EAST, accepted_at_ms=-MINUTE_MS)], []
    for fault, events in faults.items():
        for number, event in enumerate(events):
            alert_id = f"{fault}-{number}"
            rows.append(
                LedgerRow(
                    alert_id=alert_id,
                    status="NOTIFIED" if event.told else "SUPPRESSED",
                    region=EAST,
                    parent_id=None if event.told else "a",
                    accepted_at_ms=event.since_s * 1_000,
                )
            )
            times = (event.since_s * 1_000, event.until_s * 1_000)
            tells = Tells(fault, FaultState(event.state))
            receipts.append(body_of(Receipt(alert_id, "SUPPRESSED", EAST, *times, tells=tells)))
    found = run(rows, receipts)
    accused = {alert_id.split("-")[0] for alert_id, why in found.problems.items() if "nobody was told" in why}
    for fault, events in faults.items():
        untold = [untold_in(order) for order in possible_orders(events)]
        if fault in accused:
            assert all(untold), f"seed {seed}, {events}"
        else:
            assert not set.intersection(*untold), f"seed {seed}, {events}"
    assert len(accused) > 20, f"seed {seed}"
