"""What the handlers are held to: the one place that has the goals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Figures = Mapping[str, float]
"""What was measured, by the name that its goal has."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure and its bound: `at_least` where more is better, else `at_most`. `unit`: "x" for a ratio."""

    name: str
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def bound(self) -> str:
        """Such as `at most 2.00x`."""
        if self.at_least is not None:
            return f"at least {shown(self.at_least, self.unit)}"
        return f"at most {shown(self.at_most or 0, self.unit)}"

    def is_met_by(self, figure: float) -> bool:
        """Whether the figure is within the bound, as it is shown: to two digits."""
        rounded = round(figure, 2)
        return rounded >= self.at_least if self.at_least is not None else rounded <= (self.at_most or 0)


GOALS: Final = (
    *(
        Goal(name=f"cold {function}", unit="x", at_most=2.0)
        for function in ("reception", "analysis", "distribution", "recovery")
    ),
    Goal(name="cold analysis on a hit", unit="x", at_most=2.2),
    Goal(name="zip reception", unit=" MB", at_most=2),
    Goal(name="zip analysis", unit=" MB", at_most=9),
    Goal(name="zip distribution", unit=" MB", at_most=2),
    Goal(name="zip recovery", unit=" MB", at_most=2),
    *(
        Goal(name=f"warm {function}", unit="x", at_most=1.15)
        for function in ("reception", "analysis", "distribution", "recovery")
    ),
    # Processor time does not show a sleep: the clock does, with room for what else the machine does.
    *(
        Goal(name=f"waits {function}", unit="x", at_most=2.0)
        for function in ("reception", "analysis", "distribution", "recovery")
    ),
    Goal(name="parse", unit="x", at_most=20),
    Goal(name="parse, us", unit=" us", at_most=200),
    Goal(name="embedded reception", unit="x", at_least=0.8),
)
"""Ratios to the floor, megabytes (of 1,000,000 bytes) and microseconds. What each is:
`docs/measurements/handlers.md`."""


def shown(figure: float, unit: str) -> str:
    """A figure as people read it, to two digits."""
    return f"{figure:.2f}{unit}"


def misses(figures: Figures) -> Sequence[str]:
    """A line for each figure that misses its goal; what was not measured misses none."""
    return [
        f"MISSED: {goal.name} {shown(figures[goal.name], goal.unit)}, {goal.bound}"
        for goal in GOALS
        if goal.name in figures and not goal.is_met_by(figures[goal.name])
    ]
