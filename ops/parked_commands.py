"""`responder parked`: the alerts that could not be delivered, why, and how they are sent out again."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clients.ledger import ParkedAlert, ParkedAlerts, Redrive
from handlers.domain.redaction import redacted
from ops.local import running
from ops.opened_stack import Outputs, StackName, confirm, open_stack
from ops.options import AsJson, DryRun, RunDir, Yes, printable
from ops.people_options import shown_age
from ops.tables import make_table, print_table
from runbook.redaction import row_without_secrets
from topology.alerts import Severity, Status

MAX_REDRIVEN: Final = 1_000
"""Alerts of one `redrive --all`: as many as Slack takes in a quarter of an hour, or in a few digests."""

_WHOLE: Final = frozenset({"alert", "severity", "region", "age"})

app = typer.Typer(
    help="Alerts that could not be delivered: what and why, and sending them out again.",
    no_args_is_help=True,
)


@app.command("list")
def list_parked(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many of each region.")] = 100,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """List PARKED alerts, the newest last, with the reason of each."""
    found = ParkedAlerts(open_stack(run_dir, outputs).deployment).read(limit=limit)
    parked = [replace(one, title=redacted(one.title), reason=redacted(one.reason)) for one in found]
    if as_json:
        typer.echo(json.dumps([asdict(alert) for alert in parked], indent=2))
        return
    console = Console()
    if parked:
        print_table(_table(parked), console)
    console.print(f"parked {len(parked)}" + (", or more: see --limit" if _may_be_more(parked, limit) else ""))


@app.command("show")
def show(
    alert_id: Annotated[str, typer.Argument(help="As `responder parked list` has it.")],
    *,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Show everything that the ledger has of one alert, and the state of its family.

    Exits 1 if there is no such alert.
    """
    alerts = ParkedAlerts(open_stack(run_dir, outputs).deployment)
    row = alerts.get(alert_id)
    if row is None:
        typer.secho(f"{printable(alert_id)}: {Redrive.MISSING}", fg="red", err=True)
        raise typer.Exit(1)
    family = [{"alert_id": member_id, "status": status} for member_id, status in alerts.family(row)]
    row = row_without_secrets(row)
    if as_json:
        typer.echo(json.dumps({"alert": row, "family": family}, indent=2))
        return
    table = make_table(show_header=False)
    for name, value in sorted(row.items()):
        text = value if isinstance(value, str) else json.dumps(value)
        table.add_row(name, escape(printable(text)))
    console = Console()
    print_table(table, console)
    for member in family:
        text = f"family  {escape(member['alert_id'])}  {member['status']}"
        console.print(text, highlight=False, soft_wrap=True)


@app.command("redrive")
def redrive(
    alert_ids: Annotated[list[str] | None, typer.Argument(help="Ids of PARKED alerts.")] = None,
    *,
    all_parked: Annotated[
        bool, typer.Option("--all", help=f"Every PARKED alert, at most {MAX_REDRIVEN} a region.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Send PARKED alerts through the pipeline again, from the start and with all attempts before them.

    One that has a successor, a repeat that went out in its place, is notified once more. Exits 1 if
    any of the alerts could not be redriven.
    """
    if bool(alert_ids) == all_parked:
        raise typer.BadParameter("give the ids of PARKED alerts, or --all")
    deployment = open_stack(run_dir, outputs).deployment
    alerts = ParkedAlerts(deployment)
    if alert_ids:
        outcomes = {alert_id: _would(alerts, alert_id) for alert_id in alert_ids}
    else:
        outcomes = {parked.alert_id: Redrive.DONE for parked in alerts.read(limit=MAX_REDRIVEN)}
    going = [alert_id for alert_id, outcome in outcomes.items() if outcome.done]
    if going and not dry_run:
        confirm(deployment, f"{len(going)} alerts go out again.", yes=yes, stack_name=stack_name)
        outcomes |= {
            alert_id: alerts.redrive(alert_id, now_s=time.time_ns() // 1_000_000_000) for alert_id in going
        }
    _report(outcomes, dry_run=dry_run, as_json=as_json)
    if not all(outcome.done for outcome in outcomes.values()):
        raise typer.Exit(1)


def _would(alerts: ParkedAlerts, alert_id: str) -> Redrive:
    """The outcome that a redrive of the alert would have now."""
    row = alerts.get(alert_id)
    if row is None:
        return Redrive.MISSING
    return Redrive.DONE if row["status"] == Status.PARKED else Redrive.NOT_PARKED


def _report(outcomes: dict[str, Redrive], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        rows = [
            {"alert_id": alert_id, "done": outcome.done and not dry_run, "outcome": outcome.value}
            for alert_id, outcome in outcomes.items()
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    for alert_id, outcome in outcomes.items():
        text = "would be redriven" if dry_run and outcome.done else outcome.value
        typer.secho(
            f"{printable(alert_id)}: {text}", fg=None if outcome.done else "red", err=not outcome.done
        )
    done = sum(outcome.done for outcome in outcomes.values())
    typer.echo(f"{'would be redriven' if dry_run else 'redriven'} {done} of {len(outcomes)}")


def _table(parked: Sequence[ParkedAlert]) -> Table:
    table = make_table("alert", "severity", "region", "age", "title", "reason", whole=_WHOLE)
    now_s = time.time()
    for alert in parked:
        successor = f" (successor {alert.successor_id})" if alert.successor_id else ""
        table.add_row(
            alert.alert_id,
            alert.severity,
            alert.region,
            shown_age(now_s - alert.accepted_at_ms / 1_000),
            escape(printable(alert.title)),
            escape(printable(alert.reason + successor)),
            style="bold red" if alert.severity == Severity.CRITICAL else None,
        )
    return table


def _may_be_more(parked: Sequence[ParkedAlert], limit: int) -> bool:
    return any(count >= limit for count in Counter(alert.owner for alert in parked).values())
