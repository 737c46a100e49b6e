"""What a search is asked: the sizes, what is best among them, and how many invocations it may make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.sizing.pricing import usd_of
from loadtests.sizing.samples import Sample
from loadtests.slo import SAMPLES_NEEDED
from topology.errors import ExplainedError
from topology.limits import LAMBDA_MEMORY_MAX_MB, LAMBDA_MEMORY_MIN_MB

SIZES_MAX: Final = 20
DEFAULT_SIZES: Final = (512, 1_024, 1_536, 2_048)
"""In MB: those of the runbook that this project came from."""

COLD_SHARE: Final = 0.01
"""Of a function's invocations, if nobody says otherwise. AWS saw cold starts in under 1 % of production's.
https://docs.aws.amazon.com/lambda/latest/operatorguide/execution-environments.html"""

INVOCATIONS_MAX: Final = 600
"""Of a function, if nobody says otherwise."""

FIRST_WARM: Final = SAMPLES_NEEDED["p95"]
FIRST_COLD: Final = 4
"""Invocations of each size in the first round, so that it has a p95; two of each payload if that is more."""

BALANCE: Final = 0.5
"""The weight of cost in a balanced choice, the default of AWS Lambda Power Tuning too (`power_tuning`)."""


class SizesError(ExplainedError):
    """These sizes cannot be searched."""


class PlanError(ExplainedError):
    """A search was asked for what it cannot decide by."""


class TooShortError(ExplainedError):
    """So few invocations decide nothing."""


@dataclass(frozen=True)
class Strategy:
    """What is best: the least of cost and latency, weighed by `cost_weight` (1: cost, 0: latency alone).

    Both are means in which cold starts have their share, as parts of the greatest among the sizes. If
    `p95_max_ms` is given, a size is chosen only if the p95 of its warm invocations is at most that.
    """

    name: str
    cost_weight: float
    p95_max_ms: float | None = None

    def value(self, sample: Sample, usd_max: float, ms_max: float) -> float:
        """What a sample adds to the mean that is to be least."""
        cost, latency = usd_of(sample) / usd_max, sample.latency_ms / ms_max
        return self.cost_weight * cost + (1 - self.cost_weight) * latency


CHEAPEST: Final = Strategy("cheapest", 1.0)
FASTEST: Final = Strategy("fastest", 0.0)


def balanced(cost_weight: float = BALANCE) -> Strategy:
    """Cost against latency.

    Raises:
        PlanError: the weight is not within 0 to 1.
    """
    if not 0 <= cost_weight <= 1:
        raise PlanError(f"the weight of cost is {cost_weight:g}; give one from 0 (speed) to 1 (cost)")
    return Strategy("balanced", cost_weight)


def cheapest_within(p95_max_ms: float) -> Strategy:
    """The cheapest size whose warm p95 is at most `p95_max_ms`.

    Raises:
        PlanError: it is not above 0.
    """
    if not p95_max_ms > 0:
        raise PlanError(f"a p95 of at most {p95_max_ms:g} ms cannot be met; give one above 0")
    return Strategy(f"cheapest with p95 <= {p95_max_ms:g} ms", 1.0, p95_max_ms)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search: sizes in MB, the weight of each payload by its name, the share of cold starts, the cap.

    Raises:
        SizesError: a size is outside of Lambda's range or given twice, there are none, or too many.
        PlanError: a weight or the share cannot be.
        TooShortError: the cap does not reach for the first round.
    """

    sizes: Sequence[int]
    payloads: Mapping[str, float]
    strategy: Strategy = CHEAPEST
    cold_share: float = COLD_SHARE
    invocations_max: int = INVOCATIONS_MAX

    def __post_init__(self) -> None:
        """Refuse what cannot be searched."""
        check_sizes(self.sizes)
        if not self.payloads or not all(0 < weight < float("inf") for weight in self.payloads.values()):
            raise PlanError(f"each payload needs a weight above 0; these have {dict(self.payloads)}")
        if not 0 <= self.cold_share < 1:
            raise PlanError(
                f"a share of {self.cold_share:g} cold starts cannot be; give one from 0 to below 1"
            )
        if self.invocations_max < (needed := len(self.sizes) * sum(self.first_round)):
            raise TooShortError(
                f"{self.invocations_max} invocations decide nothing between {len(self.sizes)} sizes; "
                f"allow at least {needed}, or name fewer sizes"
            )

    @property
    def first_round(self) -> tuple[int, int]:
        """Warm and cold invocations of each size in the first round."""
        least = 2 * len(self.payloads)
        return max(FIRST_WARM, least), max(FIRST_COLD, least)


def check_sizes(sizes: Sequence[int]) -> None:
    """Refuse sizes that a search cannot take.

    Raises:
        SizesError: one is outside of Lambda's range or given twice, there are none, or too many.
    """
    allowed = f"{LAMBDA_MEMORY_MIN_MB} to {LAMBDA_MEMORY_MAX_MB} MB"
    if not sizes:
        raise SizesError(f"no size is given; name some of {allowed}")
    if len(sizes) > SIZES_MAX:
        raise SizesError(f"{len(sizes)} sizes are too many; name at most {SIZES_MAX}")
    if twice := sorted({size for size in sizes if sizes.count(size) > 1}):
        raise SizesError(f"{twice[0]} MB is given twice; name each size once")
    if outside := [size for size in sizes if not LAMBDA_MEMORY_MIN_MB <= size <= LAMBDA_MEMORY_MAX_MB]:
        raise SizesError(f"Lambda has no size of {outside[0]} MB; name some of {allowed}")
