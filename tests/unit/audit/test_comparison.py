"""The audit must be able to fail: each way of losing or repeating an alert is planted and must be named."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from audit.comparison import EVER, Window, compare
from audit.ledger import LedgerRow
from audit.outcome import MAX_LISTED, Audit
from clients.receipts import BodyReceipt, Receipt, Unread
from tests.fakes.receipts import body_of

EAST, WEST = "us-east-1", "us-west-2"
EXPLAINED = {"outcome_unknown": 0, "lease_expired": 0, "ownership_transferred": 0, "unexplained": 0}


@dataclass(frozen=True)
class Post:
    """A Slack message."""

    alert_ids: tuple[str, ...] = ()
    digests: tuple[tuple[str, int], ...] = ()
    follow_ups: tuple[str, ...] = ()
    received_at_ms: int = 2_000


def digest_id_of(*alert_ids: str) -> str:
    """As docs/architecture.md says: `d` and the hash of the sorted ids."""
    return "d" + hashlib.sha256("\n".join(sorted(alert_ids)).encode()).hexdigest()[:32]


DIGEST = digest_id_of("g1", "g2", "g3")


def row(alert_id: str, status: str = "NOTIFIED", **values: object) -> LedgerRow:
    """A row as both regions have it."""
    usual = LedgerRow(alert_id=alert_id, status=status, region=EAST, owner=EAST, accepted_at_ms=1_000)
    return replace(usual, **values)  # type: ignore[arg-type]  # tests


PARENT = row("a1", notified_at_ms=2_000)
CHILD = row("a1.c", "SUPPRESSED", region=WEST, parent_id="a1")
PARKED = row("a2", "PARKED")
MEMBERS = tuple(row(f"g{n}", digest_id=DIGEST) for n in (1, 2, 3))
ROWS = (PARENT, CHILD, PARKED, *MEMBERS)
SLACK = (Post(("a1",)), Post(digests=((DIGEST, 3),)))


def run(
    rows: Iterable[LedgerRow] = ROWS,
    *,
    west: Iterable[LedgerRow] | None = None,
    slack: Sequence[Post] | None = SLACK,
    receipts: Iterable[Receipt | BodyReceipt | Unread] | None = None,
    consistency: str = "strong",
    window: Window = EVER,
    problems_file: Path | None = None,
) -> Audit:
    """Audit the usual receipts, or `receipts`, against `rows` in both regions, or `west` in the second."""
    rows = tuple(rows)
    return compare(
        receipts=[receipt(one) for one in ROWS] if receipts is None else receipts,
        ledgers={EAST: rows, WEST: rows if west is None else west},
        slack=slack,
        consistency=consistency,
        window=window,
        problems_file=problems_file,
    )


def receipt(of: LedgerRow, accepted_at_ms: int = 1_010) -> Receipt:
    """What the sender was told of a row, which was RECEIVED then unless it is SUPPRESSED now."""
    status = "SUPPRESSED" if of.status == "SUPPRESSED" else "RECEIVED"
    return Receipt(of.alert_id, status, of.region, 990, accepted_at_ms)


def without(rows: Iterable[LedgerRow], *alert_ids: str) -> tuple[LedgerRow, ...]:
    """The rows but for some."""
    return tuple(one for one in rows if one.alert_id not in alert_ids)


def changed(rows: Iterable[LedgerRow], alert_id: str, **values: object) -> tuple[LedgerRow, ...]:
    """The rows with one of them overwritten."""
    return tuple(
        replace(one, **values) if one.alert_id == alert_id else one  # type: ignore[arg-type]  # tests
        for one in rows
    )


def test_a_sound_system_is_accounted_for_by_state_and_region() -> None:
    """Each receipt is in exactly one terminal state; members of digests are counted apart too."""
    found = run()
    assert found.passed
    assert (found.accepted, found.notified, found.in_digests) == (6, 4, 3)
    assert (found.suppressed, found.parked, found.unaccounted) == (1, 1, 0)
    assert found.by_region == {
        EAST: {"NOTIFIED": 4, "IN_DIGEST": 3, "PARKED": 1},
        WEST: {"SUPPRESSED": 1},
    }
    assert (found.digests, found.digests_verified) == (1, 1)
    assert found.duplicates_by_cause == EXPLAINED
    assert (found.problems, found.unexplained) == ({}, {})


def test_a_row_removed_from_every_ledger_is_named() -> None:
    """A lost row is a lost alert."""
    found = run(without(ROWS, "a2"))
    assert found.problems == {"a2": "no row in the ledger of us-east-1, us-west-2"}
    assert (found.unaccounted, found.passed) == (1, False)


def test_a_row_missing_in_one_region_is_named_with_the_region() -> None:
    """A replica that lacks an alert would lose it when the other region is lost."""
    assert run(west=without(ROWS, "a2")).problems == {"a2": "no row in the ledger of us-west-2"}


@pytest.mark.parametrize(
    "values",
    [
        {"status": "NOTIFIED"},
        {"owner": WEST},
        {"accepted_at_ms": None},
        {"digest_id": "d0"},
        {"lease_expired": 1},
    ],
)
def test_a_row_overwritten_in_one_region_is_named(values: dict[str, object]) -> None:
    """Regions that disagree on anything are not both right."""
    found = run(west=changed(ROWS, "a2", **values))
    status = values.get("status", "PARKED")
    assert found.problems == {
        "a2": f"the ledgers of the regions disagree (us-east-1: PARKED, us-west-2: {status})"
    }


@pytest.mark.parametrize("status", ["RECEIVED", "ANALYZED", ""])
def test_an_alert_that_is_not_at_rest_is_named(status: str) -> None:
    """Accepted and still open is not accounted for, and nor is a row that says nothing."""
    assert run(changed(ROWS, "a2", status=status)).problems == {"a2": f"not at rest: {status}"}


def test_an_alert_that_was_to_go_out_and_is_suppressed_is_named() -> None:
    """No move leads from RECEIVED to SUPPRESSED: the row was overwritten, in every region alike."""
    found = run(changed(ROWS, "a2", status="SUPPRESSED", parent_id="a1"))
    assert found.problems == {"a2": "answered as an alert to go out, but its row is SUPPRESSED"}


def test_a_repeat_that_was_promoted_is_accounted_for() -> None:
    """Answered SUPPRESSED, then sent in the place of its PARKED parent: the one way out of SUPPRESSED."""
    rows = changed(changed(ROWS, "a1", status="PARKED", notified_at_ms=None), "a1.c", status="NOTIFIED")
    sent = [receipt(one) for one in ROWS]
    assert run(rows, receipts=sent, slack=(Post(("a1.c",)), SLACK[1])).passed


def test_a_notification_that_slack_never_saw_is_named() -> None:
    """The ledger's word is checked against Slack's."""
    assert run(slack=SLACK[1:]).problems == {"a1": "NOTIFIED, but Slack has no message of it"}


def test_every_member_of_a_digest_that_slack_never_saw_is_named() -> None:
    """One message lost is all of its alerts lost."""
    found = run(slack=SLACK[:1])
    assert set(found.problems) == {"g1", "g2", "g3"}
    assert found.problems["g1"] == f"NOTIFIED in digest {DIGEST}, but Slack has no such digest"
    assert found.unaccounted == 3


def test_a_row_that_claims_a_place_in_a_digest_that_it_had_not_is_named() -> None:
    """More rows than Slack was told: nobody can say which of them it was not about."""
    rows = (*ROWS, row("g4", digest_id=DIGEST))
    found = run(rows, receipts=[receipt(one) for one in rows])
    assert set(found.problems) == {"g1", "g2", "g3", "g4"}
    assert "was about 3 alerts, and the 4 rows" in found.problems["g4"]


def test_a_row_that_took_the_place_of_another_in_a_digest_is_named() -> None:
    """The count is right and the ids do not make up the digest's: so one alert was never told."""
    rows = (*without(ROWS, "g3"), row("g3", "PARKED"), row("g9", digest_id=DIGEST))
    found = run(rows, receipts=[receipt(one) for one in rows])
    assert set(found.problems) == {"g1", "g2", "g9"}
    assert found.digests_verified == 0


def test_a_digest_with_unrecorded_members_is_explained_by_their_possible_duplicates() -> None:
    """Its worker died while it recorded: the member left behind was posted again, and its row says why."""
    rows = changed(ROWS, "g3", digest_id=None, lease_expired=1)
    found = run(rows, slack=(*SLACK, Post(("g3",))))
    assert found.passed
    assert found.duplicates_by_cause == {**EXPLAINED, "lease_expired": 1}
    assert (found.digests, found.digests_verified) == (1, 0)


def test_a_digest_with_unrecorded_members_and_no_possible_duplicate_is_named() -> None:
    """More alerts were told than anybody knows of."""
    found = run(changed(ROWS, "g3", digest_id=None), slack=(*SLACK, Post(("g3",))))
    assert not found.passed
    assert found.duplicates_by_cause == {**EXPLAINED, "unexplained": 1}
    assert list(found.unexplained) == [DIGEST]
    assert "a digest of 3 alerts in Slack, of which the ledger knows 2" in found.unexplained[DIGEST]


def test_a_possible_duplicate_explains_one_duplicate_and_not_two() -> None:
    """A doubt that a message of its own has used up does not cover a digest's member as well."""
    rows = changed(ROWS, "g3", digest_id=None, lease_expired=1)
    found = run(rows, slack=(*SLACK, Post(("g3",)), Post(("g3",))))
    assert found.duplicates_by_cause == {**EXPLAINED, "lease_expired": 1, "unexplained": 1}
    assert not found.passed


def test_a_digest_posted_twice_is_a_duplicate_for_each_member() -> None:
    """Its outcome was unknown, and each member's row says so."""
    rows = tuple(replace(one, outcome_unknown=1) if one in MEMBERS else one for one in ROWS)
    found = run(rows, slack=(*SLACK, SLACK[1]))
    assert found.passed
    assert found.duplicates_by_cause == {**EXPLAINED, "outcome_unknown": 3}


def test_digests_with_one_id_and_two_counts_are_wrong() -> None:
    """The id is made of the members, so there can be one count only."""
    assert set(run(slack=(*SLACK, Post(digests=((DIGEST, 2),)))).problems) == {"g1", "g2", "g3"}


def test_digests_that_edits_told_are_verified_each() -> None:
    """Slack has an edit as a message received: the head was told once, and so is what an edit adds."""
    first, second = digest_id_of("b1", "b2"), digest_id_of("b3")
    rows = (row("a1"), row("b1", digest_id=first), row("b2", digest_id=first), row("b3", digest_id=second))
    slack = (Post(("a1",)), Post(digests=((first, 2),)), Post(digests=((second, 1),)))
    found = run(rows, receipts=[receipt(one) for one in rows], slack=slack)
    assert found.passed
    assert (found.in_digests, found.digests_verified, found.duplicates) == (3, 2, 0)
    lost = run(rows, receipts=[receipt(one) for one in rows], slack=slack[:2])
    assert lost.problems == {"b3": f"NOTIFIED in digest {second}, but Slack has no such digest"}


@pytest.mark.parametrize("cause", ["outcome_unknown", "lease_expired", "ownership_transferred"])
def test_a_duplicate_is_counted_under_the_possible_duplicate_of_its_row(cause: str) -> None:
    """Seen twice is counted, by cause; seen never is a failure."""
    found = run(changed(ROWS, "a1", **{cause: 2}), slack=(*SLACK, Post(("a1",))))
    assert found.passed
    assert found.duplicates_by_cause == {**EXPLAINED, cause: 1}
    assert found.duplicates == 1


def test_a_duplicate_that_nothing_explains_fails_a_strong_ledger_and_is_named() -> None:
    """The pipeline posted twice without a reason."""
    found = run(slack=(*SLACK, Post(("a1",)), Post(("a1",))))
    assert (found.unaccounted, found.passed) == (0, False)
    assert found.duplicates_by_cause == {**EXPLAINED, "unexplained": 2}
    assert found.unexplained == {
        "a1": "in Slack 3 times, and its row counts no possible duplicate that explains 2"
    }


def test_a_duplicate_that_nothing_explains_is_counted_under_an_eventual_ledger() -> None:
    """Where the last writer wins, a possible duplicate may have been overwritten with the row that had it."""
    found = run(slack=(*SLACK, Post(("a1",))), consistency="eventual")
    assert found.passed
    assert found.duplicates_by_cause == {**EXPLAINED, "unexplained": 1}


def test_a_parked_alert_in_slack_needs_a_possible_duplicate() -> None:
    """It was given up after a POST whose outcome nobody knew, or the row was overwritten."""
    slack = (*SLACK, Post(("a2",)))
    assert run(slack=slack).unexplained.keys() == {"a2"}
    assert run(changed(ROWS, "a2", outcome_unknown=1), slack=slack).passed


def test_a_suppressed_alert_needs_a_living_family() -> None:
    """A child of nothing, or of a parked parent, was never told to anybody."""
    orphan = run(without(ROWS, "a1"), receipts=[receipt(CHILD)], slack=SLACK[1:])
    assert orphan.problems == {"a1.c": "SUPPRESSED, but its parent a1 has no row"}
    parked = run(changed(ROWS, "a1", status="PARKED"), receipts=[receipt(CHILD)], slack=SLACK[1:])
    assert parked.problems == {
        "a1.c": "SUPPRESSED, but nobody of its family is open or NOTIFIED; its parent a1 is PARKED"
    }


@pytest.mark.parametrize("status", ["RECEIVED", "ANALYZED", "NOTIFIED"])
def test_a_suppressed_alert_may_live_by_a_sibling(status: str) -> None:
    """One repeat was promoted in the parked parent's place: the family is seen to."""
    rows = (*changed(ROWS, "a1", status="PARKED"), row("a1.d", status, parent_id="a1"))
    found = run(rows, receipts=[receipt(CHILD)], slack=(SLACK[1], Post(("a1.d",))))
    assert (found.suppressed, found.problems) == (1, {})


def test_a_suppressed_alert_with_a_message_is_named() -> None:
    """A suppressed alert must not be notified, whether the sender saw its 202 or not."""
    slack = (*SLACK, Post(("a1.c",)))
    assert run(slack=slack).problems == {"a1.c": "SUPPRESSED, but Slack has a message of it"}
    assert run(slack=slack, receipts=[]).problems == {"a1.c": "SUPPRESSED, but Slack has a message of it"}


def test_a_message_of_an_unknown_alert_is_named() -> None:
    """Slack shows something that no ledger knows: a row was removed, or an id was invented."""
    found = run(slack=(*SLACK, Post(("a9",)), Post(("a9",)), Post(follow_ups=("a8",))))
    assert found.problems == dict.fromkeys(("a8", "a9"), "Slack has a message of it, and no ledger knows it")
    assert found.unaccounted == 2


def test_a_follow_up_belongs_to_a_notified_alert() -> None:
    """It is no second message about the alert, and it comes after the first."""
    assert run(slack=(*SLACK, Post(follow_ups=("a1",)))).duplicates == 0
    found = run(slack=(*SLACK, Post(follow_ups=("a2",))))
    assert found.problems == {"a2": "PARKED, but Slack has a follow-up of it"}


def test_without_slack_the_ledger_is_believed() -> None:
    """On a real stack Slack cannot always be read; then duplicates are unknown, not none."""
    found = run(slack=None)
    assert found.passed
    assert found.duplicates_by_cause is None


def test_rows_without_a_receipt_are_counted_apart() -> None:
    """The sender may not have seen a 202 whose answer was lost."""
    found = run(receipts=[receipt(PARENT), receipt(CHILD)])
    assert found.passed
    assert (found.accepted, found.unreceipted) == (2, 4)


def test_a_receipt_seen_twice_counts_once() -> None:
    """An idempotent retry answers 202 with the same id."""
    assert run(receipts=[receipt(PARENT), receipt(PARENT), receipt(CHILD)]).accepted == 2


def test_a_window_leaves_out_what_was_accepted_outside_it() -> None:
    """From the first moment on, up to but without the last."""
    found = run(
        receipts=[receipt(PARENT, 999), receipt(PARKED, 1_000), receipt(MEMBERS[0], 2_000)],
        window=Window(since_ms=1_000, until_ms=2_000),
    )
    assert (found.accepted, found.parked, found.notified) == (1, 1, 0)


def test_a_window_does_not_hide_a_missing_row() -> None:
    """The receipt is in it, so the row is asked for, whatever its own time."""
    found = run(without(ROWS, "a2"), window=Window(since_ms=1_005))
    assert found.problems == {"a2": "no row in the ledger of us-east-1, us-west-2"}


def test_a_window_does_not_hide_what_a_row_is_compared_with() -> None:
    """A repeat's family, a digest's other members and a message's row may be older than the window."""
    old = tuple(replace(one, accepted_at_ms=1) for one in ROWS)
    found = run(old, receipts=[receipt(CHILD), receipt(MEMBERS[0])], window=Window(since_ms=1_000))
    assert found.passed
    assert (found.accepted, found.suppressed, found.in_digests, found.unreceipted) == (2, 1, 1, 0)


def test_a_window_leaves_out_duplicates_of_alerts_accepted_outside_it() -> None:
    """They were counted when their own time was audited."""
    slack = (*SLACK, Post(("a1",)))
    assert run(slack=slack, window=Window(since_ms=1_000)).duplicates == 1
    assert run(slack=slack, window=Window(since_ms=1_001)).duplicates_by_cause == EXPLAINED


def test_messages_from_before_the_window_may_be_of_rows_that_have_expired() -> None:
    """Slack keeps longer than the ledger."""
    slack = (*SLACK, Post(("gone",), received_at_ms=999), Post(digests=(("d9", 5),), received_at_ms=999))
    assert run(slack=slack, window=Window(since_ms=1_000)).passed
    assert not run(slack=slack, window=Window(since_ms=999)).passed


def test_the_problems_file_has_every_problem_and_the_outcome_the_first(tmp_path: Path) -> None:
    """However many there are, the memory for them is bounded, and none is lost."""
    lost = [Receipt(f"x{n:05}", "RECEIVED", EAST, 0, 1_000) for n in range(MAX_LISTED + 500)]
    path = tmp_path / "made" / "problems.jsonl"
    found = run(receipts=lost, slack=(*SLACK, Post(("a1",))), problems_file=path)
    assert (found.unaccounted, len(found.problems)) == (MAX_LISTED + 500, MAX_LISTED)
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(written) == MAX_LISTED + 501
    assert written[0] == {"id": "x00000", "problem": "no row in the ledger of us-east-1, us-west-2"}
    assert written[-1]["id"] == "a1"


TORN = Unread(where="receipts line 2", why="torn", since_ms=1_000, until_ms=2_000)


def test_a_torn_receipt_is_named_and_the_others_are_audited(tmp_path: Path) -> None:
    """Its alert may be lost and nobody could tell: that is not passed."""
    problems = tmp_path / "problems.jsonl"
    found = run(receipts=[receipt(PARENT), TORN, receipt(PARKED)], problems_file=problems)
    assert (found.accepted, found.unaccounted, found.unread, found.passed) == (2, 0, 1, False)
    assert found.unread_parts == {"receipts line 2": "torn"}
    assert json.loads(problems.read_text()) == {"id": "receipts line 2", "problem": "torn"}


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        (Window(since_ms=2_000), True),
        (Window(since_ms=2_001), False),
        (Window(until_ms=1_001), True),
        (Window(until_ms=1_000), False),
    ],
)
def test_a_torn_receipt_counts_where_it_may_be_of_the_window(window: Window, *, counts: bool) -> None:
    """Last week's is no reason to distrust today's."""
    assert run(receipts=[TORN], window=window).unread == counts


def test_of_many_torn_receipts_the_first_are_listed() -> None:
    """All are counted."""
    found = run(receipts=[dataclasses.replace(TORN, where=f"line {n}") for n in range(MAX_LISTED + 5)])
    assert (found.unread, len(found.unread_parts)) == (MAX_LISTED + 5, MAX_LISTED)


def test_nothing_accepted_is_nothing_lost() -> None:
    """An empty stack is audited too."""
    found = run([], receipts=[], slack=[])
    assert found.passed
    assert (found.accepted, found.by_region) == (0, {})


GROUP = tuple(receipt(one) for one in MEMBERS)
LOST = f"body:{'b' * 64} member 3"


def test_members_are_answered_or_refused() -> None:
    """What was sent is both together; a refused member is no lost one."""
    found = run(receipts=[body_of(*GROUP, refused=(1,)), body_of(receipt(PARENT))])
    assert found.passed
    assert found.members == {"sent": 5, "answered": 4, "refused": 1, "lost": 0}
    assert (found.accepted, found.bodiless) == (4, 0)


def test_a_member_that_is_neither_answered_nor_refused_is_named(tmp_path: Path) -> None:
    """By its body's hash and its place in it; the others are accounted for."""
    problems = tmp_path / "problems.jsonl"
    found = run(receipts=[body_of(*GROUP, sent=4)], problems_file=problems)
    why = "lost: sent in a body that was answered 202, and the answer neither names nor refuses it"
    assert found.problems == {LOST: why}
    assert found.members == {"sent": 4, "answered": 3, "refused": 0, "lost": 1}
    assert (found.accepted, found.notified, found.unaccounted, found.passed) == (4, 3, 1, False)
    assert json.loads(problems.read_text()) == {"id": LOST, "problem": why}


def test_a_member_lost_outside_of_the_window_is_not_of_it() -> None:
    """As any other alert."""
    found = run(receipts=[body_of(*GROUP, sent=4)], window=Window(since_ms=1_011))
    assert (found.unaccounted, found.members) == (0, None)


def test_without_receipts_of_bodies_members_and_changes_are_unknown() -> None:
    """The access log knows which alerts were answered, and no more; that alone is no fault."""
    found = run()
    assert found.passed
    assert (found.members, found.bodiless, found.untold) == (None, 6, None)
    assert found.states_known == {"sender": 0, "ledger": 0}


def test_a_row_that_says_another_state_than_was_answered_is_named() -> None:
    """Both are fixed at the acceptance: the row was overwritten, in every region alike."""
    rows = changed(ROWS, "a2", fault_key="k", state="resolved", changed_at_ms=1)
    [answered] = body_of(Receipt("a2", "RECEIVED", EAST, 990, 1_010, "k", "firing")).alerts
    assert run(rows, receipts=[answered]).problems == {
        "a2": "answered as firing of the fault k, but its row says resolved of k"
    }
