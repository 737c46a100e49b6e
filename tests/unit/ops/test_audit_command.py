"""How `responder audit` reads a time and shows what was found."""

import io

import pytest
import typer
from rich.console import Console

from audit.outcome import Audit
from ops.audit_command import SHOWN, print_audit
from ops.people_options import moment_ms

NOW_MS = 1_795_420_800_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", NOW_MS - 90_000),
        ("30m", NOW_MS - 1_800_000),
        ("2h", NOW_MS - 7_200_000),
        ("7d", NOW_MS - 604_800_000),
        ("2026-11-23T08:00:00Z", 1_795_420_800_000),
        ("2026-11-23T09:00:00.250+01:00", 1_795_420_800_250),
    ],
)
def test_a_time_is_an_age_or_iso_8601(text: str, ms: int) -> None:
    """As people write them."""
    assert moment_ms(text, now_ms=NOW_MS) == ms


@pytest.mark.parametrize(
    "text", ["yesterday", "2w", "-5m", "", "2026-11-23T08:00:00", "2026-13-01T00:00:00Z"]
)
def test_what_is_no_time_is_refused_with_the_forms_that_are(text: str) -> None:
    """A time of day without an offset could be anybody's."""
    with pytest.raises(typer.BadParameter, match="give 30m, 2h or 7d"):
        moment_ms(text, now_ms=NOW_MS)


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
