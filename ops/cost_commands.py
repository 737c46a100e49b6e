"""`responder cost`: what a stack costs before anything is deployed, and the measurement behind that."""

import math
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from clients.interrupts import interrupt_on_ending
from clients.receipts import write_report
from costs.estimate import PER_HOUR_MAX, estimate_of
from costs.measuring import CONFIG, MIX, measure
from costs.usage import MEASURED, Measurement, MeasurementError, read_measurement
from emulator import local_stack
from emulator.client import Emulator
from lambda_packages import ROOT
from ops.cost_output import print_estimate
from ops.local import running
from ops.options import AsJson, check_report
from ops.scratch import scratch_folder
from topology.names import STACKS
from topology.prices import UnpricedError

app = typer.Typer(help="What a stack costs: per 1,000 alerts, and a month.", no_args_is_help=True)


@app.command()
def estimate(
    *,
    stack: Annotated[str, typer.Option(help=f"One of {', '.join(STACKS)}; its Pulumi.<stack>.yaml is read.")],
    per_hour: Annotated[
        float, typer.Option(min=0, max=PER_HOUR_MAX, help="Alerts an hour, all day and night.")
    ],
    measured: Annotated[
        Path,
        typer.Option(
            help="What alerts use, by `responder cost measure`.", show_default="costs/measured.json"
        ),
    ] = MEASURED,
    as_json: AsJson = False,
) -> None:
    """Print what a stack would cost: 1,000 alerts, a month before the first, a month at a rate.

    Nothing is deployed and nobody is asked. The stack's own program runs in this process and says
    what a month keeps, a measurement says what an alert uses, and one dated table has the prices.
    Beside it stands the pipeline of the runbook that this project replaces. For example:

    responder cost estimate --stack prod --per-hour 100
    """
    if not math.isfinite(per_hour):
        raise typer.BadParameter(f"--per-hour: {per_hour} is no number of alerts")
    if stack not in STACKS:
        raise typer.BadParameter(f"--stack: no stack {stack!r}; there are {', '.join(STACKS)}")
    try:
        found = estimate_of(ROOT, stack, per_hour=per_hour, measurement=read_measurement(measured))
    except (MeasurementError, UnpricedError) as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found.as_json())).decode())
    else:
        print_estimate(found, Console())


@app.command(name="measure")
def measure_usage(
    *,
    seconds: Annotated[float, typer.Option(min=10, max=600, help="How long alerts are sent.")] = 60.0,
    report: Annotated[
        Path, typer.Option(help="Where the measurement goes.", show_default="costs/measured.json")
    ] = MEASURED,
    as_json: AsJson = False,
) -> None:
    """Measure on a new local stack what alerts use, for `responder cost estimate` to go by.

    Mixed alerts are sent, one a second, with repeats; analyses come from Claude's stand-in and from
    the cache. The embedded AWS counts what AWS bills by use. It takes about three minutes.
    """
    check_report(report, "--report")
    interrupt_on_ending()
    console = Console(stderr=True)
    with scratch_folder("cost") as folder:
        regions = running.local_config().regions
        with Emulator.start(folder / "stack", regions=regions) as emulator:
            deployment = local_stack.deploy(emulator, config=CONFIG, progress=console.print).deployment
            usage = measure(
                emulator,
                deployment,
                running.webhooks_of(deployment),
                seconds=seconds,
                receipts=folder / "receipts.jsonl",
                progress=console.print,
            )
    measurement = Measurement(
        measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
        command=f"responder cost measure --seconds {seconds:g}",
        machine=f"{os.cpu_count()} processors, Python {platform.python_version()}",
        mix=MIX,
        usage=usage,
    )
    content = msgspec.to_builtins(measurement)
    write_report(report, content)
    if as_json:
        typer.echo(report.read_text(encoding="utf-8"))
    else:
        console.print(f"{usage.alerts} alerts measured; measurement: {report}", soft_wrap=True)
