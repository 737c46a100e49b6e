"""Incidents over fakes: who leads, who is held and until when, who asks the model, and when it is over."""

from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.incident import Place
from handlers.domain.limits import ASK_AGAIN_S, GATHERING_S, MAX_INCIDENT_ROWS, PAIR_WAIT_S
from handlers.domain.states import analyzed, claimed, notified, suppressed
from tests.fakes.ledger import ledger_down
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import INCIDENT_WINDOW_S, PEER, World, row
from topology.alerts import FaultState, Severity


def place(world: World, alert: Alert, *, route: str | None = None, edits: bool = False) -> Place:
    """Where the alert is told; `edits`: of the default channel. That of route `bot` can always be edited."""
    return world.incidents.place(alert, route_of=lambda _: route, edits=lambda name: name == "bot" or edits)


def told(world: World, alert: Alert, where: Place, **fields: Any) -> Alert:
    """The alert as it is once Slack took it, in the ledger."""
    placed = replace(
        alert,
        **{"route": where.route, "incident_id": where.incident_id, "lead": where.lead or None, **fields},
    )
    done = notified(claimed(analyzed(placed, ANALYSIS, due_at=9), token="t", due_at=9), at_ms=world.clock.ms)
    world.ledger.rows[done.alert_id] = done
    return done


def of_fault(alert_id: str, fault: str, **fields: Any) -> Alert:
    """An alert about a fault of this name, of the signature that all have here."""
    return replace(row(alert_id, **fields), fault_key=fault)


def resolution(alert_id: str, fault: str, *, after_s: int = 60, **fields: Any) -> Alert:
    """That the fault is over since."""
    fired = of_fault(alert_id, fault, **fields)
    at_ms = fired.accepted_at_ms + after_s * 1000
    return replace(fired, state=FaultState.RESOLVED, changed_at_ms=at_ms, accepted_at_ms=at_ms)


def test_first_alert_leads_and_asks_and_the_others_are_held() -> None:
    """One message, one call of the model; the rest is told with it, the first of them soon."""
    world = World()
    first, second, third = (place(world, row(alert_id)) for alert_id in ("a1", "a2", "a3"))
    assert (first.lead, first.asks, first.held_until) == (True, True, None)
    assert (second.lead, second.asks) == (third.lead, third.asks) == (False, False)
    assert second.held_until == world.clock.s + GATHERING_S
    assert third.held_until == world.clock.s + INCIDENT_WINDOW_S
    assert first.incident_id == second.incident_id == third.incident_id is not None


def test_one_held_alert_in_five_seconds_looks_how_many_there_are() -> None:
    """So that people hear of the tenth soon, and nobody counts at each."""
    world = World()
    for alert_id in ("a1", "a2"):
        place(world, row(alert_id))
    world.clock.advance(GATHERING_S)
    soon, later = place(world, row("a3")), place(world, row("a4"))
    assert soon.held_until == world.clock.s + GATHERING_S
    assert later.held_until == world.clock.s - GATHERING_S + INCIDENT_WINDOW_S


def test_where_a_message_can_be_edited_every_held_alert_is_told_soon() -> None:
    """An edit disturbs nobody."""
    world = World()
    place(world, row("a1"), edits=True)
    held = [place(world, row(alert_id), edits=True).held_until for alert_id in ("a2", "a3")]
    assert held == [world.clock.s + GATHERING_S] * 2


@pytest.mark.parametrize(
    "other",
    [
        {"title": "Disk is full"},
        {"source": "shop"},
        {"message": "no depth at all"},
    ],
)
def test_another_signature_is_another_incident(other: dict[str, str]) -> None:
    """Each leads its own."""
    world = World()
    first, second = place(world, row("a1")), place(world, row("a2", **other))
    assert second.lead
    assert first.incident_id != second.incident_id


def test_another_route_or_region_is_another_incident() -> None:
    """A fold goes where its alert went, and no region waits for the other."""
    world = World()
    ids = {
        place(world, row("a1")).incident_id,
        place(world, row("a2"), route="shop").incident_id,
        place(world, replace(row("a3"), region=PEER)).incident_id,
    }
    assert len(ids) == 3


def test_more_severe_alert_leads_too_and_less_severe_ones_are_held() -> None:
    """An alert more severe than anything told is posted at once."""
    world = World()
    places = [
        place(world, row(f"a{number}", severity=severity))
        for number, severity in enumerate(["WARNING", "INFO", "ERROR", "WARNING", "ERROR"])
    ]
    assert [where.lead for where in places] == [True, False, True, False, False]
    assert len({where.incident_id for where in places}) == 1


def test_critical_alerts_are_never_held() -> None:
    """But the model is asked for one of them only."""
    world = World()
    places = [place(world, row(alert_id, severity="CRITICAL")) for alert_id in ("a1", "a2", "a3")]
    assert all(where.lead and where.held_until is None for where in places)
    assert [where.asks for where in places] == [True, False, False]


def test_lead_that_is_worked_on_once_more_leads_again() -> None:
    """Its worker died: nobody else was told, so it must not be held behind itself."""
    world = World()
    first = place(world, row("a1"))
    world.clock.advance(10)
    assert place(world, row("a1")).lead
    assert place(world, row("a1")).incident_id == first.incident_id


def test_lead_that_is_worked_on_once_more_does_not_ask_what_another_asks() -> None:
    """Whoever came a minute later has asked in its place."""
    world = World()
    place(world, row("a1"))
    world.clock.advance(ASK_AGAIN_S)
    assert place(world, row("a2")).asks
    again = place(world, row("a1"))
    assert (again.lead, again.asks) == (True, False)


def test_model_is_asked_again_for_a_later_alert() -> None:
    """The first may never have had an answer."""
    world = World()
    place(world, row("a1"))
    world.clock.advance(ASK_AGAIN_S)
    assert place(world, row("a2")).asks
    assert not place(world, row("a3")).asks


def test_incident_ends_with_its_window() -> None:
    """What comes after leads a new one."""
    world = World()
    first = place(world, row("a1"))
    world.clock.advance(INCIDENT_WINDOW_S)
    after = place(world, row("a2"))
    assert after.lead
    assert after.incident_id != first.incident_id


def test_worker_that_was_frozen_opens_no_incident_of_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another has placed the alert meanwhile: nobody would lead what comes after."""
    world = World()
    write = world.coordination.write
    elsewhere = World(clock=world.clock, ledger=world.ledger, coordination=world.coordination)
    placed: list[Place] = []

    def frozen(*args: Any, **given: Any) -> bool:
        monkeypatch.setattr(world.coordination, "write", write)
        world.clock.advance(INCIDENT_WINDOW_S / 2)
        placed.append(place(elsewhere, row("a1")))
        return write(*args, **given)

    monkeypatch.setattr(world.coordination, "write", frozen)
    assert place(world, row("a1")).incident_id == placed[0].incident_id


def test_worker_whose_lease_has_run_out_opens_no_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another may have told of its alert, and then nobody would lead what comes after."""
    world = World()
    write = world.coordination.write

    def frozen(*args: Any, **given: Any) -> bool:
        monkeypatch.setattr(world.coordination, "write", write)
        world.clock.advance(60)
        assert place(world, row("a2")).lead
        return write(*args, **given)

    monkeypatch.setattr(world.coordination, "write", frozen)
    mine = claimed(row("a1", severity=Severity.CRITICAL), token="t", due_at=world.clock.s + 30)
    where = place(world, mine)
    assert (where.incident_id, where.wait_s) == (None, 1)
    assert place(world, row("a3", severity=Severity.CRITICAL)).asks is False


def test_without_its_record_an_alert_is_told_by_itself() -> None:
    """Nobody is silenced because an incident is unknown."""
    world = World()
    world.coordination.down = True
    assert place(world, row("a1"), route="shop") == Place(route="shop")


def test_without_a_window_there_are_no_incidents() -> None:
    """The configuration may say so."""
    world = World()
    incidents = Incidents(ledger=world.ledger, coordination=world.coordination, clock=world.clock, window_s=0)
    for alert_id in ("a1", "a2"):
        assert incidents.place(row(alert_id), route_of=lambda _: None, edits=bool) == Place()


def test_resolution_goes_where_its_alert_went() -> None:
    """Whatever the configuration says by now, and whatever its own words are."""
    world = World()
    fired = of_fault("a1", "f1")
    told(world, fired, place(world, fired, route="shop"))
    other = resolution("a2", "f1", title="All is well", message="depth 0")
    where = place(world, other, route="elsewhere")
    assert where.route == "shop"
    assert where.incident_id == world.ledger.rows["a1"].incident_id
    assert (where.lead, where.asks, where.held_until) == (False, False, None)


def test_resolution_goes_where_its_alert_went_that_is_tried_again() -> None:
    """Both were PARKED and redriven: the alert still says where it went."""
    world = World()
    fired = of_fault("a1", "f1")
    where = place(world, fired, route="shop")
    world.hold(replace(fired, route="shop", incident_id=where.incident_id, lead=True))
    world.clock.advance(600)
    over = place(world, resolution("a2", "f1"), route="elsewhere")
    assert (over.route, over.incident_id) == ("shop", where.incident_id)


def test_resolution_is_held_as_its_alerts_channel_can_be_edited_whatever_it_matches_itself() -> None:
    """A resolution is INFO, so that a route by severity takes it elsewhere."""
    world = World()
    for alert_id, fault in (("a1", "f1"), ("a2", "f2")):
        fired = of_fault(alert_id, fault)
        told(world, fired, place(world, fired, route="bot"))
    over = place(world, resolution("r1", "f1"), route="info")
    assert (over.route, over.held_until) == ("bot", world.clock.s + GATHERING_S)


def test_resolution_goes_where_its_alert_will_go() -> None:
    """Of an alert that stays behind: by its severity, not by the resolution's own."""
    world = World()
    fired = of_fault("a1", "f1", severity=Severity.HIGH)
    world.ledger.rows["a1"] = fired
    world.clock.advance(600)
    where = world.incidents.place(
        resolution("a2", "f1", severity=Severity.INFO), route_of=lambda alert: alert.severity, edits=bool
    )
    assert where.route == "HIGH"


def test_resolution_is_held_while_other_faults_fire_and_the_last_one_ends_the_incident() -> None:
    """It says so; what comes after is a new incident."""
    world = World()
    for alert_id, fault in (("a1", "f1"), ("a2", "f2")):
        fired = of_fault(alert_id, fault)
        told(world, fired, place(world, fired))
    first_over = resolution("a3", "f1")
    where = place(world, first_over)
    assert where.held_until == world.clock.s + INCIDENT_WINDOW_S
    told(world, first_over, where)
    world.clock.advance(61)
    assert place(world, resolution("a4", "f2", after_s=61)).held_until is None
    again = place(world, of_fault("a5", "f1"))
    assert again.lead
    assert again.incident_id != where.incident_id


def test_incident_of_a_route_that_leads_nowhere_is_over_with_its_resolution() -> None:
    """Its alert went to the default channel; what comes after is a new incident of the route all the same."""
    world = World()
    fired = of_fault("a1", "f1")
    told(world, fired, place(world, fired, route="ops"), route=None, unusable_route="ops")
    over = place(world, resolution("r1", "f1"), route="ops")
    assert (over.route, over.held_until) == (None, None)
    world.clock.advance(60)
    assert place(world, row("a2"), route="ops").lead


def test_resolution_that_comes_late_does_not_end_what_fired_since() -> None:
    """It was accepted before its fault fired again."""
    world = World()
    fired = of_fault("a1", "f1")
    told(world, fired, place(world, fired))
    later_ms = fired.accepted_at_ms + 61_000
    again = replace(of_fault("a2", "f1"), accepted_at_ms=later_ms, changed_at_ms=later_ms)
    where = place(world, again)
    told(world, again, where)
    assert place(world, resolution("a3", "f1")).incident_id == where.incident_id
    assert not place(world, of_fault("a4", "f3")).lead


@pytest.mark.parametrize("alert_id", ["a1", "z1"])
@pytest.mark.parametrize(("lasted_ms", "behind_ms"), [(0, 0), (1_000, 3_000)])
def test_incident_is_over_by_the_times_of_its_faults(alert_id: str, lasted_ms: int, behind_ms: int) -> None:
    """Resolved in the second in which it fired, or accepted by a region whose clock is behind."""
    world = World()
    fired = of_fault(alert_id, "f1")
    told(world, fired, place(world, fired))
    over = resolution("b1", "f1", after_s=0)
    over = replace(
        over,
        accepted_at_ms=over.accepted_at_ms - behind_ms,
        changed_at_ms=(fired.changed_at_ms or 0) + lasted_ms,
    )
    where = place(world, over)
    assert where.held_until is None
    view = world.incidents.view([told(world, over, where)], world.incidents.rows(str(where.incident_id)))
    assert view.closed


def test_resolution_that_is_older_than_what_fires_since_ends_nothing() -> None:
    """It was on the way for long, and is accepted last."""
    world = World()
    first = of_fault("a1", "f1")
    told(world, first, place(world, first))
    later_ms = first.accepted_at_ms + 61_000
    again = replace(of_fault("a2", "f1"), accepted_at_ms=later_ms, changed_at_ms=later_ms)
    told(world, again, place(world, again))
    late = replace(resolution("a3", "f1"), accepted_at_ms=later_ms + 1_000)
    assert place(world, late).held_until is not None


def test_incident_with_more_alerts_than_are_counted_is_not_said_to_be_over() -> None:
    """What is behind the last that was counted may fire."""
    world = World()
    fired = of_fault("a1", "f1")
    where = place(world, fired)
    done = told(world, fired, where)
    for number in range(MAX_INCIDENT_ROWS):
        later_ms = fired.accepted_at_ms + 1 + number
        other = replace(resolution(f"b{number:04}", "f1"), accepted_at_ms=later_ms)
        world.hold(replace(other, incident_id=where.incident_id))
    assert place(world, resolution("c1", "f1")).held_until is not None
    view = world.incidents.view([done], world.incidents.rows(str(where.incident_id)))
    assert (view.more, view.closed) == (True, False)


def test_resolution_of_another_fault_joins_no_incident_of_this_one() -> None:
    """Nobody's incident is closed by what stands beside it."""
    world = World()
    fired = of_fault("a1", "f1")
    where = place(world, fired)
    told(world, fired, where)
    assert place(world, resolution("a2", "f2")).incident_id != where.incident_id
    assert not place(world, of_fault("a3", "f1")).lead


def test_resolution_of_a_repeat_belongs_to_what_that_repeats() -> None:
    """A repeat is SUPPRESSED, and has no incident of its own."""
    world = World()
    fired = of_fault("a1", "f1")
    where = place(world, fired)
    told(world, fired, where)
    repeat = replace(of_fault("a1.r", "f1"), parent_id="a1", changed_at_ms=fired.accepted_at_ms + 10_000)
    world.ledger.rows["a1.r"] = suppressed(repeat, due_at=9)
    assert place(world, resolution("a2", "f1")).incident_id == where.incident_id


def test_resolution_waits_for_an_alert_that_is_being_analysed_but_not_for_ever() -> None:
    """The two go out together; if the alert stays behind, the resolution goes on."""
    world = World()
    world.ledger.rows["a1"] = of_fault("a1", "f1")
    over = resolution("a2", "f1", after_s=1)
    over = replace(over, timestamp=world.clock.s)
    assert place(world, over).wait_s == PAIR_WAIT_S
    world.clock.advance(2 * PAIR_WAIT_S)
    assert place(world, over).wait_s == 0


def test_critical_resolution_is_not_held() -> None:
    """As no CRITICAL alert is."""
    world = World()
    for alert_id, fault in (("a1", "f1"), ("a2", "f2")):
        fired = of_fault(alert_id, fault, severity="CRITICAL")
        told(world, fired, place(world, fired))
    assert place(world, resolution("a3", "f1", severity="CRITICAL")).held_until is None


def held_rows(world: World, count: int, *, told_count: int = 1) -> tuple[Alert, Incidents]:
    """A held alert of an incident with so many alerts, of which so many are told."""
    for number in range(count):
        alert = of_fault(f"a{number}", f"f{number}")
        where = place(world, alert)
        told(world, alert, where)
        if number >= told_count:
            world.ledger.rows[alert.alert_id] = analyzed(
                replace(alert, incident_id=where.incident_id), ANALYSIS, due_at=9, not_before=1
            )
    return world.ledger.rows[f"a{count - 1}"], world.incidents


@pytest.mark.parametrize(
    ("count", "told_count", "now"),
    [(9, 1, False), (10, 1, True), (12, 10, False), (99, 10, False), (100, 10, True), (101, 100, False)],
)
def test_people_are_told_again_at_ten_and_at_a_hundred(count: int, told_count: int, *, now: bool) -> None:
    """Between, a number says little that the last one did not."""
    world = World()
    alert, incidents = held_rows(world, count, told_count=told_count)
    until_s = incidents.over_at(alert, incidents.rows(str(alert.incident_id)), edits=False)
    assert until_s == (0 if now else world.clock.s + INCIDENT_WINDOW_S)


def test_people_are_told_at_the_end_of_the_window() -> None:
    """However few they are."""
    world = World()
    alert, incidents = held_rows(world, 2)
    world.clock.advance(INCIDENT_WINDOW_S)
    assert incidents.over_at(alert, incidents.rows(str(alert.incident_id)), edits=False) == 0


def test_view_counts_rows_hosts_and_faults_and_shows_the_lead_with_its_analysis() -> None:
    """What the index does not show yet of those that are told now is counted too."""
    world = World()
    lead = of_fault("a1", "f1", host="db-1")
    where = place(world, lead)
    told(world, lead, where, host="db-1")
    member = replace(of_fault("a2", "f2", host="db-2"), incident_id=where.incident_id)
    over = replace(resolution("a3", "f1", host="db-1"), incident_id=where.incident_id)
    view = world.incidents.view([member, over], world.incidents.rows(str(where.incident_id)))
    assert (view.count, view.more, view.hosts) == (3, False, ("db-1", "db-2"))
    assert (view.faults, view.resolved, view.closed) == (2, 1, False)
    assert view.first_ms == lead.accepted_at_ms
    assert view.last_ms == over.accepted_at_ms
    assert view.head is not None
    assert (view.head.alert_id, view.head.analysis) == ("a1", ANALYSIS)


def test_view_says_when_there_are_more_rows_than_are_counted() -> None:
    """A count is at least so many then."""
    world = World()
    lead = of_fault("a1", "f1")
    where = place(world, lead)
    done = told(world, lead, where)
    row_of_it = world.incidents.rows(str(where.incident_id))[0]
    rows = [
        type(row_of_it)(
            alert_id=f"b{number}", accepted_at_ms=number, status=done.status, severity=Severity.HIGH
        )
        for number in range(MAX_INCIDENT_ROWS)
    ]
    assert world.incidents.view([done], rows).more


def test_resolution_is_told_by_itself_where_its_fault_is_unknown() -> None:
    """The ledger's index fails: people are told all the same."""
    world = World(ledger=World().ledger)
    world.ledger.before = ledger_down("history")
    assert place(world, resolution("a2", "f1")) == Place()
