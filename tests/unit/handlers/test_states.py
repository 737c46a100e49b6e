"""The state machine refuses what it does not have."""

from dataclasses import replace

import pytest

from handlers.domain.alert import Alert, Status
from handlers.domain.states import (
    MOVES,
    Actor,
    Condition,
    IllegalMoveError,
    analyzed,
    check,
    claimed,
    is_free,
    notified,
    parked,
    recovered,
    suppressed,
)
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import row

RECEIVED = row()
HELD = claimed(row(status=Status.ANALYZED), token="t", due_at=9)


def test_nothing_leads_out_of_rest() -> None:
    """No handler moves an alert that is NOTIFIED, SUPPRESSED or PARKED."""
    assert not [move for move in MOVES if move.origin is not None and move.origin.at_rest]


def test_every_open_status_can_come_to_rest_and_be_recovered() -> None:
    """Whatever an alert waits for, Recovery can retry it and park it."""
    for status in (s for s in Status if not s.at_rest):
        targets = {move.target for move in MOVES if move.actor is Actor.RECOVERY and move.origin is status}
        assert targets == {status, Status.PARKED}


def test_only_a_holder_moves_an_alert_onwards() -> None:
    """Analysis and distribution change the status under a lease only."""
    for move in MOVES:
        if move.actor in (Actor.ANALYSIS, Actor.DISTRIBUTION) and move.origin is not move.target:
            assert move.condition is Condition.HELD


@pytest.mark.parametrize(
    ("actor", "before", "after"),
    [
        (Actor.RECEPTION, None, notified(HELD, at_ms=1)),
        (Actor.ANALYSIS, RECEIVED, analyzed(RECEIVED, ANALYSIS, due_at=1)),
        (Actor.DISTRIBUTION, replace(HELD, lease_token=None), notified(HELD, at_ms=1)),
        (Actor.DISTRIBUTION, parked(HELD, reason="r"), notified(HELD, at_ms=1)),
        (Actor.RECOVERY, notified(HELD, at_ms=1), recovered(HELD, due_at=1)),
        (Actor.ANALYSIS, HELD, parked(HELD, reason="r")),
        (Actor.DISTRIBUTION, HELD, replace(notified(HELD, at_ms=1), expires_at=None)),
        (Actor.DISTRIBUTION, HELD, replace(notified(HELD, at_ms=1), open_lane="l")),
        (Actor.DISTRIBUTION, HELD, replace(notified(HELD, at_ms=1), lease_token="t")),
        (Actor.DISTRIBUTION, HELD, replace(parked(HELD, reason="r"), expires_at=1)),
        (Actor.DISTRIBUTION, HELD, replace(parked(HELD, reason="r"), parked_reason=None)),
        (Actor.DISTRIBUTION, HELD, replace(HELD, expires_at=1)),
        (Actor.DISTRIBUTION, HELD, replace(HELD, due_at=None)),
        (Actor.RECEPTION, None, replace(suppressed(RECEIVED, at_ms=1), expires_at=None)),
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
