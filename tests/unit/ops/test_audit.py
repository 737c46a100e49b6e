"""The audit must be able to fail: each way of losing an alert is planted and must be named."""

from collections import Counter
from dataclasses import replace

from clients.receipts import Receipt
from ops.audit import Audit, LedgerRow, audit

EAST, WEST = "us-east-1", "us-west-2"
PARENT = LedgerRow("a1", "NOTIFIED", EAST, accepted_at_ms=1_000, notified_at_ms=2_000)
CHILD = LedgerRow("a1.c", "SUPPRESSED", WEST, parent_id="a1", accepted_at_ms=1_500)
PARKED = LedgerRow("a2", "PARKED", EAST, accepted_at_ms=1_000)
ROWS = (PARENT, CHILD, PARKED)
SLACK = Counter({"a1": 1})


def run(
    rows: tuple[LedgerRow, ...] = ROWS,
    *,
    west: tuple[LedgerRow, ...] | None = None,
    slack: Counter[str] | None = SLACK,
    receipts: tuple[str, ...] = ("a1", "a1.c", "a2"),
) -> Audit:
    """Audit the three usual receipts against `rows` in both regions, or `west` in the second."""
    ledgers = {
        EAST: {row.alert_id: row for row in rows},
        WEST: {row.alert_id: row for row in (rows if west is None else west)},
    }
    sent = [Receipt(alert_id, "RECEIVED", EAST, 0, 1) for alert_id in receipts]
    return audit(receipts=sent, ledgers=ledgers, slack=slack)


def test_a_sound_system_is_accounted_for_by_state_and_region() -> None:
    """Each receipt is in exactly one terminal state."""
    found = run()
    assert found.passed
    assert (found.accepted, found.notified, found.suppressed, found.parked) == (3, 1, 1, 1)
    assert found.by_region == {EAST: {"NOTIFIED": 1, "PARKED": 1}, WEST: {"SUPPRESSED": 1}}
    assert found.duplicates == 0


def test_a_row_removed_from_every_ledger_is_named() -> None:
    """A lost row is a lost alert."""
    found = run((CHILD, PARENT))
    assert found.unaccounted == {"a2": "no row in the ledger of us-east-1, us-west-2"}


def test_a_row_missing_in_one_region_is_named_with_the_region() -> None:
    """A replica that lacks an alert would lose it when the other region is lost."""
    assert run(west=(PARENT, CHILD)).unaccounted == {"a2": "no row in the ledger of us-west-2"}


def test_a_row_overwritten_in_one_region_is_named() -> None:
    """Regions that disagree are not both right."""
    west = (PARENT, CHILD, replace(PARKED, status="NOTIFIED"))
    assert "a2" in run(west=west).unaccounted
    assert "disagree" in run(west=west).unaccounted["a2"]


def test_an_alert_that_is_not_at_rest_is_named() -> None:
    """Accepted and still open is not accounted for."""
    open_row = replace(PARENT, status="ANALYZED", notified_at_ms=None)
    assert run((open_row, CHILD, PARKED)).unaccounted["a1"] == "not at rest: ANALYZED"


def test_a_notification_that_slack_never_saw_is_named() -> None:
    """The ledger's word is checked against Slack's."""
    assert run(slack=Counter()).unaccounted == {"a1": "NOTIFIED, but Slack has no message of it"}


def test_without_slack_the_ledger_is_believed() -> None:
    """On a real stack Slack cannot always be read."""
    assert run(slack=None).passed


def test_a_second_message_is_a_duplicate_and_not_unaccounted() -> None:
    """Seen twice is counted; seen never is a failure."""
    found = run(slack=Counter({"a1": 3}))
    assert found.passed
    assert found.duplicates == 2


def test_a_suppressed_alert_needs_a_live_or_notified_parent() -> None:
    """A child of nothing, or of a parked parent, was never told to anybody."""
    assert "has no row" in run((CHILD, PARKED)).unaccounted["a1.c"]
    parked_parent = replace(PARENT, status="PARKED")
    assert "is PARKED" in run((parked_parent, CHILD, PARKED), slack=Counter()).unaccounted["a1.c"]


def test_a_suppressed_alert_with_a_message_is_named() -> None:
    """A suppressed alert must not be notified."""
    assert "a1.c" in run(slack=Counter({"a1": 1, "a1.c": 1})).unaccounted


def test_a_message_of_an_unknown_alert_is_named() -> None:
    """Slack shows something that no ledger knows: a row was removed, or an id was invented."""
    assert "a9" in run(slack=Counter({"a1": 1, "a9": 1})).unaccounted


def test_rows_without_a_receipt_are_counted_apart() -> None:
    """The sender may not have seen a 202 whose answer was lost."""
    found = run(receipts=("a1", "a1.c"))
    assert found.passed
    assert (found.accepted, found.unreceipted) == (2, 1)


def test_a_receipt_seen_twice_counts_once() -> None:
    """An idempotent retry answers 202 with the same id."""
    assert run(receipts=("a1", "a1", "a1.c", "a2")).accepted == 3
