"""`responder deploy check`: whether a deployed stack is as it should be."""

import json
import threading
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from clients.checks import Check, State, run_checks
from deploy.checks.catalogue import deploy_checks
from deploy.checks.identity import check_account
from deploy.checks.injection import INJECTION_WITHIN_S, injection
from deploy.checks.subject import Subject
from dr.operations.environment import SystemClock
from emulator.pulumi.plugin.workspace import Workspace
from ops.check_output import outcomes_as_json, print_outcomes, summary
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, verdict_kept
from ops.tables import make_table, print_table
from topology.names import LOCAL_STACK

ATTEMPTS_MAX = 2
"""Of each call: a region that takes calls and never answers holds nothing up beyond the checks' deadline."""


def check(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run this check, or those of this category; give it again for more."),
    ] = None,
    *,
    inject: Annotated[
        bool, typer.Option("--inject", help="Post one LOW alert in each region and follow it to Slack.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 too where something is unknown.")] = False,
    short: Annotated[bool, typer.Option("--short", help="Leave out what is ok.")] = False,
    list_checks: Annotated[
        bool, typer.Option("--list-checks", help="List the checks and what each needs; ask nothing.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Check a deployed stack in both regions: tables, secrets, backups, alarms, account and webhooks.

    It only reads, but for --inject. What it may not see, or what does not answer, is unknown: that is
    counted in the last line, and fails nothing without --strict. Exits 1 if anything failed, or if the
    credentials are of another account than the stack's.
    """
    stack = open_stack(run_dir, outputs, attempts_max=ATTEMPTS_MAX)
    by_cli = stack.emulator is not None and Workspace.of(stack.emulator).resources(LOCAL_STACK) > 0
    subject = Subject(stack.deployment, stack.config, by_cli=by_cli)
    stopped = threading.Event()
    injected = [injection(subject, SystemClock(), stopped)] if inject else []
    checks = _chosen(deploy_checks(subject), only)
    if list_checks:
        _list([*checks, *injected], as_json=as_json)
        return
    check_account(subject)
    outcomes = run_checks(checks) + run_checks(injected, within_s=INJECTION_WITHIN_S, stopped=stopped)
    with verdict_kept(summary(outcomes)):
        if as_json:
            typer.echo(outcomes_as_json(outcomes))
        else:
            print_outcomes(outcomes, Console(), short=short)
    states = {one.finding.state for one in outcomes}
    if State.FAILED in states or (strict and State.UNKNOWN in states):
        raise typer.Exit(1)


def _chosen(checks: Sequence[Check], only: Sequence[str] | None) -> list[Check]:
    known = {name for one in checks for name in (one.id, one.category)}
    if unknown := sorted(set(only or ()) - known):
        raise typer.BadParameter(
            f"--only: there is no check {', '.join(unknown)} of this stack; `--list-checks` has them"
        )
    return [one for one in checks if not only or {one.id, one.category} & set(only)]


def _list(checks: Sequence[Check], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"id": one.id, "category": one.category, "title": one.title, "actions": one.actions}
            for one in checks
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = make_table("check", "category", "what holds", "needs", whole={"check", "category"})
    for one in checks:
        table.add_row(one.id, one.category, one.title, ", ".join(one.actions) or "nothing")
    print_table(table, Console())
