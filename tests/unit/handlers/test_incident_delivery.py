"""An incident's way through analysis and distribution: one call, few messages, nobody forgotten."""

from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.delivery.messages import Digest, Notification
from handlers.domain.delivery.routing import Routing
from handlers.domain.limits import GATHERING_S, MAX_ATTEMPTS, PAIR_WAIT_S
from handlers.domain.ports import (
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)
from handlers.domain.states import notified
from tests.fakes.ledger import ledger_down
from tests.unit.handlers.builders import INCIDENT_WINDOW_S, World, row
from topology.alerts import FaultState, Severity, Status


def analysed(world: World, *alert_ids: str, **fields: Any) -> None:
    """Alerts of one signature, each of a fault of its own, up to ANALYZED."""
    for alert_id in alert_ids:
        alert = row(alert_id, at_ms=world.clock.ms, **fields)
        world.hold(replace(alert, fault_key=f"fault of {alert_id}"))
        world.analysis.work(alert_id, world.time())


def resolved(world: World, alert_id: str, of: str, **fields: Any) -> None:
    """The resolution of an alert, RECEIVED."""
    alert = row(alert_id, at_ms=world.clock.ms, **fields)
    world.hold(replace(alert, fault_key=f"fault of {of}", state=FaultState.RESOLVED))


def statuses(world: World) -> dict[str, Status]:
    """The status of each alert."""
    return {alert_id: alert.status for alert_id, alert in world.ledger.rows.items()}


def test_hundred_alerts_of_one_signature_at_once_cost_one_call_and_one_message() -> None:
    """The first takes along what waits by then; none is forgotten."""
    world = World()
    analysed(world, *(f"a{number:02}" for number in range(100)))
    world.distribution.work("a00", world.time())
    assert len(world.analyst.asked) == 1
    assert [digest.alert_count for digest in world.notifier.digests] == [100]
    assert set(statuses(world).values()) == {Status.NOTIFIED}


def test_hundred_alerts_after_the_first_cost_one_call_and_one_more_message() -> None:
    """They are told in one digest once there are so many."""
    world = World()
    ids = [f"a{number:02}" for number in range(100)]
    analysed(world, "a00")
    world.distribution.work("a00", world.time())
    analysed(world, *ids[1:])
    world.clock.advance(GATHERING_S)
    world.distribution.work("a01", world.time())
    assert len(world.analyst.asked) == 1
    first, digest = world.notifier.posted
    assert isinstance(first, Notification)
    assert isinstance(digest, Digest)
    assert (first.alert_id, digest.alert_count) == ("a00", 99)
    assert set(statuses(world).values()) == {Status.NOTIFIED}


def test_held_alert_is_analyzed_until_slack_has_counted_it() -> None:
    """It waits in the ledger, with a time from which Recovery finds it."""
    world = World()
    analysed(world, "a0", "a1", "a2")
    held = world.ledger.rows["a2"]
    assert held.status is Status.ANALYZED
    assert held.not_before == world.clock.s + INCIDENT_WINDOW_S
    assert held.due_at is not None
    assert held.due_at > held.not_before
    world.distribution.work("a2", world.time())
    assert world.notifier.posted == []


def test_few_held_alerts_are_told_at_the_end_of_the_window() -> None:
    """The one that looked early how many there are waits with the others, and takes no slot for that."""
    world = World()
    analysed(world, "a0")
    world.distribution.work("a0", world.time())
    analysed(world, "a1", "a2")
    world.clock.advance(GATHERING_S)
    world.distribution.work("a1", world.time())
    assert len(world.notifier.posted) == 1
    world.clock.advance(INCIDENT_WINDOW_S - GATHERING_S)
    world.distribution.work("a1", world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [2]
    assert set(statuses(world).values()) == {Status.NOTIFIED}


def test_digest_that_slack_did_not_take_leaves_its_alerts_open() -> None:
    """NOTIFIED says that people were told."""
    world = World()
    analysed(world, "a0", "a1")
    world.clock.advance(INCIDENT_WINDOW_S)
    world.notifier.script = [NotifierUnavailableError("503", outcome_unknown=False)]
    world.distribution.work("a1", world.time())
    assert set(statuses(world).values()) == {Status.ANALYZED}


def test_more_severe_alert_goes_out_at_once_with_what_waits() -> None:
    """Its people hear of the others on the way."""
    world = World()
    analysed(world, "a0", "a1", severity="WARNING")
    world.distribution.work("a0", world.time())
    analysed(world, "a2", severity="ERROR")
    world.clock.advance(2)
    world.distribution.work("a2", world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [2]


def test_critical_alert_goes_out_by_itself() -> None:
    """It is never merged, and waits for nobody."""
    world = World()
    analysed(world, "a0", "a1", severity="CRITICAL")
    for alert_id in ("a0", "a1"):
        world.distribution.work(alert_id, world.time())
        world.clock.advance(2)
    assert world.notifier.alert_ids == ["a0", "a1"]


def test_lead_that_slack_refuses_ends_its_incident() -> None:
    """What comes after is told at once: nobody waits behind what nobody was told."""
    world = World()
    analysed(world, "a0")
    world.notifier.script = [NotifierRefusedError("invalid_blocks")]
    world.distribution.work("a0", world.time())
    assert world.ledger.rows["a0"].status is Status.PARKED
    analysed(world, "a1")
    assert world.ledger.rows["a1"].lead


def test_resolution_that_overtakes_the_analysis_goes_out_with_its_alert() -> None:
    """One message, both NOTIFIED, and nobody pays for an analysis of what is over."""
    world = World()
    fired = replace(row("a0", at_ms=world.clock.ms), fault_key="fault of a0")
    world.hold(fired)
    world.clock.advance(8)
    resolved(world, "a1", "a0")
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].not_before == world.clock.s + PAIR_WAIT_S
    world.analysis.work("a0", world.time())
    assert world.ledger.rows["a0"].analysis_error == "resolved after 8 s, so the model was not asked"
    world.clock.advance(PAIR_WAIT_S)
    world.analysis.work("a1", world.time())
    world.distribution.work("a1", world.time())
    assert world.analyst.asked == []
    assert [digest.alert_count for digest in world.notifier.digests] == [2]
    assert set(statuses(world).values()) == {Status.NOTIFIED}


def test_fault_that_is_over_leaves_the_question_to_the_next_alert_of_its_incident() -> None:
    """The others of the incident still fire, and are told with an analysis."""
    world = World()
    world.hold(replace(row("a0", at_ms=world.clock.ms), fault_key="fault of a0"))
    world.clock.advance(8)
    resolved(world, "r0", "a0")
    world.analysis.work("a0", world.time())
    assert world.analyst.asked == []
    analysed(world, "a1")
    assert [alert_id for alert_id, _ in world.analyst.asked] == ["a1"]


def test_model_is_asked_about_a_fault_that_is_over_where_others_wait_for_the_answer() -> None:
    """They were placed behind it, and do not ask."""
    world = World()
    first = replace(row("a0", at_ms=world.clock.ms), fault_key="fault of a0")
    world.incidents.place(first, route_of=lambda _: None, edits=bool)
    analysed(world, "a1")
    world.hold(first)
    world.clock.advance(8)
    resolved(world, "r0", "a0")
    world.analysis.work("a0", world.time())
    assert [alert_id for alert_id, _ in world.analyst.asked] == ["a0"]


def test_critical_alert_and_its_resolution_go_out_together_where_both_wait() -> None:
    """Of one fault only: other CRITICAL alerts are not merged with it."""
    world = World()
    analysed(world, "a0", "b0", severity="CRITICAL")
    world.clock.advance(8)
    resolved(world, "a1", "a0", severity="CRITICAL")
    world.analysis.work("a1", world.time())
    world.distribution.work("a1", world.time())
    world.clock.advance(2)
    world.distribution.work("b0", world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [2]
    assert world.notifier.alert_ids == ["b0"]


def by_bot() -> World:
    """A world in which what was posted can be edited."""
    world = World(edits=True, routing=Routing(default_edits=True))
    world.notifier.script = ["C1/1.0"]
    return world


def test_single_held_alert_is_told_by_an_edit_of_its_leads_message() -> None:
    """Alerts that come one by one are no new message each."""
    world = by_bot()
    analysed(world, "a0")
    world.distribution.work("a0", world.time())
    analysed(world, "a1")
    world.clock.advance(GATHERING_S)
    world.distribution.work("a1", world.time())
    (edit,) = world.notifier.digests
    assert (edit.refers_to, edit.alert_count) == ("C1/1.0", 1)
    assert edit.whole is not None
    assert "2 alerts" in edit.whole.incident
    assert set(statuses(world).values()) == {Status.NOTIFIED}


def test_held_alerts_wait_for_the_count_where_their_leads_message_cannot_be_edited() -> None:
    """It was told in a digest by fault, so each of them would be one message more."""
    world = by_bot()
    analysed(world, "a0")
    told = notified(world.ledger.rows["a0"], at_ms=world.clock.ms, digest_id="d1")
    world.hold(told)
    analysed(world, "a1")
    world.clock.advance(GATHERING_S)
    world.distribution.work("a1", world.time())
    assert world.notifier.posted == []
    world.clock.advance(INCIDENT_WINDOW_S)
    world.distribution.work("a1", world.time())
    assert set(statuses(world).values()) == {Status.NOTIFIED}


def test_slack_is_left_alone_when_it_refuses_a_reply_for_now() -> None:
    """The next alert waits as long as Slack asked."""
    world = by_bot()
    faults = [(f"a{number}", f"Fault {chr(97 + number)}") for number in range(9)]
    for alert_id, title in faults:
        analysed(world, alert_id, title=title)
    alert = world.ledger.rows["a0"]
    world.hold(replace(alert, not_before=world.clock.s))
    world.notifier.script = ["C1/1.0", NotifierThrottledError("429", retry_after_s=60), None]
    world.distribution.work("a0", world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [9]
    world.clock.advance(10)
    analysed(world, "b0", title="Fault z", severity="CRITICAL")
    world.distribution.work("b0", world.time())
    assert statuses(world)["b0"] is Status.ANALYZED


def test_critical_resolution_that_waits_for_a_slot_is_not_held_behind_other_faults() -> None:
    """Nothing CRITICAL is: Slack asked to wait for seconds, not until the window ends."""
    world = World()
    analysed(world, "a0", "b0", severity="CRITICAL")
    for alert_id in ("a0", "b0"):
        world.distribution.work(alert_id, world.time())
        world.clock.advance(2)
    resolved(world, "a1", "a0", severity="CRITICAL")
    world.analysis.work("a1", world.time())
    world.notifier.script = [NotifierThrottledError("429", retry_after_s=3), None]
    for _ in range(2):
        world.distribution.work("a1", world.time())
        world.clock.advance(4)
    assert statuses(world)["a1"] is Status.NOTIFIED


def test_last_resolution_goes_out_at_once_and_takes_what_waits_along() -> None:
    """People hear that it is over when it is."""
    world = World()
    analysed(world, "a0")
    world.distribution.work("a0", world.time())
    analysed(world, "a1")
    world.clock.advance(60)
    for number in (0, 1):
        resolved(world, f"r{number}", f"a{number}")
        world.analysis.work(f"r{number}", world.time())
    world.distribution.work("r1", world.time())
    assert [digest.alert_count for digest in world.notifier.digests] == [3]
    assert set(statuses(world).values()) == {Status.NOTIFIED}


def test_message_is_posted_where_nothing_is_known_of_its_incident() -> None:
    """Counts are worth less than the alert."""
    world = World()
    analysed(world, "a0", "a1")
    world.clock.advance(INCIDENT_WINDOW_S)
    world.ledger.before = ledger_down("incident")
    world.distribution.work("a1", world.time())
    assert world.notifier.alert_ids == ["a1"]


@pytest.mark.parametrize("severity", ["ERROR", "CRITICAL"])
def test_only_a_critical_alert_that_fires_goes_a_second_way(severity: str) -> None:
    """And only where that is configured."""
    world = World(escalate_after_s=900)
    analysed(world, "a0", severity=severity)
    world.distribution.work("a0", world.time())
    told = world.ledger.rows["a0"]
    wanted = world.clock.s + 900 if told.severity is Severity.CRITICAL else None
    assert told.escalate_at == wanted


def test_incident_of_another_channel_is_not_taken_along() -> None:
    """A backlog is a channel's."""
    world = World()
    for number in range(6):
        alert = row(f"a{number}", status=Status.ANALYZED)
        world.hold(replace(alert, route="shop" if number % 2 else None, not_before=world.clock.s))
    world.add_channel("shop")
    world.distribution.work("a0", world.time())
    assert {a for a, s in statuses(world).items() if s is Status.NOTIFIED} <= {"a0", "a2", "a4"}
    assert world.ledger.rows["a0"].attempts < MAX_ATTEMPTS


def test_routes_to_one_channel_are_worked_on_one_after_the_other() -> None:
    """Slack takes one message of a channel at a time, whichever route led there."""
    world = World()
    world.add_channel("shop")
    world.other_channels["till"] = world.other_channels["shop"]
    for alert_id, route in (("a0", "shop"), ("a1", None), ("a2", "till"), ("a3", "gone")):
        world.hold(replace(row(alert_id, status=Status.ANALYZED), route=route))
    assert world.distribution.chains(["a0", "a1", "a2", "a3"]) == [["a0", "a2"], ["a1", "a3"]]


def test_worker_that_lost_its_alert_leaves_no_incident_without_a_lead() -> None:
    """It was frozen, and another has told of the alert: what comes after is told at once."""
    world = World()

    def taken(operation: str) -> None:
        if operation == "replace" and world.ledger.rows["a0"].lease_token:
            world.ledger.rows["a0"] = replace(row("a0", status=Status.ANALYZED), due_at=1)

    world.ledger.before = taken
    analysed(world, "a0")
    world.ledger.before = lambda _operation: None
    analysed(world, "a1")
    assert world.ledger.rows["a1"].lead


def test_lost_alert_that_is_to_be_worked_on_again_leads_its_incident_still() -> None:
    """Recovery has given it back while its worker was frozen: others are told with it."""
    world = World()

    def given_back(operation: str) -> None:
        if operation == "replace" and world.ledger.rows["a0"].lease_token:
            world.ledger.rows["a0"] = replace(row("a0"), attempts=1)

    world.ledger.before = given_back
    analysed(world, "a0")
    world.ledger.before = lambda _operation: None
    analysed(world, "a1")
    world.analysis.work("a0", world.time())
    again, held = world.ledger.rows["a0"], world.ledger.rows["a1"]
    assert (again.lead, held.lead) == (True, None)
    assert again.incident_id == held.incident_id is not None


def test_lost_alert_closes_no_incident_that_another_leads() -> None:
    """One that is more severe has taken the lead of it meanwhile."""
    world = World()

    def taken(operation: str) -> None:
        if operation == "replace" and world.ledger.rows["a0"].lease_token:
            world.ledger.rows["a0"] = replace(row("a0", status=Status.ANALYZED), due_at=1)
            world.ledger.before = lambda _operation: None
            analysed(world, "a1", severity=Severity.CRITICAL)

    world.ledger.before = taken
    analysed(world, "a0")
    analysed(world, "a2")
    assert world.ledger.rows["a2"].lead is None
    assert world.ledger.rows["a2"].incident_id == world.ledger.rows["a1"].incident_id
