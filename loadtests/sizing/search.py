"""The search for the best size: rounds of few invocations, in which sizes that cannot be best are dropped.

Successive halving (https://proceedings.mlr.press/v51/jamieson16.html) by evidence: a size goes when the
interval of its quotient to the best one says that it is worse, and all ends when no size that is left can be
better than the best by more than `TOLERANCE`. What a dropped size would have taken goes to the others.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.sizing.estimates import Estimate, mean_of, percentile, percentile_of, ratio
from loadtests.sizing.measured import MeasuredSize
from loadtests.sizing.plan import Plan
from loadtests.sizing.samples import Sample, Site
from loadtests.slo import SAMPLES_NEEDED

TOLERANCE: Final = 0.02
"""Sizes whose values are closer than this, as a part, are as good as each other."""

CONFIDENCE: Final = 0.99
"""Of each interval that decides. It is above a report's 0.95, since there is one for each size and round."""

GROWTH: Final = 0.5
"""What a round adds to a size, as a part of what it has."""

RESAMPLED_MAX: Final = 2
"""So often samples that were thrown out are made up for in a round."""

P95: Final = 0.95


@dataclass(frozen=True)
class Found:
    """What a search came to: the best size in MB, None where none will do, and whether the intervals decided.

    `why` says in a line what decided, or what is still open.
    """

    function: str
    plan: Plan
    best_mb: int | None
    decided: bool
    why: str
    invocations: int
    sizes: tuple[MeasuredSize, ...]


def search(site: Site, function: str, plan: Plan, *, seed: int = 1) -> Found:
    """Search the best size of a function; `seed` is of the intervals' resampling.

    Raises:
        PlanError: the site sends a payload that the plan has no weight for.
        What the site raises.
    """
    return _Search(site, function, plan, seed).run()


class _Search:
    def __init__(self, site: Site, function: str, plan: Plan, seed: int) -> None:
        self._site, self._function, self._plan, self._seed = site, function, plan, seed
        self._sizes = [MeasuredSize(memory_mb, plan) for memory_mb in sorted(plan.sizes)]
        self._invocations = 0

    def run(self) -> Found:
        for size in self._sizes:
            size.bad = self._site.measurable(size.memory_mb) or ""
        while self._round():
            if (found := self._decide()) is not None:
                return found
        return self._decide(last=True) or self._best_so_far()

    def _round(self) -> bool:
        """Sample each size that is still in; whether that brought anything."""
        before = self._invocations
        searched = [one for one in self._sizes if one.is_in]
        for place, size in enumerate(searched):
            fair = (self._plan.invocations_max - self._invocations) // (len(searched) - place)
            first = not size.kept
            warm, cold = self._plan.first_round
            if not first:
                count = min(math.ceil(GROWTH * len(size.kept)), fair)
                cold = round(count * size.cold_part)
                warm = count - cold
            until = self._invocations + fair
            self._fill(size, cold, until, cold=True)
            self._fill(size, warm, until, cold=False)
            if first and not size.ready and not size.bad:
                why = f"CPU share off in {size.thrown_out}" if size.thrown_out else "too few samples"
                size.bad = f"not measurable here: {why}"
        return self._invocations > before

    def _fill(self, size: MeasuredSize, count: int, until: int, *, cold: bool) -> None:
        """Add so many samples of one kind, and make up for those thrown out, `until` so many invocations."""
        for _ in range(1 + RESAMPLED_MAX):
            count = min(count, until - self._invocations)
            if count <= 0 or size.bad:
                return
            samples = self._site.sample(self._function, size.memory_mb, cold=cold, count=count)
            self._invocations += len(samples)
            count -= size.add(samples, cold=cold)
            if not samples:
                return

    def _decide(self, *, last: bool = False) -> Found | None:
        """Drop what cannot be best; the result, if that leaves no question open.

        Whether a faster size is as cheap is one too, unless no invocations are left (the `last` time).
        """
        proven = [one for one in self._sizes if one.is_in and self._within_p95(one)]
        searched = [one for one in self._sizes if one.is_in]
        if not searched:
            return self._found(None, decided=True, why=self._why_none())
        if not proven:
            return None
        value = self._value()
        best = min(proven, key=lambda one: mean_of(one.strata(value)))
        lows = []
        for size in searched:
            if size is not best:
                quotient = self._quotient(size, best, value)
                lows.append(quotient.low)
                as_good_at_most = 1 + TOLERANCE if self._preference(size) < self._preference(best) else 1
                if quotient.low > as_good_at_most:
                    size.beaten = f"+{quotient.low - 1:.0%} or more"
        if min(lows, default=1.0) < 1 / (1 + TOLERANCE):
            return None
        most = (1 + TOLERANCE) * mean_of(best.strata(value))
        near = [one for one in proven if one.is_in and mean_of(one.strata(value)) <= most]
        equal = [one for one in near if one is best or self._as_good(one, value)]
        chosen = min(equal, key=self._preference)
        if not last and self._preference(chosen) > min(map(self._preference, near)):
            return None
        return self._found(chosen, decided=True, why=_why(chosen, equal))

    def _as_good(self, size: MeasuredSize, value: Callable[[Sample], float]) -> bool:
        """Whether it is sure that no other size is better than this by more than the tolerance."""
        return all(
            self._quotient(size, other, value).high <= 1 + TOLERANCE
            for other in self._sizes
            if other.is_in and other is not size
        )

    def _quotient(
        self, size: MeasuredSize, other: MeasuredSize, value: Callable[[Sample], float]
    ) -> Estimate:
        return ratio(size.strata(value), other.strata(value), self._seed, CONFIDENCE)

    def _value(self) -> Callable[[Sample], float]:
        """What a sample adds to the mean that is to be least."""
        measured = [one for one in self._sizes if one.ready]
        usd_max = max(one.usd for one in measured)
        ms_max = max(one.ms for one in measured) or 1.0  # of a file in which nothing took any time
        return lambda sample: self._plan.strategy.value(sample, usd_max, ms_max)

    def _preference(self, size: MeasuredSize) -> float:
        """What decides between sizes that are as good: latency if cost was asked for, else cost."""
        return size.usd if self._plan.strategy.cost_weight == 0 else size.ms

    def _within_p95(self, size: MeasuredSize) -> bool:
        """Whether it is sure that the p95 is met; where it is sure that it is not, the size is dropped."""
        bound = self._plan.strategy.p95_max_ms
        if bound is None:
            return True
        warm = size.strata(lambda one: one.latency_ms, cold=False)
        if sum(len(one.values) for one in warm) < SAMPLES_NEEDED["p95"]:
            return False
        p95 = percentile(warm, P95, self._seed, CONFIDENCE)
        if p95.low > bound:
            size.beaten = f"p95 {p95.low:.0f} ms or more"
        return p95.high <= bound

    def _best_so_far(self) -> Found:
        """The best by what was measured until the cap, which did not decide."""
        value = self._value()
        searched = sorted(
            (one for one in self._sizes if one.is_in), key=lambda one: mean_of(one.strata(value))
        )
        bound = self._plan.strategy.p95_max_ms
        meeting = [
            one
            for one in searched
            if bound is None
            or percentile_of(one.strata(lambda one: one.latency_ms, cold=False), P95) <= bound
        ]
        best = meeting[0] if meeting else None
        quotients = (self._quotient(one, best, value).low for one in searched if best and one is not best)
        left = ", ".join(f"{one.memory_mb}" for one in searched if one is not best)
        question = f"against {left} MB" if left else "whether its p95 is met"
        question = question if best else f"whether {left} MB can meet the p95"
        why = f"undecided {question} after {self._invocations} invocations; allow more"
        if best and (worse := 1 / min(quotients, default=1.0) - 1) > 0:
            why = f"at most {worse:.1%} above the best, {why}"
        return self._found(best, decided=False, why=why)

    def _why_none(self) -> str:
        out = "; ".join(f"{one.memory_mb} MB: {one.bad or one.beaten}" for one in self._sizes)
        return f"no size will do ({out}); name others"

    def _found(self, best: MeasuredSize | None, *, decided: bool, why: str) -> Found:
        return Found(
            function=self._function,
            plan=self._plan,
            best_mb=best.memory_mb if best else None,
            decided=decided,
            why=why,
            invocations=self._invocations,
            sizes=tuple(self._sizes),
        )


def _why(chosen: MeasuredSize, equal: Sequence[MeasuredSize]) -> str:
    others = ", ".join(f"{one.memory_mb}" for one in equal if one is not chosen)
    if not others:
        return f"no other is better by {TOLERANCE:.0%}"
    gain = "cheaper" if chosen.plan.strategy.cost_weight == 0 else "faster"
    return f"as good as {others} MB within {TOLERANCE:.0%}, and {gain}"
