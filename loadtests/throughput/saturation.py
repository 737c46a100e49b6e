"""Names what saturates, from a probe's telemetry alone: by what an engineer would look for, in that order.

Who refuses comes before who is busy: a refusal is a limit's own word, and what waits for it is busy too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from loadtests.throughput.telemetry import FunctionFigures, Telemetry
from topology.functions import RECEPTION


class Resource(StrEnum):
    """What can saturate."""

    GENERATOR = "load generator"
    API = "API throttle"
    LEDGER = "ledger"
    MODEL = "model"
    SLACK = "Slack"
    MACHINE = "machine"
    RECEPTION = "reception's concurrency"
    POLLERS = "pollers"
    PACE = "pace towards Slack"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Saturation:
    """What saturates, and which figures say so."""

    resource: Resource
    evidence: str


_SHARE: Final = 0.01
"""Of posts, calls or messages: as many refusals are no accident."""

_LEAST_REFUSALS: Final = 2
_BUSY: Final = 0.85
"""Of a concurrency, on average over a probe that overloads it only just, its lead-in included."""

_OWN_PROCESSOR: Final = 0.8
_MACHINE_PROCESSOR: Final = 0.92
_PACED: Final = 0.6
"""Of the messages that the pace allows: a slot goes to whoever comes back at its time, and some are left."""

_ONE_PROCESSOR: Final = 0.85
"""Of one processor, by a process whose threads share it."""


def saturation(telemetry: Telemetry) -> Saturation:
    """Name what saturated in a probe that missed its thresholds."""
    for resource, evidence_of in _SIGNS:
        if evidence := evidence_of(telemetry):
            return Saturation(resource, evidence)
    return Saturation(
        Resource.UNKNOWN, "nothing refuses, nothing is busy all the time: look at the latencies"
    )


def _generator(t: Telemetry) -> str | None:
    return _refusals(t.late_posts, t.posts, "posts began later than they were due")


def _api(t: Telemetry) -> str | None:
    if (reached := t.functions.get(RECEPTION.key)) is None:
        return None
    missing = t.posts - reached.invocations - reached.throttles
    return _refusals(missing, t.posts, "posts were refused before they reached reception")


def _ledger(t: Telemetry) -> str | None:
    if not t.index_throttles:
        return None
    where, most = max(t.index_throttles.items(), key=lambda item: item[1])
    return _refusals(most, t.posts, f"throttled writes against as many posts, at {where}")


def _model(t: Telemetry) -> str | None:
    return _refusals(t.model_refused, t.model_calls, "calls of the model were answered 429")


def _slack(t: Telemetry) -> str | None:
    return _refusals(t.slack_refused, t.slack_posts + t.slack_refused, "posts to Slack were answered 429")


def _own_machine(t: Telemetry) -> str | None:
    if t.own_processor is not None and t.own_processor >= _OWN_PROCESSOR:
        return f"sender and embedded AWS used {t.own_processor:.0%} of this machine's processors"
    name, share = max(t.processes.items(), key=lambda item: item[1], default=("", 0.0))
    if share >= _ONE_PROCESSOR:
        return f"{name} of the embedded AWS used {share:.0%} of the one processor that it can use"
    return None


def _reception(t: Telemetry) -> str | None:
    figures = t.functions.get(RECEPTION.key)
    if figures is None or not figures.reserved:
        return None
    busy = figures.busy_s / t.seconds / figures.reserved
    throttled = f", and {figures.throttles} were throttled" if figures.throttles else ""
    if busy >= _BUSY or figures.throttles > _SHARE * t.posts:
        return f"{busy:.0%} of its {figures.reserved} concurrent invocations were in use{throttled}"
    return None


def _pollers(t: Telemetry) -> str | None:
    """The queue in which most wait, of those whose invocations are all in use."""
    for queue, figures in sorted(t.queues.items(), key=lambda item: -item[1].waiting):
        function = t.functions.get(figures.function, FunctionFigures())
        allowed = min(figures.concurrency, function.reserved or figures.concurrency)
        busy = function.busy_s / t.seconds / allowed
        if figures.waiting and busy >= _BUSY:
            invocations = f"{busy:.0%} of whose {allowed} invocations were in use"
            return f"{figures.waiting} messages wait in {queue}, {invocations}"
    return None


def _pace(t: Telemetry) -> str | None:
    if not t.slack_interval_s or t.slack_posts * t.slack_interval_s < _PACED * t.seconds:
        return None
    interval = f"one in {t.slack_interval_s:g} s is the most that slackIntervalMs allows"
    return f"{t.slack_posts} messages went to Slack in {t.seconds:.0f} s, and {interval}"


def _any_machine(t: Telemetry) -> str | None:
    if t.machine_processor is None or t.machine_processor < _MACHINE_PROCESSOR:
        return None
    return f"this machine's processors were {t.machine_processor:.0%} in use, by other work too"


_SIGNS: Final[tuple[tuple[Resource, Callable[[Telemetry], str | None]], ...]] = (
    (Resource.GENERATOR, _generator),
    (Resource.API, _api),
    (Resource.LEDGER, _ledger),
    (Resource.MODEL, _model),
    (Resource.SLACK, _slack),
    (Resource.MACHINE, _own_machine),
    (Resource.RECEPTION, _reception),
    (Resource.POLLERS, _pollers),
    (Resource.PACE, _pace),
    (Resource.MACHINE, _any_machine),
)


def _refusals(count: int, of: int, what: str) -> str | None:
    if count < max(_LEAST_REFUSALS, _SHARE * of):
        return None
    return f"{count} of {of} {what}"
