"""Samples of Lambda functions of different shapes, made by a seed: no function is invoked."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.sizing.samples import OK, OUT_OF_MEMORY, Sample, SampleSet

VCPU_MB = 1_769
Duration = Callable[[int], float]
"""A warm invocation's median duration in ms, by the size in MB."""


def share_of(memory_mb: int) -> float:
    """The part of a vCPU that a size has."""
    return memory_mb / VCPU_MB


def cpu_bound(work_ms: float) -> Duration:
    """So long on one vCPU, and longer on a part of one; one thread takes no more than one."""
    return lambda memory_mb: work_ms / min(1.0, share_of(memory_mb))


def io_bound(wait_ms: float, work_ms: float) -> Duration:
    """Waits, at any size as long, and works a little."""
    return lambda memory_mb: wait_ms + work_ms / min(1.0, share_of(memory_mb))


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A function: its duration, INIT's work, log-normal noise, how many outliers and how slow."""

    name: str
    duration: Duration
    init_ms: float = 150.0
    sigma: float = 0.05
    outliers: float = 0.0
    outlier_factor: float = 8.0
    needs_mb: int = 64
    payloads: tuple[tuple[str, float], ...] = (("one", 1.0),)

    def sample(self, memory_mb: int, payload: str, draw: random.Random, *, cold: bool) -> Sample:
        """One invocation."""
        factor = dict(self.payloads)[payload] * draw.lognormvariate(0, self.sigma)
        if draw.random() < self.outliers:
            factor *= self.outlier_factor
        duration = self.duration(memory_mb) * factor
        init = self.init_ms / min(1.0, share_of(memory_mb) * 2) * draw.lognormvariate(0, self.sigma)
        return Sample(
            function=self.name,
            memory_mb=memory_mb,
            payload=payload,
            cold=cold,
            outcome=OK if memory_mb >= self.needs_mb else OUT_OF_MEMORY,
            duration_ms=duration,
            billed_ms=math.ceil(duration + (init if cold else 0)),
            init_ms=init if cold else None,
            max_memory_mb=min(memory_mb, self.needs_mb),
            target_share=share_of(memory_mb),
            cpu_share=share_of(memory_mb) * draw.uniform(0.97, 1.03),
        )


class ShapedSite:
    """A `Site` of such functions; sizes above `most_mb` are not measurable."""

    def __init__(self, *shapes: Shape, seed: int = 1, most_mb: int = 10_240) -> None:
        """Draw by `seed`."""
        self.shapes = {shape.name: shape for shape in shapes}
        self.draw = random.Random(seed)  # noqa: S311 - a seeded order, no secret
        self.most_mb = most_mb

    def measurable(self, memory_mb: int) -> str | None:
        """Whether it is small enough."""
        return "not measurable here: 2 cores" if memory_mb > self.most_mb else None

    def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
        """Invoke it, with its payloads in turn."""
        shape = self.shapes[function]
        names = [name for name, _ in shape.payloads]
        return [
            shape.sample(memory_mb, names[number % len(names)], self.draw, cold=cold)
            for number in range(count)
        ]


def exhaustive(shape: Shape, sizes: tuple[int, ...], *, warm: int, cold: int, seed: int = 1) -> SampleSet:
    """A set with so many samples of each size."""
    site = ShapedSite(shape, seed=seed)
    samples = [
        one
        for memory_mb in sizes
        for is_cold, count in ((False, warm), (True, cold))
        for one in site.sample(shape.name, memory_mb, cold=is_cold, count=count)
    ]
    return SampleSet(f"made by seed {seed}", tuple(samples))
