"""When alerts are due: each schedule is fixed beforehand, and no answer that is late moves it.

This is the open model of arrivals: sources do not wait for one another, as users of a closed model do.
https://www.usenix.org/legacy/event/nsdi06/tech/full_papers/schroeder/schroeder.pdf
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Protocol


class Schedule(Protocol):
    """Says when each alert is due."""

    def due_s(self, number: int) -> float | None:
        """When alert `number`, counted from 0, is due, in seconds after the start; None past the last one.

        Never earlier than the one before it.
        """


@dataclass
class Steady:
    """`ahead` alerts at once, then `per_s` a second without end; more `ahead` make all others due earlier."""

    per_s: float
    ahead: int = 0

    def due_s(self, number: int) -> float:
        """See `Schedule`."""
        return max(0, number - self.ahead) / self.per_s


@dataclass(frozen=True)
class Recorded:
    """Due at these times, in ascending order, from the first of them on: a stream as it was recorded."""

    times_s: Sequence[float]

    def due_s(self, number: int) -> float | None:
        """See `Schedule`."""
        return self.times_s[number] - self.times_s[0] if number < len(self.times_s) else None


@dataclass(frozen=True)
class Stage:
    """`seconds` in which the rate goes in a straight line from one value to the other, in alerts a second."""

    seconds: float
    from_per_s: float
    to_per_s: float

    @property
    def count(self) -> float:
        """How many alerts are due in it."""
        return self.seconds * (self.from_per_s + self.to_per_s) / 2

    def after_s(self, count: float) -> float:
        """After how many seconds of the stage so many alerts were due: the rate's integral, inverted."""
        slope = (self.to_per_s - self.from_per_s) / self.seconds
        return 2 * count / (self.from_per_s + math.sqrt(max(0.0, self.from_per_s**2 + 2 * slope * count)))


@dataclass(frozen=True)
class Stages:
    """Stages one after another: a ramp, a spike, a plateau."""

    stages: tuple[Stage, ...]

    @cached_property
    def _counts(self) -> tuple[float, ...]:
        """How many are due before each stage, and after the last."""
        return tuple(accumulate((stage.count for stage in self.stages), initial=0.0))

    @cached_property
    def _begins_s(self) -> tuple[float, ...]:
        """When each begins, and the last ends."""
        return tuple(accumulate((stage.seconds for stage in self.stages), initial=0.0))

    @property
    def count(self) -> int:
        """How many alerts are due in all."""
        return math.ceil(round(self._counts[-1], 6))

    @property
    def seconds(self) -> float:
        """How long all take."""
        return self._begins_s[-1]

    def due_s(self, number: int) -> float | None:
        """See `Schedule`."""
        for stage, before, begins_s in zip(self.stages, self._counts, self._begins_s, strict=False):
            if number < round(before + stage.count, 6):
                into = max(0.0, number - before)
                return begins_s + (stage.after_s(into) if into else 0.0)
        return None
