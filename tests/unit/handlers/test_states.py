"""The state machine refuses what it does not have."""

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.moves import MOVES, Actor, Condition
from handlers.domain.states import (
    IllegalMoveError,
    acknowledged,
    analyzed,
    check,
    claimed,
    escalated,
    is_free,
    notified,
    parked,
    promoted,
    recovered,
    redriven,
    repeat_looked_at,
    silenced,
    snoozed,
    suppressed,
)
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import row
from topology.alerts import DuplicateCause, FollowUp, Severity, Status

RECEIVED = row()
HELD = claimed(row(status=Status.ANALYZED), token="t", due_at=9)


def test_nothing_leads_out_of_rest() -> None:
    """But for a repeat whose parent is PARKED, or that is none, and an operator's redrive."""
    ways_out = [
        (move.origin, move.target, move.condition)
        for move in MOVES
        if move.origin is not None and move.origin.at_rest and move.origin is not move.target
    ]
    assert set(ways_out) == {
        (Status.SUPPRESSED, Status.RECEIVED, Condition.PARENT_PARKED),
        (Status.SUPPRESSED, Status.RECEIVED, Condition.STATE_CHANGED),
        (Status.PARKED, Status.RECEIVED, Condition.ASKED),
        (Status.SUPPRESSED, Status.RECEIVED, Condition.SILENCE_ENDED),
    }


def test_every_open_status_can_come_to_rest_and_be_recovered() -> None:
    """Whatever an alert waits for, Recovery can retry it and park it."""
    for status in (s for s in Status if not s.at_rest):
        targets = {move.target for move in MOVES if move.actor is Actor.RECOVERY and move.origin is status}
        assert targets == {status, Status.PARKED}


def test_only_a_holder_moves_an_alert_onwards() -> None:
    """Analysis and distribution change the status under a lease only."""
    for move in MOVES:
        if move.actor in (Actor.ANALYSIS, Actor.DISTRIBUTION) and move.origin is not move.target:
            assert move.condition is Condition.LEASED


@pytest.mark.parametrize(
    ("actor", "before", "after"),
    [
        (Actor.RECEPTION, None, notified(HELD, at_ms=1)),
        (Actor.ANALYSIS, RECEIVED, analyzed(RECEIVED, ANALYSIS, due_at=1)),
        (Actor.DISTRIBUTION, replace(HELD, lease_token=None), notified(HELD, at_ms=1)),
        (Actor.DISTRIBUTION, parked(HELD, reason="r", due_at=9), notified(HELD, at_ms=1)),
        (Actor.RECOVERY, notified(HELD, at_ms=1), recovered(HELD, due_at=1)),
        (
            Actor.RECOVERY,
            parked(HELD, reason="r", due_at=9),
            redriven(parked(HELD, reason="r", due_at=9), due_at=1),
        ),
        (Actor.DISTRIBUTION, HELD, replace(HELD, digest_id="d")),
        (Actor.RECEPTION, None, replace(RECEIVED, follow_up=FollowUp.WANTED)),
        (Actor.ANALYSIS, HELD, parked(HELD, reason="r", due_at=9)),
        (Actor.DISTRIBUTION, HELD, replace(notified(HELD, at_ms=1), expires_at=None)),
        (Actor.DISTRIBUTION, HELD, replace(notified(HELD, at_ms=1), open_key="l")),
        (Actor.DISTRIBUTION, HELD, replace(notified(HELD, at_ms=1), lease_token="t")),
        (Actor.DISTRIBUTION, HELD, replace(parked(HELD, reason="r", due_at=9), expires_at=1)),
        (Actor.DISTRIBUTION, HELD, replace(parked(HELD, reason="r", due_at=9), parked_reason=None)),
        (Actor.DISTRIBUTION, HELD, replace(HELD, expires_at=1)),
        (Actor.DISTRIBUTION, HELD, replace(HELD, due_at=None)),
        (Actor.RECEPTION, None, replace(suppressed(RECEIVED, due_at=1), expires_at=None)),
    ],
)
def test_illegal_move_is_refused(actor: Actor, before: Alert | None, after: Alert) -> None:
    """A wrong actor, a missing lease, a way out of rest, or attributes that contradict the status."""
    with pytest.raises(IllegalMoveError, match="correct the handler"):
        check(actor, before, after)


def test_lease_is_free_when_absent_or_run_out() -> None:
    """The second in which a lease ends is the first in which it is free."""
    leased = claimed(RECEIVED, token="t", due_at=100)
    assert is_free(RECEIVED, now_s=0)
    assert not is_free(leased, now_s=99)
    assert is_free(leased, now_s=100)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (RECEIVED, "us-east-1#HIGH"),
        (parked(HELD, reason="r", due_at=9), "us-east-1#PARKED"),
        (notified(HELD, at_ms=1), None),
        (notified(replace(HELD, follow_up=FollowUp.WANTED), at_ms=1), "us-east-1#FOLLOW_UP"),
        (notified(replace(HELD, follow_up=FollowUp.WANTED), at_ms=1, digest_id="d"), "us-east-1#FOLLOW_UP"),
        (notified(HELD, at_ms=1, escalate_after_s=9), "us-east-1#UNACKNOWLEDGED"),
        (acknowledged(notified(HELD, at_ms=1, escalate_after_s=9), by="me", at=2), None),
        (
            snoozed(acknowledged(notified(HELD, at_ms=1), by="me", at=2), by="me", until=9),
            "us-east-1#UNACKNOWLEDGED",
        ),
        (escalated(notified(HELD, at_ms=1, escalate_after_s=9), at=12), None),
        (silenced(HELD, silence_id="s", until=9), "us-east-1#SILENCED"),
        (promoted(silenced(HELD, silence_id="s", until=9), due_at=12), "us-east-1#HIGH"),
        (suppressed(RECEIVED, due_at=1), "us-east-1#SUPPRESSED"),
        (repeat_looked_at(suppressed(RECEIVED, due_at=1), due_at=None), None),
        (promoted(suppressed(RECEIVED, due_at=1), due_at=3), "us-east-1#HIGH"),
        (redriven(parked(HELD, reason="r", due_at=9), due_at=3), "us-east-1#HIGH"),
    ],
)
def test_row_lies_in_the_index_while_somebody_has_to_see_to_it(row: Alert, key: str | None) -> None:
    """Recovery, an operator or a follow-up; and under no other key."""
    assert (row.open_key, row.expected_open_key) == (key, key)
    assert (row.due_at is None) is (key is None)


def test_redriven_alert_may_go_into_a_digest_again() -> None:
    """What was refused with it is of the past; twenty of them go out together."""
    assert redriven(parked(replace(HELD, alone=True), reason="r", due_at=9), due_at=3).alone is None


def test_lease_that_was_never_given_back_is_a_possible_duplicate() -> None:
    """Its holder may have posted before it crashed, froze, or lost its write."""
    for taken in (recovered(HELD, due_at=99), claimed(HELD, token="next", due_at=99)):
        assert taken.possible_duplicates == {DuplicateCause.LEASE_EXPIRED: 1}
    twice = recovered(claimed(recovered(HELD, due_at=9), token="u", due_at=9), due_at=9)
    assert twice.possible_duplicates == {DuplicateCause.LEASE_EXPIRED: 2}


def test_lease_on_an_analysis_is_no_possible_duplicate() -> None:
    """Nothing is posted before ANALYZED, and a follow-up is no alert."""
    held = claimed(RECEIVED, token="t", due_at=9)
    follow_up = claimed(notified(replace(HELD, follow_up=FollowUp.READY), at_ms=1), token="t", due_at=9)
    assert (
        recovered(held, due_at=9).possible_duplicates
        == recovered(follow_up, due_at=9).possible_duplicates
        == {}
    )


def test_follow_up_is_never_urgent() -> None:
    """The people who were woken by a critical alert are awake."""
    alert = replace(HELD, severity=Severity.CRITICAL, follow_up=FollowUp.READY, open_key="us-east-1#CRITICAL")
    assert alert.queue.value == "distribution-critical"
    assert notified(alert, at_ms=1).queue.value == "distribution"
