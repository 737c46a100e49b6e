"""What a search of memory found, as people and scripts get it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Final

import msgspec

from loadtests.sizing.estimates import Estimate, mean, percentile
from loadtests.sizing.measured import MeasuredSize, is_enough
from loadtests.sizing.plan import Plan
from loadtests.sizing.power_tuning import power_tuning_mb
from loadtests.sizing.pricing import usd_of
from loadtests.sizing.search import Found
from loadtests.slo import SAMPLES_NEEDED
from topology import prices

HEADS: Final = ("MB", "$ a million", "p50 ms", "p95 ms", "p99 ms", "cold p50 ms", "CPU", "n (out)", "")
NUMBER_HEADS: Final = HEADS[:-1]
A_MILLION: Final = 1e6
UNKNOWN: Final = "-"
PARTS: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_PERCENT: Final = 100

WholeCost = Callable[[Mapping[str, int]], float | None]
"""Dollars per 1,000 alerts of the whole pipeline, by the size in MB of each function; None if unknown."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles in ms, INIT included; None where too few were sampled."""

    p50: Estimate | None
    p95: Estimate | None
    p99: Estimate | None


class SizeReport(msgspec.Struct, frozen=True, kw_only=True):
    """A size. `usd`: an invocation's mean cost; `cpu_share`: what was got, on average, of `target_share`.

    `bad`: how it failed, or why it is not measurable; `beaten`: why it was no longer searched.
    """

    memory_mb: int
    usd: Estimate | None
    warm_ms: Latency
    cold_ms: Latency
    warm: int
    cold: int
    thrown_out: int
    cpu_share: float | None
    target_share: float | None
    max_memory_mb: int
    bad: str
    beaten: str


class FunctionReport(msgspec.Struct, frozen=True, kw_only=True):
    """A function: what it has, what was chosen, and what AWS Lambda Power Tuning would choose."""

    function: str
    strategy: str
    cold_share: float
    payloads: Mapping[str, float]
    before_mb: int | None
    chosen_mb: int | None
    power_tuning_mb: int | None
    decided: bool
    why: str
    invocations: int
    sizes: tuple[SizeReport, ...]

    @property
    def verdict(self) -> str:
        """The choice in a line."""
        if self.chosen_mb is None:
            return f"{self.function}: none; {self.why}"
        before = f" (now {self.before_mb})" if self.before_mb not in {None, self.chosen_mb} else ""
        return f"{self.function}: {self.chosen_mb} MB{before}; {self.why}"

    def marks(self, size: SizeReport) -> str:
        """What is to be said of a size: whose choice it is, or why it is none."""
        named = (
            (self.chosen_mb, "chosen" if self.decided else "best so far"),
            (self.before_mb, "now"),
            (self.power_tuning_mb, "Power Tuning"),
        )
        return ", ".join(words for memory_mb, words in named if memory_mb == size.memory_mb)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The sizes as text under `HEADS`."""
        for size in self.sizes:
            warm, cold = size.warm_ms, size.cold_ms
            got = size.target_share if size.cpu_share is None else size.cpu_share
            share = UNKNOWN if got is None else f"{got:.2f}"
            yield (
                f"{size.memory_mb}",
                _text(size.usd, A_MILLION),
                *map(_text, (warm.p50, warm.p95, warm.p99)),
                _text(cold.p50),
                share,
                f"{size.warm + size.cold} ({size.thrown_out})",
                "; ".join(filter(None, (self.marks(size), size.bad.replace("_", " ") or size.beaten))),
            )


class SizingReport(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the JSON report. `whole_..._usd`: of the pipeline, per 1,000 alerts."""

    site: str
    began_at: str
    functions: tuple[FunctionReport, ...]
    whole_before_usd: float | None
    whole_after_usd: float | None

    @property
    def chosen(self) -> Mapping[str, int]:
        """The size of each function for which one was found and decided."""
        return {one.function: one.chosen_mb for one in self.functions if one.chosen_mb and one.decided}

    @property
    def whole(self) -> str:
        """What the pipeline costs before and after."""
        before, after = self.whole_before_usd, self.whole_after_usd
        if before is None or after is None:
            return "whole pipeline: unknown"
        change = f" ({after / before - 1:+.1%})" if before else ""
        return f"whole pipeline: $ {before:.4f} per 1,000 alerts now, $ {after:.4f} with these sizes{change}"

    @property
    def verdict(self) -> str:
        """The recommendation in a line."""
        sizes = ", ".join(
            f"{one.function} {one.chosen_mb or 'none'}{'' if one.decided else ' (undecided)'}"
            for one in self.functions
        )
        return f"memory in MB: {sizes}; {self.whole}"

    @property
    def notes(self) -> Sequence[str]:
        """What has to be known to read the figures."""
        shares = ", ".join(sorted({f"{one.cold_share:.1%}" for one in self.functions}))
        priced = f"prices of {prices.READ_ON} in {' and '.join(prices.REGIONS)}"
        return (
            f"Measured on {self.site}.",
            f"Cost: an invocation's mean, {shares} of them cold, with billed INIT and the request; {priced}.",
            "Percentiles: of warm invocations where nothing else is said; - where too few were made.",
            "±: the farther end of the 95 % interval. n: invocations that count; out: had another CPU share.",
            "Whole pipeline: alerts as of costs/measured.json, durations as here; without Recovery's runs.",
            "CPU: the share of a vCPU that was got; the size's, where nothing but its limit held it up.",
            "Power Tuning: what AWS Lambda Power Tuning 4.4.0 computes from the same samples.",
        )


def report_of(
    found: Sequence[Found], memory_mb: Mapping[str, int], *, site: str, began_at: str, whole: WholeCost
) -> SizingReport:
    """The report of searches; `memory_mb` has what each function has now, as far as that is known."""
    functions = tuple(_function(one, memory_mb.get(one.function)) for one in found)
    chosen = {one.function: one.chosen_mb for one in functions if one.chosen_mb and one.decided}
    return SizingReport(
        site=site,
        began_at=began_at,
        functions=functions,
        whole_before_usd=whole(memory_mb),
        whole_after_usd=whole({**memory_mb, **chosen}),
    )


def _function(found: Found, before_mb: int | None) -> FunctionReport:
    plan: Plan = found.plan
    return FunctionReport(
        function=found.function,
        strategy=plan.strategy.name,
        cold_share=plan.cold_share,
        payloads=plan.payloads,
        before_mb=before_mb,
        chosen_mb=found.best_mb,
        power_tuning_mb=power_tuning_mb(found.sizes, plan.strategy),
        decided=found.decided,
        why=found.why,
        invocations=found.invocations,
        sizes=tuple(map(_size, found.sizes)),
    )


def _size(size: MeasuredSize) -> SizeReport:
    shares = [one.cpu_share for one in size.kept if one.cpu_share is not None]
    cold = sum(one.cold for one in size.kept)
    return SizeReport(
        memory_mb=size.memory_mb,
        usd=mean(size.strata(usd_of), seed=size.memory_mb) if size.ready else None,
        warm_ms=_latency(size, cold=False),
        cold_ms=_latency(size, cold=True),
        warm=len(size.kept) - cold,
        cold=cold,
        thrown_out=size.thrown_out,
        cpu_share=fmean(shares) if shares else None,
        target_share=size.kept[0].target_share if size.kept else None,
        max_memory_mb=max((one.max_memory_mb for one in size.kept), default=0),
        bad=size.bad,
        beaten=size.beaten,
    )


def _latency(size: MeasuredSize, *, cold: bool) -> Latency:
    strata = size.strata(lambda one: one.latency_ms, cold=cold)
    count = sum(len(one.values) for one in strata) if is_enough(strata, size.plan) else 0
    return Latency(
        **{
            name: percentile(strata, part, size.memory_mb) if count >= SAMPLES_NEEDED[name] else None
            for name, part in PARTS.items()
        }
    )


def _text(estimate: Estimate | None, factor: float = 1.0) -> str:
    """A value with three digits, and how far the farther end of its interval is, in percent."""
    if estimate is None:
        return UNKNOWN
    off = max(estimate.high - estimate.value, estimate.value - estimate.low)
    part = f" ±{off / estimate.value:.0%}" if estimate.value else ""
    value = estimate.value * factor
    return f"{value:.0f}{part}" if value >= _PERCENT else f"{value:.3g}{part}"
