"""Ownership under an eventual ledger: takeovers, returns and partitions, with each region's own replica."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.ports import LedgerUnavailableError, Record
from handlers.domain.regions.ownership import MovingOwnership, SharedOwnership
from tests.fakes.ledger import FakeCoordination
from tests.fakes.machine import FakeClock
from tests.unit.handlers.builders import PEER, REGION, row
from topology.records import ownership_record, switch_record

AFTER_S = 900
MINUTE_S = 60


@dataclass
class Two:
    """Both regions, each over its own replica of the records; `replicate` lets them see each other."""

    clock: FakeClock = field(default_factory=FakeClock)
    replicas: dict[str, FakeCoordination] = field(
        default_factory=lambda: {REGION: FakeCoordination(), PEER: FakeCoordination()}
    )

    def ownership(self, region: str) -> MovingOwnership:
        """As a fresh instance in `region` has it."""
        return MovingOwnership(
            coordination=self.replicas[region],
            clock=self.clock,
            region=region,
            peer=PEER if region == REGION else REGION,
            takeover_after_s=AFTER_S,
        )

    def heartbeat(self, *regions: str, minutes: int = 1, partitioned: bool = False) -> None:
        """Let these regions' Recovery run each minute."""
        for _ in range(minutes):
            for region in regions:
                self.ownership(region).heartbeat()
            if not partitioned:
                self.replicate()
            self.clock.advance(MINUTE_S)

    def replicate(self) -> None:
        """Each region's own record reaches the other."""
        for source, target in ((REGION, PEER), (PEER, REGION)):
            records = self.replicas[source].records
            if ownership_record(source) in records:
                self.replicas[target].records[ownership_record(source)] = records[ownership_record(source)]

    def switch(self, region: str, *, since_ms: int) -> None:
        """Turn the switch of `region` there, as `responder dr failover` does."""
        before = self.replicas[region].records.get(switch_record(region))
        version = before.version + 1 if before else 1
        self.replicas[region].records[switch_record(region)] = Record(
            version=version, values={"since_ms": since_ms}
        )

    def holders(self, alert: Alert) -> set[str]:
        """The regions that would work on it now."""
        return {r for r in (REGION, PEER) if self.ownership(r).view().owns(alert)}

    def accepted(self, region: str) -> Alert:
        """An alert that `region` takes in now."""
        return replace(row(), owner=region, epoch=self.ownership(region).epoch())


def test_alert_belongs_to_the_region_that_took_it_in() -> None:
    """As long as both are there."""
    two = Two()
    two.heartbeat(REGION, PEER, minutes=30)
    assert two.holders(two.accepted(REGION)) == {REGION}
    assert two.holders(two.accepted(PEER)) == {PEER}
    assert two.ownership(REGION).view().owners == (REGION,)


def test_silent_region_is_taken_over_and_its_alerts_are_held_by_the_other() -> None:
    """Not before its time is over; the other's own stay its own."""
    two = Two()
    two.heartbeat(REGION, PEER)
    stranded = two.accepted(REGION)
    two.heartbeat(PEER, minutes=AFTER_S // MINUTE_S)
    assert PEER not in two.holders(stranded)
    two.heartbeat(PEER, minutes=2)
    view = two.ownership(PEER).view()
    assert view.owns(stranded)
    assert view.transferred(stranded)
    assert view.owners == (PEER, REGION)
    assert two.holders(two.accepted(PEER)) == {PEER}


def test_region_that_returns_is_fenced_until_it_has_seen_the_takeover() -> None:
    """It leaves its old alerts alone, and works at once on what it accepts now."""
    two = Two()
    two.heartbeat(REGION, PEER)
    stranded = two.accepted(REGION)
    two.heartbeat(PEER, minutes=20, partitioned=True)
    assert not two.ownership(REGION).view().owns(stranded)
    two.ownership(REGION).heartbeat()
    assert not two.ownership(REGION).view().owns(stranded)
    fresh = two.accepted(REGION)
    assert fresh.epoch > stranded.epoch
    assert two.ownership(REGION).view().owns(fresh)
    two.heartbeat(REGION, PEER, minutes=2)
    assert two.holders(stranded) == {PEER}
    assert two.holders(fresh) == {REGION}


def test_region_that_returns_to_a_dead_other_works_again_after_a_while() -> None:
    """Nobody is left to wait for."""
    two = Two()
    two.heartbeat(REGION, PEER)
    stranded = two.accepted(REGION)
    two.clock.advance(AFTER_S + 1)
    two.heartbeat(REGION, minutes=AFTER_S // MINUTE_S)
    assert two.holders(stranded) == set()
    two.heartbeat(REGION, minutes=3)
    assert REGION in two.holders(stranded)


def test_partition_leaves_each_region_its_own_once_it_is_over() -> None:
    """Both took over at the same time; no alert is without a holder, and none has two."""
    two = Two()
    two.heartbeat(REGION, PEER)
    ours, theirs = two.accepted(REGION), two.accepted(PEER)
    two.heartbeat(REGION, PEER, minutes=20, partitioned=True)
    assert two.holders(ours) == two.holders(theirs) == {REGION, PEER}
    two.heartbeat(REGION, PEER, minutes=2)
    assert (two.holders(ours), two.holders(theirs)) == ({REGION}, {PEER})


def test_switch_takes_over_at_the_next_beat_from_a_region_that_is_well() -> None:
    """An operator sees what a beat does not: a region whose Recovery runs and whose Slack calls fail."""
    two = Two()
    two.heartbeat(REGION, PEER, minutes=3)
    ours = two.accepted(REGION)
    two.switch(PEER, since_ms=two.clock.ms)
    two.heartbeat(REGION, PEER)
    assert two.holders(ours) == {PEER}
    assert two.ownership(PEER).view().transferred(ours)


def test_switch_takes_over_once_and_a_living_region_keeps_what_it_takes_in_then() -> None:
    """Else both would count their epochs up against each other for as long as it is on."""
    two = Two()
    two.heartbeat(REGION, PEER)
    two.switch(PEER, since_ms=two.clock.ms)
    two.heartbeat(REGION, PEER, minutes=3)
    fresh = two.accepted(REGION)
    epochs = [two.ownership(region).view().own.epoch for region in (REGION, PEER)]
    two.heartbeat(REGION, PEER, minutes=10)
    assert two.holders(fresh) == {REGION}
    assert [two.ownership(region).view().own.epoch for region in (REGION, PEER)] == epochs


def test_switch_turned_on_again_takes_over_again() -> None:
    """After a failback, the next failover is a new one."""
    two = Two()
    two.heartbeat(REGION, PEER)
    two.switch(PEER, since_ms=two.clock.ms)
    two.heartbeat(REGION, PEER, minutes=2)
    two.switch(PEER, since_ms=0)
    two.heartbeat(REGION, PEER, minutes=2)
    later = two.accepted(REGION)
    assert two.holders(later) == {REGION}
    two.switch(PEER, since_ms=two.clock.ms)
    two.heartbeat(REGION, PEER, minutes=2)
    assert two.holders(later) == {PEER}


def test_takeovers_one_after_the_other_leave_no_orphan() -> None:
    """The second region takes over from the first, then the first from the second, then again."""
    two = Two()
    two.heartbeat(REGION, PEER)
    ours = two.accepted(REGION)
    for survivor in (PEER, REGION, PEER, REGION):
        two.heartbeat(survivor, minutes=2 * AFTER_S // MINUTE_S + 5)
        view = two.ownership(survivor).view()
        assert view.owns(ours)
        two.heartbeat(REGION, PEER, minutes=3)
        assert two.holders(ours) == {survivor}
    for region in (REGION, PEER):
        assert two.holders(two.accepted(region)) == {region}


def test_worker_that_was_frozen_reads_its_standing_again() -> None:
    """What it remembers is good for seconds only."""
    two = Two()
    two.heartbeat(REGION, PEER)
    worker, stranded = two.ownership(REGION), two.accepted(REGION)
    assert worker.view().owns(stranded)
    two.heartbeat(PEER, minutes=20)
    assert not worker.view().owns(stranded)


def test_run_that_was_frozen_writes_no_earlier_heartbeat() -> None:
    """The other region would take this one for silent."""
    two = Two()
    two.heartbeat(REGION, PEER, minutes=5)
    last = two.replicas[REGION].records[ownership_record(REGION)].values["heartbeat_ms"]
    two.clock.advance(-4 * MINUTE_S)
    two.ownership(REGION).heartbeat()
    assert two.replicas[REGION].records[ownership_record(REGION)].values["heartbeat_ms"] == last


def test_unknown_standing_touches_nothing_and_still_accepts() -> None:
    """A worker leaves the alert to Recovery; reception gives it the lowest epoch, which takeovers cover."""
    two = Two()
    two.replicas[REGION].down = True
    with pytest.raises(LedgerUnavailableError):
        two.ownership(REGION).view()
    with pytest.raises(LedgerUnavailableError):
        two.ownership(REGION).heartbeat()
    assert two.ownership(REGION).epoch() == 0


def test_strong_ledger_needs_no_ownership() -> None:
    """Each region may work on everything, and nothing is read for it."""
    shared = SharedOwnership(owners=(REGION, PEER))
    shared.heartbeat()
    assert shared.view().owns(replace(row(), owner=PEER, epoch=7))
    assert (shared.epoch(), shared.view().owners) == (0, (REGION, PEER))
    assert not shared.view().transferred(row())


def test_what_is_accepted_after_a_takeover_has_not_changed_hands() -> None:
    """Only what was there before can have been posted by the other unseen."""
    two = Two()
    two.heartbeat(REGION, PEER)
    ours = two.accepted(PEER)
    two.heartbeat(PEER, minutes=20)
    two.heartbeat(REGION, PEER, minutes=3)
    view = two.ownership(PEER).view()
    assert view.transferred(ours)
    assert not view.transferred(two.accepted(PEER))
    assert view.owns(two.accepted(PEER))


def test_region_without_its_recovery_has_its_alerts_recovered_by_the_other() -> None:
    """Its workers and its reception go on; the takeover covers what they take in meanwhile."""
    two = Two()
    two.heartbeat(REGION, PEER)
    two.heartbeat(PEER, minutes=17)
    accepted_meanwhile = two.accepted(REGION)
    assert PEER in two.holders(accepted_meanwhile)
