"""`responder alerts ack` and `snooze`: what people say of alerts that Slack shows."""

import json
import time
from typing import Annotated, Final

import typer

from clients.acknowledgements import Acknowledgements
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, printable
from ops.people_options import By, For, Until, checked_text, end_of, shown_time
from topology.silences import MAX_BY_CHARS

MAX_SNOOZE_S: Final = 86_400

AlertId = Annotated[str, typer.Argument(help="As Slack's message has it.")]


def acknowledge(
    alert_id: AlertId,
    *,
    by: By,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Acknowledge an alert that Slack shows: it goes no second way."""
    by = checked_text("--by", by, MAX_BY_CHARS)
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    Acknowledgements(deployment).acknowledge(alert_id, by=by, now_s=int(time.time()))
    if as_json:
        typer.echo(json.dumps({"alert_id": alert_id, "acknowledged_by": by}))
    else:
        typer.echo(f"{printable(alert_id)}: acknowledged by {by}")


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
    by, now_s = checked_text("--by", by, MAX_BY_CHARS), int(time.time())
    until_s = end_of(now_s=now_s, lasting=lasting, until=until)
    if until_s > now_s + MAX_SNOOZE_S:
        raise typer.BadParameter("a day is the longest; acknowledge it, if somebody sees to it")
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    Acknowledgements(deployment).snooze(alert_id, by=by, until_s=until_s)
    if as_json:
        typer.echo(json.dumps({"alert_id": alert_id, "snoozed_until": until_s, "by": by}))
    else:
        typer.echo(f"{printable(alert_id)}: snoozed by {by} until {shown_time(until_s)}")
