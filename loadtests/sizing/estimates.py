"""Means and percentiles of samples in strata, with bootstrap intervals; nothing is trimmed.

A stratum is a payload, cold or warm: each is resampled by itself, and counts by its weight. SciPy, of the
extra `load`, is loaded when the first interval is asked for.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from topology.errors import ExplainedError

RESAMPLES: Final = 999
CONFIDENCE: Final = 0.95
LEAST_SAMPLES: Final = 2
"""Of a stratum, for an interval."""


class ScipyMissingError(ExplainedError):
    """The extra `load` is not installed."""


@dataclass(frozen=True)
class Stratum:
    """Values that are weighed alike. The weights of all strata of a size add up to 1."""

    weight: float
    values: Sequence[float]


@dataclass(frozen=True)
class Estimate:
    """A value and its interval, in the unit of what was measured."""

    value: float
    low: float
    high: float


def mean_of(strata: Sequence[Stratum]) -> float:
    """The weighted mean."""
    return sum(one.weight * sum(one.values) / len(one.values) for one in strata)


def percentile_of(strata: Sequence[Stratum], part: float) -> float:
    """The weighted percentile, `part` of 1: a value that was measured, none between two."""
    pairs = sorted((value, one.weight / len(one.values)) for one in strata for value in one.values)
    wanted, reached = part * sum(one.weight for one in strata) - 1e-9, 0.0
    for value, weight in pairs:
        reached += weight
        if reached >= wanted:
            return value
    return pairs[-1][0]


def mean(strata: Sequence[Stratum], seed: int) -> Estimate:
    """The weighted mean with its interval."""
    weights = [one.weight for one in strata]
    return _estimate(lambda *values, axis: _mean(weights, values, axis), strata, CONFIDENCE, seed)


def percentile(strata: Sequence[Stratum], part: float, seed: int, confidence: float = CONFIDENCE) -> Estimate:
    """`percentile_of`, with its interval."""
    weights = [one.weight for one in strata]
    return _estimate(lambda *values, axis: _percentile(weights, part, values, axis), strata, confidence, seed)


def ratio(
    above: Sequence[Stratum], below: Sequence[Stratum], seed: int, confidence: float = CONFIDENCE
) -> Estimate:
    """The quotient of two weighted means with its interval."""
    first = len(above)
    upper, lower = [one.weight for one in above], [one.weight for one in below]

    def quotient(*values: Any, axis: int) -> Any:
        return _mean(upper, values[:first], axis) / _mean(lower, values[first:], axis)

    return _estimate(quotient, [*above, *below], confidence, seed)


def _estimate(
    statistic: Callable[..., Any], strata: Sequence[Stratum], confidence: float, seed: int
) -> Estimate:
    """A statistic of the strata, and its percentile interval.

    https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.bootstrap.html

    Raises:
        ScipyMissingError: SciPy is not installed.
    """
    try:
        import numpy as np  # noqa: PLC0415 - of an extra, and slow to load
        from scipy.stats import bootstrap  # noqa: PLC0415
    except ImportError as error:
        raise ScipyMissingError("intervals need SciPy; pip install '.[load]'") from error
    samples = [np.asarray(one.values, dtype=float) for one in strata]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are all the same, whose interval is a point
        found = bootstrap(
            samples,
            statistic,
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=confidence,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return Estimate(float(statistic(*samples, axis=-1)), float(found.low), float(found.high))


def _mean(weights: Sequence[float], values: Sequence[Any], axis: int) -> Any:
    return sum(weight * part.mean(axis=axis) for weight, part in zip(weights, values, strict=True))


def _percentile(weights: Sequence[float], part: float, values: Sequence[Any], axis: int) -> Any:
    import numpy as np  # noqa: PLC0415 - as above

    pairs = zip(weights, values, strict=True)
    mass = np.concatenate([np.full(one.shape[axis], weight / one.shape[axis]) for weight, one in pairs])
    everything = np.concatenate(values, axis=axis)
    order = everything.argsort(axis=axis)
    reached = mass[order].cumsum(axis=axis) >= part * mass.sum() - 1e-9
    place = np.expand_dims(reached.argmax(axis=axis), axis)
    return np.take_along_axis(np.take_along_axis(everything, order, axis), place, axis).squeeze(axis)
