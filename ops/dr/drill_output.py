"""What `responder dr drill` shows: its plan, its way so far, and what was found at its end."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clients.interrupts import INTERRUPTED_CODE
from dr.drill.page import PAGE_FILE, figures, seconds
from dr.drill.report import EMULATED, DrillReport
from dr.drill.runner import Result
from dr.drill.scenarios import SCENARIOS, Scenario
from ops.hints import hinted
from ops.tables import make_table, print_table

Say = Callable[[str], None]


def show_plan(scenario: Scenario, *, as_json: bool) -> None:
    """What a drill would do."""
    if as_json:
        typer.echo(json.dumps(_titles(scenario), indent=2))
        return
    table = make_table("phase", "what happens", whole={"phase"}, title=f"{scenario.name}: {scenario.title}")
    for phase in scenario.phases:
        table.add_row(phase.name, phase.title)
    print_table(table, Console())


def show_plans(*, as_json: bool) -> None:
    """What all of it would do."""
    if as_json:
        plans = {name: _titles(scenario) for name, scenario in SCENARIOS.items()}
        typer.echo(json.dumps(plans, indent=2))
        return
    for scenario in SCENARIOS.values():
        show_plan(scenario, as_json=False)
    typer.echo(
        "then faults are planted in a copy of an export, and a stack is rebuilt from its backups alone"
    )


def conclude(result: Result, folder: Path, console: Console, *, as_json: bool) -> None:
    """Show what was found, and exit as it went."""
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(result.report)).decode())
    else:
        print_table(_table(result.report), console)
        for line in result.report.missed:
            console.print(f"[bold red]missed[/] {escape(hinted(line))}", soft_wrap=True)
        for change in result.report.slower:
            console.print(
                f"slower than {result.report.compared_with}: {change.measure}, "
                f"{seconds(change.before_s)} then, {seconds(change.now_s)} now"
            )
        console.print(f"report: {folder / PAGE_FILE}", soft_wrap=True)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED_CODE)
    if not result.report.passed:
        raise typer.Exit(1)


def _titles(scenario: Scenario) -> dict[str, str]:
    return {phase.name: phase.title for phase in scenario.phases}


def _table(report: DrillReport) -> Table:
    verdict = "[green]passed[/]" if report.passed else "[bold red]FAILED[/]"
    caption = EMULATED if report.emulated else None
    table = make_table(
        title=f"{report.title}: {verdict}, {report.took_s:g} s", caption=caption, show_header=False
    )
    for row in figures(report):
        table.add_row(*row)
    for name, took_s in report.rto.parts_s.items():
        table.add_row(f"  {name}", seconds(took_s), "of the RTO")
    if report.rto.served_again_s is not None:
        table.add_row("served again", seconds(report.rto.served_again_s), "by sources' own retries")
    return table


def teller(console: Console) -> Say:
    """Says each line with the seconds since now."""
    begun = time.monotonic()

    def say(line: str) -> None:
        console.print(
            f"[dim]{time.monotonic() - begun:6.1f} s[/]  {escape(hinted(line))}",
            soft_wrap=True,
            highlight=False,
        )

    return say
