"""The control that every experiment declares: it prints the run's progress and closes it, however it ended.

Chaos Toolkit calls these functions around the parts of a run, whoever started it (`responder chaos run` or
the stock `chaos run`), and hides what they raise. So `after_experiment_control` first sets the status
to failed, and restores it when everything has been checked.
https://chaostoolkit.org/reference/extending/create-control-extension/
"""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, NoReturn

from rich.console import Console

from audit.outcome import Audit
from chaos.auditing import audit_experiment
from chaos.load import stop_load
from chaos.probes import came_to_rest
from chaos.queues import allow, work_queues
from chaos.target import Target, open_target
from clients.interrupts import handle_endings
from emulator.fault_log import FiredFault

_log = logging.getLogger("chaostoolkit")
_console = Console(soft_wrap=True, highlight=False)

GRACEFUL_STOP: Final = 20
"""The exit code of Chaos Toolkit's own signal handlers for "stop, and roll back" (`chaoslib.exit`)."""

INTERRUPTED: Final = "interrupted"


def configure_control(configuration: dict[str, Any]) -> None:
    """Remember when the run began, and have SIGTERM and SIGHUP end it, with its rollbacks.

    Chaos Toolkit's own handler raises an ordinary exception, which the activity under way would be blamed for
    while the method went on.
    """
    configuration["started_at_ms"] = time.time_ns() // 1_000_000
    handle_endings(_stop)


def after_hypothesis_control(context: Mapping[str, Any], state: Mapping[str, Any] | None) -> None:
    """Print whether the hypothesis holds, and what each of its probes returned."""
    if state is None or state["steady_state_met"] is None:
        return  # none, or interrupted
    outcome = "[green]holds[/]" if state["steady_state_met"] else "[bold red]does not hold[/]"
    _console.print(f"[bold]hypothesis[/] {outcome}: {context['title']}")
    for probe in state["probes"]:
        _console.print(f"  {probe['activity']['name']}: {_result(probe)}  ({probe['duration']:.1f} s)")


def after_activity_control(
    context: Mapping[str, Any], state: Mapping[str, Any], experiment: Mapping[str, Any]
) -> None:
    """Print the result of a step of the method or of a rollback."""
    if context in (*experiment["method"], *experiment["rollbacks"]):
        _console.print(f"  {context['name']}: {_result(state)}")


def after_experiment_control(
    context: Mapping[str, Any],  # noqa: ARG001 - Chaos Toolkit passes it by name
    state: dict[str, Any],
    configuration: dict[str, Any],
) -> None:
    """Undo what is left, wait until all is at rest, audit, and put the whole record into the journal.

    The journal gets `faults_fired` and `audit`. A step of the method that failed fails the run; an alert
    that is not accounted for is a deviation.
    """
    ended, state["status"] = state["status"], "failed"
    try:
        target = open_target(configuration)
        calm(target)
        state["faults_fired"] = counted(target.fired(), configuration["started_at_ms"])
        for fault in state["faults_fired"]:
            when = f"{fault['first_s']:.1f} s to {fault['last_s']:.1f} s"
            _console.print(f"fired {fault['count']} times: {fault['fault']}  ({when})")
        if ended != INTERRUPTED:
            came_to_rest(target, configuration, within_s=float(configuration["at_rest_within_s"]))
            audit = audit_experiment(target)
            state["audit"] = asdict(audit)
            _console.print(_summary(audit))
            state["deviated"] = state["deviated"] or not audit.passed
    except Exception:
        _log.exception("the run could not be closed: its outcome is unknown, which counts as failed")
        raise
    if not any(run["status"] == "failed" for run in state["run"]):
        state["status"] = ended


def calm(target: Target) -> None:
    """End every fault, bring back regions, open queues, and stop the load: what rollbacks may have missed."""
    target.end_faults()
    target.start_regions()
    for endpoints in target.deployment.regions:
        for url in work_queues(endpoints):
            allow(target, endpoints.region, url)
    stop_load(target.receipts)


def counted(fired: Iterable[FiredFault], since_ms: int) -> list[dict[str, Any]]:
    """Group faults by kind and target: how often, and from when to when, in seconds from the start."""
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for fault in fired:
        if fault.at_ms >= since_ms:
            key = (fault.service, fault.kind, fault.region or "anywhere", fault.what)
            groups.setdefault(key, []).append((fault.at_ms - since_ms) / 1000)
    return [
        {
            "service": key[0],
            "fault": " ".join(key),
            "count": len(times),
            "first_s": times[0],
            "last_s": times[-1],
        }
        for key, times in groups.items()
    ]


def _result(run: Mapping[str, Any]) -> str:
    if run["status"] == "succeeded":
        return str(run["output"])
    return f"[bold red]failed[/], {run['exception'][-1].strip().rpartition('Error: ')[2]}"


def _summary(audit: Audit) -> str:
    causes = {cause: count for cause, count in (audit.duplicates_by_cause or {}).items() if count}
    colour = "[green]" if audit.passed else "[bold red]"
    return (
        f"[bold]audit[/]: accepted {audit.accepted}, notified {audit.notified} ({audit.in_digests} in "
        f"{audit.digests} digests), suppressed {audit.suppressed}, parked {audit.parked}, "
        f"{''.join(f'{name} {count}, ' for name, count in audit.by_people.items())}"
        f"{colour}unaccounted {audit.unaccounted}[/], duplicates {causes or 0}"
        + (f", [bold red]unread {', '.join(audit.unread_parts)}[/]" if audit.unread else "")
    )


def _stop(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(GRACEFUL_STOP)
