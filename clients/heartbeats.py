"""What a stack's Recovery expects again and again, as its records say it: heartbeats and synthetic alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment, RegionEndpoints
from clients.failover import Failover, NoRegionAnswersError
from handlers.domain.delivery.arrivals import ARRIVED_MS
from handlers.domain.intake.heartbeats import SEEN_MS
from handlers.domain.limits import ABSENCE_GRACE_S
from handlers.domain.regions.watch import EVERY_S, TOLD
from topology.alerts import SYNTHETIC
from topology.config_keys import STRONG
from topology.records import absence_record, heartbeat_record, synthetic_record, watch_record

OK: Final = "ok"
LATE: Final = "late"
MISSING: Final = "missing"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Expected:
    """One thing that is expected `every_s`.

    `seen_ms`: when each region last had it, epoch milliseconds, 0 for never; of synthetic alerts when the one
    that arrived last had been accepted. `due_ms`: when it is told of unless it comes. `state`: `missing`
    where that was told, `late` where it is due and was not. `unsure_in`: the regions that do not answer, and
    may have had it later than the other one knows; what would be `late` then is `unknown`.
    """

    what: str
    every_s: int
    seen_ms: Mapping[str, int]
    due_ms: int
    state: str
    unsure_in: tuple[str, ...] = ()


def read_expected(deployment: Deployment, *, now_ms: int) -> list[Expected]:
    """Everything that either region's Recovery watched for when it last ran, in order of its names.

    Raises:
        CoordinationUnreachableError: no region answers.
    """
    regions = [endpoints.region for endpoints in deployment.regions]
    failover = Failover()

    def read(name: str, region: str) -> Mapping[str, Any]:
        """The values of a record that `region` writes, from there, or from the other where it is silent."""

        def ask(endpoints: RegionEndpoints) -> Mapping[str, Any]:
            record = CoordinationRecords(deployment, endpoints.region).read(name)
            return record.values if record else {}

        try:
            return failover.ask(sorted(deployment.regions, key=lambda one: one.region != region), ask)
        except NoRegionAnswersError as error:
            raise CoordinationUnreachableError(f"{error}; bring one back, then try again") from error.last

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
        replicates = deployment.ledger_consistency != STRONG
        unsure_in = tuple(one for one in seen_ms if replicates and one in failover.silent)
        late = UNKNOWN if unsure_in else LATE
        state = MISSING if told else late if now_ms >= due_ms else OK
        found.append(Expected(key, every_s, seen_ms, due_ms, state, unsure_in))
    return found
