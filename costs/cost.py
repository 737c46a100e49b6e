"""A cost: lines whose sum it is, each with its quantity, its price and how its quantity is known."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from topology.prices import Price


class Known(StrEnum):
    """How a quantity is known."""

    MEASURED = "measured"
    COUNTED = "counted"
    """By the program that is deployed."""

    ASSUMED = "assumed"
    SAID = "runbook"
    """By the runbook, of the pipeline that it describes."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A quantity of something that has a price. `group`: what it is for, as people read a bill."""

    group: str
    name: str
    quantity: float
    price: Price
    known: Known

    @property
    def usd(self) -> float:
        """What it costs."""
        return self.quantity * self.price.each


@dataclass(frozen=True)
class Cost:
    """Lines, and their sum."""

    lines: tuple[Line, ...]

    @property
    def usd(self) -> float:
        """The whole."""
        return math.fsum(line.usd for line in self.lines)

    def times(self, factor: float) -> "Cost":
        """So many of it."""
        return Cost(tuple(replace(line, quantity=line.quantity * factor) for line in self.lines))

    def __add__(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(self.lines + other.lines)

    def groups(self) -> Iterator[tuple[str, "Cost"]]:
        """The parts by their groups, in the order in which these come first."""
        for group in dict.fromkeys(line.group for line in self.lines):
            yield group, Cost(tuple(line for line in self.lines if line.group == group))


def cost_of(lines: Sequence[Line]) -> Cost:
    """A cost without the lines that cost nothing because there is nothing of them."""
    return Cost(tuple(line for line in lines if line.quantity))
