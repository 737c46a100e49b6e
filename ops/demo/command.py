"""`responder demo`: the whole promise, shown in two minutes."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lambda_packages import ROOT
from ops.demo.scenario import run_demo
from ops.local.running import REPORTS
from ops.options import check_report


def demo(
    report: Annotated[Path, typer.Option(help="Where the JSON report goes.")] = REPORTS / "demo.json",
) -> None:
    """Bring up both regions, replay alerts, lose the primary in mid-stream, and count every alert.

    Exits 1 if any alert that was answered 202 is not accounted for. Takes under two minutes.
    """
    check_report(report, "--report")
    scratch = ROOT / ".local"
    scratch.mkdir(exist_ok=True)
    run_dir = Path(tempfile.mkdtemp(prefix="demo-", dir=scratch))
    try:
        outcome = asyncio.run(run_demo(run_dir=run_dir, report_path=report, console=Console()))
    except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
        shutil.rmtree(run_dir, ignore_errors=True)
        raise KeyboardInterrupt("nothing is left running") from interrupt
    if not outcome.passed:
        typer.echo(f"logs and records are kept in {run_dir}")
        raise typer.Exit(1)
    shutil.rmtree(run_dir)
