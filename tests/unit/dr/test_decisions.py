"""What a repair does about a row that differs: as the handlers make rows, and as a bad writer leaves them."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dr.restores.decisions import RowDecider
from dr.restores.row_rules import breaches
from dr.restores.table_items import exported
from handlers.adapters.aws.items import item_of
from handlers.domain import states
from handlers.domain.alert import Alert
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import PEER, REGION, row
from topology.alerts import DuplicateCause, Status

OPEN_KEY = f"{REGION}#HIGH"
REGIONS = (REGION, PEER)

NEW = row(severity="high")
ACCEPTED_MS = NEW.accepted_at_ms
NOW_S = NEW.timestamp + 60
DUE = NOW_S + 30
CLAIMED = states.claimed(NEW, token="t", due_at=DUE)
ANALYZED = states.analyzed(CLAIMED, "no answer", due_at=DUE, follow_up=True)
NOTIFIED = states.notified(states.analyzed(CLAIMED, ANALYSIS, due_at=DUE), at_ms=NOW_S * 1_000)
FOLLOWED_UP = states.notified(ANALYZED, at_ms=NOW_S * 1_000, slack_ref="C/1")
PARKED = states.parked(ANALYZED, reason="refused", due_at=DUE)
CHILD = states.suppressed(replace(NEW, open_key=None, due_at=None, parent_id="a0"), due_at=1)


def item(alert: Alert) -> dict[str, Any]:
    """A row as an export and a scan have it."""
    plain = msgspec.to_builtins(alert)
    found: dict[str, Any] = exported(item_of({k: v for k, v in plain.items() if v is not None}))
    return found


def decider(*, as_of_ms: int = ACCEPTED_MS + 10_000) -> RowDecider:
    """Of a repair that is made now."""
    return RowDecider(as_of_ms=as_of_ms, now_s=NOW_S, regions=REGIONS)


@pytest.mark.parametrize(
    "alert",
    [
        NEW,
        CLAIMED,
        ANALYZED,
        states.deferred(ANALYZED, not_before=NOW_S + 3_600, lease_s=3_600, attempts=3),
        NOTIFIED,
        FOLLOWED_UP,
        states.follow_up_ready(FOLLOWED_UP, ANALYSIS, due_at=DUE),
        states.follow_up_ended(FOLLOWED_UP),
        states.notified(ANALYZED, at_ms=NOW_S * 1_000, digest_id="d"),
        PARKED,
        states.looked_at(PARKED, due_at=DUE, successor_id="a2"),
        states.redriven(PARKED, due_at=DUE),
        CHILD,
        states.promoted(CHILD, due_at=DUE),
        states.recovered(ANALYZED, due_at=DUE),
    ],
)
def test_a_row_that_the_handlers_make_breaks_no_rule(alert: Alert) -> None:
    """In whatever state, so a repair leaves alerts that moved on alone."""
    assert breaches(item(alert), regions=REGIONS, now_s=NOW_S) == ()
    if alert.parent_id is None:
        assert decider().decide(item(NEW), item(alert)).kind == "normal"
    assert decider(as_of_ms=ACCEPTED_MS).decide(None, item(alert)).kind == "normal"


BAD_WRITES: Mapping[str, dict[str, Any]] = {
    "taken from under its key": {"open_key": None, "due_at": None},
    "put off for ever": {"due_at": {"N": "95617584000"}},
    "said to be delivered": {"status": {"S": "NOTIFIED"}},
    "said to be delivered, and taken out": {"status": {"S": "NOTIFIED"}, "open_key": None, "due_at": None},
    "said to be delivered, with its time": {
        "status": {"S": "NOTIFIED"},
        "open_key": None,
        "due_at": None,
        "notified_at_ms": {"N": "1"},
        "expires_at": {"N": "99999999999"},
    },
    "said to be a repeat": {
        "status": {"S": "SUPPRESSED"},
        "open_key": None,
        "due_at": None,
        "expires_at": {"N": "99999999999"},
    },
    "given to nobody": {"owner": {"S": "nowhere"}, "open_key": {"S": "nowhere#HIGH"}},
    "under another key": {"open_key": {"S": f"{REGION}#FOLLOW_UP"}},
    "without a time": {"due_at": {"S": "soon"}},
    "about to be deleted": {"expires_at": {"N": "1"}},
    "in no state": {"status": {"S": "BROKEN"}},
    "not to be read by a handler": {"attempts": {"S": "often"}},
    "with bytes for an analysis": {"analysis": {"B": "aGk="}},
}


@pytest.mark.parametrize("write", BAD_WRITES.values(), ids=BAD_WRITES)
def test_an_open_alert_that_nobody_would_see_to_is_shown_to_a_person(write: dict[str, Any]) -> None:
    """Whether it was there at the restore point or was accepted after it."""
    spoilt = {name: value for name, value in (item(NEW) | write).items() if value is not None}
    assert decider().decide(item(NEW), spoilt).kind == "person"
    assert decider(as_of_ms=ACCEPTED_MS).decide(None, spoilt).kind == "person"


def test_a_row_that_no_handler_can_read_breaks_one_rule_that_says_why() -> None:
    """Whatever else is wrong with it is not known."""
    (breach,) = breaches(item(NEW) | {"attempts": {"S": "often"}}, regions=REGIONS, now_s=NOW_S)
    assert "attempts" in breach


def test_nothing_leads_from_work_to_a_repeat() -> None:
    """Not even a sound one."""
    forged = item(replace(CHILD, alert_id=NEW.alert_id, parent_id=None)) | {"parent_id": {"S": "a0"}}
    assert breaches(forged, regions=REGIONS, now_s=NOW_S) == ()
    assert decider().decide(item(NEW), forged).kind != "normal"


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (NOTIFIED, None, "roll back"),
        (NOTIFIED, replace(NOTIFIED, attempts=9), "roll back"),
        (NOTIFIED, NEW, "roll back"),
        (FOLLOWED_UP, states.follow_up_ended(FOLLOWED_UP), "person"),
        (PARKED, states.redriven(PARKED, due_at=DUE), "person"),
        (PARKED, states.looked_at(PARKED, due_at=DUE + 9, successor_id=None), "normal"),
        (CHILD, states.repeat_looked_at(CHILD, due_at=DUE + 9), "normal"),
        (CHILD, states.repeat_looked_at(CHILD, due_at=None), "normal"),
        (PARKED, replace(PARKED, parked_reason=None), "roll back"),
        (CHILD, states.promoted(CHILD, due_at=DUE), "person"),
        (CHILD, replace(CHILD, expires_at=None), "roll back"),
        (NEW, NEW, "normal"),
    ],
)
def test_what_was_at_rest_is_rolled_back_unless_the_pipeline_may_have_moved_it(
    before: Alert, now: Alert | None, kind: str
) -> None:
    """What it may have done is left to a person, what it does all the time to nobody."""
    assert decider().decide(item(before), None if now is None else item(now)).kind == kind


def test_an_expired_row_that_is_gone_is_none_of_ours() -> None:
    """Until its very second it was deleted by somebody else."""
    for left_s, kind in ((0, "normal"), (1, "roll back")):
        expiring = item(replace(NOTIFIED, expires_at=NOW_S + left_s))
        assert decider().decide(expiring, None).kind == kind


@pytest.mark.parametrize("accepted", ["junk", str(ACCEPTED_MS - 60_000)])
def test_a_row_that_was_not_there_and_does_not_say_that_it_is_new_is_shown(accepted: str) -> None:
    """A bad writer may have put it there."""
    stranger = item(NEW) | {"accepted_at_ms": {"N": accepted}}
    assert decider(as_of_ms=ACCEPTED_MS).decide(None, stranger).kind == "person"


@pytest.mark.parametrize(
    "before", [CLAIMED, PARKED, states.deferred(NEW, not_before=1, lease_s=1, attempts=1)]
)
def test_a_deleted_alert_that_was_not_delivered_comes_back_free_and_in_possible_duplicate(
    before: Alert,
) -> None:
    """Its lease is over, and it may have gone out since: an audit is to know why it is there twice."""
    found = decider().decide(item(before), None).write
    assert found is not None
    wanted = replace(
        before,
        lease_token=None,
        not_before=None,
        due_at=NOW_S,
        possible_duplicates={**before.possible_duplicates, DuplicateCause.OWNERSHIP_TRANSFERRED: 1},
    )
    assert found == item(wanted)
    again = decider().decide(found, None).write
    assert again is not None
    assert again["possible_duplicates"]["M"][DuplicateCause.OWNERSHIP_TRANSFERRED] == {"N": "2"}


def test_a_delivered_alert_comes_back_as_it_was() -> None:
    """There is nothing to be done about it, and nothing in doubt."""
    assert decider().decide(item(NOTIFIED), None).write == item(NOTIFIED)


@pytest.mark.parametrize(
    ("before", "since"),
    [
        (NEW, NOTIFIED),
        (NEW, ANALYZED),
        (PARKED, states.notified(states.analyzed(PARKED, ANALYSIS, due_at=DUE), at_ms=NOW_S * 1_000)),
        (NOTIFIED, NOTIFIED),
    ],
)
def test_spoilt_text_is_rolled_back_and_a_newer_state_is_kept(before: Alert, since: Alert) -> None:
    """An alert that went out meanwhile does not go out again for its title."""
    since = replace(since, parked_reason=None)
    spoilt = item(since) | {"title": {"S": "garbage"}, "host": {"S": "made up"}}
    found = decider().decide(item(before), spoilt)
    assert (found.kind, found.write) == ("roll back", item(since))


def test_a_row_that_is_spoilt_through_and_through_is_rolled_back_if_it_was_at_rest() -> None:
    """One at work is for a person."""
    for before, kind in ((NOTIFIED, "roll back"), (NEW, "person")):
        spoilt = item(before) | {"title": {"S": "garbage"}, "status": {"S": "BROKEN"}}
        found = decider().decide(item(before), spoilt)
        assert found.kind == kind
        assert found.write == (item(before) if kind == "roll back" else None)
    assert NEW.status is Status.RECEIVED
