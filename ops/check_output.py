"""How checks of a stack are printed: a line each with both regions, reasons and hints below; or JSON."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.markup import escape

from clients.checks import Check, Outcome, State
from ops.hints import hinted
from ops.options import printable

_SHOWN: Final = {
    State.OK: ("+", "green", "ok"),
    State.FAILED: ("x", "red", "FAILED"),
    State.UNKNOWN: ("?", "yellow", "unknown"),
}
"""Mark, colour and word; the marks are what any terminal and log shows."""

_WIDTH: Final = max(len(word) for _, _, word in _SHOWN.values())
_WORST: Final = (State.OK, State.UNKNOWN, State.FAILED)


def print_outcomes(outcomes: Sequence[Outcome], console: Console, *, short: bool = False) -> None:
    """Print the outcomes by category; `short` leaves out what is ok."""

    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    worst = {check: _worst(found) for check, found in _by_check(outcomes)}
    width = max((len(check.id) for check in worst), default=0)
    for category, group in groupby(_by_check(outcomes), key=lambda pair: pair[0].category):
        shown = [pair for pair in group if not short or worst[pair[0]] != State.OK]
        if shown:
            line(f"[bold]{escape(category)}[/]")
        for check, found in shown:
            states = "  ".join(f"{one.region} {_coloured(one.finding.state)}" for one in found)
            mark, colour, _ = _SHOWN[worst[check]]
            line(f"[{colour}]{mark}[/] {check.id:<{width}}  {states}")
            for one in found:
                if one.finding.state != State.OK or one.finding.figures_ms:
                    line(f"    {one.region}: {escape(printable(one.finding.reason))}")
                    if one.finding.hint:
                        line(f"      next: {escape(printable(hinted(one.finding.hint)))}")
            if check.see and worst[check] != State.OK:
                line(f"      see {escape(check.see)}")
    line(summary(outcomes))


def summary(outcomes: Iterable[Outcome]) -> str:
    """The last line: how many of each state."""
    states = [one.finding.state for one in outcomes]
    return ", ".join(f"{states.count(state)} {state}" for state in State)


def _coloured(state: State) -> str:
    _, colour, word = _SHOWN[state]
    return f"[{colour}]{word:<{_WIDTH}}[/]"


def outcomes_as_json(outcomes: Sequence[Outcome]) -> str:
    """An object for each check and region, and how many of each state."""
    rows = [
        {
            "id": one.check.id,
            "category": one.check.category,
            "region": one.region,
            "state": one.finding.state,
            "reason": one.finding.reason,
            "hint": hinted(one.finding.hint),
            "see": one.check.see,
            "figures_ms": one.finding.figures_ms,
            "took_ms": one.took_ms,
        }
        for one in outcomes
    ]
    counts = {state: sum(row["state"] == state for row in rows) for state in State}
    return json.dumps({"checks": rows, **counts}, indent=2)


def _by_check(outcomes: Iterable[Outcome]) -> list[tuple[Check, list[Outcome]]]:
    """The outcomes of each check together, in their order."""
    return [(check, list(group)) for check, group in groupby(outcomes, key=lambda one: one.check)]


def _worst(outcomes: Iterable[Outcome]) -> State:
    return max((one.finding.state for one in outcomes), key=_WORST.index)
