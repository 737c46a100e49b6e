"""`responder load`: a shape of `loadtests/` on a fresh stack or on one that runs, its report, its audit."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from audit.shown import scan_analysed, shown_of
from audit.stack import audit_stack
from clients.interrupts import interrupt_on_ending
from clients.receipts import read_receipts, scan_receipts
from emulator import local_stack
from emulator.client import Emulator
from loadtests import headless
from loadtests.headless import LoadOptions
from loadtests.report import LoadReport
from ops.local import running
from ops.local.running import REPORTS
from ops.opened_stack import OpenedStack, StackName, open_stack
from ops.options import AsJson, RunDir, check_report, check_writable_file, verdict_kept
from ops.scratch import keep, scratch_folder
from ops.tables import print_table


def load(  # noqa: PLR0913 - one option each
    shape: Annotated[
        str, typer.Argument(metavar="SHAPE", help=f"What is due when: {', '.join(headless.SHAPES)}.")
    ],
    *,
    per_s: Annotated[
        float | None, typer.Option(min=0.01, help="Posts a second, where the shape is highest.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long it sends.")] = None,
    critical_percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="Percent of the alerts that are CRITICAL.")
    ] = None,
    stream: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A recorded stream to replay instead.")
    ] = None,
    speed: Annotated[float | None, typer.Option(min=0.01, help="How many times as fast.")] = None,
    slo: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Thresholds; loadtests/slo.yaml.")
    ] = None,
    processes: Annotated[int, typer.Option(min=0, max=64, help="Worker processes; 0: all in one.")] = 0,
    report: Annotated[
        Path | None, typer.Option(help="Where the JSON report goes; reports/load-SHAPE.json if left out.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write Locust's own page there too.")] = None,
    attach: Annotated[
        bool, typer.Option("--attach", help="Load the stack that runs in --run-dir; else a fresh one.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Annotated[
        Path | None, typer.Option(help="A real stack's, by `pulumi stack output --json > FILE`.")
    ] = None,
    stack_name: StackName = "",
    as_json: AsJson = False,
) -> None:
    """Put a load on a stack, print what it bore, and count every alert.

    Exits 1 if a threshold is missed, the rate was not reached, or an alert is not accounted for.
    """
    if shape not in headless.SHAPES:
        raise typer.BadParameter(f"there is no shape {shape!r}; there are {', '.join(headless.SHAPES)}")
    report = report or REPORTS / f"load-{shape}.json"
    check_report(report, "--report")
    check_writable_file(html, "--html")
    options = LoadOptions(
        per_s=per_s,
        seconds=seconds,
        critical_percent=critical_percent,
        stream=stream,
        speed=speed,
        slo=slo,
        processes=processes,
        html=html,
        outputs=outputs,
        stack_name=stack_name or None,
    )
    interrupt_on_ending()
    console = Console(stderr=as_json)
    with scratch_folder("load") as folder:
        with _stack(folder, attach=attach, run_dir=run_dir, outputs=outputs, console=console) as stack:
            if stack.emulator is not None:
                options = replace(options, run_dir=stack.emulator.run_dir)
            with console.status(f"the load {shape} is running; its log is {report.with_suffix('.log')}"):
                result = headless.run(shape, options, report=report, receipts=folder / "receipts")
            result = _audited(result, stack, folder / "receipts")
        result.write(report)
        if not (result.audit or {}).get("passed"):
            keep(folder)
            console.print(f"logs and receipts are kept in {folder}", soft_wrap=True, highlight=False)
    _show(result, report, console, as_json=as_json)
    if not result.passed:
        raise typer.Exit(1)


@contextlib.contextmanager
def _stack(
    folder: Path, *, attach: bool, run_dir: Path, outputs: Path | None, console: Console
) -> Iterator[OpenedStack]:
    """The stack to load: one that runs, or a fresh one for as long as the block does."""
    if attach or outputs is not None:
        yield open_stack(run_dir, str(outputs) if outputs else None)
        return
    with Emulator.start(folder / "stack", regions=running.local_config().regions) as emulator:
        with console.status("bringing a stack up") as status:
            stack = local_stack.deploy(emulator, progress=status.update)
        yield OpenedStack(stack.deployment, emulator)


def _audited(result: LoadReport, stack: OpenedStack, receipts: Path) -> LoadReport:
    """The report with the audit of all that was accepted, which fails it as a missed threshold does."""
    files = headless.receipt_files(receipts)
    messages = stack.emulator.slack_messages() if stack.emulator is not None else None
    audit = audit_stack(
        stack.deployment, receipts=chain.from_iterable(map(scan_receipts, files)), slack=messages
    )
    failures = result.failures
    if not audit.passed:
        missed = (
            f"unaccounted {audit.unaccounted}, unread {audit.unread}, unexplained {len(audit.unexplained)}"
        )
        failures += (f"the audit: {missed}; the ids are in the report",)
    found = {**asdict(audit), "passed": audit.passed}
    if messages is not None:
        ids = {receipt.alert_id for file in files for receipt in read_receipts(file)}
        rows = scan_analysed(stack.deployment, stack.deployment.primary.region)
        shown = shown_of(messages, rows, ids=ids)
        found |= {"shown_with_analysis_percent": shown.percent, "not_shown_ids": shown.without}
    return msgspec.structs.replace(result, audit=found, failures=failures)


def _show(result: LoadReport, report: Path, console: Console, *, as_json: bool) -> None:
    with verdict_kept(result.summary()):
        if as_json:
            typer.echo(json.dumps(msgspec.to_builtins(result), indent=2))
            return
        print_table(result.table(), console)
        unaccounted = result.audit["unaccounted"] if result.audit else "unknown"
        console.print(f"report: {report}", soft_wrap=True, highlight=False)
        console.print(f"{result.summary()}, unaccounted {unaccounted}", soft_wrap=True, highlight=False)
