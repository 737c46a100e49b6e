"""`responder chaos`: lists, shows and runs the experiments of `chaos/experiments/`."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chaos import catalogue
from chaos.runner import Outcome, run, variables_of
from chaos.target import ChaosRefusedError, permit
from clients.interrupts import INTERRUPTED_CODE, interrupt_on_ending
from emulator import local_stack
from emulator.client import Emulator
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from ops.local import running
from ops.local.running import REPORTS
from ops.options import AsJson, check_writable
from ops.scratch import ending, scratch_folder
from ops.tables import make_table, print_table
from topology.names import LOCAL_STACK

app = typer.Typer(
    help="Experiments: break a running stack on purpose, and count every alert.", no_args_is_help=True
)


@app.command("list")
def list_experiments(*, as_json: AsJson = False) -> None:
    """List the experiments by name."""
    titles = {name: str(catalogue.load(name)["title"]) for name in catalogue.names()}
    if as_json:
        typer.echo(json.dumps(titles, indent=2))
        return
    table = make_table("experiment", "what it does", whole={"experiment"})
    for name, title in titles.items():
        table.add_row(name, title)
    print_table(table, Console())


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="As in `responder chaos list`.")], *, as_json: AsJson = False
) -> None:
    """Print an experiment's file: its hypothesis, its method and its rollbacks."""
    if as_json:
        _known(name)
        typer.echo(json.dumps(catalogue.load(name), indent=2))
        return
    typer.echo(_known(name).read_text(encoding="utf-8"), nl=False)


@app.command("run")
def run_experiments(
    names: Annotated[list[str] | None, typer.Argument(help="As in `responder chaos list`.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Run every experiment, one after the other.")] = False,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            readable=False, help="A running stack's folder; without it each run gets its own stack."
        ),
    ] = None,
    stack_name: Annotated[str, typer.Option(help="Type the stack's name; production asks for it.")] = "",
    var: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE for the experiment's configuration; repeatable.")
    ] = None,
    reports: Annotated[Path, typer.Option(help="Folder of the journals.", file_okay=False)] = REPORTS
    / "chaos",
) -> None:
    """Run experiments and print for each: hypothesis, faults fired, hypothesis again, audit.

    Exits 1 if one fails. However a run ends, its faults are undone, and a stack of its own is taken down.
    """
    chosen = list(catalogue.names()) if every else list(names or ())
    if not chosen or (every and names):
        raise typer.BadParameter(f"name experiments or say --all; there are {', '.join(catalogue.names())}")
    try:
        variables = {name: variables_of(name, var or []) for name in chosen}
        permit(stack_config(ROOT, LOCAL_STACK), typed_stack=stack_name)
    except ChaosRefusedError as error:
        raise typer.BadParameter(str(error)) from error
    check_writable(reports, "--reports")
    interrupt_on_ending()
    console, outcomes = Console(), dict[str, tuple[Outcome, float]]()
    for name in chosen:
        console.rule(f"[bold]{name}")
        begun = time.monotonic()
        with _stack(run_dir, console) as folder:
            settings = {**variables[name], "run_dir": str(folder), "typed_stack": stack_name}
            outcome = run(name, journal_path=reports / f"{name}.json", variables=settings)
        outcomes[name] = (outcome, time.monotonic() - begun)
        if outcome.interrupted:
            break
    _conclude(console, outcomes, reports)


def _known(name: str) -> Path:
    try:
        return catalogue.path_of(name)
    except ChaosRefusedError as error:
        raise typer.BadParameter(str(error)) from error


@contextlib.contextmanager
def _stack(run_dir: Path | None, console: Console) -> Iterator[Path]:
    """The folder of a running stack: the one asked for, or a new one that is taken down at the end."""
    if run_dir is not None:
        running.attach(run_dir)
        yield run_dir
        return
    with scratch_folder("chaos") as folder:
        try:
            with Emulator.start(folder, regions=running.local_config().regions) as emulator:
                local_stack.deploy(emulator)
                yield folder
        finally:
            console.print(f"its stack is taken down; {ending(folder)}", soft_wrap=True)


def _conclude(console: Console, outcomes: dict[str, tuple[Outcome, float]], reports: Path) -> None:
    """Print a line for each run; exit with their outcome."""
    headings = ("experiment", "outcome", "accepted", "unaccounted", "in flight", "faults fired", "took")
    table = make_table(*headings, whole={"experiment", "took"})
    for name, (outcome, took_s) in outcomes.items():
        ending = (
            "interrupted, rolled back" if outcome.interrupted else "passed" if outcome.passed else "FAILED"
        )
        table.add_row(
            name,
            f"[{'green' if outcome.passed else 'bold red'}]{ending}[/]",
            *(str(value) for value in (*outcome.figures, f"{took_s:.0f} s")),
        )
    print_table(table, console)
    console.print(f"journals: {reports}", soft_wrap=True, markup=False)
    if any(outcome.interrupted for outcome, _ in outcomes.values()):
        raise typer.Exit(INTERRUPTED_CODE)
    if not all(outcome.passed for outcome, _ in outcomes.values()):
        raise typer.Exit(1)
