"""`responder health`: whether somebody is needed now, and what the morning begins with."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from clients.checks import Check, Outcome, State, run_checks
from deploy.checks.identity import check_account
from deploy.checks.subject import Subject
from ops.check_output import ListChecks, Only, Short, Strict, chosen_checks, list_all, print_checked, summary
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir
from runbook.health.catalogue import daily_checks, health_checks

ATTEMPTS_MAX: Final = 2
"""Of each call, as for `deploy check`."""

WAIT_EACH_S: Final = 5.0
WAIT_MAX_S: Final = 3_600


def check(
    only: Only = None,
    *,
    wait: Annotated[
        int, typer.Option(min=0, max=WAIT_MAX_S, help="Go on until nothing has failed, for so many seconds.")
    ] = 0,
    strict: Strict = False,
    short: Short = False,
    list_checks: ListChecks = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Check whether somebody is needed now: webhooks, functions, queues, alerts, regions and alarms.

    Errors are of the last five minutes, by the thresholds of the stack's alarms. What does not answer, and a
    metric without data, is unknown: that is counted in the last line, and fails nothing without --strict.
    Exits 1 if anything failed.

    Examples: `responder health check --short`, `responder health check --only queues --wait 300`.
    """
    subject, checks = _opened(run_dir, outputs, health_checks, only)
    if list_checks:
        list_all(checks, as_json=as_json)
        return
    check_account(subject)
    print_checked(_waited(checks, wait), short=short, strict=strict, as_json=as_json)


def daily(
    only: Only = None,
    *,
    strict: Strict = False,
    short: Short = False,
    list_checks: ListChecks = False,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Check what the morning begins with, in both regions: the last day's figures, and what can wait.

    Errors, throttles, throughput, refusals and cache hits of 24 hours; dead letters, PARKED, stuck and open
    alerts; replication, heartbeats, silences, alarms, the newest export, and what changed since
    yesterday. Exits 1 if anything failed; what is unknown fails nothing without --strict.
    """
    subject, checks = _opened(run_dir, outputs, daily_checks, only)
    if list_checks:
        list_all(checks, as_json=as_json)
        return
    check_account(subject)
    print_checked(run_checks(checks), short=short, strict=strict, as_json=as_json, reasons=True)


def _opened(
    run_dir: Path,
    outputs: str | None,
    checks_of: Callable[[Subject], Sequence[Check]],
    only: Sequence[str] | None,
) -> tuple[Subject, list[Check]]:
    stack = open_stack(run_dir, outputs, attempts_max=ATTEMPTS_MAX)
    subject = Subject(stack.deployment, stack.config)
    return subject, chosen_checks(checks_of(subject), only)


def _waited(checks: Sequence[Check], wait_s: int) -> list[Outcome]:
    """The outcomes once none has failed, or after `wait_s`; on a terminal its progress is told meanwhile."""
    deadline = time.monotonic() + wait_s
    while True:
        outcomes = run_checks(checks)
        failed = any(one.finding.state is State.FAILED for one in outcomes)
        left_s = deadline - time.monotonic()
        if not failed or left_s <= 0:
            return outcomes
        if sys.stderr.isatty():
            typer.echo(f"{summary(outcomes)}; {left_s:.0f} s to wait", err=True)
        time.sleep(min(WAIT_EACH_S, left_s))
