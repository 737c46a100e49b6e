"""`responder deploy check`: whether a deployed stack is as it should be."""

import threading
from typing import Annotated

import typer

from clients.checks import run_checks
from deploy.checks.catalogue import deploy_checks
from deploy.checks.identity import check_account
from deploy.checks.injection import INJECTION_WITHIN_S, injection
from deploy.checks.subject import Subject
from dr.operations.environment import SystemClock
from emulator.pulumi.plugin.workspace import Workspace
from ops.check_output import ListChecks, Only, Short, Strict, chosen_checks, list_all, print_checked
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir
from topology.names import LOCAL_STACK

ATTEMPTS_MAX = 2
"""Of each call: a region that takes calls and never answers holds nothing up beyond the checks' deadline."""


def check(
    only: Only = None,
    *,
    inject: Annotated[
        bool, typer.Option("--inject", help="Post one LOW alert in each region and follow it to Slack.")
    ] = False,
    strict: Strict = False,
    short: Short = False,
    list_checks: ListChecks = False,
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
    checks = chosen_checks(deploy_checks(subject), only)
    if list_checks:
        list_all([*checks, *injected], as_json=as_json)
        return
    check_account(subject)
    outcomes = run_checks(checks) + run_checks(injected, within_s=INJECTION_WITHIN_S, stopped=stopped)
    print_checked(outcomes, short=short, strict=strict, as_json=as_json)
