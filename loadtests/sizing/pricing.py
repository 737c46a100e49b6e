"""What an invocation costs."""

from typing import Final

from loadtests.sizing.samples import Sample
from topology.prices import LAMBDA_GB_S, LAMBDA_REQUEST, gb_seconds

_MS_PER_S: Final = 1_000


def usd_of(sample: Sample) -> float:
    """Dollars of one invocation: its billed time, INIT included, and the charge for the request."""
    return time_usd(sample.billed_ms, sample.memory_mb) + LAMBDA_REQUEST.each


def time_usd(billed_ms: float, memory_mb: int) -> float:
    """Dollars of a billed time at a size of memory, without the charge for the request."""
    return gb_seconds(billed_ms / _MS_PER_S, memory_mb) * LAMBDA_GB_S.each
