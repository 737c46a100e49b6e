"""`responder dr failover | failback | status`: failing over and back, and how that stands."""

import contextlib
import functools
import json
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from clients.deployment import Deployment
from clients.interrupts import interrupt_on_ending
from clients.routing import resolve_region
from dr.drill.record import DrillUnderWayError, only_drill, read_state
from dr.exports.requests import export_age_s
from dr.operations.environment import Environment
from dr.operations.failback import failback as fail_back
from dr.operations.failback import failback_steps
from dr.operations.failover import failover as fail_over
from dr.operations.failover import failover_steps, what_it_does
from dr.operations.journal import State
from dr.operations.operation import Outcome, Step
from dr.operations.service_check import healthy
from dr.operations.status import DrStatus, RegionState, read_status
from ops.dr.progress import date_time, show_progress
from ops.hints import hinted
from ops.local import running
from ops.opened_stack import (
    OpenedStack,
    Outputs,
    StackName,
    TakeOver,
    command_on,
    confirm,
    open_stack,
    operator,
)
from ops.options import AsJson, DryRun, RunDir, Yes
from ops.tables import make_table, print_table

_HOUR_S = 3_600

ATTEMPTS_MAX = 2
"""Of each call of a failover or failback, so that a region that takes calls and never answers them does not
hold up a step much beyond its deadline."""


def failover(
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    take_over: TakeOver = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Have the failover region stand in for the primary, and check that it does. Again: go on from there.

    Calls nothing in the primary region, which need not answer, and no control plane of Route 53. Without a
    domain it moves no source: at its end it says where sources still post to.
    """
    stack = open_stack(run_dir, outputs, attempts_max=ATTEMPTS_MAX)
    deployment, environment = stack.deployment, environment_of(stack)
    if dry_run:
        _show_steps(failover_steps(deployment), as_json=as_json)
        return
    lost = deployment.primary
    state = {True: "is HEALTHY", False: "is not healthy", None: "does not answer"}[
        healthy(environment.web, lost)
    ]
    typer.echo(f"{lost.region} {state}", err=True)
    confirm(deployment, what_it_does(deployment), yes=yes, stack_name=stack_name)
    interrupt_on_ending()
    outcome = fail_over(
        deployment, operator=operator(), on_step=show_progress, take_over=take_over, environment=environment
    )
    look = command_on("responder dr status", run_dir, outputs)
    _conclude(outcome, "already failed over", look, as_json=as_json)
    typer.echo(what_it_does(deployment), err=True)


def failback(
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    take_over: TakeOver = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Have the primary region take new alerts again, once that loses none. Again: go on with it.

    Refuses while a region is not healthy, while replication lags, and with both switches on; the switch stays
    on unless an alert that is posted to the primary reaches people.
    """
    stack = open_stack(run_dir, outputs, attempts_max=ATTEMPTS_MAX)
    deployment, environment = stack.deployment, environment_of(stack)
    if dry_run:
        _show_steps(failback_steps(deployment), as_json=as_json)
        return
    what = f"{deployment.primary.region} takes new alerts again."
    confirm(deployment, what, yes=yes, stack_name=stack_name)
    interrupt_on_ending()
    outcome = fail_back(
        deployment, operator=operator(), on_step=show_progress, take_over=take_over, environment=environment
    )
    look = command_on("responder dr status", run_dir, outputs)
    _conclude(outcome, "not failed over, so there is nothing to fail back from", look, as_json=as_json)


def status(*, run_dir: RunDir = running.RUN_DIR, outputs: Outputs = None, as_json: AsJson = False) -> None:
    """Say how both regions, routing, replication, exports and any operation under way stand.

    What does not answer is unknown, which is not well. Exits 1 if anything is not well.
    """
    stack = open_stack(run_dir, outputs, attempts_max=1)
    unexported = set[str]()

    def export_age(deployment: Deployment, region: str, now_s: float) -> int | None:
        age_s = export_age_s(deployment, region, now_s)
        if age_s is None:
            unexported.add(region)
        return age_s

    report = read_status(
        stack.deployment,
        export_age=export_age,
        export_max_age_s=stack.config.export_max_age_h * _HOUR_S,
        environment=environment_of(stack),
    )
    problems = (*report.problems, *([] if outputs else _of_drill(run_dir)))
    report = replace(report, problems=tuple(map(hinted, problems)))
    if as_json:
        typer.echo(json.dumps({**asdict(report), "well": report.well}, indent=2))
    else:
        _show_status(report, Console(), unexported)
        for region in sorted(unexported):
            make = command_on(f"responder dr export --region {region}", run_dir, outputs)
            typer.echo(f"{region} has no full export yet; `{make}` makes one")
    if not report.well:
        raise typer.Exit(1)


def _of_drill(run_dir: Path) -> Iterator[str]:
    """A line on a drill of the local stack that was never finished, if no process is at it any more."""
    state = read_state(run_dir)
    if state is None or state.passed is not None:
        return
    option = f"--run-dir {shlex.quote(str(run_dir.resolve()))}"
    with contextlib.suppress(DrillUnderWayError), only_drill(run_dir):
        yield (
            f"drill {state.drill_id}, {state.scenario}, was broken off; "
            f"`responder dr drill --resume {option}` goes on with it and rolls back what it did"
        )


def environment_of(stack: OpenedStack) -> Environment:
    """Time, DNS and the stack's own URLs."""
    if stack.emulator is None:
        return Environment()
    return Environment(resolve=functools.partial(resolve_region, dns_server=stack.emulator.dns_address))


def _show_steps(steps: Sequence[Step], *, as_json: bool) -> None:
    if as_json:
        rows = [{"step": step.name, "what": step.title, "deadline_s": step.deadline_s} for step in steps]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = make_table("step", "what", "within", whole={"step", "within"})
    for step in steps:
        table.add_row(step.name, step.title, f"{step.deadline_s} s")
    print_table(table, Console())


def _conclude(outcome: Outcome, already: str, look: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(outcome), indent=2))
    elif outcome.already_done:
        since = f", since {date_time(outcome.ended_ms)}" if outcome.ended_ms else ""
        typer.echo(f"{already}{since}")
    else:
        took_s = (outcome.ended_ms - outcome.started_ms) / 1_000
        typer.echo(f"{outcome.operation} done in {took_s:.1f} s; now see: {look}")


def _show_status(report: DrStatus, console: Console, unexported: Collection[str]) -> None:
    headings = ("region", "role", "health", "switch", "open", "overdue", "newest export")
    table = make_table(*headings, whole={"region", "role"})
    for region in report.regions:
        table.add_row(region.region, region.role, *_cells(region, unexported))
    print_table(table, console)

    def line(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    if report.answers is not None:
        line(f"the name answers {report.answers}")
    lags = ", ".join(f"{way} {took_ms} ms" for way, took_ms in (report.lag_ms or {}).items())
    line(f"replication {lags or '[red]unknown[/]'}")
    if report.operation is not None:
        last = report.operation
        heard = f", last heard of {date_time(last.heard_ms)}" if last.state is State.RUNNING else ""
        begun = f"begun {date_time(last.started_ms)}{heard}"
        line(f"{last.operation} by {escape(last.operator)}, {last.state}, {begun}")
        for step in last.steps:
            line(f"  {step.name:<12} {step.state:<12} {escape(hinted(step.detail))}")
    for problem in report.problems:
        line(f"[red]not well[/] {escape(problem)}")
    if report.well:
        line("[green]well[/]")


def _cells(region: RegionState, unexported: Collection[str]) -> tuple[str, ...]:
    def coloured(text: str, *, good: bool) -> str:
        return f"[{'green' if good else 'red'}]{text}[/]"

    opened, age_s = region.open_alerts, region.export_age_s
    count = "unknown" if opened is None else f"{opened.total}{'' if opened.complete else ' or more'}"
    return (
        coloured(region.health, good=region.health == "healthy"),
        coloured(region.switch, good=region.switch == "off"),
        count,
        "unknown" if opened is None else str(opened.overdue),
        ("none yet" if region.region in unexported else "unknown")
        if age_s is None
        else f"{age_s / _HOUR_S:.1f} h ago",
    )
