"""Routes: the first that matches takes an alert, and one that leads nowhere loses none."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.channels import Channel, Channels
from handlers.domain.delivery.distribution import DistributionWork
from handlers.domain.delivery.messages import FollowUpNotice, notification_of
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.delivery.routing import Routing
from handlers.domain.limits import MAX_ADDRESS_ATTEMPTS, MAX_ATTEMPTS
from handlers.domain.ports import NotifierMisaddressedError, NotifierUnavailableError
from handlers.domain.states import follow_up_ready, notified
from tests.fakes.services import ANALYSIS, FakeNotifier
from tests.unit.handlers.builders import SLACK_INTERVAL_MS, World, row
from topology.alerts import Status
from topology.matchers import Matcher
from topology.records import rate_record
from topology.routes import RouteSpec

GONE = NotifierMisaddressedError("no Slack webhook: the secret does not exist or has no value")
ROUTING = Routing(
    routes=(
        RouteSpec(name="old", match=Matcher(source="billing"), secret="slack-webhook-old", retired=True),
        RouteSpec(name="urgent", match=Matcher(severity=("CRITICAL",)), secret="slack-webhook-urgent"),
        RouteSpec(name="billing", match=Matcher(source="bill*"), channel="C0123456789"),
    )
)


@dataclass
class FakeRouteMeter:
    """`RouteMeter` that keeps its counts by route."""

    counts: Counter[str] = field(default_factory=Counter)

    def count_unusable(self, route: str) -> None:
        """See `RouteMeter`."""
        self.counts[route] += 1


@dataclass
class Routed:
    """A world whose distribution has a channel for the route `billing` beside the default one."""

    world: World = field(default_factory=World)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    meter: FakeRouteMeter = field(default_factory=FakeRouteMeter)

    @property
    def distribution(self) -> DistributionWork:
        """The distribution worker of a fresh process."""
        work = self.world.distribution
        limiter = RateLimiter(
            coordination=self.world.coordination,
            clock=self.world.clock,
            interval_ms=SLACK_INTERVAL_MS,
            route="billing",
        )
        channel = Channel(notifier=self.notifier, rate_limiter=limiter)
        channels = Channels(default=work.channels.default, by_route={"billing": channel})
        return replace(work, channels=channels, route_meter=self.meter)

    def work(self, alert: Alert, times: int = 1) -> Alert:
        """What becomes of `alert`, which is worked on as often as it is due."""
        self.world.hold(alert)
        for _ in range(times):
            due = self.world.ledger.rows[alert.alert_id].not_before or 0
            self.world.clock.advance(max(due - self.world.clock.ms / 1000, 2 * SLACK_INTERVAL_MS / 1000))
            self.distribution.work(alert.alert_id, self.world.time())
        return self.world.ledger.rows[alert.alert_id]


def analysed(**fields: Any) -> Alert:
    """A row on its way to the channel of `billing`."""
    return replace(row(status=Status.ANALYZED, **fields), route="billing")


@pytest.mark.parametrize(
    ("fields", "route"),
    [
        ({}, "billing"),
        ({"severity": "CRITICAL"}, "urgent"),
        ({"severity": "CRITICAL", "source": "search"}, "urgent"),
        ({"source": "search"}, None),
    ],
)
def test_the_first_route_that_matches_takes_an_alert(fields: dict[str, Any], route: str | None) -> None:
    """One that is retired takes none; what matches none goes to the default channel."""
    assert ROUTING.route_of(row(**fields)) == route


def test_a_channel_is_edited_where_a_bot_posts() -> None:
    """A route that the configuration has no more goes to the default channel."""
    routes = ("billing", "urgent", "old", "removed", None)
    assert [ROUTING.edits(route) for route in routes] == [True, False, False, False, False]
    by_bot = replace(ROUTING, default_edits=True)
    assert [by_bot.edits(route) for route in routes] == [True, False, False, True, True]


def test_an_alert_is_posted_to_the_channel_of_its_route() -> None:
    """And nothing of it to the default one."""
    routed = Routed()
    assert routed.work(analysed()).status is Status.NOTIFIED
    assert (routed.notifier.alert_ids, routed.world.notifier.alert_ids) == (["a1"], [])
    assert not routed.meter.counts


def test_each_channel_has_a_pace_of_its_own() -> None:
    """A message to one takes no slot of another; a second one to the same waits, in any worker."""
    routed = Routed()
    rows = [
        analysed(),
        replace(row("a2", status=Status.ANALYZED), route="billing"),
        row("a3", status=Status.ANALYZED),
    ]
    routed.world.hold(*rows)
    for one in rows:
        routed.distribution.work(one.alert_id, routed.world.time())
    assert (routed.notifier.alert_ids, routed.world.notifier.alert_ids) == (["a1"], ["a3"])
    assert routed.world.ledger.rows["a2"].not_before is not None
    assert {rate_record(""), rate_record("billing")} <= routed.world.coordination.records.keys()


def test_a_route_that_leads_nowhere_hands_its_alert_to_the_default_channel() -> None:
    """After as many attempts as an unusable address has, none parked; the row and the message say so."""
    routed = Routed()
    routed.notifier.script = [GONE]
    after = routed.work(analysed(), MAX_ADDRESS_ATTEMPTS)
    assert (after.status, after.route, after.unusable_route) == (Status.ANALYZED, None, "billing")
    assert (after.attempts, routed.meter.counts) == (0, {"billing": MAX_ADDRESS_ATTEMPTS})
    told = routed.work(after)
    assert (told.status, told.unusable_route) == (Status.NOTIFIED, "billing")
    (message,) = routed.world.notifier.posted
    assert message == notification_of(told)
    assert ("Route", "its route billing is unusable") in notification_of(told).fields
    assert told.possible_duplicates == {}


def test_a_critical_alert_leaves_an_unusable_route_at_once() -> None:
    """Half a minute of trying is what it does not have."""
    routed = Routed()
    routed.notifier.script = [GONE]
    assert routed.work(analysed(severity="CRITICAL")).unusable_route == "billing"
    assert routed.meter.counts == {"billing": 1}


def test_the_default_channels_own_address_parks_as_ever() -> None:
    """With all attempts of its own, whatever the route had used up; there is nowhere else to go."""
    routed = Routed()
    routed.notifier.script = routed.world.notifier.script = [GONE]
    rerouted = routed.work(analysed(), MAX_ADDRESS_ATTEMPTS)
    assert routed.work(rerouted, MAX_ADDRESS_ATTEMPTS - 1).status is Status.ANALYZED
    parked = routed.work(routed.world.ledger.rows["a1"])
    assert (parked.status, parked.route) == (Status.PARKED, None)
    assert routed.meter.counts == {"billing": MAX_ADDRESS_ATTEMPTS}


def test_a_route_that_is_configured_no_more_goes_the_default_way() -> None:
    """It is delivered there, and parks there as what has no route does; nobody looks after its address."""
    routed = Routed()
    gone = replace(row(status=Status.ANALYZED), route="removed")
    assert routed.work(gone).status is Status.NOTIFIED
    assert routed.world.notifier.alert_ids == ["a1"]
    routed.world.notifier.script = [GONE]
    assert routed.work(gone, MAX_ADDRESS_ATTEMPTS).status is Status.PARKED
    assert not routed.meter.counts


def test_a_route_whose_slack_is_only_away_keeps_its_alerts() -> None:
    """An outage is over one day, and no address is to be mended: it has all attempts, and parks."""
    routed = Routed()
    routed.notifier.script = [NotifierUnavailableError("Slack answered 503", outcome_unknown=False)]
    after = routed.work(replace(analysed(severity="CRITICAL"), attempts=MAX_ATTEMPTS - 2))
    assert (after.status, after.route) == (Status.ANALYZED, "billing")
    assert routed.work(after).status is Status.PARKED
    assert not routed.meter.counts


def test_a_follow_up_does_not_leave_its_alert() -> None:
    """It is tried where the alert was read, counted, and given up as ever."""
    routed = Routed()
    routed.notifier.script = [GONE]
    told = notified(replace(analysed(), follow_up=None), at_ms=routed.world.clock.ms)
    late = follow_up_ready(told, ANALYSIS, due_at=routed.world.clock.ms // 1000 + 60)
    late = replace(late, open_key=late.expected_open_key)
    after = routed.work(late, MAX_ADDRESS_ATTEMPTS)
    assert (after.status, after.follow_up, after.route) == (Status.NOTIFIED, None, "billing")
    assert routed.meter.counts == {"billing": MAX_ADDRESS_ATTEMPTS}
    assert not any(isinstance(one, FollowUpNotice) for one in routed.world.notifier.posted)
