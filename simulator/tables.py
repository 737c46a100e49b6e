"""A global table: one store that both regions see, or a replica each that tells the other later.

Between replicas the last writer of an item wins, as in DynamoDB's multi-Region eventual consistency.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Final, Generic, TypeVar

from simulator.scenario import REGIONS, peer_of
from simulator.world import World

V = TypeVar("V")

_LAGS_MS: Final = (80, 150, 400, 900, 2_500)


class Table(Generic[V]):
    """Items by key. `replicated`: a replica a region; else both regions read and write one store."""

    def __init__(
        self,
        world: World,
        *,
        name: str,
        replicated: bool,
        on_write: Callable[[str, str, V], None] = lambda _region, _key, _value: None,
    ) -> None:
        """`on_write(region, key, value)` is called after each write to a replica, with one of its regions."""
        self._world = world
        self._replicated = replicated
        self._on_write = on_write
        self._stamps = count()
        self._random: Random = world.random(f"table {name}")
        store: dict[str, tuple[tuple[int, int], V]] = {}
        self._replicas = {region: ({} if replicated else store) for region in REGIONS}
        self._under_way = 0

    @property
    def converged(self) -> bool:
        """Whether nothing is on its way between the replicas."""
        return self._under_way == 0

    def read(self, region: str, key: str) -> V | None:
        """The item as `region` sees it."""
        entry = self._replicas[region].get(key)
        return None if entry is None else entry[1]

    def write(self, region: str, key: str, value: V) -> None:
        """Write the item in `region`."""
        stamp = (self._world.now_ms, next(self._stamps))
        self._replicas[region][key] = (stamp, value)
        self._on_write(region, key, value)
        if self._replicated:
            other = peer_of(region)
            self._under_way += 1
            lag_ms = self._random.choice(_LAGS_MS)
            self._world.scheduler.after(lag_ms, lambda: self._arrive(other, key, stamp, value))

    def items(self, region: str) -> dict[str, V]:
        """Everything that `region` sees, by key."""
        return {key: value for key, (_, value) in self._replicas[region].items()}

    def _arrive(self, region: str, key: str, stamp: tuple[int, int], value: V) -> None:
        if halted_ms := self._world.replication_halted_ms():
            self._world.scheduler.after(
                halted_ms + self._random.choice(_LAGS_MS), lambda: self._arrive(region, key, stamp, value)
            )
            return
        self._under_way -= 1
        entry = self._replicas[region].get(key)
        if entry is None or entry[0] < stamp:
            self._replicas[region][key] = (stamp, value)
            self._on_write(region, key, value)
