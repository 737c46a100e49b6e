"""`responder alerts`: what people say of alerts that Slack shows."""

import json
import time
from typing import Annotated, Final

import typer

from clients.acknowledgements import Acknowledgements
from ops.durations import end_of
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, printable
from ops.silence_commands import By, For, Until, shown_time
from topology.silences import MAX_BY_CHARS

MAX_SNOOZE_S: Final = 86_400

app = typer.Typer(help="Say that somebody sees to an alert.", no_args_is_help=True)

AlertId = Annotated[str, typer.Argument(help="As Slack's message has it.")]


@app.command("ack")
def acknowledge(
    alert_id: AlertId,
    *,
    by: By,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Acknowledge an alert that Slack shows: it goes no second way."""
    by = checked_name(by)
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    Acknowledgements(deployment).acknowledge(alert_id, by=by, now_s=int(time.time()))
    if as_json:
        typer.echo(json.dumps({"alert_id": alert_id, "acknowledged_by": by}))
    else:
        typer.echo(f"{printable(alert_id)}: acknowledged by {by}")


@app.command("snooze")
def snooze(
    alert_id: AlertId,
    *,
    by: By,
    lasting: For = "",
    until: Until = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Have a CRITICAL alert go a second way only later, unless it is acknowledged by then."""
    by, now_s = checked_name(by), int(time.time())
    until_s = end_of(now_s=now_s, lasting=lasting, until=until)
    if until_s > now_s + MAX_SNOOZE_S:
        raise typer.BadParameter("a day is the longest; acknowledge it, if somebody sees to it")
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    Acknowledgements(deployment).snooze(alert_id, until_s=until_s)
    if as_json:
        typer.echo(json.dumps({"alert_id": alert_id, "snoozed_until": until_s, "by": by}))
    else:
        typer.echo(f"{printable(alert_id)}: snoozed by {by} until {shown_time(until_s)}")


def checked_name(by: str) -> str:
    """Who acts, if it can be kept and shown.

    Raises:
        typer.BadParameter: it cannot.
    """
    if not by.strip() or len(by) > MAX_BY_CHARS or not by.isprintable():
        raise typer.BadParameter(f"--by: say who, in up to {MAX_BY_CHARS} printable characters")
    return by.strip()
