"""Six limits of known rates, planted on the embedded AWS: does the search find each, and name it?

The load is of CRITICAL alerts alone, which go out one by one: ordinary ones are gathered in digests above
Slack's pace, as they should be. Each limit is far below what the machine takes.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from clients.deployment import Deployment
from emulator.aws_capacity import AwsCapacity, IndexWrites
from emulator.client import Emulator
from loadtests.throughput.event_sources import EventSources, StackSettings, concurrency_of
from loadtests.throughput.knee import Knee
from loadtests.throughput.saturation import Resource
from loadtests.throughput.stack_probe import StackProbe
from topology.functions import ANALYSIS, RECEPTION
from topology.queues import Queue
from topology.tables import TIMESTAMP_INDEX

PLANTED_PER_S: Final = 3.5
"""Of the limits that are a rate by themselves."""

CONCURRENCY: Final = 6
LEAST_S: Final = 1.8
"""Of reception, or of a mapping: so many invocations, each of which takes so long, make a rate. They take so
long that what the embedded AWS needs between two of them is little beside it."""

CALIBRATED_PER_S: Final = 2.0
CALIBRATED_FOR_S: Final = 15.0

_BURST: Final = 2
_NO_LIMIT: Final = 1e9


@dataclass(frozen=True)
class PlantedLimit:
    """A limit: what it is of, and how it is put in force until the block ends, which gives its rate.

    `distinct_causes`: each alert is of a cause of its own, so the model is asked for each.
    """

    resource: Resource
    plant: Callable[["Site"], contextlib.AbstractContextManager[float]]
    distinct_causes: bool = False


@dataclass(frozen=True)
class Site:
    """Where limits are planted: the region of a stack that a probe posts to."""

    emulator: Emulator
    deployment: Deployment
    probe: StackProbe

    @property
    def region(self) -> str:
        """The region."""
        return self.probe.endpoints.region

    @property
    def settings(self) -> EventSources:
        """Its settings."""
        return EventSources(self.deployment, self.region)

    def client(self, service: str) -> Any:
        """A client in the region."""
        return self.deployment.clients.client(service, self.region)


@dataclass(frozen=True)
class Finding:
    """What was planted, and what the search made of it."""

    resource: Resource
    planted_per_s: float
    knee: Knee
    named: Resource
    evidence: str
    took_s: float

    @property
    def error(self) -> float | None:
        """How far the knee is from what was planted, as a part of it; None where there is no knee."""
        return None if self.knee.per_s is None else self.knee.per_s / self.planted_per_s - 1


@contextlib.contextmanager
def _api(site: Site) -> Iterator[float]:
    """The usage plan's own throttle."""
    gateway = site.client("apigateway")
    plans = gateway.get_usage_plans(limit=500)["items"]
    plan = next(one for one in plans if one["name"] == site.deployment.names.usage_plan)

    def throttle(rate: float, burst: int) -> None:
        operations = [
            {"op": "replace", "path": "/throttle/rateLimit", "value": f"{rate:g}"},
            {"op": "replace", "path": "/throttle/burstLimit", "value": f"{burst}"},
        ]
        gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=operations)

    throttle(PLANTED_PER_S, _BURST)
    try:
        yield PLANTED_PER_S
    finally:
        throttle(plan["throttle"]["rateLimit"], plan["throttle"]["burstLimit"])


@contextlib.contextmanager
def _reception(site: Site) -> Iterator[float]:
    """What reception has reserved, and how long it takes."""
    with site.settings.put_back() as before, _limits(site, AwsCapacity(least_s={RECEPTION.suffix: LEAST_S})):
        site.settings.apply(replace(before, reserved={**before.reserved, RECEPTION: CONCURRENCY}))
        yield CONCURRENCY / LEAST_S


@contextlib.contextmanager
def _analyses_at_once(site: Site) -> Iterator[None]:
    """Have `CONCURRENCY` CRITICAL alerts analysed at once, one a batch, until the block ends."""
    with site.settings.put_back() as before:
        critical = replace(before.mappings[Queue.PROCESSING_CRITICAL], maximum_concurrency=CONCURRENCY)
        mappings = {**before.mappings, Queue.PROCESSING_CRITICAL: critical}
        ordinary = concurrency_of(before.mappings[Queue.PROCESSING])
        reserved = {**before.reserved, ANALYSIS: CONCURRENCY + ordinary}
        site.settings.apply(StackSettings(mappings, reserved))
        yield


@contextlib.contextmanager
def _pollers(site: Site) -> Iterator[float]:
    """The concurrency of the mapping of CRITICAL alerts, and how long analysis takes."""
    with _analyses_at_once(site), _limits(site, AwsCapacity(least_s={ANALYSIS.suffix: LEAST_S})):
        yield CONCURRENCY / LEAST_S


@contextlib.contextmanager
def _ledger(site: Site) -> Iterator[float]:
    """The write units of the one key that CRITICAL alerts have in the index.

    How many units an alert takes is counted first, at a low rate and without a limit.
    """

    def limited(per_s: float) -> contextlib.AbstractContextManager[None]:
        writes = IndexWrites(index=TIMESTAMP_INDEX.name, per_s=per_s, burst=0.7 * per_s)
        return _limits(site, AwsCapacity(index_writes=writes))

    with limited(_NO_LIMIT):
        before = _units(site.emulator)
        counted = site.probe(CALIBRATED_PER_S, CALIBRATED_FOR_S).telemetry.posts
        site.probe.settle()
        units = (_units(site.emulator) - before) / counted
    with limited(PLANTED_PER_S * units):
        yield PLANTED_PER_S


@contextlib.contextmanager
def _model(site: Site) -> Iterator[float]:
    """The model's calls a second. Who is refused waits, so there is room for some who wait."""
    with _analyses_at_once(site):
        site.emulator.limit_claude(per_s=PLANTED_PER_S, burst=_BURST)
        try:
            yield PLANTED_PER_S
        finally:
            site.emulator.limit_claude(per_s=None)


@contextlib.contextmanager
def _slack(site: Site) -> Iterator[float]:
    """Slack's messages a second."""
    site.emulator.limit_slack(per_s=PLANTED_PER_S, burst=_BURST)
    try:
        yield PLANTED_PER_S
    finally:
        site.emulator.limit_slack(per_s=None)


LIMITS: Final = (
    PlantedLimit(Resource.API, _api),
    PlantedLimit(Resource.RECEPTION, _reception),
    PlantedLimit(Resource.POLLERS, _pollers),
    PlantedLimit(Resource.LEDGER, _ledger),
    PlantedLimit(Resource.MODEL, _model, distinct_causes=True),
    PlantedLimit(Resource.SLACK, _slack),
)


@contextlib.contextmanager
def _limits(site: Site, limits: AwsCapacity) -> Iterator[None]:
    site.emulator.limit_aws(limits)
    try:
        yield
    finally:
        site.emulator.limit_aws(AwsCapacity())


def _units(emulator: Emulator) -> float:
    """Write units that the index has taken so far."""
    return sum(use.units for usage in emulator.usage().values() for use in usage.index_writes.values())
