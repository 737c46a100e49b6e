"""One search on a stack: its probes, the knee, and what saturates there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from loadtests.throughput.knee import PROBES_MAX, Knee, search
from loadtests.throughput.saturation import Saturation, saturation
from loadtests.throughput.stack_probe import ProbeResult

START_PER_S: Final = 3.0

ProbeOfStack = Callable[[float, float], ProbeResult]


@dataclass(frozen=True)
class Search:
    """The knee, what saturates there (None where nothing failed), and the probes in their order."""

    knee: Knee
    saturation: Saturation | None
    probes: tuple[ProbeResult, ...]


@dataclass
class _Kept:
    """Keeps what each probe measured."""

    probe: ProbeOfStack
    results: list[ProbeResult] = field(default_factory=list)

    def __call__(self, per_s: float, seconds: float) -> ProbeResult:
        """Probe, and keep the result."""
        self.results.append(self.probe(per_s, seconds))
        return self.results[-1]


def find_knee(
    probe: ProbeOfStack, *, seconds: float, start_per_s: float = START_PER_S, probes_max: int = PROBES_MAX
) -> Search:
    """Search the knee of a stack; what the lowest failing rate shows to be saturated is what it is made of.

    Raises what the probe raises.
    """
    kept = _Kept(probe)
    knee = search(kept, start_per_s=start_per_s, seconds=seconds, probes_max=probes_max)
    failed = sorted((one for one in kept.results if not one.passed), key=lambda one: one.per_s)
    return Search(knee, saturation(failed[0].telemetry) if failed else None, tuple(kept.results))
