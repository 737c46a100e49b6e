"""Commands that check a stack: their options, and how outcomes are printed, a line each with both regions."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from clients.checks import Check, Outcome, State
from ops.hints import hinted
from ops.options import printable, verdict_kept
from ops.tables import make_table, print_table

Only = Annotated[
    list[str] | None,
    typer.Option(help="Run this check, or those of this category; give it again for more."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 too where something is unknown.")]
Short = Annotated[bool, typer.Option("--short", help="Leave out what is ok.")]
ListChecks = Annotated[
    bool, typer.Option("--list-checks", help="List the checks and what each needs; ask nothing.")
]

_SHOWN: Final = {
    State.OK: ("+", "green", "ok"),
    State.FAILED: ("x", "red", "FAILED"),
    State.UNKNOWN: ("?", "yellow", "unknown"),
}
"""Mark, colour and word; the marks are what any terminal and log shows."""

_WIDTH: Final = max(len(word) for _, _, word in _SHOWN.values())
_WORST: Final = (State.OK, State.UNKNOWN, State.FAILED)


def chosen_checks(checks: Sequence[Check], only: Sequence[str] | None) -> list[Check]:
    """The checks, or those that `--only` names by their id or category.

    Raises:
        typer.BadParameter: it names none of them.
    """
    known = {name for one in checks for name in (one.id, one.category)}
    if unknown := sorted(set(only or ()) - known):
        raise typer.BadParameter(
            f"--only: there is no check {', '.join(unknown)} of this stack; `--list-checks` has them"
        )
    return [one for one in checks if not only or {one.id, one.category} & set(only)]


def list_all(checks: Sequence[Check], *, as_json: bool) -> None:
    """List the checks, and the permissions that each needs."""
    if as_json:
        rows = [
            {"id": one.id, "category": one.category, "title": one.title, "actions": one.actions}
            for one in checks
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = make_table("check", "category", "what holds", "needs", whole={"check", "category"})
    for one in checks:
        table.add_row(one.id, one.category, one.title, ", ".join(one.actions) or "nothing")
    print_table(table, Console())


def print_checked(
    outcomes: Sequence[Outcome], *, short: bool, strict: bool, as_json: bool, reasons: bool = False
) -> None:
    """Print what checks came to; `reasons` also of what is ok.

    Raises:
        typer.Exit: with 1: something failed, or is unknown where it is `strict`.
    """
    with verdict_kept(summary(outcomes)):
        if as_json:
            typer.echo(outcomes_as_json(outcomes))
        else:
            print_outcomes(outcomes, Console(), short=short, reasons=reasons)
    states = {one.finding.state for one in outcomes}
    if State.FAILED in states or (strict and State.UNKNOWN in states):
        raise typer.Exit(1)


def print_outcomes(
    outcomes: Sequence[Outcome], console: Console, *, short: bool = False, reasons: bool = False
) -> None:
    """Print the outcomes by category; `short` leaves out what is ok, `reasons` says why it is.

    What several checks of a category do not know for the same reason is said once, below the last of them;
    a section that was named already is not named again for what is unknown.
    """

    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    worst = {check: _worst(found) for check, found in _by_check(outcomes)}
    width = max((len(check.id) for check in worst), default=0)
    sections: set[str] = set()
    for category, group in groupby(_by_check(outcomes), key=lambda pair: pair[0].category):
        shown = [pair for pair in group if not short or worst[pair[0]] != State.OK]
        if shown:
            line(f"[bold]{escape(category)}[/]")
        unseen = [one for _, found in shown for one in found if one.finding.state == State.UNKNOWN]
        last = {_note(one): one.check for one in unseen}
        for check, found in shown:
            states = "  ".join(f"{one.region} {_coloured(one.finding.state)}" for one in found)
            mark, colour, _ = _SHOWN[worst[check]]
            line(f"[{colour}]{mark}[/] {check.id:<{width}}  {states}")
            said = [
                one for one in found if reasons or one.finding.state != State.OK or one.finding.figures_ms
            ]
            notes = dict.fromkeys(_note(one) for one in said if last.get(_note(one), check) is check)
            for note in notes:
                _, reason, hint, _ = note
                among = (one for one in (*unseen, *said) if _note(one) == note)
                regions = ", ".join(dict.fromkeys(one.region for one in among))
                line(f"    {regions}: {escape(printable(reason))}")
                if hint:
                    line(f"      next: {escape(printable(hinted(hint)))}")
            again = check.see in sections and worst[check] == State.UNKNOWN
            if check.see and worst[check] != State.OK and notes and not again:
                line(f"      see {escape(check.see)}")
                sections.add(check.see)
    line(summary(outcomes))


def _note(one: Outcome) -> tuple[State, str, str, str]:
    """What is said of an outcome below its line, for its state."""
    return one.finding.state, one.finding.reason, one.finding.hint, one.check.see


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
