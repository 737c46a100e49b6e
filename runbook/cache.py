"""The analysis cache: how much of the work it does, and taking answers out of it that are wrong or old.

What is evicted is asked for again with the next alert of its signature. The eviction is written in both
regions, so that an answer which either is waiting for loses to it.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.analysis_cache import CachedAnalyses, CacheEntry
from clients.deployment import Deployment
from clients.failover import Failover, NoRegionAnswersError
from clients.metrics import own_metric, read_metrics, total
from topology.errors import ExplainedError
from topology.metrics import CACHE_HITS, INPUT_TOKENS, MODEL_CALLS, OUTPUT_TOKENS

MAX_ENTRIES: Final = 100_000
"""That are looked at by one command: some 50 MB, for a few cents."""

DAY: Final = timedelta(days=1)
_HOUR_S: Final = 3_600
_WORKERS: Final = 16


class CacheError(ExplainedError):
    """The cache cannot be read or changed so; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which entries are meant: all of what is given must hold. `asked_before_ms`: epoch milliseconds.

    An entry of a release that did not note when it asked counts as old.
    """

    signature: str | None = None
    asked_before_ms: int | None = None
    model: str | None = None

    def takes(self, entry: CacheEntry) -> bool:
        """Whether the entry is meant."""
        young = self.asked_before_ms is not None and (entry.asked_ms or 0) >= self.asked_before_ms
        return self.signature in (None, entry.signature) and not young and self.model in (None, entry.model)


@dataclass(kw_only=True)
class Eviction:
    """What came of an eviction: signatures, and the regions that did not take it."""

    evicted: set[str] = field(default_factory=set)
    newer: set[str] = field(default_factory=set)
    """Answered anew since it was decided; they stay."""

    failed: dict[str, str] = field(default_factory=dict)
    """By region: why it, or some of it, was not written there."""


def select(deployment: Deployment, cache: CachedAnalyses, selection: Selection) -> list[CacheEntry]:
    """The entries that are meant, by the first region that answers.

    Raises:
        CacheError: no region answers, or there are too many to look at.
    """

    def found(region: str) -> list[CacheEntry]:
        if selection.signature is not None:
            entry = cache.get(region, selection.signature)
            return [entry] if entry is not None and selection.takes(entry) else []
        entries = list(islice(cache.entries(region), MAX_ENTRIES + 1))
        if len(entries) > MAX_ENTRIES:
            raise CacheError(f"the cache has more than {MAX_ENTRIES} entries; name a --signature")
        return [entry for entry in entries if selection.takes(entry)]

    try:
        return Failover().ask(deployment.regions, lambda endpoints: found(endpoints.region))
    except NoRegionAnswersError as error:
        raise CacheError(f"the cache does not answer ({error}); `responder diagnose` says why") from error


def evict(
    deployment: Deployment,
    cache: CachedAnalyses,
    entries: Iterable[CacheEntry],
    *,
    at_ms: int,
    progress: Callable[[int], Any] = lambda _: None,
) -> Eviction:
    """Evict the entries in both regions; one that does not answer gets it by replication, a second later.

    A region that does not take one is asked for no more. `progress` is called with how many entries were
    written, so far in one region.
    """
    done, signatures = Eviction(), [entry.signature for entry in entries]
    for endpoints in deployment.regions:
        evict_one = partial(cache.evict, endpoints.region, at_ms=at_ms)
        with ThreadPoolExecutor(_WORKERS) as pool:
            try:
                for first in range(0, len(signatures), _WORKERS):
                    some = signatures[first : first + _WORKERS]
                    for signature, is_evicted in zip(some, pool.map(evict_one, some), strict=True):
                        (done.evicted if is_evicted else done.newer).add(signature)
                    progress(first + len(some))
            except (ClientError, BotoCoreError) as error:
                done.failed[endpoints.region] = str(error)
    done.newer -= done.evicted
    return done


@dataclass(frozen=True, kw_only=True)
class CacheFigures:
    """A region's day: entries by DynamoDB's own count, which is up to six hours old; None is unknown."""

    region: str
    entries: int | None = None
    bytes: int | None = None
    hits: float | None = None
    model_calls: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    error: str = ""

    @property
    def hit_rate(self) -> float | None:
        """The share of analyses that cost no call; None without any."""
        answered = (self.hits or 0) + (self.model_calls or 0)
        return (self.hits or 0) / answered if answered else None


def figures(deployment: Deployment, region: str, *, now: datetime | None = None) -> CacheFigures:
    """The figures of the last 24 hours; what cannot be seen is in `error`."""
    until = now or datetime.now(UTC)
    names = {
        "hits": CACHE_HITS,
        "model_calls": MODEL_CALLS,
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
    }
    metrics = {field: own_metric(deployment.names.stack, name) for field, name in names.items()}
    try:
        table = deployment.clients.client("dynamodb", region).describe_table(
            TableName=deployment.analysis_cache_table
        )["Table"]
        points = read_metrics(
            deployment.clients.client("cloudwatch", region),
            metrics,
            since=until - DAY,
            until=until,
            period_s=_HOUR_S,
        )
    except (ClientError, BotoCoreError) as error:
        return CacheFigures(region=region, error=str(error))
    return CacheFigures(
        region=region,
        entries=table.get("ItemCount"),
        bytes=table.get("TableSizeBytes"),
        hits=total(points["hits"]),
        model_calls=total(points["model_calls"]),
        input_tokens=total(points["input_tokens"]),
        output_tokens=total(points["output_tokens"]),
    )
