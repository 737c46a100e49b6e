"""`responder maintenance`: that old rows go by themselves, and how large tables and indexes are."""

import json
from dataclasses import asdict

import typer
from rich.console import Console

from clients.checks import State, run_checks
from deploy.checks.subject import Subject
from ops.check_output import outcomes_as_json, print_outcomes, summary
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, say_unknown, verdict_kept
from ops.tables import make_table, print_table
from runbook.maintenance import TableSize, retention_checks, table_sizes


def retention(*, run_dir: RunDir = running.RUN_DIR, outputs: Outputs = None, as_json: AsJson = False) -> None:
    """Check in both regions that what is at rest expires and is deleted, and that tables can be restored.

    Open and PARKED alerts never expire. Exits 1 if something failed, or nothing could be looked at.
    """
    stack = open_stack(run_dir, outputs, attempts_max=2)
    outcomes = run_checks(retention_checks(Subject(stack.deployment, stack.config)))
    with verdict_kept(summary(outcomes)):
        if as_json:
            typer.echo(outcomes_as_json(outcomes))
        else:
            print_outcomes(outcomes, Console())
    states = {one.finding.state for one in outcomes}
    if State.FAILED in states or State.OK not in states:
        raise typer.Exit(1)


def sizes(*, run_dir: RunDir = running.RUN_DIR, outputs: Outputs = None, as_json: AsJson = False) -> None:
    """Show how many items and bytes each table and index has, by DynamoDB's count, up to six hours old.

    Nothing is read of the items, so it costs nothing. Exits 1 where a region does not answer.
    """
    found = table_sizes(open_stack(run_dir, outputs, attempts_max=2).deployment)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        table = make_table("region", "table or index", "items", "bytes", whole={"region"})
        for one in found:
            name = f"  {one.index}" if one.index else one.table
            table.add_row(one.region, name, _number(one, one.items), _number(one, one.bytes))
        print_table(table, Console())
    unread = {f"{one.table} in {one.region}": one.error for one in found if one.error}
    say_unknown("it was not described", unread)
    if unread:
        raise typer.Exit(1)


def _number(size: TableSize, value: int | None) -> str:
    return "unknown" if size.error or value is None else f"{value:,}"
