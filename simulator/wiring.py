"""The only place where the handlers' objects are made: as their entry points do, but over our ports."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from handlers.domain.alert import Analysis, Step
from handlers.domain.delivery.analysis import AnalysisWork
from handlers.domain.delivery.breaker import Breaker
from handlers.domain.delivery.distribution import DistributionWork
from handlers.domain.delivery.leases import Leases
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.intake.reception import Reception
from handlers.domain.intake.webhook import Webhook
from handlers.domain.ports import Record
from handlers.domain.regions.ownership import MovingOwnership, Ownership, SharedOwnership
from handlers.domain.regions.recovery import Recovery
from handlers.domain.regions.switch import Switch
from handlers.domain.states import Actor
from simulator.ledger import LedgerPort, Store
from simulator.machine import Machine
from simulator.queues import QueueSenderPort, WorkQueue
from simulator.records import CachePort, CoordinationPort
from simulator.scenario import REGIONS, peer_of
from simulator.services import AnalystPort, NotifierPort, Slack
from simulator.tables import Table
from topology.config import StackConfig
from topology.queues import Queue

CONFIG: Final = StackConfig.parse(
    stack="prod",
    raw={"primaryRegion": REGIONS[0], "failoverRegion": REGIONS[1], "witnessRegion": "us-east-2"},
)
"""The shipped defaults: what is simulated is what is deployed."""


@dataclass(frozen=True, kw_only=True)
class Backends:
    """What the ports of every machine lead to. `queues`: by region."""

    store: Store
    coordination: Table[Record]
    cache: Table[tuple[Analysis, int]]
    slack: Slack
    queues: dict[str, dict[Queue, WorkQueue]]


def webhook(machine: Machine, backends: Backends) -> Webhook:
    """Reception's."""
    ledger = LedgerPort(machine, backends.store)
    reception = Reception(
        ledger=ledger,
        queue_sender=_queue_sender(machine, backends),
        clock=machine,
        randomness=machine,
        executor=machine,
        ownership=_ownership(machine, backends),
        region=machine.region,
        lease_s=CONFIG.lease_s,
        event_window_s=CONFIG.dedupe_event_window_s,
        content_window_s=CONFIG.dedupe_content_window_s,
    )
    coordination = CoordinationPort(machine, backends.coordination)
    return Webhook(
        reception=reception,
        probe=ledger,
        switch=Switch(coordination=coordination, region=machine.region),
    )


def analysis(machine: Machine, backends: Backends) -> AnalysisWork:
    """The analysis function's."""
    return AnalysisWork(
        leases=_leases(machine, backends, Actor.ANALYSIS, Step.ANALYSIS),
        cache=CachePort(machine, backends.cache),
        analyst=AnalystPort(machine),
        breaker=Breaker(coordination=CoordinationPort(machine, backends.coordination), clock=machine),
        cache_ttl_s=CONFIG.cache_ttl_s,
    )


def distribution(machine: Machine, backends: Backends) -> DistributionWork:
    """The distribution function's."""
    return DistributionWork(
        leases=_leases(machine, backends, Actor.DISTRIBUTION, Step.DISTRIBUTION),
        notifier=NotifierPort(machine, backends.slack),
        rate_limiter=RateLimiter(
            coordination=CoordinationPort(machine, backends.coordination),
            clock=machine,
            interval_ms=CONFIG.slack_interval_ms,
        ),
        executor=machine,
    )


def recovery(machine: Machine, backends: Backends) -> Recovery:
    """The recovery function's."""
    return Recovery(
        ledger=LedgerPort(machine, backends.store),
        queue_sender=_queue_sender(machine, backends),
        ownership=_ownership(machine, backends),
        clock=machine,
        lease_s=CONFIG.lease_s,
    )


BUILDERS: Final[dict[str, Callable[[Machine, Backends], object]]] = {
    "reception": webhook,
    "analysis": analysis,
    "distribution": distribution,
    "recovery": recovery,
}


def _leases(machine: Machine, backends: Backends, actor: Actor, step: Step) -> Leases:
    return Leases(
        ledger=LedgerPort(machine, backends.store),
        queue_sender=_queue_sender(machine, backends),
        ownership=_ownership(machine, backends),
        clock=machine,
        randomness=machine,
        sleeper=machine,
        actor=actor,
        step=step,
        lease_s=CONFIG.lease_s,
    )


def _queue_sender(machine: Machine, backends: Backends) -> QueueSenderPort:
    return QueueSenderPort(machine, backends.queues[machine.region])


def _ownership(machine: Machine, backends: Backends) -> Ownership:
    scenario = machine.world.scenario
    if scenario.consistency == "strong":
        return SharedOwnership(owners=REGIONS)
    return MovingOwnership(
        coordination=CoordinationPort(machine, backends.coordination),
        clock=machine,
        region=machine.region,
        peer=peer_of(machine.region),
        takeover_after_s=scenario.takeover_after_s,
    )
