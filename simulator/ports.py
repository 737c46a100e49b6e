"""What one execution environment of the simulated world reaches: its ports, and what they lead to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handlers.domain.ports import Record
from simulator.ledger import LedgerPort, Store
from simulator.machine import Machine
from simulator.queues import QueueSenderPort, WorkQueue
from simulator.records import CachePort, CoordinationPort
from simulator.releases.aws import over_aws
from simulator.releases.items import ItemStore
from simulator.releases.release import Release
from simulator.scenario import peer_of
from simulator.services import AnalystPort, NotifierPort, Slack
from simulator.tables import Table
from simulator.wiring import Ports
from topology.queues import Queue


@dataclass(frozen=True, kw_only=True)
class Backends:
    """What the ports of every machine lead to. `queues`: by region; `release_of`: by region and function."""

    store: Store
    coordination: Table[Record]
    cache: Table[Any]
    slack: Slack
    queues: dict[str, dict[Queue, WorkQueue]]
    release_of: Callable[[str, str], Release]


def ports_of(machine: Machine, backends: Backends, release: Release) -> Ports:
    """The ports of a machine that runs `release`.

    Where releases are mixed, each reaches AWS through its own adapters, so that what they share are items.
    """
    scenario = machine.world.scenario
    direct = Ports(
        ledger=LedgerPort(machine, backends.store),
        coordination=CoordinationPort(machine, backends.coordination),
        cache=CachePort(machine, backends.cache),
        queue_sender=QueueSenderPort(machine, backends.queues[machine.region]),
        analyst=AnalystPort(machine, release),
        notifier=NotifierPort(machine, backends.slack, release),
        machine=machine,
        region=machine.region,
        peer=peer_of(machine.region),
        consistency=scenario.consistency,
        takeover_after_s=scenario.takeover_after_s,
    )
    store = backends.store
    return over_aws(direct, store, release) if isinstance(store, ItemStore) else direct
