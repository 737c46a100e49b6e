"""The search for the knee: the highest rate at which a system meets its thresholds, in a few probes.

Nothing here knows what a probe is made of, so the search is tested on simulated systems.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

PROBES_MAX: Final = 8

TOLERANCE: Final = 0.05
"""How far the knee may be from the rate that is told, as a part of it."""

_STEP: Final = 1 + TOLERANCE
"""From the estimate to the rates that confirm it."""

_CONFIRMED: Final = _STEP**2
_HALVED: Final = 1.07
"""The widest brackets, with an estimate within and without: the middle of one is off by half its width, and
just above a limit a system may seem to follow, so that the lower end is off too."""

_DOUBLING: Final = 2.0
_HALVING: Final = 0.5
_FAR: Final = 1.5
"""While the bracket is wider than this, half a probe's time says enough: pass and fail are far apart."""

_FRESH_ESTIMATES_MAX: Final = 2
"""So often an overloaded probe's estimate is believed. A system that does less under more load (it retries,
it gathers what waits) gives one too low each time, and the search would creep."""

_INFORMATIVE: Final = 0.97
"""A system that serves more of what is offered than this says nothing of how much it could."""


class Measured(Protocol):
    """What the search needs to know of a probe."""

    @property
    def passed(self) -> bool:
        """Whether every threshold was met."""

    @property
    def served_per_s(self) -> float:
        """Alerts a second that were served as they should be, in the steady part."""


Probe = Callable[[float, float], Measured]
"""Offers a rate (alerts a second) for so many seconds, and measures."""


@dataclass(frozen=True)
class Knee:
    """The knee's bracket: the highest rate that passed and the lowest that failed, None where none did.

    `estimate_per_s` is what an overloaded probe served, where that lies within the bracket.
    """

    passed_per_s: float | None
    failed_per_s: float | None
    estimate_per_s: float | None
    probes: int

    @property
    def settled(self) -> bool:
        """Whether it is known within `TOLERANCE`."""
        if self.passed_per_s is None or self.failed_per_s is None:
            return False
        widest = _CONFIRMED if self.estimate_per_s is not None else _HALVED
        return self.failed_per_s / self.passed_per_s <= widest * (1 + 1e-9)

    @property
    def per_s(self) -> float | None:
        """The knee in alerts a second; None where the probes did not settle it."""
        if not self.settled or self.passed_per_s is None or self.failed_per_s is None:
            return None
        return self.estimate_per_s or math.sqrt(self.passed_per_s * self.failed_per_s)


def middle_of(knees: Sequence[Knee]) -> float | None:
    """The middle one of what several searches found; None where one settled nothing."""
    found = [knee.per_s for knee in knees if knee.per_s is not None]
    return statistics.median(found) if found and len(found) == len(knees) else None


def spread_of(knees: Sequence[Knee]) -> float | None:
    """From the lowest to the highest, as a part of the middle one; None where one settled nothing."""
    middle = middle_of(knees)
    if middle is None:
        return None
    found = [knee.per_s for knee in knees if knee.per_s is not None]
    return (max(found) - min(found)) / middle


def text_of(knee: Knee) -> str:
    """The knee, or what is known of it, in words."""
    if knee.per_s is not None:
        return f"{knee.per_s:.2f} alerts a second"
    if knee.passed_per_s is None:
        return f"below {knee.failed_per_s:.2f} alerts a second"
    if knee.failed_per_s is None:
        return f"above {knee.passed_per_s:.2f} alerts a second"
    return f"between {knee.passed_per_s:.2f} and {knee.failed_per_s:.2f} alerts a second"


def search(probe: Probe, *, start_per_s: float, seconds: float, probes_max: int = PROBES_MAX) -> Knee:
    """Search the knee, beginning at `start_per_s`, with probes of `seconds` at most.

    The rate doubles until a probe fails. What that one served is the estimate, which a pass just below and a
    failure just above confirm. One that is exceeded is mostly so by little, so a rate a little higher comes
    next; without an estimate, or where it proves wrong by more, the bracket is halved.
    """
    search_state = _Search()
    for count in range(1, probes_max + 1):
        rate = search_state.next_rate(start_per_s)
        search_state.note(rate, probe(rate, seconds if search_state.is_near(rate) else seconds / 2))
        knee = Knee(search_state.low, search_state.high, search_state.estimate_within(), count)
        if knee.settled:
            break
    return knee


class _Search:
    """What is known so far."""

    def __init__(self) -> None:
        self.low: float | None = None
        self.high: float | None = None
        self._estimate: float | None = None
        self._estimates = 0
        self._exceeded = False

    def next_rate(self, start_per_s: float) -> float:
        """The most useful rate to try next."""
        if self.high is None:
            return start_per_s if self.low is None else self.low * _DOUBLING
        if (estimate := self.estimate_within()) is not None:
            below, above = estimate / _STEP, estimate * _STEP
            if self.low is None or self.low < below * (1 - 1e-9):
                return below
            if above < self.high:
                return above
        if self.low is None:
            return self.high * _HALVING
        if self._exceeded:
            return min(self.low * _HALVED, math.sqrt(self.low * self.high))
        return math.sqrt(self.low * self.high)

    def is_near(self, rate: float) -> bool:
        """Whether a probe at `rate` has to tell apart what lies close together."""
        if self.high is None:
            return False
        return self.estimate_within() is not None or self.high / (self.low or rate) < _FAR

    def note(self, rate: float, measured: Measured) -> None:
        """Take in what a probe at `rate` measured."""
        if measured.passed:
            before = self.estimate_within()
            self.low = rate
            self._exceeded = before is not None and self.estimate_within() is None
        else:
            self._exceeded = False
            self.high = rate
            informative = 0 < measured.served_per_s < rate * _INFORMATIVE
            if informative and self._estimates < _FRESH_ESTIMATES_MAX:
                self._estimate = measured.served_per_s
                self._estimates += 1
                self._exceeded = self._is_just_below()

    def _is_just_below(self) -> bool:
        """Whether the estimate misses what passed by its own error only: then the knee is just above."""
        return self.low is not None and self.low * (1 - TOLERANCE) <= (self._estimate or 0) < self.low

    def estimate_within(self) -> float | None:
        """The estimate, unless a probe has shown it to be wrong."""
        if self._estimate is None or (self.high is not None and self._estimate >= self.high):
            return None
        return self._estimate if self.low is None or self._estimate >= self.low else None
