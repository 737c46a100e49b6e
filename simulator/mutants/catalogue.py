"""All mutants, and how one is found by its name."""

from typing import Final

from simulator.mutants import (
    analysis,
    distribution,
    faults,
    incidents,
    leases,
    people,
    quotas,
    reception,
    recovery,
    regions,
)
from simulator.mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *reception.MUTANTS,
    *faults.MUTANTS,
    *quotas.MUTANTS,
    *leases.MUTANTS,
    *analysis.MUTANTS,
    *distribution.MUTANTS,
    *incidents.MUTANTS,
    *people.MUTANTS,
    *recovery.MUTANTS,
    *regions.MUTANTS,
)


class UnknownMutantError(Exception):
    """There is no mutant of this name; the message lists those that there are."""


def planted(name: str) -> Mutant:
    """The mutant of this name.

    Raises:
        UnknownMutantError: there is none.
    """
    for mutant in MUTANTS:
        if mutant.name == name:
            return mutant
    raise UnknownMutantError(
        f"{name!r} is no mutant; choose one of: {', '.join(mutant.name for mutant in MUTANTS)}"
    )
