"""Whether the search can be believed: run with many seeds on a stored exhaustive set of samples.

Each seed draws from the set in an order of its own, as if the functions were invoked again. What the search
chose is held against the best size by all of the set's samples; and so is what AWS Lambda Power Tuning would
choose by as many invocations, spread over the sizes alike.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Final

from loadtests.sizing.estimates import mean_of
from loadtests.sizing.measured import MeasuredSize
from loadtests.sizing.plan import COLD_SHARE, Plan, TooShortError, check_sizes
from loadtests.sizing.power_tuning import power_tuning_mb
from loadtests.sizing.pricing import usd_of
from loadtests.sizing.samples import OK, Sample, SampleSet, Site
from loadtests.sizing.search import TOLERANCE, search

STORED: Final = Path(__file__).with_name("samples.jsonl")
"""Three functions of different shape at four sizes, by `responder tune samples`."""

SEEDS: Final = 100
PART_MAX: Final = 3
"""A search may make one invocation for each so many of the exhaustive set."""


WARM: Final = 100
COLD: Final = 25
"""Invocations of each size in an exhaustive set, if nobody says otherwise."""

_BLOCK: Final = 10
"""Invocations of a size in a row, so that whatever the machine does meanwhile is shared by all sizes."""


def measure_everything(
    site: Site, functions: Sequence[str], sizes: Sequence[int], *, warm: int = WARM, cold: int = COLD
) -> list[Sample]:
    """Sample each function at each size that the site can measure; one that fails is left then.

    Raises:
        SizesError: the sizes cannot be searched.
        What the site raises.
    """
    check_sizes(sizes)
    samples: list[Sample] = []
    for function in functions:
        searched = {memory_mb for memory_mb in sizes if site.measurable(memory_mb) is None}
        for kind, total in ((True, cold), (False, warm)):
            for begin in range(0, total, _BLOCK):
                for memory_mb in sorted(searched):
                    count = min(_BLOCK, total - begin)
                    samples += (got := site.sample(function, memory_mb, cold=kind, count=count))
                    if any(one.outcome != OK for one in got):
                        searched.remove(memory_mb)
    return samples


class StoredSite:
    """A `Site` that hands out the samples of a set, each once, in an order that `seed` gives."""

    def __init__(self, samples: SampleSet, seed: int) -> None:
        """Shuffle each payload's samples, and take the payloads in turn."""
        draw = random.Random(seed)  # noqa: S311 - a seeded order, no secret
        payloads: dict[tuple[str, int, bool], dict[str, list[Sample]]] = {}
        for one in draw.sample(samples.samples, len(samples.samples)):
            of_kind = payloads.setdefault((one.function, one.memory_mb, one.cold), {})
            of_kind.setdefault(one.payload, []).append(one)
        self._left = {
            kind: [one for turn in zip_longest(*of_kind.values()) for one in turn if one is not None]
            for kind, of_kind in payloads.items()
        }

    def measurable(self, memory_mb: int) -> str | None:
        """Why there are no samples of this size, if so."""
        known = any(size == memory_mb for _, size, _ in self._left)
        return None if known else "not in the stored samples"

    def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
        """The next samples, of each payload in turn."""
        left = self._left.get((function, memory_mb, cold), [])
        drawn, left[:count] = left[:count], []
        return drawn


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A function's searches against all of its samples.

    `within`: of `seeds` searches, those whose choice costs at most `TOLERANCE` more than the best size of all
    samples. `dearest`: how much more the worst choice costs, as a part; None if a search chose nothing or a
    size that fails. `part`: the most invocations that a search made, as a part of the set's. `decided`: how
    many were ended by the intervals. `power_tuning_within`: as `within`, of Power Tuning's choices.
    """

    function: str
    best_mb: int
    seeds: int
    within: int
    decided: int
    power_tuning_within: int
    dearest: float | None
    part: float


def replay(
    samples: SampleSet,
    *,
    weights: Mapping[str, float] = MappingProxyType({}),
    cold_share: float = COLD_SHARE,
    seeds: int = SEEDS,
) -> list[Replayed]:
    """Search the cheapest size of each function of the set with each seed; a payload weighs 1 if not said.

    Raises:
        TooShortError: a third of the set is too little for a search, or a function has no size that works.
    """
    rows = []
    for function in samples.functions:
        own = [one for one in samples.samples if one.function == function]
        plan = Plan(
            sizes=samples.sizes(function),
            payloads={one.payload: weights.get(one.payload, 1.0) for one in own},
            cold_share=cold_share,
            invocations_max=len(own) // PART_MAX,
        )
        rows.append(_replayed(SampleSet(samples.origin, tuple(own)), function, plan, seeds))
    return rows


def _replayed(samples: SampleSet, function: str, plan: Plan, seeds: int) -> Replayed:
    costs = _costs(samples.samples, plan)
    if not costs:
        raise TooShortError(f"{function}: no size of the set works with enough samples; measure others")
    best_mb = min(costs, key=lambda memory_mb: costs[memory_mb])
    found = [search(StoredSite(samples, seed), function, plan, seed=seed) for seed in range(1, seeds + 1)]
    rivals = [_power_tuning(StoredSite(samples, seed), function, plan) for seed in range(1, seeds + 1)]

    def excess_of(memory_mb: int | None) -> float:
        return costs.get(memory_mb or 0, math.inf) / costs[best_mb] - 1

    excess = [excess_of(one.best_mb) for one in found]
    return Replayed(
        function=function,
        best_mb=best_mb,
        seeds=seeds,
        within=sum(one <= TOLERANCE for one in excess),
        decided=sum(one.decided for one in found),
        power_tuning_within=sum(excess_of(one) <= TOLERANCE for one in rivals),
        dearest=None if math.isinf(max(excess)) else max(excess),
        part=max(one.invocations for one in found) / len(samples.samples),
    )


def _power_tuning(site: StoredSite, function: str, plan: Plan) -> int | None:
    """Its choice by as many invocations as a search may make: of each size in series, the first cold."""
    sizes = []
    for memory_mb in plan.sizes:
        size = MeasuredSize(memory_mb, plan)
        size.add(site.sample(function, memory_mb, cold=True, count=1), cold=True)
        warm = plan.invocations_max // len(plan.sizes) - 1
        size.add(site.sample(function, memory_mb, cold=False, count=warm), cold=False)
        sizes.append(size)
    return power_tuning_mb(sizes, plan.strategy)


def _costs(samples: Sequence[Sample], plan: Plan) -> Mapping[int, float]:
    """The mean cost at each size that never failed, by all samples."""
    sizes = []
    for memory_mb in plan.sizes:
        size = MeasuredSize(memory_mb, plan)
        size.add([one for one in samples if one.memory_mb == memory_mb], cold=False)
        sizes.append(size)
    return {one.memory_mb: mean_of(one.strata(usd_of)) for one in sizes if one.ready}
