"""What checks print: a line each with both regions; reasons and next steps below; JSON for scripts."""

import io
import json
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from clients.checks import Check, Finding, Outcome, failed, ok, unknown
from ops.check_output import outcomes_as_json, print_outcomes

HOSTILE = "[red]x\x1b[2J"


def outcome(id_: str, region: str, finding: Finding, *, category: str = "tables") -> Outcome:
    """One outcome."""
    nothing: Callable[[str], Finding] = ok
    check = Check(
        id=id_, category=category, title="t", regions=("us-east-1", "us-west-2"), actions=(), run=nothing
    )
    return Outcome(check, region, finding, 3)


def outcomes() -> list[Outcome]:
    """Two checks of one category, and a third."""
    same = outcome("protected", "us-east-1", ok("fine"))
    bad = failed(HOSTILE, "look at it")
    return [
        same,
        Outcome(same.check, "us-west-2", bad, 4),
        outcome("restorable", "us-east-1", unknown("may not look")),
        outcome("reached", "us-east-1", ok("fast", {"answered": 12}), category="injection"),
    ]


def printed(found: list[Outcome] | None = None, *, short: bool = False) -> list[str]:
    """The lines."""
    console = Console(file=io.StringIO(), width=60, color_system=None)
    print_outcomes(found or outcomes(), console, short=short)
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]  # a StringIO


def test_a_check_is_one_line_with_both_regions_and_its_reasons_below() -> None:
    """Nothing is cut, and what comes from outside controls no terminal."""
    assert printed() == [
        "tables",
        "x protected   us-east-1 ok       us-west-2 FAILED ",
        "    us-west-2: [red]x?[2J",
        "      next: look at it",
        "? restorable  us-east-1 unknown",
        "    us-east-1: may not look",
        "injection",
        "+ reached     us-east-1 ok     ",
        "    us-east-1: fast",
        "2 ok, 1 failed, 1 unknown",
    ]


def test_what_checks_do_not_know_for_the_same_reason_is_said_once() -> None:
    """Below the last of them, with every region; each has its own line, and a failure its own reason."""
    silent = unknown("no data", "wait")
    found = [
        outcome("errors", "us-east-1", silent),
        outcome("throttles", "us-east-1", failed("no data", "wait")),
        outcome("cached", "us-west-2", silent),
        outcome("alarms", "us-east-1", silent, category="alarms"),
    ]
    seen = [replace(one, check=replace(one.check, see="docs/x.md#y")) for one in found]
    assert printed(seen) == [
        "tables",
        "? errors     us-east-1 unknown",
        "x throttles  us-east-1 FAILED ",
        "    us-east-1: no data",
        "      next: wait",
        "      see docs/x.md#y",
        "? cached     us-west-2 unknown",
        "    us-east-1, us-west-2: no data",
        "      next: wait",
        "alarms",
        "? alarms     us-east-1 unknown",
        "    us-east-1: no data",
        "      next: wait",
        "0 ok, 1 failed, 3 unknown",
    ]


def test_the_short_form_leaves_out_what_is_ok() -> None:
    """With its category, if nothing else is in it."""
    lines = printed(short=True)
    assert not any("reached" in line or "injection" in line for line in lines)
    assert lines[-1] == "2 ok, 1 failed, 1 unknown"


def test_json_has_a_row_for_each_check_and_region_and_the_counts() -> None:
    """With the figures that were measured."""
    content = json.loads(outcomes_as_json(outcomes()))
    assert (content["ok"], content["failed"], content["unknown"]) == (2, 1, 1)
    assert content["checks"][1] == {
        "id": "protected",
        "category": "tables",
        "region": "us-west-2",
        "state": "failed",
        "reason": HOSTILE,
        "hint": "look at it",
        "see": "",
        "figures_ms": {},
        "took_ms": 4,
    }
    assert content["checks"][3]["figures_ms"] == {"answered": 12}
