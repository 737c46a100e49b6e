"""`responder tune`: finds how much a stack takes and what saturates, and shows that it can be believed."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from chaos.target import ChaosRefusedError, permit
from clients.alert_source import AlertSource
from clients.deployment import Deployment
from clients.interrupts import interrupt_on_ending
from clients.receipts import write_report
from emulator import local_stack
from emulator.attached_stack import attached_deployment
from emulator.claude_latency import HONEST, QUICK
from emulator.client import Emulator
from loadtests.throughput.embedded_telemetry import EmbeddedTelemetry
from loadtests.throughput.event_sources import EventSources
from loadtests.throughput.knee import PROBES_MAX, middle_of
from loadtests.throughput.measures import SLO_FILE, Slo, read_slo
from loadtests.throughput.page import write_page
from loadtests.throughput.planted import LIMITS, Site
from loadtests.throughput.prove import find_planted, misses
from loadtests.throughput.report import TuningReport
from loadtests.throughput.stack_probe import StackProbe
from loadtests.throughput.sweep import SweepRow
from loadtests.throughput.sweep import sweep as sweep_mappings
from loadtests.throughput.tuning import find_knee
from ops.demo.progress import ProgressLine
from ops.local import running
from ops.local.running import REPORTS
from ops.options import AsJson, check_page, check_report
from ops.scratch import scratch_folder
from ops.tune_output import finding_row, machine_text, print_findings, print_report
from topology.errors import ExplainedError

LEAST_SLACK_MS: Final = "100"
"""Between two messages, in a proof: so that Slack's pace is no limit beside those that are planted."""

SWEPT_PART: Final = 0.6
"""Of the knee: close to it a wait is made by chance more than by a setting."""

MACHINE: Final = "machine"
PAGE: Final = REPORTS / "throughput.html"
PROOF: Final = REPORTS / "tune-limits.json"

Folder = Annotated[Path | None, typer.Option(help="Of a running local stack; without it a new one is used.")]
Seconds = Annotated[float, typer.Option(min=20, max=600, help="How long a probe near the knee takes.")]


class StackLostError(ExplainedError):
    """The stack stopped answering in the middle of a search."""


def throughput(  # noqa: PLR0913 - one option each
    *,
    run_dir: Folder = None,
    slo: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Thresholds, as throughput/slo.yaml."),
    ] = None,
    seconds: Seconds = 60.0,
    max_probes: Annotated[int, typer.Option(min=3, max=PROBES_MAX, help="Of each search.")] = PROBES_MAX,
    runs: Annotated[int, typer.Option(min=1, max=5, help="Searches, for the spread of what they find.")] = 1,
    critical: Annotated[float, typer.Option(min=1, max=100, help="Percent of the alerts CRITICAL.")] = 10.0,
    sweep: Annotated[bool, typer.Option(help="Whether the queues' mappings are swept at the end.")] = True,
    as_json: AsJson = False,
    report: Annotated[
        Path | None, typer.Option(help="The page, its JSON beside it; reports/throughput.html if left out.")
    ] = None,
    stack_name: Annotated[str, typer.Option(help="Type the stack's name; production asks for it.")] = "",
) -> None:
    """Find the highest rate that one region takes within its thresholds, and name what saturates there.

    Then each setting of the queues' mappings is tried at a rate below it, and put back. Exits 1 if the
    probes did not settle the knee.
    """
    thresholds = read_slo(slo or SLO_FILE)
    _check_permission(stack_name)
    report = report or PAGE
    check_page(report)
    interrupt_on_ending()
    console, began_at = Console(stderr=as_json), f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    with _stack(run_dir, {}) as (emulator, deployment), contextlib.closing(ProgressLine(console)) as progress:
        probe = _probe(emulator, deployment, slo=thresholds, critical=critical, progress=progress.show)
        probe.warm_up()
        with _model_takes_its_time(emulator):
            searches = [find_knee(probe, seconds=seconds, probes_max=max_probes) for _ in range(runs)]
            knee_per_s = middle_of([search.knee for search in searches])
            swept_per_s = SWEPT_PART * knee_per_s if sweep and knee_per_s else None
            rows = _swept(probe, swept_per_s, seconds) if swept_per_s else []
    result = TuningReport(
        stack=deployment.names.stack,
        region=deployment.primary.region,
        began_at=began_at,
        slo=thresholds,
        critical_percent=critical,
        model=str(HONEST),
        searches=tuple(searches),
        sweep_per_s=swept_per_s,
        sweep=tuple(rows),
    )
    write_page(result, report)
    write_report(report.with_suffix(".json"), asdict(result))
    if as_json:
        typer.echo(report.with_suffix(".json").read_text(encoding="utf-8"))
    else:
        print_report(result, console, report)
    if knee_per_s is None:
        raise typer.Exit(1)


def prove(
    *,
    only: Annotated[
        list[str] | None, typer.Option(help="Of these limits only; `machine` is its own.")
    ] = None,
    seconds: Seconds = 40.0,
    runs: Annotated[int, typer.Option(min=1, max=5, help="Searches of the machine's own knee.")] = 3,
    report: Annotated[
        Path | None, typer.Option(help="Where the JSON goes; reports/tune-limits.json if left out.")
    ] = None,
) -> None:
    """Plant six limits of known rates on a new local stack, find each within 5 %, and name it.

    Then the machine's own knee is searched, for its spread. Exits 1 if a limit is missed or misnamed.
    """
    chosen = _chosen(only)
    _check_permission("")
    report = report or PROOF
    check_report(report, "--report")
    interrupt_on_ending()
    console, findings, machine = Console(), [], []
    with (
        _stack(None, {"slackIntervalMs": LEAST_SLACK_MS}) as (emulator, deployment),
        contextlib.closing(ProgressLine(console)) as progress,
    ):
        probe = _probe(emulator, deployment, slo=read_slo(), critical=100.0, progress=progress.show)
        site = Site(emulator, deployment, probe)
        for limit in LIMITS:
            if limit.resource in chosen:
                findings.append(find_planted(limit, site, seconds=seconds))
                console.print("  ".join(finding_row(findings[-1])), soft_wrap=True, highlight=False)
        if MACHINE in chosen:
            probe.warm_up()
            machine = [find_knee(probe, seconds=seconds) for _ in range(runs)]
    print_findings(findings, console)
    knees = [search.knee for search in machine]
    if knees:
        saturated = sorted({str(s.saturation.resource) for s in machine if s.saturation})
        console.print(f"{machine_text(knees)}; saturated: {', '.join(saturated)}", soft_wrap=True)
    missed = misses(findings)
    write_report(report, {"limits": [asdict(one) for one in findings], "machine": [asdict(k) for k in knees]})
    console.print(
        f"{len(findings) - len({m.partition(':')[0] for m in missed})} of {len(findings)} limits found"
    )
    for line in missed:
        console.print(f"[bold red]missed[/] {line}", soft_wrap=True)
    if missed:
        raise typer.Exit(1)


def _check_permission(stack_name: str) -> None:
    """Load goes only to a stack that faults may be injected into.

    Raises:
        typer.BadParameter: it may not.
    """
    try:
        permit(running.local_config(), typed_stack=stack_name)
    except ChaosRefusedError as error:
        raise typer.BadParameter(str(error)) from error


def _chosen(only: Sequence[str] | None) -> list[str]:
    """The limits to plant, all of them unless some are named.

    Raises:
        typer.BadParameter: there is none of that name.
    """
    known = [*(str(limit.resource) for limit in LIMITS), MACHINE]
    if unknown := sorted(set(only or ()) - set(known)):
        raise typer.BadParameter(f"--only: no limit {', '.join(unknown)}; there are {', '.join(known)}")
    return list(only or known)


@contextlib.contextmanager
def _stack(run_dir: Path | None, config: Mapping[str, str]) -> Iterator[tuple[Emulator, Deployment]]:
    """The stack of a run folder, or a new one with this configuration, taken down at the end.

    Raises:
        StackLostError: it stopped answering within the block.
    """
    with contextlib.ExitStack() as ending:
        if run_dir is not None:
            emulator = running.attach(run_dir)
            deployment = attached_deployment(emulator)
        else:
            folder = ending.enter_context(scratch_folder("tune"))
            regions = running.local_config().regions
            emulator = ending.enter_context(Emulator.start(folder, regions=regions))
            deployment = local_stack.deploy(emulator, config=config).deployment
        try:
            yield emulator, deployment
        except (BotoCoreError, ClientError) as error:
            raise StackLostError(
                f"the stack did not answer: {error}; nothing is known of its knee"
            ) from error


@contextlib.contextmanager
def _model_takes_its_time(emulator: Emulator) -> Iterator[None]:
    """Have the stand-in for Claude take as long as a model does, and answer at once again after the block."""
    emulator.set_claude_latency(HONEST)
    try:
        yield
    finally:
        emulator.set_claude_latency(QUICK)


def _probe(
    emulator: Emulator,
    deployment: Deployment,
    *,
    slo: Slo,
    critical: float,
    progress: Callable[[str], None],
) -> StackProbe:
    """A probe of the stack's primary region. On AWS another reader of its figures would take its place."""
    return StackProbe(
        deployment=deployment,
        endpoints=deployment.primary,
        webhook=running.webhooks_of(deployment)[0],
        reader=EmbeddedTelemetry(emulator, deployment, deployment.primary),
        source=AlertSource(source="tune", critical_percent=critical),
        slo=slo,
        progress=progress,
    )


def _swept(probe: StackProbe, per_s: float, seconds: float) -> list[SweepRow]:
    sources = EventSources(probe.deployment, probe.endpoints.region)
    return sweep_mappings(probe, sources, running.local_config(), per_s=per_s, seconds=seconds)
