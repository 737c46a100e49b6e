"""What one execution environment of the simulated world reaches: its ports, and what they lead to."""

from dataclasses import dataclass
from typing import Any

from handlers.domain.ports import Record
from simulator.ledger import LedgerPort, Store
from simulator.machine import Machine
from simulator.people import EscalationPort, SilencesPort
from simulator.queues import QueueSenderPort, WorkQueue
from simulator.records import CachePort, CoordinationPort
from simulator.releases.release import ALONE, Release
from simulator.scenario import ROUTE, Scenario, peer_of
from simulator.services import AnalystPort, NotifierPort, Slack
from simulator.tables import Table
from simulator.wiring import CONFIG, Ports
from simulator.world import World
from topology.queues import Queue
from topology.routes import RouteSpec


class Fleet:
    """Which release runs where: today's everywhere. `simulator.releases.mixed` has the other fleet."""

    def store(self, world: World) -> Store:
        """The alerts table that its releases can share."""
        return Store(world)

    def release(self, region: str, function: str) -> Release:
        """The release that runs a function in a region."""
        del region, function
        return ALONE

    def ports(self, direct: Ports, store: Store, release: Release) -> Ports:
        """The `direct` ports as a machine that runs `release` reaches them."""
        del store, release
        return direct


@dataclass(frozen=True, kw_only=True)
class Backends:
    """What the ports of every machine lead to. `queues`: by region; `aside`: the channel of the one route."""

    store: Store
    coordination: Table[Record]
    cache: Table[Any]
    slack: Slack
    aside: Slack
    silences: Table[str]
    queues: dict[str, dict[Queue, WorkQueue]]
    fleet: Fleet


def ports_of(machine: Machine, backends: Backends, release: Release) -> Ports:
    """The ports of a machine that runs `release`."""
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
        source_quota_per_minute=scenario.source_quota_per_minute or CONFIG.source_quota_per_minute,
        silences=SilencesPort(machine, backends.silences),
        escalation=EscalationPort(machine, backends.store),
        notifiers={ROUTE: NotifierPort(machine, backends.aside, release)},
        routes=_routes_of(scenario),
        edits=scenario.can_edit,
        incident_window_s=scenario.incident_window_s,
        hold_back_s=scenario.hold_back_s,
        escalate_after_s=scenario.escalate_after_s,
    )
    return backends.fleet.ports(direct, backends.store, release)


def _routes_of(scenario: Scenario) -> tuple[RouteSpec, ...]:
    if scenario.routed is None:
        return ()
    channel, secret = (ROUTE, "") if scenario.can_edit else ("", ROUTE)
    return (RouteSpec(name=ROUTE, match=scenario.routed, channel=channel, secret=secret),)
