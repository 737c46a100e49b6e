"""The command line of the simulator. Exit 0: all kept; 1: a promise broken, or a mutant alive; 2: misuse.

Reached as `responder simulate` and `python -m simulator`.
"""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from clients.output_files import UnwritableError, check_file, check_folder
from simulator.drawing import scenario_of
from simulator.mutants.catalogue import MUTANTS, UnknownMutantError, planted
from simulator.mutants.mutant import Mutant
from simulator.releases.archive import ReleaseError, last_release
from simulator.runner import MUTANT_SEEDS, Caught, Report, hunt, quiet, run_with, simulate
from simulator.scenario import CONSISTENCIES, Consistency, Mix, Scenario, mixes_of
from simulator.shrinker import shrink
from simulator.simulation import Outcome

MAX_SEED: Final = 2**32
_LINES_SHOWN: Final = 10

app = typer.Typer(
    name="simulate",
    help="Run the handlers' own code in virtual time under thousands of faults, and check every run.",
    invoke_without_command=True,
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_console = Console(stderr=True)


class Which(StrEnum):
    """Which consistency of the ledger is simulated."""

    STRONG = "strong"
    EVENTUAL = "eventual"
    BOTH = "both"

    @property
    def consistencies(self) -> tuple[Consistency, ...]:
        """The consistencies that are simulated."""
        return tuple(consistency for consistency in CONSISTENCIES if self in (Which.BOTH, consistency))


_ReportPath = Annotated[Path | None, typer.Option("--report", help="Write the report there, as JSON.")]
_Workers = Annotated[int | None, typer.Option(min=1, help="Processes; one a core if not given.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


@app.callback()
def main(  # noqa: PLR0913 - a command line has as many options as it has
    context: typer.Context,
    *,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to run.")] = 1_000,
    first_seed: Annotated[str, typer.Option(metavar="N", help="The first of them.")] = "0",
    seed: Annotated[
        str | None, typer.Option(metavar="N", help="Replay this one and print its history.")
    ] = None,
    shrinking: Annotated[
        bool, typer.Option("--shrink", help="With --seed: find a short history that breaks the same rule.")
    ] = False,
    consistency: Annotated[Which, typer.Option(help="Of the simulated ledger.")] = Which.BOTH,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Run the last release in one region, or half of the functions.")
    ] = False,
    mutant: Annotated[str | None, typer.Option(metavar="NAME", help="Plant this bug first.")] = None,
    workers: _Workers = None,
    report: _ReportPath = None,
    as_json: _Json = False,
) -> None:
    """Run seeds and check them, or replay one seed exactly."""
    if context.invoked_subcommand is not None:
        return
    _check(report)
    planted = _mutant(mutant) if mutant is not None else None
    mixes = _mixes() if mixed else (None,)
    if seed is not None:
        scenarios = [
            scenario_of(_seed(seed), which, mix) for which in consistency.consistencies for mix in mixes
        ]
        raise typer.Exit(_replay(scenarios, planted, shrinking=shrinking, as_json=as_json))
    if shrinking:
        raise _wrong("--shrink needs --seed N: one seed is shrunk at a time")
    first = _seed(first_seed)
    result = _run_all(range(first, first + seeds), consistency, mixes, planted, workers)
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=2))
    else:
        _print_report(result)
    _write(report, result.as_json())
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def mutants(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds for each at most.")] = MUTANT_SEEDS,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    workers: _Workers = None,
    report: _ReportPath = None,
    as_json: _Json = False,
) -> None:
    """Plant each bug and run seeds until one catches it; exit 1 if one survives."""
    _check(report)
    chosen = [_mutant(name) for name in names or ()] or list(MUTANTS)
    caught: list[Caught] = []
    with _progress(as_json=as_json) as progress:
        task = progress.add_task("mutants", total=len(chosen), note="")
        for hunted in hunt(chosen, seeds=seeds, workers=workers):
            caught.append(hunted)
            survived = sum(mutant.failure is None for mutant in caught)
            progress.update(task, advance=1, note=f"{survived} survived")
    caught.sort(key=lambda hunted: chosen.index(hunted.mutant))
    survivors = [mutant for mutant in caught if mutant.failure is None]
    result = {"ok": not survivors, "mutants": [mutant.as_json() for mutant in caught]}
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        _print_mutants(caught)
    _write(report, result)
    raise typer.Exit(1 if survivors else 0)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= MAX_SEED:
        raise _wrong(f"{text!r} is no seed; give a whole number from 0 to {MAX_SEED - 1}")
    return int(text)


def _mutant(name: str) -> Mutant:
    try:
        return planted(name)
    except UnknownMutantError as error:
        raise _wrong(str(error)) from error


def _mixes() -> tuple[Mix, ...]:
    try:
        return mixes_of(last_release())
    except ReleaseError as error:
        raise _wrong(str(error)) from error


def _check(report: Path | None) -> None:
    """Refuse a report that cannot be written before anything is run for it."""
    if report is None:
        return
    try:
        check_folder(report.parent)
        check_file(report)
    except UnwritableError as error:
        raise _wrong(f"--report: {error}") from error


def _wrong(text: str) -> typer.Exit:
    """Say in one line how the command was used wrongly."""
    typer.secho(f"error: {text}", fg="red", err=True)
    return typer.Exit(2)


def _run_all(
    seeds: range, which: Which, mixes: Sequence[Mix | None], mutant: Mutant | None, workers: int | None
) -> Report:
    result = Report()
    total = len(seeds) * len(which.consistencies) * len(mixes)
    with _progress(as_json=False) as progress:
        task = progress.add_task("simulating", total=total, note="")
        for result in simulate(seeds, which.consistencies, mixes=mixes, mutant=mutant, workers=workers):
            rate = result.runs / result.seconds if result.seconds else 0
            progress.update(
                task, completed=result.runs, note=f"{rate:.1f} runs/s, {result.violations.total()} broken"
            )
    return result


def _replay(scenarios: Iterable[Scenario], mutant: Mutant | None, *, shrinking: bool, as_json: bool) -> int:
    """Print the histories of scenarios; 1 if one of them breaks a promise."""
    outcomes: list[Outcome] = []
    with quiet():
        for scenario in scenarios:
            outcome = run_with(scenario, mutant, keep_history=not shrinking)
            if shrinking:
                outcome = _shrunk(outcome, mutant)
            outcomes.append(outcome)
    if as_json:
        typer.echo(json.dumps([_as_json(outcome) for outcome in outcomes], indent=2))
    else:
        for outcome in outcomes:
            _print_history(outcome)
    return 1 if any(outcome.violation for outcome in outcomes) else 0


def _shrunk(outcome: Outcome, mutant: Mutant | None) -> Outcome:
    if outcome.violation is None:
        return run_with(outcome.scenario, mutant, keep_history=True)

    def show(runs: int, scenario: Scenario) -> None:
        status.update(
            f"{runs} runs: {len(scenario.arrivals)} alerts, {len(scenario.incidents)} incidents left"
        )

    with _console.status("shrinking") as status:
        if mutant is None:
            return shrink(outcome, progress=show)
        with mutant.on():
            return shrink(outcome, progress=show)


def _as_json(outcome: Outcome) -> dict[str, object]:
    scenario = outcome.scenario
    return {
        "seed": scenario.seed,
        "consistency": scenario.consistency,
        "releases": str(scenario.mix) if scenario.mix else None,
        "violation": str(outcome.violation) if outcome.violation else None,
        "alerts": len(scenario.arrivals),
        "incidents": [str(incident) for incident in scenario.incidents],
        "faults": list(outcome.fired),
        "digest": outcome.digest,
        "history": list(outcome.lines),
    }


def _print_history(outcome: Outcome) -> None:
    scenario = outcome.scenario
    typer.echo(
        f"seed {scenario.seed}, {scenario.consistency}: {len(scenario.arrivals)} requests, "
        f"{len(outcome.fired)} faults until {scenario.horizon_ms / 1000:.0f} s, "
        f"clocks off by {scenario.skew_ms[0]} and {scenario.skew_ms[1]} ms, digest {outcome.digest}"
    )
    if scenario.mix is not None:
        typer.echo(f"  release {scenario.mix}")
    for incident in scenario.incidents:
        typer.echo(f"  {incident}")
    for line in outcome.lines:
        typer.echo(line)
    typer.secho(
        f"broken: {outcome.violation}" if outcome.violation else "every promise was kept",
        fg="red" if outcome.violation else "green",
    )


def _print_report(report: Report) -> None:
    rate = report.runs / report.seconds if report.seconds else 0
    typer.echo(
        f"{report.seeds} seeds in {report.seconds:.0f} s, {report.runs} runs, {rate:.1f} runs/s "
        f"({report.seeds / report.seconds if report.seconds else 0:.1f} seeds/s)"
    )
    violations = report.violations
    typer.echo(
        f"unaccounted {violations['unaccounted']}, "
        f"safety violations {violations.total() - violations['not_live']}, not live {violations['not_live']}"
    )
    for releases, runs in sorted(report.releases.items()):
        typer.echo(f"{runs} runs of release {releases}")
    for failure in report.failures[:_LINES_SHOWN]:
        where = f" ({failure.mix})" if failure.mix else ""
        typer.secho(
            f"seed {failure.seed} {failure.consistency}{where}: {failure.rule}: {failure.text}", fg="red"
        )
        typer.echo(f"  {failure.replay}")


def _print_mutants(caught: Iterable[Caught]) -> None:
    table = Table()
    for heading in ("mutant", "consistency", "seed", "caught by"):
        table.add_column(heading, no_wrap=heading == "mutant", overflow="fold")
    for hunted in caught:
        mutant, failure = hunted.mutant, hunted.failure
        if failure is None:
            table.add_row(mutant.name, mutant.consistency, f"> {hunted.seeds}", "[red]SURVIVED")
        else:
            table.add_row(mutant.name, mutant.consistency, str(failure.seed), failure.rule)
    Console().print(table)


def _progress(*, as_json: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=_console,
        disable=as_json,
    )


def _write(path: Path | None, result: dict[str, object]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n")
