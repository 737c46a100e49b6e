"""What has been measured at one size: samples in strata, how it failed, and what was thrown out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import pstdev
from typing import Final

from loadtests.sizing.estimates import LEAST_SAMPLES, Stratum, mean_of
from loadtests.sizing.plan import Plan, PlanError
from loadtests.sizing.pricing import usd_of
from loadtests.sizing.samples import OK, Sample

COLD_PART_MIN: Final = 0.1
"""Of the invocations of a size: cold ones are shown too, though they may matter little."""


@dataclass(eq=False)
class MeasuredSize:
    """One size. `bad` is how it failed or why it is not measurable; `beaten` why it is no longer searched."""

    memory_mb: int
    plan: Plan
    kept: list[Sample] = field(default_factory=list)
    thrown_out: int = 0
    bad: str = ""
    beaten: str = ""

    @property
    def is_in(self) -> bool:
        """Whether it is still searched."""
        return not self.bad and not self.beaten

    @property
    def ready(self) -> bool:
        """Whether there is enough of each stratum for an estimate."""
        kinds = (self.strata(usd_of, cold=cold) for cold in (False, True))
        return not self.bad and all(is_enough(one, self.plan) for one in kinds)

    @property
    def usd(self) -> float:
        """The mean cost of an invocation, in dollars."""
        return mean_of(self.strata(usd_of))

    @property
    def ms(self) -> float:
        """The mean latency of an invocation."""
        return mean_of(self.strata(lambda one: one.latency_ms))

    @property
    def cold_part(self) -> float:
        """The part of the next invocations that is best cold: as it adds to the error of the mean cost.

        That is Neyman's allocation (https://doi.org/10.2307/2342192), and `COLD_PART_MIN` at least.
        """
        cold, warm = (
            share * pstdev([usd_of(one) for one in self.kept if one.cold is kind])
            for kind, share in ((True, self.plan.cold_share), (False, 1 - self.plan.cold_share))
        )
        return max(COLD_PART_MIN, cold / (cold + warm)) if cold else COLD_PART_MIN

    def add(self, samples: Sequence[Sample], *, cold: bool) -> int:
        """Keep what can be used, and the first failure; how many were kept.

        `cold`: what was asked for. A sample that is the other kind, since an environment was lost or reused,
        counts as what it is.

        Raises:
            PlanError: a payload has no weight.
        """
        kept = 0
        for sample in samples:
            if not sample.usable:
                self.thrown_out += 1
            elif sample.outcome != OK:
                self.bad = self.bad or sample.outcome
            elif sample.payload not in self.plan.payloads:
                raise PlanError(f"payload {sample.payload} of {sample.function} has no weight; give it one")
            else:
                self.kept.append(sample)
                kept += sample.cold is cold
        return kept

    def strata(self, value: Callable[[Sample], float], *, cold: bool | None = None) -> list[Stratum]:
        """The samples' values: of cold or of warm ones alone, or of both by the share of cold starts."""
        shares = (
            {True: self.plan.cold_share, False: 1 - self.plan.cold_share} if cold is None else {cold: 1.0}
        )
        total = sum(self.plan.payloads.values())
        return [
            Stratum(share * weight / total, values)
            for kind, share in shares.items()
            for payload, weight in self.plan.payloads.items()
            if share and (values := self._values(value, payload, cold=kind))
        ]

    def _values(self, value: Callable[[Sample], float], payload: str, *, cold: bool) -> list[float]:
        return [value(one) for one in self.kept if one.payload == payload and one.cold is cold]


def is_enough(strata: Sequence[Stratum], plan: Plan) -> bool:
    """Whether there are samples of each payload for an interval."""
    enough = all(len(one.values) >= LEAST_SAMPLES for one in strata)
    return enough and len(strata) == len(plan.payloads)
