"""What each `responder` command does: reads its options, calls one procedure, prints what came of it."""

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from clients.receipts import read_receipts
from components.packages import HOST, LAMBDA, build_packages
from ops import local
from ops.audit import Audit, audit, read_ledger
from ops.demo.scenario import run_demo

REPORTS: Final = local.ROOT / "reports"
RunDir = Annotated[Path, typer.Option(help="Folder of the local stack; another one is another stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")]


def demo(
    report: Annotated[Path, typer.Option(help="Where the JSON report goes.")] = REPORTS / "demo.json",
) -> None:
    """Bring up both regions, replay alerts, lose the primary in mid-stream, and count every alert.

    Exits 1 if any alert that was answered 202 is not accounted for. Takes under two minutes.
    """
    scratch = local.ROOT / ".local"
    scratch.mkdir(exist_ok=True)
    run_dir = Path(tempfile.mkdtemp(prefix="demo-", dir=scratch))
    try:
        found = asyncio.run(run_demo(run_dir=run_dir, report_path=report, console=Console()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        shutil.rmtree(run_dir, ignore_errors=True)
        raise
    if found.unaccounted:
        typer.echo(f"logs and records are kept in {run_dir}")
        raise typer.Exit(1)
    shutil.rmtree(run_dir)


def audit_command(
    receipts: Annotated[
        Path | None,
        typer.Option(help="The sender's receipts, one JSON object a line; by default `local replay`'s."),
    ] = None,
    *,
    run_dir: RunDir = local.RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """Compare receipts, each region's ledger and Slack, alert by alert; print `unaccounted 0` or the ids.

    Reads the stack that `responder local up` left running. Exits 1 if any alert is unaccounted.
    """
    emulator = local.attach(run_dir)
    deployment = local.attached_deployment(emulator)
    found = audit(
        receipts=read_receipts(receipts or run_dir / local.RECEIPTS_FILE),
        ledgers={e.region: read_ledger(deployment, e.region) for e in deployment.regions},
        slack=Counter(i for message in emulator.slack_messages() for i in message.alert_ids),
    )
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        _print_audit(found)
    if not found.passed:
        raise typer.Exit(1)


def packages(
    *, host: Annotated[bool, typer.Option("--host", help="For this machine instead of Lambda.")] = False
) -> None:
    """Build the Lambda packages (arm64, as on AWS) and say where they are."""
    for spec, path in build_packages(HOST if host else LAMBDA).items():
        typer.echo(f"{spec.suffix:24} {path.stat().st_size / 1e6:6.2f} MB  {path}")


def _print_audit(found: Audit) -> None:
    console = Console()
    table = Table("region", "notified", "suppressed", "parked")
    for region, states in sorted(found.by_region.items()):
        table.add_row(region, *(str(states.get(s, 0)) for s in ("NOTIFIED", "SUPPRESSED", "PARKED")))
    console.print(table)
    console.print(
        f"accepted {found.accepted}   duplicates {found.duplicates}   without a receipt {found.unreceipted}"
    )
    for alert_id, problem in found.unaccounted.items():
        console.print(f"[red]unaccounted[/] {alert_id}: {problem}")
    console.print(f"unaccounted {len(found.unaccounted)}")
