"""What groupings are worth: GA and FGA against the truth, and what a cache keyed by them would do."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from benchmarks.signature.corpus import StreamAlert

CACHE_TTL_S: Final = 86_400


class Grouping(NamedTuple):
    """`ga`: the part of lines whose group has just the lines of a true one. `fga`: the same by groups.

    GA is of Zhu et al., "Tools and Benchmarks for Automated Log Parsing" (ICSE-SEIP 2019), as LogPAI counts
    it: https://github.com/logpai/logparser/blob/main/logparser/utils/evaluator.py. FGA is the harmonic mean
    of the part of the groups made and of the true groups that are right, of Jiang et al., "A Large-Scale
    Evaluation for Log Parsing Techniques" (ISSTA 2024):
    https://github.com/logpai/loghub-2.0/blob/main/benchmark/evaluation/utils/template_level_analysis.py.
    """

    ga: float
    fga: float


class CacheUse(NamedTuple):
    """What a cache of `CACHE_TTL_S` does with a stream: each part of 1; `calls_by_oracle` is of its calls.

    A wrong hit is one on an entry that an alert of another fault made; `wrong` is their part of all hits.
    The oracle's cache is keyed by the true fault.
    """

    hit_rate: float
    wrong: float
    calls: int
    calls_by_oracle: float


def grouping(groups: Sequence[str], truth: Sequence[str]) -> Grouping:
    """How well `groups` agrees with `truth`, line by line."""
    made, true = Counter(groups), Counter(truth)
    pairs = Counter(zip(groups, truth, strict=True))
    right = [n for (group, fault), n in pairs.items() if n == made[group] == true[fault]]
    return Grouping(sum(right) / len(truth), 2 * len(right) / (len(made) + len(true)))


def cache_use(keys: Sequence[str], stream: Sequence[StreamAlert]) -> CacheUse:
    """What a cache with these keys, one an alert, does with the stream."""
    calls, wrong = _replay(keys, stream)
    oracles_calls, _ = _replay([alert.fault for alert in stream], stream)
    hits = len(stream) - calls
    return CacheUse(hits / len(stream), wrong / max(hits, 1), calls, calls / oracles_calls)


def _replay(keys: Sequence[str], stream: Sequence[StreamAlert]) -> tuple[int, int]:
    """How many calls the cache leaves to make, and how many of its hits are wrong."""
    entries: dict[str, StreamAlert] = {}
    calls = wrong = 0
    for key, alert in zip(keys, stream, strict=True):
        entry = entries.get(key)
        if entry is None or alert.at_s - entry.at_s >= CACHE_TTL_S:
            entries[key] = alert
            calls += 1
        elif entry.fault != alert.fault:
            wrong += 1
    return calls, wrong
