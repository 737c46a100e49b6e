"""A sweep of memory, from options to report: `responder tune memory` and `loadtests/memory.py` run it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import msgspec

from costs.alerts import per_thousand_alerts
from costs.usage import FunctionUsage, Usage
from loadtests.sizing.estimates import mean_of
from loadtests.sizing.plan import (
    BALANCE,
    CHEAPEST,
    COLD_SHARE,
    DEFAULT_SIZES,
    FASTEST,
    INVOCATIONS_MAX,
    SIZES_MAX,
    Plan,
    PlanError,
    Strategy,
    balanced,
    cheapest_within,
    check_sizes,
)
from loadtests.sizing.report import SizingReport, WholeCost, report_of
from loadtests.sizing.samples import Sample, Site
from loadtests.sizing.search import Found, search
from topology.config import StackConfig
from topology.functions import FUNCTIONS

STRATEGIES: Final = ("cheapest", "fastest", "balanced")


class SweepOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to sweep. `p95_max_ms` makes the cheapest size within it the best; else `strategy` counts.

    `cost_weight`: of a balanced choice, 0 to 1. `invocations`: the most that a function gets.
    """

    functions: tuple[str, ...] = tuple(spec.key for spec in FUNCTIONS)
    sizes: tuple[int, ...] = DEFAULT_SIZES
    strategy: str = CHEAPEST.name
    cost_weight: float = BALANCE
    p95_max_ms: float | None = None
    cold_share: float = COLD_SHARE
    invocations: int = INVOCATIONS_MAX
    seed: int = 1

    def plans(self, payloads: Mapping[str, Mapping[str, float]], config: StackConfig) -> dict[str, Plan]:
        """A plan for each function; `payloads`: the weights by function and name.

        The size that a function has in `config` is searched too, so that there is a before.

        Raises:
            SizesError, PlanError, TooShortError: it cannot be searched so.
        """
        if unknown := sorted(set(self.functions) - payloads.keys()):
            raise PlanError(f"no function {', '.join(unknown)}; there are {', '.join(payloads)}")
        if not self.functions:
            raise PlanError(f"no function is given; there are {', '.join(payloads)}")
        check_sizes(self.sizes)
        now = {spec.key: config.memory_mb[spec] for spec in FUNCTIONS}
        return {
            function: Plan(
                sizes=(*self.sizes, *{now[function]}.difference(self.sizes))[:SIZES_MAX],
                payloads=payloads[function],
                strategy=self._strategy(),
                cold_share=self.cold_share,
                invocations_max=self.invocations,
            )
            for function in dict.fromkeys(self.functions)
        }

    def _strategy(self) -> Strategy:
        if self.p95_max_ms is not None:
            return cheapest_within(self.p95_max_ms)
        known = {one.name: one for one in (CHEAPEST, FASTEST, balanced(self.cost_weight))}
        if self.strategy not in known:
            raise PlanError(f"no strategy {self.strategy!r}; there are {', '.join(STRATEGIES)}")
        return known[self.strategy]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a sweep in a process of its own says, a line of JSON each."""

    sample: Sample | None = None
    report: SizingReport | None = None
    error: str = ""


class _Told:
    """A site that tells of each sample that it makes."""

    def __init__(self, site: Site, told: Callable[[Sample], None]) -> None:
        self._site, self._told = site, told

    def measurable(self, memory_mb: int) -> str | None:
        return self._site.measurable(memory_mb)

    def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
        samples = self._site.sample(function, memory_mb, cold=cold, count=count)
        for sample in samples:
            self._told(sample)
        return samples


def sweep(
    site: Site,
    plans: Mapping[str, Plan],
    *,
    name: str,
    config: StackConfig,
    usage: Usage,
    seed: int,
    told: Callable[[Sample], None] = lambda _: None,
) -> SizingReport:
    """Search each function, and report. `name`: of the site; `config`: of the stack whose sizes these are.

    Raises what the site raises.
    """
    began_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    telling = _Told(site, told)
    found = [search(telling, function, plan, seed=seed) for function, plan in plans.items()]
    now = {spec.key: config.memory_mb[spec] for spec in FUNCTIONS if spec.key in plans}
    return report_of(found, now, site=name, began_at=began_at, whole=whole_cost(found, config, usage))


def whole_cost(found: Sequence[Found], config: StackConfig, usage: Usage) -> WholeCost:
    """Dollars per 1,000 alerts by the cost model, with the durations that were measured at each size.

    Functions that were not searched count as they were measured in `usage`, at the size that they have.
    """
    billed_ms = {
        (one.function, size.memory_mb): mean_of(size.strata(lambda sample: sample.billed_ms))
        for one in found
        for size in one.sizes
        if size.ready
    }

    def whole(memory_mb: Mapping[str, int]) -> float | None:
        functions = dict(usage.functions)
        for key in functions.keys() & memory_mb.keys():
            if (each_ms := billed_ms.get((key, memory_mb[key]))) is None:
                return None
            count = functions[key].invocations
            functions[key] = FunctionUsage(invocations=count, billed_ms=count * each_ms)
        sizes = {spec: memory_mb.get(spec.key, config.memory_mb[spec]) for spec in FUNCTIONS}
        swept = msgspec.structs.replace(usage, functions=functions)
        return per_thousand_alerts(swept, replace(config, memory_mb=sizes)).usd

    return whole
