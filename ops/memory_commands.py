"""`responder tune memory`, and what shows that its choices can be believed: `tune samples`, `tune replay`."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from clients.interrupts import interrupt_on_ending
from clients.receipts import write_report
from costs.usage import read_measurement
from emulator.lambda_host.processor import not_measurable
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from loadtests.isolated.events import WEIGHTS
from loadtests.sizing.apply import ApplyError, change_of
from loadtests.sizing.aws_site import AwsSite, open_aws_site
from loadtests.sizing.local_site import SHAPES, LocalSite, open_local_site, open_shapes
from loadtests.sizing.page import write_page
from loadtests.sizing.plan import (
    BALANCE,
    COLD_SHARE,
    DEFAULT_SIZES,
    INVOCATIONS_MAX,
    PlanError,
    SizesError,
    TooShortError,
    check_sizes,
)
from loadtests.sizing.replay import COLD, SEEDS, STORED, WARM, measure_everything, replay
from loadtests.sizing.run import STRATEGIES, SweepOptions, sweep
from loadtests.sizing.samples import Sample, SampleSet, read_samples
from loadtests.target import Target, open_target
from ops.demo.progress import ProgressLine
from ops.local.running import REPORTS
from ops.options import AsJson, DryRun, check_page, check_report, check_writable_file
from ops.tables import make_table, print_table
from ops.tune_output import print_sizing
from topology.functions import FUNCTIONS
from topology.names import PRODUCTION_STACK, STACKS

PAGE: Final = REPORTS / "memory.html"
WITHIN_PERCENT: Final = 95
"""Of a replay's seeds, at least so many have to be within the tolerance."""

_PERCENT: Final = 100
_FUNCTIONS: Final = ", ".join(spec.key for spec in FUNCTIONS)

Sizes = Annotated[
    str,
    typer.Option(help="MB, by commas, from 128 to 10,240.", show_default=",".join(map(str, DEFAULT_SIZES))),
]


def memory(  # noqa: PLR0913 - one option each
    *,
    function: Annotated[list[str] | None, typer.Option(help=f"Of {_FUNCTIONS}; all if left out.")] = None,
    sizes: Sizes = "",
    strategy: Annotated[str, typer.Option(help=f"What is best: {', '.join(STRATEGIES)}.")] = STRATEGIES[0],
    cost_weight: Annotated[
        float, typer.Option(min=0, max=1, help="Of a balanced choice: 0 is latency alone, 1 cost.")
    ] = BALANCE,
    p95_max_ms: Annotated[
        float | None, typer.Option(min=1, help="The cheapest size whose warm p95 is at most this.")
    ] = None,
    cold_share: Annotated[
        float, typer.Option(min=0, max=0.99, help="Of a function's invocations, the part that is cold.")
    ] = COLD_SHARE,
    invocations: Annotated[
        int, typer.Option(min=1, max=100_000, help="The most that a function gets.")
    ] = INVOCATIONS_MAX,
    stack: Annotated[
        str, typer.Option(help="Whose sizes are tuned: Pulumi.<stack>.yaml.")
    ] = PRODUCTION_STACK,
    apply: Annotated[bool, typer.Option("--apply", help="Write the sizes into Pulumi.<stack>.yaml.")] = False,
    dry_run: DryRun = False,
    samples: Annotated[Path | None, typer.Option(help="Keep each sample in this file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="The page, its JSON beside it; reports/memory.html if left out.")
    ] = None,
    as_json: AsJson = False,
    run_dir: Annotated[Path | None, typer.Option(help="Sample a running local stack's functions.")] = None,
    outputs: Annotated[
        Path | None, typer.Option(help="Sample a real stack's, by `pulumi stack output --json`.")
    ] = None,
    stack_name: Annotated[str, typer.Option(help="Type the real stack's name.")] = "",
    real_claude: Annotated[
        bool, typer.Option("--real-claude", help="Have a real stack ask Claude for new faults, at its price.")
    ] = False,
    put_back: Annotated[
        bool, typer.Option("--put-back", help="Only put back what a killed sweep left in that stack.")
    ] = False,
) -> None:
    """Find the best size of memory of each function, with what the whole pipeline costs before and after.

    The functions' packages run in a Lambda host on this machine, at the processor share and the limits of
    each size, beside an AWS of canned answers; nothing is deployed. With --run-dir or --outputs a deployed
    stack's functions run instead, as versions of their own: its tables and its Slack get the alerts.
    Exits 1 where nothing can be recommended.
    """
    target = _target(run_dir, outputs, stack_name)
    if real_claude and outputs is None:
        raise typer.BadParameter("--real-claude is for a real stack; name it by --outputs")
    if put_back:
        _put_back(target)
        return
    stack = target.name if target else stack
    if stack not in STACKS:
        raise typer.BadParameter(f"--stack: no stack {stack!r}; there are {', '.join(STACKS)}")
    options = SweepOptions(
        functions=tuple(function or WEIGHTS),
        sizes=_sizes_of(sizes),
        strategy=strategy,
        cost_weight=cost_weight,
        p95_max_ms=p95_max_ms,
        cold_share=cold_share,
        invocations=invocations,
    )
    config, report = stack_config(ROOT, stack), report or PAGE
    with _wrong_use():
        options.plans(WEIGHTS, config)
        if apply:
            change_of(ROOT, stack, {})
    usage = read_measurement().usage
    check_page(report)
    check_writable_file(samples, "--samples")
    interrupt_on_ending()
    console, kept = Console(stderr=as_json), list[Sample]()
    with (
        contextlib.closing(ProgressLine(console)) as progress,
        _site(target, progress.show, real_claude=real_claude) as site,
    ):
        plans = options.plans(site.weights if isinstance(site, AwsSite) else WEIGHTS, config)
        try:
            result = sweep(
                site, plans, name=site.name, config=config, usage=usage, seed=options.seed, told=kept.append
            )
        finally:
            if samples is not None and kept:
                SampleSet(f"{site.name}: responder tune memory", tuple(kept)).write(samples)
    write_page(result, report)
    write_report(report.with_suffix(".json"), msgspec.to_builtins(result))
    lines = _written(ROOT, stack, result.chosen, apply=apply and not dry_run) if result.chosen else []
    if as_json:
        typer.echo(report.with_suffix(".json").read_text(encoding="utf-8"))
    else:
        print_sizing(result, console, report, lines)
    if undecided := [one.function for one in result.functions if one.function not in result.chosen]:
        console.print(
            f"nothing is recommended for {', '.join(undecided)}; allow more --invocations, or other --sizes"
        )
        raise typer.Exit(1)


def samples(
    *,
    report: Annotated[
        Path | None, typer.Option(help="The file to write; the one that `replay` reads if left out.")
    ] = None,
    sizes: Sizes = "",
    warm: Annotated[int, typer.Option(min=2, max=1_000, help="Warm invocations of each size.")] = WARM,
    cold: Annotated[int, typer.Option(min=2, max=1_000, help="Cold ones.")] = COLD,
) -> None:
    """Measure three functions of different shape exhaustively, for `responder tune replay`.

    One computes, one waits, one needs 600 MB; each runs at each size on this machine.
    """
    report, wanted = report or STORED, _sizes_of(sizes)
    with _wrong_use():
        check_sizes(wanted)
    if reasons := [reason for size in wanted if (reason := not_measurable(size))]:
        raise typer.BadParameter(f"--sizes: {reasons[0]}; leave it out")
    check_report(report, "--report")
    interrupt_on_ending()
    console = Console()
    with contextlib.closing(ProgressLine(console)) as progress, open_shapes(progress=progress.show) as site:
        found = measure_everything(site, SHAPES, wanted, warm=warm, cold=cold)
        origin = f"{site.name}: responder tune samples --warm {warm} --cold {cold}"
    SampleSet(origin, tuple(found)).write(report)
    console.print(f"{len(found)} samples: {report}", soft_wrap=True)


def replayed(
    *,
    file: Annotated[Path, typer.Option(help="Samples.", show_default="those of this project")] = STORED,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Searches of each function.")] = SEEDS,
    as_json: AsJson = False,
) -> None:
    """Search stored samples with many seeds, and hold each choice against the best size by all of them.

    Exits 1 if a function's choices are within 2 % of the best cost in fewer than 95 % of the searches.
    """
    console, found = Console(stderr=as_json), read_samples(file)
    rows = replay(found, seeds=seeds)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        table = make_table(
            "function", "best MB", "within 2 %", "Power Tuning within 2 %", "decided", "worst", "invocations",
            title=f"{seeds} searches each", whole={"function"},
        )  # fmt: skip
        for row in rows:
            worst = "none" if row.dearest is None else f"+{row.dearest:.1%}"
            counts = (f"{row.within}", f"{row.power_tuning_within}", f"{row.decided}")
            table.add_row(row.function, f"{row.best_mb}", *counts, worst, f"{row.part:.0%} at most")
        print_table(table, console)
        console.print(f"samples: {found.origin}", soft_wrap=True, style="dim")
    missed = [row.function for row in rows if row.within * _PERCENT < WITHIN_PERCENT * row.seeds]
    within = min(row.within for row in rows)
    console.print(f"within 2 % of the best cost in at least {within} of {seeds} searches of each function")
    if missed:
        console.print(f"[bold red]missed[/] {', '.join(missed)}")
        raise typer.Exit(1)


def _target(run_dir: Path | None, outputs: Path | None, stack_name: str) -> Target | None:
    """The deployed stack that the options name, None where they name none.

    Raises:
        typer.BadParameter: the options name two stacks, or only a name.
        LoadRefusedError: it is not there, or no load may be put on it.
    """
    if run_dir is not None and outputs is not None:
        raise typer.BadParameter("--run-dir and --outputs name two stacks; give one of them")
    if run_dir is None and outputs is None:
        if stack_name:
            raise typer.BadParameter("--stack-name is of a stack that --outputs names; --stack has a file's")
        return None
    return open_target(run_dir=str(run_dir or ""), outputs=str(outputs or ""), stack_name=stack_name)


def _put_back(target: Target | None) -> None:
    """Put back what a killed sweep left.

    Raises:
        typer.BadParameter: no stack is named.
    """
    if target is None:
        raise typer.BadParameter("--put-back: of which stack? name it by --run-dir or --outputs")
    interrupt_on_ending()
    console = Console()
    with contextlib.closing(ProgressLine(console)) as progress, _site(target, progress.show):
        pass
    console.print(
        f"stack {target.name} has its sizes and no version of a sweep; alerts of one that are still on their "
        "way go out and expire",
        soft_wrap=True,
    )


@contextlib.contextmanager
def _site(
    target: Target | None, progress: Callable[[str], None], *, real_claude: bool = False
) -> Iterator[LocalSite | AwsSite]:
    """Where functions are sampled. A local stack's Claude is a stand-in: `open_target` takes no other."""
    if target is None or target.deployment is None:
        with open_local_site(progress) as local:
            yield local
        return
    asks_model = real_claude or target.emulator is not None
    deployment = target.deployment
    with open_aws_site(deployment, deployment.primary, asks_model=asks_model, progress=progress) as on_aws:
        yield on_aws


def _sizes_of(text: str) -> tuple[int, ...]:
    """The sizes that an option names.

    Raises:
        typer.BadParameter: one is no number.
    """
    if not text:
        return DEFAULT_SIZES
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"--sizes: {text!r} are no sizes; name them as 512,1024") from error


def _written(directory: Path, stack: str, memory_mb: Mapping[str, int], *, apply: bool) -> list[str]:
    """Write the sizes into the stack's file if asked to; what changes there, in lines.

    Raises:
        ApplyError: they cannot be written, and were to be.
    """
    try:
        change = change_of(directory, stack, memory_mb)
    except ApplyError as error:
        if apply:
            raise
        return [str(error)]
    if not change.diff:
        return [f"{change.file.name} has these sizes already"]
    if apply:
        change.write()
        return [change.diff.rstrip(), f"{change.file.name} is written; `pulumi up` deploys it"]
    return [change.diff.rstrip(), f"nothing is written; --apply writes {change.file.name}"]


@contextlib.contextmanager
def _wrong_use() -> Iterator[None]:
    """What cannot be searched, or written at the end, is wrong use before any work."""
    try:
        yield
    except (SizesError, PlanError, TooShortError, ApplyError) as error:
        raise typer.BadParameter(str(error)) from error
