"""What a stack's Recovery expects again and again, as its records say it: heartbeats and synthetic alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment
from handlers.domain.delivery.arrivals import ARRIVED_MS
from handlers.domain.intake.heartbeats import SEEN_MS
from handlers.domain.limits import ABSENCE_GRACE_S
from handlers.domain.regions.watch import EVERY_S, TOLD
from topology.alerts import SYNTHETIC
from topology.records import absence_record, heartbeat_record, synthetic_record, watch_record

OK: Final = "ok"
LATE: Final = "late"
MISSING: Final = "missing"


@dataclass(frozen=True)
class Expected:
    """One thing that is expected `every_s`.

    `seen_ms`: when each region last had it, epoch milliseconds, 0 for never; of synthetic alerts when the one
    that arrived last had been accepted. `due_ms`: when it is told of unless it comes. `state`: `missing`
    where that was told, `late` where it is due and was not.
    """

    what: str
    every_s: int
    seen_ms: Mapping[str, int]
    due_ms: int
    state: str


def read_expected(deployment: Deployment, *, now_ms: int) -> list[Expected]:
    """Everything that either region's Recovery watched for when it last ran, in order of its names.

    Raises:
        CoordinationUnreachableError: no region answers.
    """
    regions = [endpoints.region for endpoints in deployment.regions]
    readers = {region: CoordinationRecords(deployment, region) for region in regions}

    def read(name: str, region: str) -> Mapping[str, Any]:
        """The values of a record that `region` writes, from there, or from the other where it is silent."""
        first, second = sorted(readers, key=lambda one: one != region)
        try:
            record = readers[first].read(name)
        except CoordinationUnreachableError:
            record = readers[second].read(name)
        return record.values if record else {}

    watches = [read(watch_record(region), region) for region in regions]
    found = []
    for key in sorted({name.removesuffix(EVERY_S) for watch in watches for name in watch if EVERY_S in name}):
        kind, _, name = key.partition(":")
        if kind == SYNTHETIC:
            seen_ms = {name: read(synthetic_record(name), name).get(ARRIVED_MS, 0)}
        else:
            seen_ms = {one: read(heartbeat_record(one, name), one).get(SEEN_MS, 0) for one in regions}
        every_s = next(watch[f"{key}{EVERY_S}"] for watch in watches if key in watch)
        since_ms = min(watch[key] for watch in watches if key in watch)
        due_ms = max(since_ms, *seen_ms.values()) + (every_s + ABSENCE_GRACE_S) * 1000
        told = read(absence_record(key), regions[0]).get(TOLD)
        state = MISSING if told else LATE if now_ms >= due_ms else OK
        found.append(Expected(what=key, every_s=every_s, seen_ms=seen_ms, due_ms=due_ms, state=state))
    return found
