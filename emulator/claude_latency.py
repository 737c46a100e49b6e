"""How long the stand-in for Claude takes: what whoever runs it sets, and what load tests print."""

import math
import random
from collections.abc import Iterator
from statistics import NormalDist
from typing import Final

import msgspec

MAX_S: Final = 600.0
"""The default timeout of the `anthropic` SDK (`DEFAULT_TIMEOUT` of its 2.12): nobody waits longer."""

_Z95: Final = NormalDist().inv_cdf(0.95)


class ClaudeLatency(msgspec.Struct, frozen=True, kw_only=True):
    """A log-normal distribution by its median and 95th percentile, in seconds; a fixed time if they agree.

    `label`: where the two come from, as shown beside every figure that was measured with them.

    Raises:
        ValueError: they make no distribution, or one beyond `MAX_S`.
    """

    p50_s: float
    p95_s: float
    label: str
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no distribution."""
        if not 0 <= self.p50_s <= self.p95_s <= MAX_S or self.p50_s == 0 < self.p95_s:
            raise ValueError(
                f"Claude's latency has 0 < p50_s <= p95_s <= {MAX_S:g} seconds, or both are 0; "
                f"not p50_s {self.p50_s:g} and p95_s {self.p95_s:g}"
            )

    def __str__(self) -> str:
        """The numbers and where they come from, for a report."""
        if self.p50_s == self.p95_s:
            return f"{self.p50_s:g} s each ({self.label})"
        return f"log-normal, p50 {self.p50_s:g} s, p95 {self.p95_s:g} s ({self.label})"

    def samples(self) -> Iterator[float]:
        """Seconds for one answer after the other, none above `MAX_S`; the same for the same seed."""
        draw = random.Random(self.seed)  # noqa: S311 - a seeded distribution, no secret
        sigma = math.log(self.p95_s / self.p50_s) / _Z95 if self.p50_s else 0.0
        while True:
            yield min(self.p50_s * draw.lognormvariate(0.0, sigma), MAX_S)


def fixed(latency_s: float) -> ClaudeLatency:
    """Every answer takes `latency_s`. Raises as `ClaudeLatency` does."""
    return ClaudeLatency(p50_s=latency_s, p95_s=latency_s, label="fixed")


QUICK: Final = fixed(0.05)
"""The default, for what measures no times: tests, the demo, drills and chaos experiments."""

HONEST: Final = ClaudeLatency(p50_s=4.0, p95_s=12.0, label="assumed")
"""For every run under load. Assumed: no public measurement of structured answers of 300 to 500 tokens that
gives percentiles was found in November 2026."""
