"""Asking a stack's regions in turn: what one does not answer is asked of the other, and people hear of it.

`clients.silences`, `clients.ledger` and `clients.heartbeats` ask so.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.coordination import CoordinationUnreachableError
from clients.deployment import RegionEndpoints
from handlers.domain.ports import LedgerUnavailableError

T = TypeVar("T")

_NO_ANSWER: Final = (BotoCoreError, ClientError, CoordinationUnreachableError, LedgerUnavailableError)


class NoRegionAnswersError(Exception):
    """None of the regions answers; whoever asked says what that means."""

    def __init__(self, failed: Mapping[str, Exception]) -> None:
        """`failed`: what became of the question, by region, in the order in which they were asked."""
        super().__init__("; ".join(f"{region}: {error}" for region, error in failed.items()))
        self.failed: Final = failed

    @property
    def last(self) -> Exception:
        """What became of it in the region that was asked last."""
        return [*self.failed.values()][-1]


class Failover:
    """Asks one region, and the other where that does not answer; says so once, on stderr."""

    def __init__(self) -> None:
        """Every region is taken to answer."""
        self.silent: Final[set[str]] = set()
        """The regions that have not answered. They are asked last from then on."""

    def ask(self, regions: Sequence[RegionEndpoints], question: Callable[[RegionEndpoints], T]) -> T:
        """The answer of the first region that gives one.

        Raises:
            NoRegionAnswersError: none does.
        """
        failed: dict[str, Exception] = {}
        for endpoints in sorted(regions, key=lambda one: one.region in self.silent):
            try:
                answer = question(endpoints)
            except _NO_ANSWER as error:
                failed[endpoints.region] = error
                continue
            for region in failed.keys() - self.silent:
                sys.stderr.write(f"{region} did not answer; {endpoints.region} did, and was asked instead\n")
            self.silent.update(failed)
            return answer
        raise NoRegionAnswersError(failed)
