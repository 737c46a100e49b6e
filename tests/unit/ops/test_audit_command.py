"""How `responder audit` shows what was found."""

import io

from rich.console import Console

from audit.outcome import Audit
from ops.audit_command import SHOWN, print_audit


def shown(**values: object) -> str:
    """What a person sees of an audit."""
    usual: dict[str, object] = {
        "consistency": "strong", "accepted": 3, "notified": 2, "in_digests": 1, "suppressed": 0, "parked": 1,
        "digests": 1, "digests_verified": 1, "unaccounted": 0, "unreceipted": 0,
        "by_region": {"us-east-1": {"NOTIFIED": 2, "IN_DIGEST": 1, "PARKED": 1}},
        "duplicates_by_cause": {"outcome_unknown": 1, "unexplained": 0},
    }  # fmt: skip
    console = Console(record=True, width=100, file=io.StringIO())
    print_audit(Audit(**{**usual, **values}), console)  # type: ignore[arg-type]  # tests
    return console.export_text()


def test_a_clean_audit_says_unaccounted_0_last() -> None:
    """The runbook's readers, and scripts, look for it."""
    text = shown()
    assert text.splitlines()[-1] == "unaccounted 0"
    assert "duplicates 1 (outcome unknown 1, unexplained 0)" in text


def test_each_problem_is_a_line_and_many_are_cut_short() -> None:
    """Every one is in the problems file."""
    problems = {f"a{n}": "no row" for n in range(SHOWN + 5)}
    text = shown(unaccounted=len(problems), problems=problems, unexplained={"a99": "twice"})
    assert text.count("unaccounted a") == SHOWN
    assert "--problems FILE" in text
    assert text.splitlines()[-1] == f"unaccounted {SHOWN + 5}"


def test_a_torn_receipt_is_a_line() -> None:
    """With what is left of it; what else was accepted is counted as ever."""
    text = shown(unread=1, unread_parts={"receipts.jsonl line 3": 'no whole receipt (\'{"alert_id": "a2\')'})
    assert "unread parts of the receipts 1: what was answered 202 there is unknown" in text
    assert 'unread receipts.jsonl line 3: no whole receipt (\'{"alert_id": "a2\')' in text
    assert text.splitlines()[-1] == "unaccounted 0"


def test_unread_slack_is_unknown_and_not_clean() -> None:
    """No data is never healthy."""
    assert "duplicates unknown" in shown(duplicates_by_cause=None)


def test_what_people_did_is_a_line_where_there_is_any() -> None:
    """Silenced, acknowledged and escalated alerts, and the stack's own."""
    text = shown(silenced=4, acknowledged=3, escalated=2, synthetic=1)
    assert "silenced 4   acknowledged 3   told a second way 2   synthetic 1" in text
    assert "silenced" not in shown()


def test_receipts_that_do_not_say_of_which_body_are_counted_beside_those_that_do() -> None:
    """A file that an older sender began."""
    members = {"sent": 2, "answered": 1, "refused": 1, "lost": 0}
    text = " ".join(shown(members=members, bodiless=7).split())
    assert "members sent 2, answered 1, refused 1, lost 0; unknown of 7 receipts: without" in text
    text = " ".join(shown(members=members, untold=0, states_known={"sender": 1, "ledger": 2}).split())
    assert "lost 0 changes of state untold 0" in text
    assert "by the sender 1, by the ledger 2" in text
