"""`responder demo`: the whole promise, shown in two minutes."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ops.demo.scenario import run_demo
from ops.local.running import REPORTS
from ops.options import check_report
from ops.scratch import ending, keep, scratch_folder


def demo(
    report: Annotated[Path, typer.Option(help="Where the JSON report goes.")] = REPORTS / "demo.json",
) -> None:
    """Bring up both regions, replay alerts, lose the primary in mid-stream, and count every alert.

    Exits 1 if any alert that was answered 202 is not accounted for, or if too few were told with their
    analysis. Takes under two minutes.
    """
    check_report(report, "--report")
    with scratch_folder("demo") as run_dir:
        try:
            outcome = run_demo(run_dir=run_dir, report_path=report, console=Console())
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(ending(run_dir)) from interrupt
        except BaseException:
            keep(run_dir)
            raise
        if not outcome.passed:
            keep(run_dir)
            typer.echo(f"logs and records are kept in {run_dir}")
            raise typer.Exit(1)
