"""Runs a trial: its steps in their order, within its time, and the tear-down whatever happens."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy.trial.deployer import Deployer, DeployFailedError
from deploy.trial.steps import STEPS, Step, Trial
from deploy.trial.verdicts import Result, TrialReport, Verdict
from dr.operations.environment import HttpWeb, Web
from topology.errors import ExplainedError

TRIAL_WITHIN_S: Final = 3_600.0
TEAR_DOWN_S: Final = 1_200.0
"""Kept of it for the tear-down: replicas, buckets and a vault take AWS minutes each."""


def run_trial(
    deployer: Deployer,
    *,
    steps: Sequence[Step] = STEPS,
    web: Web | None = None,
    within_s: float = TRIAL_WITHIN_S,
    tell: Callable[[str], None] = lambda _: None,
    keep: Callable[[TrialReport], None] = lambda _: None,
    now_s: Callable[[], float] = time.monotonic,
) -> TrialReport:
    """Run the steps and remove the stack; `keep` takes the report once before the tear-down and once after.

    Interrupted, it removes the stack and raises the interruption; `keep` has then been given what is left.
    A `keep` or `tell` that cannot write keeps nothing from being removed. Without the first step no other is
    run.
    """
    began, began_s = datetime.now(UTC), now_s()
    trial = Trial(deployer, web or HttpWeb(), lambda: began_s + within_s - TEAR_DOWN_S - now_s())
    results: list[Result] = []

    def report(left_over: str) -> TrialReport:
        unseen = [_unsettled(step, "not run") for step in steps[len(results) :]]
        took_s = round(now_s() - began_s, 1)
        shown = (*results, *unseen)
        return TrialReport(deployer.where, began.isoformat(timespec="seconds"), took_s, shown, left_over)

    try:
        for step in steps:
            tell(f"{step.id}: {step.claim}")
            results.append(_run(step, trial, now_s))
            tell(f"  {results[-1].verdict}: {results[-1].evidence}")
            if len(results) == 1 and not any(up.changes for up in trial.ups):
                break
    finally:
        with contextlib.suppress(OSError):
            keep(report("the tear-down has not ended"))
        with contextlib.suppress(OSError):
            tell("tear-down: taking the protection off, and removing everything")
        left_over = remove_all(deployer)
        with contextlib.suppress(OSError):
            keep(report(left_over))
    return report(left_over)


def remove_all(deployer: Deployer) -> str:
    """Remove the stack, in the time that is kept for it: what is left, and why; empty if nothing is."""
    try:
        deployer.remove(within_s=TEAR_DOWN_S)
    except (BotoCoreError, ClientError, ExplainedError) as error:
        return str(error)
    return ""


def _run(step: Step, trial: Trial, now_s: Callable[[], float]) -> Result:
    """Run one step. A deployment that fails is a claim that failed; other refusals of AWS settle nothing."""
    if trial.left_s() <= 0:
        return _unsettled(step, "no time was left")
    began_s = now_s()
    try:
        seen = step.run(trial)
    except DeployFailedError as error:
        result = replace(_unsettled(step, str(error)), verdict=Verdict.FAILED)
    except (BotoCoreError, ClientError, ExplainedError, IndexError) as error:
        result = _unsettled(step, f"{type(error).__name__}: {error}")
    else:
        verdict, evidence = Verdict.HELD if seen.held else Verdict.FAILED, seen.evidence
        if seen.held and trial.deployer.embedded and step.stands_in:
            verdict, evidence = Verdict.NOT_SETTLED, f"{evidence}; seen here, but {step.stands_in}"
        result = replace(_unsettled(step, evidence), verdict=verdict)
    return replace(result, took_s=round(now_s() - began_s, 1))


def _unsettled(step: Step, evidence: str) -> Result:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Result(step.id, step.claim, Verdict.NOT_SETTLED, evidence, at, 0.0)
