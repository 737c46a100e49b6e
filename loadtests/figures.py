"""What each process of a load counts, and how the processes' figures are added up.

Percentiles are of HDR histograms, which add up exactly; Locust's own rest on rounded times.
https://hdrhistogram.github.io/HdrHistogram/
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec
from hdrh.histogram import HdrHistogram

LONGEST_MS: Final = 3_600_000
_DIGITS: Final = 3


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies in milliseconds, to three digits; None where there was none."""

    count: int = 0
    p50: int | None = None
    p95: int | None = None
    p99: int | None = None
    max: int | None = None

    def __str__(self) -> str:
        """The text for a table, in seconds."""
        if self.max is None:
            return "unknown: there was none"
        texts = (f"{name} {getattr(self, name) / 1000:.2f}" for name in ("p50", "p95", "p99", "max"))
        return f"{', '.join(texts)} s; {self.count}"


class Histogram:
    """Latencies of a millisecond to an hour; what is beyond counts as the nearest of these."""

    def __init__(self, encoded: Iterable[bytes] = ()) -> None:
        """Make the sum of others, as `encode` wrote them."""
        self._counts = HdrHistogram(1, LONGEST_MS, _DIGITS)
        for other in encoded:
            self._counts.decode_and_add(other)

    def add(self, latency_ms: float) -> None:
        """Count one."""
        self._counts.record_value(min(max(1, round(latency_ms)), LONGEST_MS))

    def encode(self) -> bytes:
        """The counts in the library's own compressed format."""
        return bytes(self._counts.encode())

    def latency(self) -> Latency:
        """The figures of all that was counted."""
        if not self._counts.get_total_count():
            return Latency()
        p50, p95, p99, most = (int(self._counts.get_value_at_percentile(p)) for p in (50, 95, 99, 100))
        return Latency(count=self._counts.get_total_count(), p50=p50, p95=p95, p99=p99, max=most)


class Accepted(msgspec.Struct, frozen=True, array_like=True):
    """An alert that was answered 202, when (epoch milliseconds), and its severity where the sender knows."""

    alert_id: str
    at_ms: int
    severity: str | None = None


class Snapshot(msgspec.Struct, kw_only=True):
    """What shard `index` of a run has counted since its start; only `alerts` are those since the last one.

    A snapshot that gets lost on its way is so made up for by the next. `due` counts the posts of its whole
    schedule, `on_time` those that began within it. `answers` counts every try by its status, `none` where
    nothing came back; `refused` final statuses.
    """

    run: str
    index: int
    due: int
    over: bool = False
    error: str | None = None
    posted: int = 0
    on_time: int = 0
    late: int = 0
    never_sent: int = 0
    accepted: int = 0
    unnamed: int = 0
    retries: int = 0
    given_up: int = 0
    answers: dict[str, int] = {}
    refused: dict[str, int] = {}
    http: bytes = b""
    cpu_s: float = 0.0
    alerts: list[Accepted] = []


_SUMMED: Final = (
    "due", "posted", "on_time", "late", "never_sent", "accepted", "unnamed", "retries", "given_up", "cpu_s",
)  # fmt: skip


def add_up(snapshots: Iterable[Snapshot], lost: Iterable[int] = ()) -> Snapshot:
    """The sum of all shards' latest snapshots; what a lost shard had not posted yet was never sent."""
    shards, gone = list(snapshots), set(lost)
    total = Snapshot(run="", index=0, due=0, http=Histogram(s.http for s in shards if s.http).encode())
    for name in _SUMMED:
        setattr(total, name, sum(getattr(shard, name) for shard in shards))
    for name in ("answers", "refused"):
        counts: Counter[str] = Counter()
        for shard in shards:
            counts.update(getattr(shard, name))
        setattr(total, name, dict(counts))
    for shard in shards:
        if shard.index in gone:
            total.never_sent += max(0, shard.due - shard.posted - shard.never_sent)
    total.over = all(shard.over or shard.index in gone for shard in shards)
    total.error = next((shard.error for shard in shards if shard.error), None)
    return total
