"""All mutants, and how one is found by its name."""

from typing import Final

from simulator.mutants import of_claims, of_distribution, of_reception, of_recovery, of_regions
from simulator.mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *of_reception.MUTANTS,
    *of_claims.MUTANTS,
    *of_distribution.MUTANTS,
    *of_recovery.MUTANTS,
    *of_regions.MUTANTS,
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
        f"{name!r} is no mutant; choose one of: {', '.join(one.name for one in MUTANTS)}"
    )
