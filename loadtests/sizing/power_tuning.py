"""What AWS Lambda Power Tuning would choose by the same samples.

As of its version 4.4.0 (alexcasalboni/aws-lambda-power-tuning at 262ecc2d): `lambda/executor.js`
(`computeStatistics`: means of durations and of billed durations without the top and bottom 20 %),
`lambda/utils.js` (`computeAverageDuration`, `computePrice`) and `lambda/optimizer.js` (`findCheapest`,
`findFastest`, `findBalanced`). It invokes a size `num` times in series, so the first is cold; INIT is in both
durations, but cut off with what is longest. Its price has no charge for the request. It invokes payloads as
often as they weigh; here each counts as it was sampled. A size that fails ends its whole run; here that size
is left out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.sizing.measured import MeasuredSize
from loadtests.sizing.plan import Strategy
from loadtests.sizing.pricing import time_usd

DISCARDED: Final = 0.2
"""At the top, and as much at the bottom: `discardTopBottom`, if nobody says otherwise."""


@dataclass(frozen=True)
class _Size:
    memory_mb: int
    usd: float
    ms: float


def power_tuning_mb(sizes: Sequence[MeasuredSize], strategy: Strategy) -> int | None:
    """The size in MB that it chooses; None where none works. It knows no bound on a p95."""
    measured = [_size_of(one) for one in sizes if one.kept and not one.bad]
    if not measured:
        return None
    usd_max, ms_max = max(one.usd for one in measured), max(one.ms for one in measured)
    weight = strategy.cost_weight

    def rank(one: _Size) -> tuple[float, float]:
        value = weight * one.usd / usd_max + (1 - weight) * one.ms / ms_max
        return value, one.ms if weight else one.usd

    return min(measured, key=rank).memory_mb


def _size_of(size: MeasuredSize) -> _Size:
    invoked = [one for one in size.kept if one.cold][:1] + [one for one in size.kept if not one.cold]
    billed_ms = trimmed_mean([one.billed_ms for one in invoked])
    latency_ms = trimmed_mean([one.latency_ms for one in invoked])
    return _Size(size.memory_mb, time_usd(math.ceil(billed_ms), size.memory_mb), latency_ms)


def trimmed_mean(values: Sequence[float]) -> float:
    """The mean without the least and the greatest fifth, each rounded down; values must not be empty."""
    cut = int(len(values) * DISCARDED)
    left = sorted(values)[cut : len(values) - cut]
    return sum(left) / len(left)
