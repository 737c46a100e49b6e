"""What lies under a silence is accounted for only as long as the silence covers it, and told at its end."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from audit.comparison import SILENCE_LOOK_S, compare
from audit.ledger import LedgerRow
from audit.outcome import Audit
from clients.receipts import BodyReceipt, Receipt, Tells
from tests.fakes.receipts import body_of
from tests.unit.audit.test_comparison import Post
from topology.alerts import FaultState

EAST, WEST = "us-east-1", "us-west-2"
START_S = 1_800_000_000
ENDS_S = START_S + 3_600
NOW_S = ENDS_S + 60


def row(alert_id: str, state: str, minute: float, status: str = "NOTIFIED", **values: object) -> LedgerRow:
    """A row of one fault that came into `state` in this minute; SUPPRESSED ones lie under the silence."""
    at_ms = round((START_S + minute * 60) * 1000)
    usual = LedgerRow(
        alert_id=alert_id,
        status=status,
        region=EAST,
        accepted_at_ms=at_ms,
        fault_key="f" * 32,
        state=state,
        changed_at_ms=at_ms,
        format="generic",
    )
    if status == "SUPPRESSED":
        usual = replace(usual, silence_id="maintenance", silenced_until=ENDS_S)
    return replace(usual, **values)  # type: ignore[arg-type]  # tests


WAITING = row("a1", "firing", 1, "SUPPRESSED", due_at=ENDS_S)
RESTING = replace(WAITING, due_at=None)
RECOVERED = row("a2", "resolved", 2, "SUPPRESSED")
TOLD_BEFORE = row("a0", "firing", 0)
FOLD = row("a9", "firing", 0, folds=True, fault_key="9" * 32)


def receipts_of(rows: Iterable[LedgerRow]) -> list[BodyReceipt]:
    """What a sender was answered, and which state of the one fault it told."""
    return [
        body_of(
            Receipt(
                one.alert_id,
                "RECEIVED" if one.silence_id or one.status != "SUPPRESSED" else "SUPPRESSED",
                EAST,
                (one.accepted_at_ms or 0) - 20,
                (one.accepted_at_ms or 0) + 20,
                tells=Tells("disk of db-1", FaultState(one.state or "")),
            )
        )
        for one in rows
    ]


def run(*rows: LedgerRow, now_s: int = NOW_S, receipted: bool = True, slack: Iterable[Post] = ()) -> Audit:
    """Audit these rows, in both regions alike, and a message of each NOTIFIED one."""
    posts = [Post((one.alert_id,)) for one in rows if one.status == "NOTIFIED"]
    return compare(
        receipts=receipts_of(rows) if receipted else [],
        ledgers={EAST: rows, WEST: rows},
        slack=[*posts, *slack],
        consistency="strong",
        now_ms=now_s * 1000,
    )


def test_silenced_alert_waits_for_the_end_of_its_silence() -> None:
    """It is accounted for, and counted apart."""
    found = run(WAITING, TOLD_BEFORE)
    assert found.passed, found.problems
    assert (found.accepted, found.suppressed, found.silenced) == (2, 1, 1)
    assert found.by_people == {"silenced": 1}


@pytest.mark.parametrize("receipted", [True, False])
def test_silence_that_outlives_its_end_is_named(*, receipted: bool) -> None:
    """Whether the sender has a receipt or not: nobody has looked at what it hid."""
    in_time = run(WAITING, now_s=ENDS_S + SILENCE_LOOK_S, receipted=receipted)
    assert in_time.passed, in_time.problems
    found = run(WAITING, now_s=ENDS_S + SILENCE_LOOK_S + 1, receipted=receipted)
    assert found.problems == {
        "a1": f"SUPPRESSED under the silence maintenance, which outlived its end: that was "
        f"{SILENCE_LOOK_S + 1} s ago, and nobody has looked at what it hid"
    }
    assert (found.silenced, found.untold, found.unaccounted, found.passed) == (0, 1, 1, False)


def test_silence_covers_nothing_that_came_after_its_end() -> None:
    """What it hides after that it hides from nobody's wish."""
    late = row("a1", "firing", 61, "SUPPRESSED", due_at=ENDS_S + 600)
    assert run(late).problems == {
        "a1": "SUPPRESSED under the silence maintenance, which had ended before it came"
    }


def test_silence_may_end_before_the_time_that_its_rows_say() -> None:
    """By somebody's word: then they have been looked at, and what nobody was told is named all the same."""
    assert run(RESTING, RECOVERED, now_s=ENDS_S - 60).passed
    assert run(RESTING, now_s=ENDS_S - 60).problems.keys() == {"a1"}


@pytest.mark.parametrize(
    "rows",
    [
        (RESTING, RECOVERED),
        (RESTING, TOLD_BEFORE),
        (TOLD_BEFORE, RECOVERED, row("a3", "firing", 3, "SUPPRESSED")),
        (RESTING, row("a3", "firing", 59)),
        (RESTING, row("a3", "firing", 3, "PARKED")),
        (row("a0", "firing", 0, "PARKED"), RECOVERED),
        (RESTING, FOLD, row("a9.c", "firing", 0, "SUPPRESSED", parent_id="a9", silence_id=None)),
    ],
    ids=[
        "over, and none told",
        "told before",
        "over and back, told before",
        "told as another",
        "parked",
        "of a parked one",
        "told by a fold",
    ],
)
def test_silenced_alert_may_rest_where_people_know_the_state(rows: tuple[LedgerRow, ...]) -> None:
    """Of a fault that nobody was told of, they know that it is not there."""
    found = run(*rows)
    assert found.passed, found.problems
    assert found.untold == 0


@pytest.mark.parametrize(
    ("rows", "named", "state"),
    [
        ((RESTING,), "a1", "firing"),
        ((TOLD_BEFORE, RECOVERED), "a2", "resolved"),
        ((RESTING, RECOVERED, row("a3", "firing", 3, "SUPPRESSED")), "a3", "firing"),
        ((TOLD_BEFORE, row("a3", "resolved", 0.5), RESTING), "a1", "firing"),
        ((RESTING, row("a3", "resolved", 300)), "a1", "firing"),
    ],
    ids=["firing", "resolved", "back again", "told resolved before", "resolved hours later"],
)
def test_state_that_a_silence_hid_for_good_is_named(
    rows: tuple[LedgerRow, ...], named: str, state: str
) -> None:
    """When it ended its fault was in a state that nobody was told."""
    found = run(*rows)
    assert found.problems == {
        named: "SUPPRESSED under the silence maintenance, nobody will look at it again, and its fault stayed "
        f"{state}, which nobody was told"
    }


def test_repeat_of_a_silenced_alert_is_accounted_for() -> None:
    """It shares what becomes of the first, and a change of state before both is the first's to tell."""
    repeat = row("a3.c", "firing", 4, "SUPPRESSED", parent_id="a3", silence_id=None, silenced_until=None)
    silenced = row("a3", "firing", 3, "SUPPRESSED")
    assert run(WAITING, replace(repeat, alert_id="a1.c", parent_id="a1")).passed
    found = run(TOLD_BEFORE, RECOVERED, silenced, repeat)
    assert found.passed, found.problems
    assert run(silenced, repeat).problems.keys() == {"a3"}


def test_message_of_a_silenced_alert_needs_a_possible_duplicate() -> None:
    """It may have been posted before it was PARKED, redriven and silenced."""
    slack = [Post(("a1",))]
    assert run(WAITING, slack=slack).problems == {"a1": "SUPPRESSED, but Slack has a message of it"}
    assert run(WAITING, slack=slack, receipted=False).problems.keys() == {"a1"}
    assert run(replace(WAITING, outcome_unknown=1), slack=slack).passed


def test_acknowledged_and_escalated_alerts_are_counted() -> None:
    """An acknowledgement between the scans of two ledgers is no disagreement."""
    acknowledged = replace(TOLD_BEFORE, acknowledged_at=START_S + 60)
    escalated = row("a9", "firing", 1, fault_key="e" * 32, escalated_at=START_S + 900)
    found = compare(
        receipts=receipts_of([acknowledged]) + receipts_of([escalated]),
        ledgers={EAST: [TOLD_BEFORE, escalated], WEST: [acknowledged, escalated]},
        slack=[Post(("a0",)), Post(("a9",))],
        consistency="strong",
        now_ms=NOW_S * 1000,
    )
    assert found.by_people == {"acknowledged": 1, "told a second way": 1}


def test_synthetic_alerts_need_no_receipt_and_are_counted_apart() -> None:
    """Nor is one that came twice anybody's duplicate."""
    synthetic = row("s1", "firing", 1, format="synthetic", fault_key="e" * 32)
    found = run(synthetic, receipted=False, slack=[Post(("s1",))])
    assert (found.unreceipted, found.duplicates, found.passed) == (0, 0, True)
    assert found.by_people == {"synthetic": 1}
    assert run(replace(synthetic, format="generic"), receipted=False, slack=[Post(("s1",))]).unreceipted == 1
