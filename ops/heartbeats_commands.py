"""`responder heartbeats`: what is expected again and again, when it was last there, and what is missing."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clients.heartbeats import LATE, MISSING, UNKNOWN, Expected, read_expected
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, printable
from ops.tables import make_table, print_table

app = typer.Typer(
    help="What sources and regions send to say that they can: last seen, due, missing.", no_args_is_help=True
)


@app.command("list")
def list_heartbeats(
    *, run_dir: RunDir = running.RUN_DIR, outputs: Outputs = None, as_json: AsJson = False
) -> None:
    """List heartbeats and synthetic alerts: last seen in each region, due, and whether one is missing.

    What is listed is what Recovery watched for when it last ran, within a minute of a deployment.
    """
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    expected = read_expected(deployment, now_ms=time.time_ns() // 1_000_000)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in expected], indent=2))
        return
    console = Console()
    if expected:
        print_table(_table(expected, [endpoints.region for endpoints in deployment.regions]), console)
    states = Counter(one.state for one in expected)
    unknown = f", unknown {states[UNKNOWN]}" if states[UNKNOWN] else ""
    console.print(f"expected {len(expected)}, late or missing {states[LATE] + states[MISSING]}{unknown}")


def _table(expected: Sequence[Expected], regions: Sequence[str]) -> Table:
    table = make_table(
        "what", "every", *(f"last in {region}" for region in regions), "due", "state", whole={"what", "state"}
    )
    for one in expected:
        seen = [_seen(one, region) for region in regions]
        what = escape(printable(one.what))
        table.add_row(what, f"{one.every_s} s", *seen, _moment(one.due_ms), one.state)
    return table


def _seen(one: Expected, region: str) -> str:
    if region not in one.seen_ms:
        return ""
    at_ms = one.seen_ms[region]
    if region in one.unsure_in:
        return f"{_moment(at_ms)} or later" if at_ms else UNKNOWN
    return _moment(at_ms)


def _moment(at_ms: int) -> str:
    if not at_ms:
        return "never"
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
