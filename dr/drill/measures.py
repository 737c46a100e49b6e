"""A drill's arithmetic: RTO and its parts, RPO in alerts and seconds, what was slower than last time.

Pure: instants, attempts and receipts in, figures out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clients.receipts import Receipt
from clients.sender import Attempt
from dr.drill.record import Moment

ACCEPTED: Final = 202
BUCKETS_MAX: Final = 300
"""Columns of the picture; a longer drill gets wider ones than a second."""

SLOWER_BY: Final = 1.1
SLOWER_LEAST_S: Final = 1.0
"""Slower than last time: by a tenth and a second at least. Less is this machine's noise."""

RTO_PARTS: Final = (
    ("detect", Moment.FAULT, Moment.DETECTED),
    ("decide", Moment.DETECTED, Moment.DECIDED),
    ("act", Moment.DECIDED, Moment.ACTED),
    ("verify", Moment.ACTED, Moment.PROVEN),
)
"""Each part of the RTO with the instants that it lies between; one ends where the next begins."""


@dataclass(frozen=True, kw_only=True)
class Rto:
    """From the fault until it was served again and that was proven, in seconds; None where it never was.

    `served_again_s`: until the failover region answered 202 to an alert that was sent after the fault, since
    sources retry there by themselves; None where no region was lost.
    """

    total_s: float | None
    parts_s: Mapping[str, float | None]
    served_again_s: float | None


@dataclass(frozen=True, kw_only=True)
class Rpo:
    """What was lost: alerts that were answered 202 and are not accounted for.

    `seconds`: the age, at the fault, of the oldest of them; 0 where none is lost.
    """

    alerts: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """One region in the picture: alerts it took, and tries that it failed, in each bucket."""

    region: str
    role: str
    accepted: tuple[int, ...]
    failed: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Both regions from `began_ms` on, `bucket_s` a column."""

    began_ms: int
    ended_ms: int
    bucket_s: int
    series: tuple[Series, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One measure, now and in the last drill, in seconds."""

    measure: str
    before_s: float
    now_s: float
    slower: bool


def rto_of(moments: Mapping[Moment, int], attempts: Iterable[Attempt], *, lost_to: str | None) -> Rto:
    """The RTO by the instants; `lost_to` is the region that took over, None where none was lost."""
    fault_ms = moments.get(Moment.FAULT)
    served_ms = first_served_ms(attempts, region=lost_to, since_ms=fault_ms) if fault_ms and lost_to else None
    proven_ms = moments.get(Moment.PROVEN)
    back_ms = max(proven_ms, served_ms or 0) if proven_ms and (served_ms or lost_to is None) else None
    return Rto(
        total_s=_between_s(fault_ms, back_ms),
        parts_s={name: _between_s(moments.get(a), moments.get(b)) for name, a, b in RTO_PARTS},
        served_again_s=_between_s(fault_ms, served_ms),
    )


def first_served_ms(attempts: Iterable[Attempt], *, region: str, since_ms: int) -> int | None:
    """When `region` first answered 202 to a try that was sent at `since_ms` or later."""
    answered = (
        one.answered_at_ms
        for one in attempts
        if one.region == region and one.status == ACCEPTED and one.sent_at_ms >= since_ms
    )
    return min(answered, default=None)


def rpo_of(
    unaccounted: int, lost_ids: Iterable[str], receipts: Iterable[Receipt], *, fault_ms: int | None
) -> Rpo:
    """The RPO: `unaccounted` alerts by the audit's count, `lost_ids` as far as it lists them."""
    lost = set(lost_ids)
    accepted_ms = [receipt.accepted_at_ms for receipt in receipts if receipt.alert_id in lost]
    oldest_ms = min(accepted_ms, default=None)
    return Rpo(alerts=unaccounted, seconds=max(0.0, _between_s(oldest_ms, fault_ms) or 0.0))


def timeline_of(
    attempts: Sequence[Attempt], *, regions: Mapping[str, str], began_ms: int, ended_ms: int
) -> Timeline:
    """Sort the tries by region and time of their answer; `regions` maps a region to its role."""
    seconds = max(1, math.ceil((ended_ms - began_ms) / 1_000))
    bucket_s = math.ceil(seconds / BUCKETS_MAX)
    columns = math.ceil(seconds / bucket_s)
    counts = {(region, good): [0] * columns for region in regions for good in (True, False)}
    for attempt in attempts:
        column = (attempt.answered_at_ms - began_ms) // (bucket_s * 1_000)
        if attempt.region in regions and 0 <= column < columns:
            counts[attempt.region, attempt.status == ACCEPTED][column] += 1
    series = tuple(
        Series(
            region=region,
            role=role,
            accepted=tuple(counts[region, True]),
            failed=tuple(counts[region, False]),
        )
        for region, role in regions.items()
    )
    return Timeline(began_ms=began_ms, ended_ms=ended_ms, bucket_s=bucket_s, series=series)


def changes(now: Mapping[str, float | None], before: Mapping[str, float | None]) -> tuple[Change, ...]:
    """What both drills measured, in this one's order."""
    both = (
        (name, earlier, value) for name, value in now.items() if (earlier := before.get(name)) is not None
    )
    return tuple(
        Change(measure=name, before_s=earlier, now_s=value, slower=_is_slower(value, earlier))
        for name, earlier, value in both
        if value is not None
    )


def _is_slower(now_s: float, before_s: float) -> bool:
    return now_s >= before_s * SLOWER_BY and now_s - before_s >= SLOWER_LEAST_S


def _between_s(begin_ms: int | None, end_ms: int | None) -> float | None:
    return None if begin_ms is None or end_ms is None else round((end_ms - begin_ms) / 1_000, 2)
