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
from dr.operations.adoption import OpenAlerts, open_alerts
from dr.operations.journal import Journal, OperationFailedError, OperationRecord, OperationRefusedError, State
from dr.operations.operation import Turn
from dr.operations.outside import Outside
from dr.operations.proof import healthy, switch_shown
from dr.operations.replication import Crossing, cross

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
    outside: Outside | None = None,
    within_s: float = WITHIN_S,
) -> DrStatus:
    """Ask everything at once; takes `within_s` seconds at most where the clients are as impatient."""
    outside = outside or Outside()
    pool = ThreadPoolExecutor(max_workers=12, thread_name_prefix="dr-status")
    operation = pool.submit(lambda: Journal(deployment, deployment.failover.region).read())
    answers = pool.submit(outside.resolve, deployment)
    crossing = pool.submit(_crossings, deployment, outside)
    regions = [_Region(deployment, endpoints, outside, export_age, pool) for endpoints in deployment.regions]
    asked: list[Future[Any]] = [operation, answers, crossing]
    wait([*asked, *(question for one in regions for question in one.asked)], timeout=within_s)
    pool.shutdown(wait=False, cancel_futures=True)
    crossings, latest = _said(crossing), _said(operation)
    found = DrStatus(
        stack=deployment.names.stack,
        regions=tuple(one.state() for one in regions),
        answers=(_said(answers) or UNKNOWN) if deployment.alerts_url else None,
        operation=latest,
        operation_known=_answered(operation),
        under_way=latest is not None and latest.alive(outside.clock.now_ms()),
        lag_ms={f"{c.written_in} to {c.seen_in}": c.took_ms for c in crossings} if crossings else None,
        problems=(),
    )
    problems = (*_of_routing(found), *_of_operation(found), *_of_data(found, export_max_age_s))
    return replace(found, problems=problems)


class _Region:
    """What is asked about one region, on the way."""

    def __init__(
        self,
        deployment: Deployment,
        endpoints: RegionEndpoints,
        outside: Outside,
        export_age: ExportAge,
        pool: ThreadPoolExecutor,
    ) -> None:
        region, now_s = endpoints.region, outside.clock.now_ms() // 1_000
        seers = sorted((e.region for e in deployment.regions), key=lambda name: name != region)
        self._endpoints = endpoints
        self._healthy = pool.submit(healthy, outside.web, endpoints)
        self._switch = pool.submit(_switch, deployment, outside, endpoints)
        self._opened = [
            pool.submit(open_alerts, deployment, seen_in=seer, owner=region, now_s=now_s) for seer in seers
        ]
        self._export = pool.submit(export_age, deployment, region, now_s)
        self.asked: tuple[Future[Any], ...] = (self._healthy, self._switch, self._export, *self._opened)

    def state(self) -> RegionState:
        """What was answered; its open alerts by the region itself or else by the other."""
        well, since_ms = _said(self._healthy), _said(self._switch)
        return RegionState(
            region=self._endpoints.region,
            role=self._endpoints.role,
            health=UNKNOWN if well is None else HEALTHY if well else "unhealthy",
            switch=UNKNOWN if since_ms is None else ON if since_ms else "off",
            switch_since_ms=since_ms or 0,
            open_alerts=next(filter(None, map(_said, self._opened)), None),
            export_age_s=_said(self._export),
        )


def _of_routing(found: DrStatus) -> Iterator[str]:
    primary, failover = found.regions
    for one in found.regions:
        if one.health != HEALTHY:
            yield (
                f"{one.region} is {one.health}" if one.health != UNKNOWN else f"{one.region} does not answer"
            )
        if one.switch == UNKNOWN:
            yield f"the switch of {one.region} is unknown"
    expected = failover.region if failover.switch == ON else primary.region
    if primary.switch == failover.switch == ON:
        yield "both switches are on, so neither region is routed to"
    elif failover.switch == ON:
        yield (
            f"{expected} stands in for {primary.region}; `responder dr failback` once that can deliver again"
        )
    elif primary.switch == ON:
        yield f"the switch of {primary.region} is on, so {failover.region} cannot take over"
    if found.answers == UNKNOWN:
        yield "where the name points is unknown"
    elif found.answers not in {None, expected}:
        yield f"the name answers {found.answers}, not {expected}"


def _of_operation(found: DrStatus) -> Iterator[str]:
    last = found.operation
    if not found.operation_known:
        yield "whether an operation is under way is unknown"
    elif last is not None and found.under_way:
        yield f"a {last.operation} of {last.operator} is under way"
    elif last is not None and last.state is not State.DONE:
        state = "broken off" if last.state is State.RUNNING else last.state
        yield f"a {last.operation} of {last.operator} was {state}; run it again to go on, or the other way"


def _of_data(found: DrStatus, export_max_age_s: int) -> Iterator[str]:
    for one in found.regions:
        if one.open_alerts is None:
            yield f"open alerts of {one.region} are unknown"
        elif one.open_alerts.overdue:
            yield f"{one.open_alerts.overdue} alerts of {one.region} are overdue"
        if one.export_age_s is None or one.export_age_s > export_max_age_s:
            hours = export_max_age_s // 3_600
            yield f"no good export of {one.region} is known that is younger than {hours} h"
    if found.lag_ms is None:
        yield "replication between the regions stands still, or is unknown"


def _switch(deployment: Deployment, outside: Outside, endpoints: RegionEndpoints) -> int | None:
    """Since when it is on, 0 if it is off: by its own region's record; what routing sees has to agree."""
    since_ms = CoordinationRecords(deployment, endpoints.region).switched_on_ms()
    shown = switch_shown(outside.web, endpoints)
    return since_ms if shown is bool(since_ms) else None


def _crossings(deployment: Deployment, outside: Outside) -> list[Crossing]:
    deadline_ms = outside.clock.now_ms() + round(2 * MARKER_WITHIN_S * 1_000)
    turn = Turn(clock=outside.clock, deadline_ms=deadline_ms, tell=lambda _: None)
    return cross(deployment, turn, within_s=MARKER_WITHIN_S)


def _answered(question: "Future[Any]") -> bool:
    """Whether there is an answer, be it None."""
    if not question.done() or question.cancelled():
        return False
    error = question.exception()
    if error is not None and not isinstance(error, _UNANSWERED):
        raise error
    return error is None


def _said(question: "Future[T]") -> T | None:
    """The answer, or None where there is none."""
    return question.result() if _answered(question) else None
