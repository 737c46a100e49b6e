"""Failing back, with tables on moto: what is looked at and checked first, refusals, and resuming."""

from typing import Any

import pytest

from dr.operations.facts import RestFacts
from dr.operations.failover import failover
from dr.operations.journal import OperationFailedError, OperationRefusedError, State
from dr.operations.operation import StepEvent
from tests.fakes.dr_operator import DiedError, dying_at, fail_back, fail_over, switch
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert
from tests.fakes.moto_clients import moto_client


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """A stack with a strong ledger."""
    return dr_stack()


def test_failing_back_turns_the_switch_off_and_proves_the_primary(stack: DrStack) -> None:
    """After both regions are healthy and markers crossed both ways."""
    stack.lose(PRIMARY)
    fail_over(stack)
    stack.start(PRIMARY)
    outcome = fail_back(stack)
    assert [step.name for step in outcome.steps] == ["check", "replication", "test-alert", "switch", "rest"]
    assert switch(stack, FAILOVER) == 0
    assert set(outcome.step("replication").facts.lag_ms) == {
        "us-east-1 to us-west-2",
        "us-west-2 to us-east-1",
    }
    assert stack.web.posted[-1]["title"] == f"{PRIMARY} serves"
    assert fail_back(stack).already_done


def test_with_no_switch_on_there_is_nothing_to_fail_back_from(stack: DrStack) -> None:
    """Exit 0 for whoever runs it twice."""
    outcome = fail_back(stack)
    assert (outcome.already_done, outcome.steps) == (True, ())


def test_failing_back_to_a_region_that_is_not_healthy_is_refused(stack: DrStack) -> None:
    """And the failover region goes on taking everything."""
    fail_over(stack)
    stack.web.down.add(PRIMARY)
    with pytest.raises(OperationRefusedError, match="us-east-1 does not answer"):
        fail_back(stack)
    assert switch(stack, FAILOVER) > 0


def test_failing_back_while_replication_stands_still_is_refused(stack: DrStack) -> None:
    """What the failover region took in meanwhile would be missing."""
    stack.clients.apart = True
    fail_over(stack)
    with pytest.raises(OperationRefusedError, match="replication lags: us-west-2 sees a marker of us-east-1"):
        fail_back(stack)
    assert switch(stack, FAILOVER) > 0


def test_failing_back_while_an_alert_is_missing_is_refused_and_it_is_named(stack: DrStack) -> None:
    """Markers may pass while older writes are stuck."""
    fail_over(stack)
    for alert_id in ("probe1", "stuck"):
        put_alert(alert_id, status="NOTIFIED", region=FAILOVER, in_region=FAILOVER)
    stack.clients.ledger_apart = True
    with pytest.raises(OperationRefusedError, match=r"us-east-1 lacks 1 of the alerts .*stuck"):
        fail_back(stack)
    assert switch(stack, FAILOVER) > 0


def test_failing_back_while_an_alert_ended_otherwise_in_each_region_is_refused(stack: DrStack) -> None:
    """At rest in both, and not the same: what came last has not arrived."""
    fail_over(stack)
    put_alert("probe1", status="PARKED", region=FAILOVER, in_region=FAILOVER)
    stack.clients.ledger_apart = True
    with pytest.raises(OperationRefusedError, match=r"us-west-2 lacks 1 of the alerts .*probe1"):
        fail_back(stack)


def test_a_marker_that_somebody_else_has_written_over_has_crossed_too(stack: DrStack) -> None:
    """Two that look at the same time do not see a replication that stands still."""
    fail_over(stack)
    others = moto_client("dynamodb", PRIMARY)

    def write_over(**_: Any) -> None:
        for region in (PRIMARY, FAILOVER):
            others.update_item(
                TableName=stack.deployment.coordination_table,
                Key={"name": {"S": f"dr-marker#{region}"}},
                UpdateExpression="SET #version = if_not_exists(#version, :zero) + :one, #values = :values",
                ExpressionAttributeNames={"#version": "version", "#values": "values"},
                ExpressionAttributeValues={
                    ":zero": {"N": "0"},
                    ":one": {"N": "1"},
                    ":values": {"M": {"mark": {"S": "another's"}}},
                },
            )

    def look(event: StepEvent) -> None:
        events = stack.clients.client("dynamodb", PRIMARY).meta.events
        if event.step == "replication" and event.state == "begun":
            events.register("after-call.dynamodb.PutItem", write_over, unique_id="over")
        elif event.step == "replication":
            events.unregister("after-call.dynamodb.PutItem", unique_id="over")

    assert fail_back(stack, on_step=look).step("replication").state is State.DONE


def test_failing_back_with_both_switches_on_is_refused(stack: DrStack) -> None:
    """Nobody knows which was meant."""
    fail_over(stack)
    switch(stack, PRIMARY, since_ms=1)
    with pytest.raises(OperationRefusedError, match="both regions are on"):
        fail_back(stack)


def test_the_switch_stays_on_while_the_primary_delivers_nothing(stack: DrStack) -> None:
    """A region may answer `/health` and be sick all the same."""
    fail_over(stack)
    since_ms = switch(stack, FAILOVER)
    stack.web.ends = "PARKED"
    with pytest.raises(OperationFailedError, match="is PARKED"):
        fail_back(stack)
    assert switch(stack, FAILOVER) == since_ms
    stack.web.ends = "NOTIFIED"
    assert fail_back(stack).step("rest").state is State.DONE


def test_a_failback_that_was_broken_off_is_finished_by_the_next_one(stack: DrStack) -> None:
    """Also where the switch is off already."""
    fail_over(stack)
    with pytest.raises(DiedError):
        fail_back(stack, on_step=dying_at("rest"))
    assert switch(stack, FAILOVER) == 0
    assert fail_back(stack, take_over=True).step("rest").state is State.DONE


def test_a_failover_that_was_broken_off_before_its_switch_is_closed_by_a_failback(stack: DrStack) -> None:
    """`dr status` names both ways out of it."""
    stack.web.unhealthy.add(FAILOVER)
    with pytest.raises(OperationFailedError):
        fail_over(stack)
    stack.web.unhealthy.clear()
    outcome = fail_back(stack)
    assert (outcome.already_done, switch(stack, FAILOVER)) == (False, 0)
    assert (stack.record("dr")["operation"], stack.record("dr")["state"]) == ("failback", "done")


def test_an_operator_who_wakes_up_does_not_undo_what_the_next_one_did(stack: DrStack) -> None:
    """It slept between its journal and the switch, and its place was taken."""
    fail_over(stack)

    def asleep(event: StepEvent) -> None:
        if (event.step, event.state) == ("switch", "begun"):
            failover(stack.deployment, operator="grace", environment=stack.environment, take_over=True)

    with pytest.raises(OperationFailedError, match="somebody else has turned the switch of us-west-2"):
        fail_back(stack, on_step=asleep)
    assert switch(stack, FAILOVER) > 0
    assert (stack.record("dr")["operator"], stack.record("dr")["state"]) == ("grace", "done")


def test_alerts_that_are_open_at_a_failback_are_waited_for_and_later_ones_are_not(stack: DrStack) -> None:
    """Recovery runs in both regions meanwhile."""
    fail_over(stack)
    for n in range(3):
        put_alert(f"a{n}", status="RECEIVED", region=FAILOVER, due_at=stack.clock.s - 5)

    def recover() -> None:
        put_alert(f"new{stack.clock.s}", status="RECEIVED", region=PRIMARY, due_at=stack.clock.s - 1)
        if len(stack.clients.functions[PRIMARY].invoked) > 2:
            for n in range(3):
                put_alert(f"a{n}", status="NOTIFIED", region=FAILOVER)

    stack.clients.functions[PRIMARY].effect = recover
    assert fail_back(stack).step("rest").facts == RestFacts(open=3, later=0, complete=True)
    assert len(stack.clients.functions[FAILOVER].invoked) > 2
