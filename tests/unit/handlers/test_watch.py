"""The watch: silence is told once, by whichever region can, and so is its end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from handlers.domain.alert import Alert
from handlers.domain.delivery.routing import Routing
from handlers.domain.limits import ABSENCE_GRACE_S, MAX_ADDRESS_ATTEMPTS, MAX_BACKOFF_S, WATCH_GAP_S
from handlers.domain.ports import NotifierMisaddressedError
from handlers.domain.regions.expected import watched_heartbeats, watched_synthetic
from handlers.domain.regions.watch import Watch, WatchReport
from handlers.domain.states import given_up, redriven
from tests.fakes.ledger import FakeCoordination, FakeLedger, ledger_down
from tests.fakes.machine import FakeClock
from tests.unit.handlers.builders import PEER, REGION, World
from topology.alerts import SINK, SYNTHETIC, FaultState, Severity, Status
from topology.heartbeats import HeartbeatSpec
from topology.matchers import Matcher
from topology.records import absence_record, heartbeat_record, synthetic_record, watch_record
from topology.routes import RouteSpec
from topology.silences import Silence, stored_text

EVERY_S = 120
WATCHDOG = HeartbeatSpec(
    name="watchdog", match=Matcher(title="Watchdog"), every_s=EVERY_S, severity="CRITICAL"
)
MINUTE_S = 60


@dataclass
class Regions:
    """Both regions over one strong ledger, each with its Recovery's watch."""

    synthetic_interval_s: int = 0
    heartbeats: Sequence[HeartbeatSpec] = (WATCHDOG,)
    clock: FakeClock = field(default_factory=FakeClock)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    coordination: FakeCoordination = field(default_factory=FakeCoordination)

    def world(self, region: str) -> World:
        """One region."""
        return World(clock=self.clock, ledger=self.ledger, coordination=self.coordination, region=region)

    def watch(self, region: str) -> Watch:
        """Its watch, as a fresh process has it."""
        peer = PEER if region == REGION else REGION
        return Watch(
            coordination=self.coordination,
            reception=self.world(region).reception,
            watched=(
                *watched_heartbeats(self.heartbeats, region=region, peer=peer, primary=region == REGION),
                *watched_synthetic(self.synthetic_interval_s, region=region, peer=peer),
            ),
            synthetic_interval_s=self.synthetic_interval_s,
        )

    def run(self, *regions: str) -> list[WatchReport]:
        """Run Recovery of these regions once, one after the other, both if none is named."""
        until_ms = self.clock.ms + 4_000
        return [self.watch(region).run(until_ms=until_ms) for region in regions or (REGION, PEER)]

    def pass_minutes(self, number: int, *regions: str) -> None:
        """Let minutes pass, with a run in each."""
        for _ in range(number):
            self.clock.advance(MINUTE_S)
            self.run(*regions)

    def beat(self, region: str = REGION) -> None:
        """Have the heartbeat come to a region now."""
        self.put(heartbeat_record(region, "watchdog"), seen_ms=self.clock.ms)

    def put(self, name: str, **values: int) -> None:
        """Put a record in place of whatever there is."""
        self.coordination.write(name, self.coordination.records.get(name), values)

    def told(self, state: FaultState) -> list[Alert]:
        """What was told, in order."""
        return [row for row in self.ledger.rows.values() if row.state is state and not row.synthetic]


OVERDUE_MINUTES = (EVERY_S + ABSENCE_GRACE_S) // MINUTE_S


def test_a_heartbeat_that_comes_is_not_told_of() -> None:
    """In whichever region it arrives."""
    regions = Regions()
    for region in (REGION, PEER, PEER, REGION, PEER, PEER):
        regions.beat(region)
        regions.pass_minutes(1)
    assert regions.ledger.rows == {}


def test_a_missing_heartbeat_is_one_alert_from_both_regions() -> None:
    """Each minute, both regions' runs: one row, which says what is missing and since when."""
    regions = Regions()
    regions.run()
    regions.beat(PEER)
    regions.pass_minutes(30)
    (alert,) = regions.ledger.rows.values()
    assert (alert.region, alert.severity, alert.status) == (REGION, Severity.CRITICAL, Status.RECEIVED)
    assert (alert.format, alert.source) == ("responder", "responder")
    assert alert.title == "Heartbeat watchdog is missing"
    assert f"Expected every {EVERY_S} s, last there 2026-" in alert.message
    assert "+00:00. Look whether its source runs" in alert.message


def test_it_is_told_when_its_time_and_grace_are_over() -> None:
    """Not a minute before, though it is late."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.pass_minutes(OVERDUE_MINUTES - 1)
    assert regions.ledger.rows == {}
    assert [report.missing for report in (regions.clock.advance(MINUTE_S), *regions.run())[1:]] == [1, 0]


def test_the_other_region_tells_a_minute_later_where_the_first_is_lost() -> None:
    """The failover's Recovery, once it is certain that the primary's does not."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.pass_minutes(OVERDUE_MINUTES, PEER)
    assert regions.ledger.rows == {}
    regions.pass_minutes(1, PEER)
    (alert,) = regions.ledger.rows.values()
    assert alert.region == PEER


@pytest.mark.parametrize("write_lost_by", [REGION, PEER])
def test_one_whose_telling_was_not_noted_is_the_same_alert(write_lost_by: str) -> None:
    """A crash between the row and its record: whichever region comes next is answered with the row."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.pass_minutes(OVERDUE_MINUTES + 1, write_lost_by)
    del regions.coordination.records[absence_record("heartbeat:watchdog")]
    regions.pass_minutes(2)
    assert len(regions.ledger.rows) == 1


def test_one_that_was_never_there_has_its_time_from_the_first_look() -> None:
    """A stack that is deployed, or a heartbeat that is new in it, is given as long as any."""
    regions = Regions(heartbeats=())
    regions.pass_minutes(10)
    regions.heartbeats = (WATCHDOG,)
    regions.run()
    regions.pass_minutes(OVERDUE_MINUTES - 1)
    assert regions.ledger.rows == {}
    regions.pass_minutes(10)
    (alert,) = regions.ledger.rows.values()
    assert "last there never" in alert.message
    assert alert.started_at is None


def test_its_return_is_one_resolution() -> None:
    """Told by the region whose turn it is; the next absence is an alert of its own."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.pass_minutes(OVERDUE_MINUTES)
    regions.pass_minutes(200)
    regions.beat(PEER)
    regions.pass_minutes(1)
    (resolution,) = regions.told(FaultState.RESOLVED)
    (alert,) = regions.told(FaultState.FIRING)
    assert (resolution.title, resolution.severity) == ("[RESOLVED] Heartbeat watchdog is missing", "INFO")
    assert resolution.fault_key == alert.fault_key
    regions.pass_minutes(20)
    assert [row.status for row in regions.told(FaultState.FIRING)] == [Status.RECEIVED] * 2
    assert len(regions.told(FaultState.RESOLVED)) == 1


def test_its_return_is_told_by_the_other_region_where_the_first_is_lost() -> None:
    """A look later, and not again when the first comes back."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.pass_minutes(OVERDUE_MINUTES)
    regions.beat(PEER)
    regions.run(PEER)
    assert regions.told(FaultState.RESOLVED) == []
    for _ in range(120):
        regions.pass_minutes(1, PEER)
        regions.beat(PEER)
    (resolution,) = regions.told(FaultState.RESOLVED)
    assert resolution.region == PEER
    regions.pass_minutes(2)
    assert len(regions.ledger.rows) == 2


def test_a_region_that_comes_back_looks_before_it_tells() -> None:
    """After an hour of silence of its own it has seen nothing, and what it watches for has its time again."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.clock.advance(3_600)
    regions.run()
    assert regions.ledger.rows == {}
    regions.pass_minutes(OVERDUE_MINUTES - 1)
    regions.beat(PEER)
    regions.pass_minutes(2)
    assert regions.ledger.rows == {}


def test_an_absence_goes_on_through_a_silence_of_both_recoveries() -> None:
    """What has its time again has not come back."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.pass_minutes(OVERDUE_MINUTES)
    regions.clock.advance(3_600)
    regions.pass_minutes(30)
    assert [row.state for row in regions.ledger.rows.values()] == [FaultState.FIRING]


def test_a_run_that_is_late_is_no_gap() -> None:
    """A scheduler that skips some minutes does not put off an alert."""
    regions = Regions()
    regions.run()
    regions.beat()
    for _ in range(3):
        regions.clock.advance(WATCH_GAP_S)
        regions.run()
    assert len(regions.told(FaultState.FIRING)) == 1


@pytest.mark.parametrize("failing", ["create", "get_many"])
def test_what_the_ledger_does_not_take_is_told_in_the_next_run(failing: str) -> None:
    """Nothing is noted as told that no row says."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.ledger.before = ledger_down(failing)
    regions.pass_minutes(OVERDUE_MINUTES + 2)
    assert regions.ledger.rows == {}
    regions.ledger.before = lambda _: None
    regions.pass_minutes(1)
    assert len(regions.told(FaultState.FIRING)) == 1


def test_without_the_records_nothing_is_told() -> None:
    """Missing data is unknown, never missing."""
    regions = Regions()
    regions.run()
    regions.beat()
    regions.clock.advance(240)
    regions.coordination.down = True
    assert regions.run() == [WatchReport(), WatchReport()]
    assert regions.ledger.rows == {}


def test_each_region_sends_one_synthetic_alert_an_interval() -> None:
    """However often Recovery runs, and where a run could not note that it sent."""
    regions = Regions(synthetic_interval_s=300, heartbeats=())
    regions.run()
    record = regions.coordination.records.pop(watch_record(REGION))
    regions.run()
    assert record.values["slot"] > 0
    assert sorted(row.region for row in regions.ledger.rows.values()) == [REGION, PEER]
    regions.pass_minutes(10)
    assert len(regions.ledger.rows) == 6
    for row in regions.ledger.rows.values():
        assert (row.format, row.source, row.severity) == (SYNTHETIC, "responder-synthetic", Severity.INFO)
        assert (row.route, row.alone, row.synthetic) == (SYNTHETIC, True, True)


def work_through(regions: Regions, region: str) -> World:
    """Bring a region's open alerts to rest; returns its world, with what the model and Slack were asked."""
    world = regions.world(region)
    for row in [one for one in regions.ledger.rows.values() if one.region == region]:
        if row.status is Status.RECEIVED:
            world.analysis.work(row.alert_id, world.time())
            world.distribution.work(row.alert_id, world.time())
    return world


def test_a_synthetic_alert_comes_to_rest_without_the_model_and_without_slack() -> None:
    """It takes the whole way to a sink, says so, and its arrival is noted by when it was accepted."""
    regions = Regions(synthetic_interval_s=300, heartbeats=())
    regions.run()
    accepted_ms = regions.clock.ms
    regions.clock.advance(7)
    world = work_through(regions, REGION)
    (row,) = [one for one in regions.ledger.rows.values() if one.region == REGION]
    assert (row.status, row.route, row.analysis) == (Status.NOTIFIED, SINK, None)
    assert (world.notifier.posted, world.analyst.asked) == ([], [])
    assert regions.coordination.records[synthetic_record(REGION)].values == {"arrived_ms": accepted_ms}


def test_a_synthetic_alert_goes_to_the_channel_of_its_route() -> None:
    """Where the stack has a route of that name, Slack is on the way too, at that channel's pace."""
    regions = Regions(synthetic_interval_s=300, heartbeats=())
    regions.run(REGION)
    (row,) = regions.ledger.rows.values()
    world = regions.world(REGION)
    channel = world.add_channel(SYNTHETIC)
    world.analysis.work(row.alert_id, world.time())
    world.distribution.work(row.alert_id, world.time())
    after = regions.ledger.rows[row.alert_id]
    assert (after.status, after.route, after.incident_id) == (Status.NOTIFIED, SYNTHETIC, None)
    assert (channel.alert_ids, world.notifier.posted) == ([row.alert_id], [])
    assert synthetic_record(REGION) in regions.coordination.records


def test_a_channel_that_takes_nothing_parks_a_synthetic_alert() -> None:
    """It never goes to people's channel; that it does not arrive is told by an alert of its own."""
    regions = Regions(synthetic_interval_s=300, heartbeats=())
    regions.run(REGION)
    (row,) = regions.ledger.rows.values()
    world = regions.world(REGION)
    world.add_channel(SYNTHETIC).script = [NotifierMisaddressedError("no_service")]
    world.analysis.work(row.alert_id, world.time())
    for _ in range(MAX_ADDRESS_ATTEMPTS):
        regions.clock.advance(MAX_BACKOFF_S)
        world.distribution.work(row.alert_id, world.time())
    assert regions.ledger.rows[row.alert_id].status is Status.PARKED
    assert world.notifier.posted == []
    assert synthetic_record(REGION) not in regions.coordination.records


def test_no_silence_and_no_route_of_people_takes_a_synthetic_alert() -> None:
    """A window that silences INFO would have its region told of as missing."""
    regions = Regions(synthetic_interval_s=300, heartbeats=())
    regions.run(REGION)
    (row,) = regions.ledger.rows.values()
    world = regions.world(REGION)
    quiet = Matcher(severity=("INFO",))
    until_s = regions.clock.s + 3_600
    window = Silence(silence_id="s", matcher=quiet, from_s=0, until_s=until_s, reason="a window")
    world.silenced.text = stored_text([window])
    world.routing = Routing(routes=(RouteSpec(name="infos", match=quiet, secret="slack-webhook-infos"),))
    world.add_channel("infos")
    world.analysis.work(row.alert_id, world.time())
    world.distribution.work(row.alert_id, world.time())
    after = regions.ledger.rows[row.alert_id]
    assert (after.status, after.route) == (Status.NOTIFIED, SINK)


def test_synthetic_alerts_that_arrive_are_not_told_of() -> None:
    """Nobody reads them either."""
    regions = Regions(synthetic_interval_s=60, heartbeats=())
    for _ in range(12):
        regions.pass_minutes(1)
        for region in (REGION, PEER):
            assert work_through(regions, region).notifier.posted == []
    assert all(row.synthetic for row in regions.ledger.rows.values())


def test_those_that_do_not_arrive_are_told_by_the_other_region() -> None:
    """CRITICAL, once; and its end when they arrive again. What comes out of a backlog late is no arrival."""
    regions = Regions(synthetic_interval_s=60, heartbeats=())
    for _ in range(12):
        regions.pass_minutes(1)
        work_through(regions, PEER)
    (alert,) = regions.told(FaultState.FIRING)
    assert (alert.region, alert.severity) == (PEER, Severity.CRITICAL)
    assert alert.title == f"Synthetic alerts of {REGION} do not arrive"
    first, *_, last = [row for row in regions.ledger.rows.values() if row.region == REGION]
    world = regions.world(REGION)
    for row in (first, last):
        world.analysis.work(row.alert_id, world.time())
    world.distribution.work(first.alert_id, world.time())
    regions.run(PEER)
    assert regions.told(FaultState.RESOLVED) == []
    world.distribution.work(last.alert_id, world.time())
    regions.run(PEER)
    assert [row.region for row in regions.told(FaultState.RESOLVED)] == [PEER]


def test_a_region_tells_of_itself_where_the_other_does_not() -> None:
    """Its own channel may be shut; then the second way is what is left, and it needs the row."""
    regions = Regions(synthetic_interval_s=60, heartbeats=())
    regions.run()
    regions.pass_minutes(12, REGION)
    told = {row.title: row.region for row in regions.told(FaultState.FIRING)}
    assert told == {
        f"Synthetic alerts of {PEER} do not arrive": REGION,
        f"Synthetic alerts of {REGION} do not arrive": REGION,
    }


def test_what_comes_out_of_a_backlog_is_no_newer_arrival() -> None:
    """The record says when the newest that arrived was accepted, in whichever order they arrive."""
    regions = Regions(synthetic_interval_s=60, heartbeats=())
    regions.pass_minutes(2, REGION)
    first, last = regions.ledger.rows.values()
    world = regions.world(REGION)
    for row in (last, first):
        world.analysis.work(row.alert_id, world.time())
        world.distribution.work(row.alert_id, world.time())
    values = regions.coordination.records[synthetic_record(REGION)].values
    assert values == {"arrived_ms": last.accepted_at_ms}


def test_a_redriven_synthetic_alert_stays_out_of_digests() -> None:
    """People's alerts must not go to its channel with it, nor it to theirs."""
    regions = Regions(synthetic_interval_s=60, heartbeats=())
    regions.run(REGION)
    (row,) = regions.ledger.rows.values()
    parked = given_up(row, reason="its channel is gone", due_at=row.timestamp)
    assert redriven(parked, due_at=row.timestamp).alone


def test_an_arrival_that_cannot_be_noted_costs_the_alert_nothing() -> None:
    """It is NOTIFIED all the same; the next one is noted."""
    regions = Regions(synthetic_interval_s=60, heartbeats=())
    regions.run()
    world = regions.world(REGION)
    (row,) = [one for one in regions.ledger.rows.values() if one.region == REGION]
    world.analysis.work(row.alert_id, world.time())
    regions.coordination.down = True
    world.distribution.work(row.alert_id, world.time())
    assert regions.ledger.rows[row.alert_id].status is Status.NOTIFIED
