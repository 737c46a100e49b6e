"""A drill's arithmetic: RTO and its parts, RPO in alerts and seconds, the load, slower than last time.

Pure: instants, attempts and receipts in, figures out.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from clients.receipts import Receipt
from clients.sender import Attempt
from dr.drill.prober import ProbeLog
from dr.drill.record import Moment

ACCEPTED: Final = 202
BUCKETS_MAX: Final = 300
"""Columns of the picture; a longer drill gets wider ones than a second."""

SLOWER_BY: Final = 1.1
SLOWER_LEAST_S: Final = 1.0
"""Slower than last time: by a tenth and a second at least. Less is this machine's noise."""

SILENCE_LEAST_S: Final = 3.0
"""Many times the pause between two posts: a load that runs is not silent for so long."""

_THROTTLED: Final = 429
_REFUSED_FROM: Final = 400
_ERRORS_FROM: Final = 500
_ERRORS_TO: Final = 600

RTO_PARTS: Final = (
    ("detect", Moment.FAULT, Moment.DETECTED),
    ("decide", Moment.DETECTED, Moment.DECIDED),
    ("act", Moment.DECIDED, Moment.ACTED),
    ("verify", Moment.ACTED, Moment.VERIFIED),
)
"""Each part of the RTO with the instants that it lies between; one ends where the next begins."""


class Failure(StrEnum):
    """How a try failed: by the answer that it got instead of a 202."""

    UNANSWERED = "no answer"
    THROTTLED = "429"
    SERVER_ERROR = "5xx"
    OTHER = "another answer"


@dataclass(frozen=True, kw_only=True)
class Rto:
    """From the fault until it was served again and that was verified, in seconds; None where it never was.

    `served_again_s`: until the failover region answered 202 to an alert that was sent after the fault, since
    sources retry there by themselves; None where no region was lost.
    """

    total_s: float | None
    parts_s: Mapping[str, float | None]
    served_again_s: float | None


@dataclass(frozen=True, kw_only=True)
class Rpo:
    """What was lost: alerts that were answered 202 and are not accounted for; None where there was no audit.

    `seconds`: the age, at the fault, of the oldest of them; 0 where none is lost, None where unknown.
    """

    alerts: int | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the prober's alerts met. `failed_tries`: tries that a region did not answer with 202.

    Before or after the fault: by the time of the answer, or of giving up on one. `unanswered`: alerts that no
    region took or refused for good; nothing was promised about them.
    """

    posted: int
    accepted: int
    accepted_before_fault: int
    accepted_after_fault: int
    by_region: Mapping[str, int]
    failed_tries: int
    failed_before_fault: Mapping[Failure, int]
    failed_after_fault: Mapping[Failure, int]
    refused: int
    unanswered: int


@dataclass(frozen=True, kw_only=True)
class Series:
    """One region in the picture: alerts it took, and tries that it failed, in each bucket."""

    region: str
    role: str
    accepted: tuple[int, ...]
    failed: Mapping[Failure, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A time in which no process of the drill posted."""

    began_ms: int
    ended_ms: int


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Both regions from `began_ms` on, `bucket_s` a column."""

    began_ms: int
    ended_ms: int
    bucket_s: int
    series: tuple[Series, ...]
    silences: tuple[Silence, ...] = ()


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
    verified_ms = moments.get(Moment.VERIFIED)
    back_ms = max(verified_ms, served_ms or 0) if verified_ms and (served_ms or lost_to is None) else None
    return Rto(
        total_s=_between_s(fault_ms, back_ms),
        parts_s={name: _between_s(moments.get(a), moments.get(b)) for name, a, b in RTO_PARTS},
        served_again_s=_between_s(fault_ms, served_ms),
    )


def first_served_ms(attempts: Iterable[Attempt], *, region: str, since_ms: int) -> int | None:
    """When `region` first answered 202 to a try that was sent at `since_ms` or later."""
    answered = (
        attempt.answered_at_ms
        for attempt in attempts
        if attempt.region == region and attempt.status == ACCEPTED and attempt.sent_at_ms >= since_ms
    )
    return min(answered, default=None)


def rpo_of(
    unaccounted: int | None, lost_ids: Iterable[str], receipts: Iterable[Receipt], *, fault_ms: int | None
) -> Rpo:
    """The RPO by the audit: its count, None without one, and the `lost_ids` as far as it lists them."""
    if not unaccounted:
        return Rpo(alerts=unaccounted, seconds=None if unaccounted is None else 0.0)
    lost = set(lost_ids)
    accepted_ms = [receipt.accepted_at_ms for receipt in receipts if receipt.alert_id in lost]
    age_s = _between_s(min(accepted_ms, default=None), fault_ms)
    return Rpo(alerts=unaccounted, seconds=None if age_s is None else max(0.0, age_s))


def load_of(log: ProbeLog, receipts: Sequence[Receipt], *, fault_ms: int | None) -> Load:
    """What became of the posts; without a fault all of it was before one."""
    end_ms = math.inf if fault_ms is None else fault_ms
    by_id = {receipt.alert_id: receipt for receipt in receipts}
    after = sum(receipt.accepted_at_ms >= end_ms for receipt in by_id.values())
    failed = [
        (attempt, failure) for attempt in log.attempts if (failure := failure_of(attempt.status)) is not None
    ]
    early = Counter(failure for attempt, failure in failed if attempt.answered_at_ms < end_ms)
    late = Counter(failure for attempt, failure in failed if attempt.answered_at_ms >= end_ms)
    refused = sum(
        attempt.status is not None
        and _REFUSED_FROM <= attempt.status < _ERRORS_FROM
        and attempt.status != _THROTTLED
        for attempt in log.attempts
    )
    return Load(
        posted=log.posted,
        accepted=len(by_id),
        accepted_before_fault=len(by_id) - after,
        accepted_after_fault=after,
        by_region=dict(sorted(Counter(receipt.region for receipt in by_id.values()).items())),
        failed_tries=len(failed),
        failed_before_fault={failure: early[failure] for failure in Failure},
        failed_after_fault={failure: late[failure] for failure in Failure},
        refused=refused,
        unanswered=max(0, log.posted - len(receipts) - refused),
    )


def failure_of(status: int | None) -> Failure | None:
    """How a try failed that ended with `status`; None where it was accepted."""
    if status is None:
        return Failure.UNANSWERED
    if status == _THROTTLED:
        return Failure.THROTTLED
    if _ERRORS_FROM <= status < _ERRORS_TO:
        return Failure.SERVER_ERROR
    return None if status == ACCEPTED else Failure.OTHER


def silences_of(attempts: Iterable[Attempt], *, at_most: int) -> tuple[Silence, ...]:
    """The `at_most` longest times between tries: a process that dies while it posts leaves one."""
    instants = sorted(at_ms for attempt in attempts for at_ms in (attempt.sent_at_ms, attempt.answered_at_ms))
    silent = [
        Silence(began_ms=began, ended_ms=ended)
        for began, ended in itertools.pairwise(instants)
        if ended - began >= SILENCE_LEAST_S * 1_000
    ]
    longest = sorted(silent, key=lambda silence: silence.began_ms - silence.ended_ms)[:at_most]
    return tuple(sorted(longest, key=lambda silence: silence.began_ms))


def timeline_of(
    attempts: Sequence[Attempt], *, regions: Mapping[str, str], began_ms: int, ended_ms: int, deaths: int = 0
) -> Timeline:
    """Sort the tries by region and time of their answer; `regions` maps a region to its role.

    `deaths`: how often a process of the drill died.
    """
    seconds = max(1, math.ceil((ended_ms - began_ms) / 1_000))
    bucket_s = math.ceil(seconds / BUCKETS_MAX)
    columns = math.ceil(seconds / bucket_s)
    counts = {(region, end): [0] * columns for region in regions for end in (None, *Failure)}
    for attempt in attempts:
        column = (attempt.answered_at_ms - began_ms) // (bucket_s * 1_000)
        if attempt.region in regions and 0 <= column < columns:
            counts[attempt.region, failure_of(attempt.status)][column] += 1
    series = tuple(
        Series(
            region=region,
            role=role,
            accepted=tuple(counts[region, None]),
            failed={failure: tuple(counts[region, failure]) for failure in Failure},
        )
        for region, role in regions.items()
    )
    return Timeline(
        began_ms=began_ms,
        ended_ms=ended_ms,
        bucket_s=bucket_s,
        series=series,
        silences=silences_of(attempts, at_most=deaths),
    )


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
