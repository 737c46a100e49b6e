"""`responder storm`: brings a stack up, sends the storm, and prints which goals were missed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from audit.ledger import scan_ledger
from audit.stack import audit_stack
from clients.interrupts import interrupt_on_ending
from clients.receipts import read_receipts
from emulator import local_stack
from emulator.client import Emulator
from loadtests.storm import StormPlan, run_storm
from loadtests.storm_report import StormReport, make_report
from ops.demo.progress import ProgressLine
from ops.local import running
from ops.local.running import REPORTS
from ops.options import check_report
from ops.scratch import scratch_folder
from ops.tables import print_table


def storm(
    *,
    minutes: Annotated[float, typer.Option(min=0.05, max=60, help="How long the storm lasts.")] = 3.0,
    per_minute: Annotated[int, typer.Option(min=1, max=6_000, help="Alerts a minute.")] = 1_000,
    critical: Annotated[float, typer.Option(min=0, max=100, help="Percent of them CRITICAL.")] = 2.0,
    report: Annotated[Path, typer.Option(help="Where the JSON report goes.")] = REPORTS / "storm.json",
) -> None:
    """Send 1,000 alerts a minute for 3 minutes into a stack whose Slack takes one message a second.

    Exits 1 if CRITICAL alerts take too long, the end takes too long, or an alert is not accounted for.
    """
    plan = StormPlan(minutes=minutes, per_minute=per_minute, critical_percent=critical)
    check_report(report, "--report")
    interrupt_on_ending()
    console = Console()
    with (
        scratch_folder("storm") as run_dir,
        Emulator.start(run_dir, regions=running.local_config().regions) as emulator,
    ):
        result = _run(plan, local_stack.deploy(emulator), console)
    print_table(result.table(), console)
    console.print(f"unaccounted {result.audit['unaccounted']}   report: {report}", soft_wrap=True)
    result.write(report)
    if result.missed:
        raise typer.Exit(1)


def _run(plan: StormPlan, stack: local_stack.LocalStack, console: Console) -> StormReport:
    emulator, deployment = stack.emulator, stack.deployment
    receipts = emulator.run_dir / running.RECEIPTS_FILE
    progress = ProgressLine(console)
    try:
        storm = run_storm(
            plan,
            emulator=emulator,
            deployment=deployment,
            webhooks=running.webhooks_of(deployment),
            receipts=receipts,
            progress=progress.show,
        )
    finally:
        progress.close()
    messages = emulator.slack_messages()
    return make_report(
        storm,
        receipts=read_receipts(receipts),
        rows=scan_ledger(deployment, deployment.failover.region),
        messages=messages,
        audit=audit_stack(deployment, receipts=receipts, slack=messages),
        slack_429s=emulator.status().slack_rate_limited,
    )
