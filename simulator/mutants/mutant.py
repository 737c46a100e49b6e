"""What a mutant is: some attributes of the handlers' modules and classes, and what they are meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from simulator.scenario import Consistency

Change = tuple[object, str, object]
"""What is changed: a module or a class, the name of its attribute, and the value meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One bug. `consistency`: the one of the ledger under which it shows."""

    name: str
    bug: str
    changes: tuple[Change, ...]
    consistency: Consistency = "strong"

    @contextmanager
    def on(self) -> Iterator[None]:
        """Plant the bug while this context lasts."""
        before = [(target, name, vars(target)[name]) for target, name, _ in self.changes]
        for target, name, value in self.changes:
            setattr(target, name, value)
        try:
            yield
        finally:
            for target, name, value in before:
                setattr(target, name, value)


def mutant(name: str, bug: str, *changes: Change, consistency: Consistency = "strong") -> Mutant:
    """A mutant, from positional arguments so that a list of them stays short."""
    return Mutant(name=name, bug=bug, changes=changes, consistency=consistency)
