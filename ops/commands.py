"""What each `responder` command does: reads its options, calls one procedure, prints what came of it."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from components.packages import HOST, LAMBDA, build_packages
from ops import local
from ops.demo.scenario import run_demo

REPORTS: Final = local.ROOT / "reports"


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
    if not found.passed:
        typer.echo(f"logs and records are kept in {run_dir}")
        raise typer.Exit(1)
    shutil.rmtree(run_dir)


def packages(
    *, host: Annotated[bool, typer.Option("--host", help="For this machine instead of Lambda.")] = False
) -> None:
    """Build the Lambda packages (arm64, as on AWS) and say where they are."""
    for spec, path in build_packages(HOST if host else LAMBDA).items():
        typer.echo(f"{spec.suffix:24} {path.stat().st_size / 1e6:6.2f} MB  {path}")
