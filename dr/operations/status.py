"""How a stack's disaster recovery stands: what each region says, what DNS says, and what is under way.

Works with a region down: what does not answer in time is unknown, which is never well. Give it clients that
are impatient (one attempt, a few seconds), since it asks both regions at once and waits for the slowest.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment, RegionEndpoints
from clients.routing import RoutingUnknownError
from dr.exports.requests import ExportsUnknownError
from dr.operations.drain import OpenAlerts, open_alerts
from dr.operations.environment import Environment
from dr.operations.journal import (
    JournalStore,
    OperationFailedError,
    OperationRecord,
    OperationRefusedError,
    State,
)
from dr.operations.operation import StepContext
from dr.operations.replication import ReplicationLag, measure_lag
from dr.operations.service_check import healthy, switch_shown

WITHIN_S: Final = 12.0
HEALTHY: Final = "healthy"
ON: Final = "on"
UNKNOWN: Final = "unknown"
MARKER_WITHIN_S: Final = 5.0

_UNANSWERED: Final = (
    BotoCoreError,
    ClientError,
    CoordinationUnreachableError,
    ExportsUnknownError,
    OperationFailedError,
    OperationRefusedError,
    RoutingUnknownError,
)
"""What asking a lost region, or about one, comes to."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RegionState:
    """One region. `health`: healthy, unhealthy or unknown; `switch`: on, off or unknown.

    `open_alerts`: what it owns and nobody has brought to rest, as itself or else the other region sees it;
    None where neither answers. `switch_since_ms` is 0 unless the switch is known to be on. `export_age_s`: of
    the newest good export in its bucket; None if there is none, or it is unknown.
    """

    region: str
    role: str
    health: str
    switch: str
    switch_since_ms: int
    open_alerts: OpenAlerts | None
    export_age_s: int | None


@dataclass(frozen=True, kw_only=True)
class DrStatus:
    """The whole. `answers`: the region that the stack's name answers, None where it has no name.

    `operation` is the latest failover or failback, None if there was none; `operation_known` is False where
    the failover region does not say. `lag_ms` maps a way between the regions to what a marker took; None:
    unknown. `problems`: one line for each thing that is not as it should be.
    """

    stack: str
    regions: tuple[RegionState, ...]
    answers: str | None
    operation: OperationRecord | None
    operation_known: bool
    under_way: bool
    lag_ms: Mapping[str, int] | None
    problems: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


ExportAge = Callable[[Deployment, str, float], int | None]
"""Seconds since the newest good export of a region; from the deployment, the region, and the time now (epoch
seconds)."""


def read_status(
    deployment: Deployment,
    *,
    export_age: ExportAge,
    export_max_age_s: int,
    environment: Environment | None = None,
    within_s: float = WITHIN_S,
) -> DrStatus:
    """Ask everything at once; takes `within_s` seconds at most where the clients are as impatient."""
    environment = environment or Environment()
    pool = ThreadPoolExecutor(max_workers=12, thread_name_prefix="dr-status")
    operation = pool.submit(lambda: JournalStore(deployment, deployment.failover.region).read())
    answers = pool.submit(environment.resolve, deployment)
    lag = pool.submit(_lags, deployment, environment)
    regions = [
        _Region(deployment, endpoints, environment, export_age, pool) for endpoints in deployment.regions
    ]
    asked: list[Future[Any]] = [operation, answers, lag]
    wait([*asked, *(question for region in regions for question in region.asked)], timeout=within_s)
    pool.shutdown(wait=False, cancel_futures=True)
    lags, latest = _answer(lag), _answer(operation)
    status = DrStatus(
        stack=deployment.names.stack,
        regions=tuple(region.state() for region in regions),
        answers=(_answer(answers) or UNKNOWN) if deployment.alerts_url else None,
        operation=latest,
        operation_known=_answered(operation),
        under_way=latest is not None and latest.alive(environment.clock.now_ms()),
        lag_ms={f"{way.written_in} to {way.seen_in}": way.took_ms for way in lags} if lags else None,
        problems=(),
    )
    problems = (
        *_of_routing(status),
        *_of_operation(status, environment.clock.now_ms()),
        *_of_data(status, export_max_age_s),
    )
    return replace(status, problems=problems)


class _Region:
    """What is asked about one region, on the way."""

    def __init__(
        self,
        deployment: Deployment,
        endpoints: RegionEndpoints,
        environment: Environment,
        export_age: ExportAge,
        pool: ThreadPoolExecutor,
    ) -> None:
        region, now_s = endpoints.region, environment.clock.now_ms() // 1_000
        seers = sorted((e.region for e in deployment.regions), key=lambda name: name != region)
        self._endpoints = endpoints
        self._healthy = pool.submit(healthy, environment.web, endpoints)
        self._switch = pool.submit(_switch, deployment, environment, endpoints)
        self._opened = [
            pool.submit(open_alerts, deployment, seen_in=seer, owner=region, now_s=now_s) for seer in seers
        ]
        self._export = pool.submit(export_age, deployment, region, now_s)
        self.asked: tuple[Future[Any], ...] = (self._healthy, self._switch, self._export, *self._opened)

    def state(self) -> RegionState:
        """What was answered; its open alerts by the region itself or else by the other."""
        well, since_ms = _answer(self._healthy), _answer(self._switch)
        return RegionState(
            region=self._endpoints.region,
            role=self._endpoints.role,
            health=UNKNOWN if well is None else HEALTHY if well else "unhealthy",
            switch=UNKNOWN if since_ms is None else ON if since_ms else "off",
            switch_since_ms=since_ms or 0,
            open_alerts=next(filter(None, map(_answer, self._opened)), None),
            export_age_s=_answer(self._export),
        )


def _of_routing(status: DrStatus) -> Iterator[str]:
    primary, failover = status.regions
    for region in status.regions:
        if region.health != HEALTHY:
            yield (
                f"{region.region} is {region.health}"
                if region.health != UNKNOWN
                else f"{region.region} does not answer"
            )
        if region.switch == UNKNOWN:
            yield f"the switch of {region.region} is unknown"
    expected = failover.region if failover.switch == ON else primary.region
    if primary.switch == failover.switch == ON:
        yield "both switches are on, so neither region is routed to"
    elif failover.switch == ON:
        yield (
            f"{expected} stands in for {primary.region}; `responder dr failback` once that can deliver again"
        )
    elif primary.switch == ON:
        yield f"the switch of {primary.region} is on, so {failover.region} cannot take over"
    if status.answers == UNKNOWN:
        yield "where the name points is unknown"
    elif status.answers not in {None, expected}:
        yield f"the name answers {status.answers}, not {expected}"


def _of_operation(status: DrStatus, now_ms: int) -> Iterator[str]:
    last = status.operation
    if not status.operation_known:
        yield "whether an operation is under way is unknown"
    elif last is not None and status.under_way:
        yield (
            f"a {last.operation} of {last.operator} is under way, {_heard(last, now_ms)}; if it is dead, "
            f"`responder dr {last.operation} --take-over` goes on in its place, without --take-over in "
            f"{last.wait_s(now_ms)} s"
        )
    elif last is not None and last.state is not State.DONE:
        state = f"broken off, {_heard(last, now_ms)}" if last.state is State.RUNNING else last.state
        other = "failback" if last.operation == "failover" else "failover"
        yield (
            f"a {last.operation} of {last.operator} was {state}; `responder dr {last.operation}` goes on "
            f"with it, or go the other way by `responder dr {other}`"
        )


def _heard(last: OperationRecord, now_ms: int) -> str:
    step = f" in its step {last.steps[-1].name}" if last.steps else ""
    return f"last heard of {max(0, now_ms - last.heard_ms) // 1_000} s ago{step}"


def _of_data(status: DrStatus, export_max_age_s: int) -> Iterator[str]:
    for region in status.regions:
        if region.open_alerts is None:
            yield f"open alerts of {region.region} are unknown"
        elif region.open_alerts.overdue:
            yield f"{region.open_alerts.overdue} alerts of {region.region} are overdue"
        if region.export_age_s is None or region.export_age_s > export_max_age_s:
            hours = export_max_age_s // 3_600
            yield f"no good export of {region.region} is known that is younger than {hours} h"
    if status.lag_ms is None:
        yield "replication between the regions stands still, or is unknown"


def _switch(deployment: Deployment, environment: Environment, endpoints: RegionEndpoints) -> int | None:
    """Since when it is on, 0 if it is off: by its own region's record; what routing sees has to agree."""
    since_ms = CoordinationRecords(deployment, endpoints.region).switched_on_ms()
    shown = switch_shown(environment.web, endpoints)
    return since_ms if shown is bool(since_ms) else None


def _lags(deployment: Deployment, environment: Environment) -> list[ReplicationLag]:
    deadline_ms = environment.clock.now_ms() + round(2 * MARKER_WITHIN_S * 1_000)
    context = StepContext(clock=environment.clock, deadline_ms=deadline_ms, tell=lambda _: None)
    return measure_lag(deployment, context, within_s=MARKER_WITHIN_S)


def _answered(question: "Future[Any]") -> bool:
    """Whether there is an answer, be it None."""
    if not question.done() or question.cancelled():
        return False
    error = question.exception()
    if error is not None and not isinstance(error, _UNANSWERED):
        raise error
    return error is None


def _answer(question: "Future[T]") -> T | None:
    """The answer, or None where there is none."""
    return question.result() if _answered(question) else None
