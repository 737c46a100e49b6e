"""One run of one scenario: put together, run to rest, checked. Shrinker, runner and tests call `run`."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from handlers.domain.delivery.breaker import MAX_ASKED_OPEN_MS
from handlers.domain.limits import (
    MAX_ATTEMPTS,
    MAX_BACKOFF_S,
    MAX_DEFERRAL_S,
    MAX_FOLLOW_UP_ATTEMPTS,
    MAX_LEASE_BACKOFF_S,
    PARKED_LOOK_S,
)
from handlers.domain.ports import Record
from simulator.checker import Violation
from simulator.final_checks import check_dead_letters, check_rest, tally, unexplained, unsettled
from simulator.fold_checks import check_folds
from simulator.history import History
from simulator.people import Operator
from simulator.ports import Backends, Fleet
from simulator.region import Region
from simulator.row_invariants import RowInvariants
from simulator.scenario import FOR_GOOD, REGIONS, ROUTE, Incident, Kind, Scenario, peer_of
from simulator.scheduler import START_MS
from simulator.services import Slack
from simulator.sources import CANARY, CANARY_AFTER_MS, Sources, poison
from simulator.tables import Table
from simulator.wiring import CONFIG
from simulator.world import World
from topology.records import switch_record

_LOOK_MS: Final = 30_000

_TAKEOVER_GRACE_S: Final = 600
"""Ten runs of Recovery: more than faults of single calls can spoil."""

OPEN_FOR_S: Final = MAX_DEFERRAL_S + MAX_LEASE_BACKOFF_S + 5 * CONFIG.lease_s
"""After the last fault, no alert is open for longer: the longest deferral, the longest lease backoff, and a
few leases for what a fault of the last second did to the steps after."""

ALL_AFTER_S: Final = 2 * PARKED_LOOK_S + MAX_FOLLOW_UP_ATTEMPTS * MAX_BACKOFF_S + MAX_ASKED_OPEN_MS // 1000
"""And so long after that, everything else is done too: repeats of PARKED alerts promoted, follow-ups posted
or given up."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a run. `fired`: the single faults that did, in order; `lines`: the history, if kept."""

    scenario: Scenario
    violation: Violation | None
    fired: tuple[str, ...]
    counts: Counter[str]
    digest: str
    lines: tuple[str, ...]


def run(scenario: Scenario, *, keep_history: bool = False) -> Outcome:
    """Run a scenario to its rest, or to its first violation. The same scenario always runs the same."""
    return _Simulation(scenario, History(kept=keep_history)).run()


class _Simulation:
    def __init__(self, scenario: Scenario, history: History) -> None:
        self._world = world = World(scenario, history)
        fleet = _fleet_of(scenario)
        store = fleet.store(world)
        slack, aside = Slack(world), Slack(world, ROUTE)
        replicated = scenario.consistency == "eventual"
        coordination: Table[Record] = Table(world, name="coordination", replicated=replicated)
        silences: Table[str] = Table(world, name="silences", replicated=replicated)
        backends = Backends(
            store=store,
            coordination=coordination,
            cache=Table(world, name="cache", replicated=True),
            slack=slack,
            aside=aside,
            silences=silences,
            queues={},
            fleet=fleet,
        )
        world.checker.rows.records = coordination.read
        self._store = store
        self._coordination = coordination
        self._channels = (slack, aside)
        self._operator = Operator(world, store, silences)
        self._regions = {name: Region(world, name, backends) for name in REGIONS}
        self._sources = Sources(world, self._regions)
        for incident in scenario.incidents:
            world.scheduler.at(START_MS + incident.from_ms, self._beginning(incident))
        moments = [START_MS + end_ms for end_ms in (i.to_ms for i in scenario.incidents) if end_ms < FOR_GOOD]
        moments += [START_MS + silence.to_ms for silence in scenario.silences]
        if scenario.canary:
            moments.append(world.horizon_ms + CANARY_AFTER_MS + 1)
        self._rest_from_ms = max(world.horizon_ms, *moments, START_MS)
        """From when on nothing new happens."""

    def run(self) -> Outcome:
        world = self._world
        checker = world.checker
        end_ms = self._rest_from_ms + (_open_for_s(world.scenario) + ALL_AFTER_S) * 1000
        while checker.violation is None:
            next_ms = world.now_ms + _LOOK_MS
            world.scheduler.run(until_ms=next_ms, stop=lambda: checker.violation is not None)
            if checker.violation is None:
                world.scheduler.now_ms = next_ms
            if checker.violation is None and world.now_ms > self._rest_from_ms and self._at_rest(end_ms):
                break
        for region in self._regions.values():
            region.end()
        rows = self._store.table.items(REGIONS[0])
        counts = tally(rows, checker) + world.counts
        counts["unexplained"] = unexplained(checker, rows)
        return Outcome(
            scenario=world.scenario,
            violation=checker.violation,
            fired=tuple(world.fired),
            counts=counts,
            digest=self._digest(),
            lines=tuple(world.history.text()),
        )

    def _beginning(self, incident: Incident) -> Callable[[], None]:
        """What is done when an incident begins; most only are, see `World.active`."""
        region = self._regions[incident.region]

        def begin() -> None:
            self._world.note("incident", str(incident))
            if incident.kind is Kind.REGION_DOWN:
                region.go_down(lose_queues=bool(incident.detail))
                self._expect_takeover(
                    incident,
                    lambda rows: rows.taken_over(incident.region, peer_of(incident.region)),
                    within_s=self._world.scenario.takeover_after_s,
                )
            elif incident.kind is Kind.QUEUE_PURGED:
                region.purge()
            elif incident.kind is Kind.POISON:
                poison(region, incident.detail)
            elif incident.kind is Kind.REDRIVE:
                self._operator.redrive(incident.region)
            elif incident.kind is Kind.ACKNOWLEDGED:
                self._operator.acknowledge(incident.region, snooze=bool(incident.detail))
            elif incident.kind is Kind.SWITCHED:
                self._turn_switch(incident, since_ms=self._world.now_ms)
                self._world.scheduler.at(
                    START_MS + incident.to_ms, lambda: self._turn_switch(incident, since_ms=0)
                )
                since_ms = self._world.now_ms
                self._expect_takeover(
                    incident, lambda rows: rows.switched(incident.region, since_ms), within_s=0
                )

        return begin

    def _turn_switch(self, incident: Incident, *, since_ms: int) -> None:
        """What `responder dr failover` and `failback` do, if they reach the region."""
        region, name = incident.region, switch_record(incident.region)
        if self._world.halted_ms(region) or self._world.active(Kind.COORDINATION_DOWN, region):
            return
        before = self._coordination.read(region, name)
        version = before.version + 1 if before else 1
        self._coordination.write(region, name, Record(version=version, values={"since_ms": since_ms}))

    def _expect_takeover(
        self, cause: Incident, look: Callable[[RowInvariants], None], *, within_s: int
    ) -> None:
        """Under an eventual ledger, and if nothing else is wrong, one region takes over from the other."""
        scenario = self._world.scenario
        by_ms = cause.from_ms + (within_s + _TAKEOVER_GRACE_S) * 1000
        troubled = any(
            other is not cause and other.from_ms < by_ms and other.to_ms > cause.from_ms
            for other in scenario.incidents
        )
        if scenario.consistency == "eventual" and cause.to_ms > by_ms and not troubled:
            self._world.scheduler.at(START_MS + by_ms, lambda: look(self._world.checker.rows))

    def _at_rest(self, end_ms: int) -> bool:
        """Whether all is done. Checks what is not done in time, and the final state once all is."""
        world, checker = self._world, self._world.checker
        if not self._store.table.converged:
            problems = ["the replicas still differ"]
        else:
            problems = [p for name in REGIONS for p in unsettled(self._store.table.items(name))]
        if problems:
            open_until_ms = self._rest_from_ms + _open_for_s(world.scenario) * 1000
            still_open = [problem for problem in problems if " attempts)" in problem]
            if world.now_ms > end_ms or (still_open and world.now_ms > open_until_ms):
                checker.broken("not_live", f"long after the last fault, {(still_open or problems)[0]}")
            return False
        self._check_end()
        return True

    def _check_end(self) -> None:
        world, checker = self._world, self._world.checker
        rows = self._store.table.items(REGIONS[0])
        if rows != self._store.table.items(REGIONS[1]):
            checker.broken("replicas_differ", "the regions' ledgers differ after convergence")
        receipts = self._sources.receipts
        check_rest(checker, rows, [told.alert_id for told in receipts], world.scenario)
        check_folds(checker, rows, self._sources.sent, world.scenario)
        checker.incidents.check_calls()
        checker.people.check_rest(rows)
        if world.scenario.consistency == "eventual":
            for told in receipts:
                checker.check_told(told, receipts)
        for region in self._regions.values():
            for queue in region.queues.values():
                check_dead_letters(checker, queue)
        for told in receipts:
            row = rows.get(told.alert_id)
            if told.arrival is not CANARY or row is None:
                continue
            asks = row.incident_id is None or (row.lead and not checker.incidents.just_asked(row))
            if asks and row.analysis is None and row.digest_id is None:
                checker.broken("analysis_never_back", f"{told.alert_id} came long after the last fault")

    def _digest(self) -> str:
        """What two runs of one scenario must agree on."""
        rows = [self._store.table.items(name) for name in REGIONS]
        posts = [
            (post.at_ms, post.invocation.name, post.members)
            for channel in self._channels
            for post in channel.posts
        ]
        receipts = [(told.alert_id, told.answered_ms) for told in self._sources.receipts]
        rest = (self._world.now_ms, receipts, posts, list(self._world.fired))
        text = repr((rest, [sorted(replica.items()) for replica in rows]))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _fleet_of(scenario: Scenario) -> Fleet:
    """Which release runs where."""
    if scenario.mix is None:
        return Fleet()
    fleet: Fleet = import_module("simulator.releases.mixed").MixedFleet(scenario.mix)
    return fleet


def _open_for_s(scenario: Scenario) -> int:
    """How long after the last fault an alert of this scenario may be open."""
    # An alert that kills its workers uses up all its attempts, and then its repeats do, one by one.
    deadly = sum(len(arrival.tells_of) for arrival in scenario.arrivals if arrival.deadly)
    for_s = (
        OPEN_FOR_S
        + scenario.incident_window_s
        + scenario.hold_back_s
        + deadly * (MAX_ATTEMPTS * MAX_LEASE_BACKOFF_S + PARKED_LOOK_S)
    )
    return for_s if scenario.consistency == "strong" else for_s + 2 * scenario.takeover_after_s
