"""What a stack expects again and again: the heartbeats of its sources, and each region's own alerts."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from handlers.domain.delivery.arrivals import ARRIVED_MS
from handlers.domain.intake.heartbeats import SEEN_MS
from handlers.domain.limits import SYNTHETIC_INTERVALS
from handlers.domain.regions.watch import Watched
from topology.alerts import SYNTHETIC, Severity
from topology.records import heartbeat_record, synthetic_record

if TYPE_CHECKING:
    from topology.heartbeats import HeartbeatSpec


def watched_heartbeats(
    specs: Iterable["HeartbeatSpec"], *, region: str, peer: str, primary: bool
) -> Iterator[Watched]:
    """The heartbeats, which either region may have: the `primary` one tells of a missing one first."""
    for spec in specs:
        yield Watched(
            key=f"heartbeat:{spec.name}",
            title=f"Heartbeat {spec.name} is missing",
            advice="Look whether its source runs, and whether it reaches this stack: nothing that it has to "
            "tell may come.",
            severity=Severity(spec.severity),
            every_s=spec.every_s,
            sightings=[heartbeat_record(one, spec.name) for one in (region, peer)],
            value=SEEN_MS,
            first=primary,
        )


def watched_synthetic(interval_s: int, *, region: str, peer: str) -> Iterator[Watched]:
    """The synthetic alerts of both regions: of each the other region tells first."""
    for one in (peer, region) if interval_s else ():
        yield Watched(
            key=f"{SYNTHETIC}:{one}",
            title=f"Synthetic alerts of {one} do not arrive",
            advice=f"What {one} accepts may not reach people. Look at its queues, functions and alarms.",
            severity=Severity.CRITICAL,
            every_s=SYNTHETIC_INTERVALS * interval_s,
            sightings=[synthetic_record(one)],
            value=ARRIVED_MS,
            first=one == peer,
        )
