"""An archived release beside today's: which runs where, and how both reach the simulated world.

Apart from the rest, since it needs boto3, which runs of today's release alone do not.
"""

from typing import Final

from simulator import wiring
from simulator.ledger import Store
from simulator.ports import Fleet
from simulator.releases import adapters
from simulator.releases.archive import load
from simulator.releases.aws import over_aws
from simulator.releases.items import ItemStore
from simulator.releases.release import TODAY, Release
from simulator.scenario import Mix
from simulator.wiring import Ports
from simulator.world import World

NOW: Final = Release(name=TODAY, wiring=wiring, adapters=adapters)


class MixedFleet(Fleet):
    """The releases of a mix. Each reaches AWS through its own adapters, so that what they share are items."""

    def __init__(self, mix: Mix) -> None:
        """The mix's release is loaded.

        Raises:
            ReleaseError: it is not archived.
        """
        self._last = load(mix.release)
        self._places = mix.places

    def store(self, world: World) -> Store:
        """See `Fleet`: rows are items that both releases must be able to read."""
        return ItemStore(world, (NOW, self._last))

    def release(self, region: str, function: str) -> Release:
        """See `Fleet`."""
        return self._last if region in self._places or function in self._places else NOW

    def ports(self, direct: Ports, store: Store, release: Release) -> Ports:
        """See `Fleet`."""
        return over_aws(direct, store, release)
