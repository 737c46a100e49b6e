"""Failing over and back, with tables on moto: steps, refusals, resuming, and what is never called."""

from collections.abc import Callable
from typing import Any

import pytest

from clients.coordination import CoordinationRecords
from dr import adoption
from dr.failback import FailbackDeadlines, failback, failback_steps
from dr.failover import FailoverDeadlines, failover, failover_steps
from dr.journal import GRACE_MS, Journal, OperationFailedError, OperationRefusedError, State
from dr.operation import Outcome, StepEvent
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert

FORWARD = FailoverDeadlines(check_s=5, switch_s=5, adopt_s=30, prove_s=5, route_s=5)
BACK = FailbackDeadlines(check_s=5, replication_s=10, switch_s=5, route_s=5, prove_s=5, settle_s=10)
"""Short ones: each poll is a call of moto."""


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """A stack with a strong ledger."""
    return dr_stack()


def fail_over(stack: DrStack, **options: Any) -> Outcome:
    """Fail over as ada."""
    return failover(stack.deployment, operator="ada", deadlines=FORWARD, outside=stack.outside, **options)


def fail_back(stack: DrStack, **options: Any) -> Outcome:
    """Fail back as ada."""
    return failback(stack.deployment, operator="ada", deadlines=BACK, outside=stack.outside, **options)


def switch(stack: DrStack, region: str, since_ms: int | None = None) -> int:
    """Read a region's switch, or set it."""
    records = CoordinationRecords(stack.deployment, region)
    if since_ms is not None:
        assert records.set_switch(since_ms)
    return records.switched_on_ms()


def test_failing_over_asks_nothing_of_the_lost_region_nor_of_route_53(stack: DrStack) -> None:
    """Every call and every URL is the failover region's; the switch is on and an alert went through."""
    stack.lose(PRIMARY)
    stack.clients.called.clear()
    outcome = fail_over(stack)
    assert stack.clients.called == {FAILOVER}
    assert {url.split("/")[2] for url in stack.web.asked} == {FAILOVER}
    assert [step.name for step in outcome.steps] == ["check", "switch", "adopt", "prove"]
    assert all(step.state is State.DONE for step in outcome.steps)
    assert switch(stack, FAILOVER) == outcome.step("switch").facts["since_ms"] > 0
    assert outcome.step("prove").facts["status"] == "NOTIFIED"
    assert stack.web.posted[0]["severity"] == "INFO"


def test_a_second_failover_says_that_it_is_done_and_changes_nothing(stack: DrStack) -> None:
    """The same record, the same time of the switch, no second probe."""
    first = fail_over(stack)
    before = stack.record("dr")
    again = fail_over(stack)
    assert (first.already_done, again.already_done) == (False, True)
    assert again.steps == first.steps
    assert stack.record("dr") == before
    assert len(stack.web.posted) == 1


def test_alerts_that_the_lost_region_left_are_adopted_and_named(stack: DrStack) -> None:
    """Recovery is run out of turn; one whose lease still runs is waited for, until it has changed."""
    now_s = stack.clock.s
    put_alert("a1", status="RECEIVED", region=PRIMARY, due_at=now_s - 5)
    put_alert("a2", status="ANALYZED", region=PRIMARY, due_at=now_s + 8)
    put_alert("a3", status="NOTIFIED", region=PRIMARY)

    def recover() -> None:
        for alert_id, due_at in (("a1", now_s - 5), ("a2", now_s + 8)):
            if stack.clock.s > due_at:
                put_alert(alert_id, status="NOTIFIED", region=PRIMARY)

    stack.clients.functions[FAILOVER].effect = recover
    adopted = fail_over(stack).step("adopt")
    assert adopted.facts["adopted"] == ["a1", "a2"]
    assert (adopted.facts["left"], adopted.facts["later"]) == (2, 0)
    assert adopted.ended_ms >= adopted.began_ms + 8_000
    assert set(stack.clients.functions[FAILOVER].invoked) == {"mcp-incident-responder-dev-RecoveryFunction"}
    assert stack.clients.functions[PRIMARY].invoked == []


def test_an_alert_that_is_due_long_after_is_left_to_recovery_and_counted(stack: DrStack) -> None:
    """A backoff that the lost region granted is no reason to wait for it."""
    put_alert("a1", status="ANALYZED", region=PRIMARY, due_at=stack.clock.s + 900)
    adopted = fail_over(stack).step("adopt")
    assert (adopted.facts["adopted"], adopted.facts["later"]) == ([], 1)


def test_an_alert_that_nobody_takes_up_fails_the_step_and_a_second_run_ends_it(stack: DrStack) -> None:
    """The switch stays on meanwhile, from the time of the first run."""
    put_alert("a1", status="RECEIVED", region=PRIMARY, due_at=stack.clock.s - 5)
    with pytest.raises(OperationFailedError, match="every alert that us-east-1 left open"):
        fail_over(stack)
    since_ms = switch(stack, FAILOVER)
    assert stack.record("dr")["state"] == "failed"
    assert since_ms > 0
    put_alert("a1", status="NOTIFIED", region=PRIMARY)
    outcome = fail_over(stack)
    assert outcome.step("switch").facts["since_ms"] == since_ms
    assert outcome.started_ms <= since_ms < outcome.step("switch").began_ms


def test_under_an_eventual_ledger_adoption_waits_for_the_takeover(aws: None) -> None:  # noqa: ARG001 - moto
    """Recovery there has to have acted on this turning of the switch, or alerts stay the lost region's."""
    stack = dr_stack(consistency="eventual")
    with pytest.raises(OperationFailedError, match="has taken over"):
        fail_over(stack)

    def recover() -> None:
        records = CoordinationRecords(stack.deployment, FAILOVER)
        name = f"region#{FAILOVER}"
        records.write(name, records.read(name), {"switched_ms": records.switched_on_ms()})

    stack.clients.functions[FAILOVER].effect = recover
    assert fail_over(stack).step("adopt").state is State.DONE


def test_a_clock_that_runs_behind_turns_the_switch_on_later_than_the_last_time(stack: DrStack) -> None:
    """Recovery acts once for each later time; the same or an earlier one would be passed over."""
    last_ms = stack.clock.now_ms() + 60_000
    CoordinationRecords(stack.deployment, FAILOVER).write(
        f"region#{FAILOVER}", None, {"switched_ms": last_ms}
    )
    assert fail_over(stack).step("switch").facts["since_ms"] == last_ms + 1


def test_failing_over_is_refused_while_the_others_switch_is_on(stack: DrStack) -> None:
    """With both on, neither region would be routed to."""
    switch(stack, PRIMARY, since_ms=1)
    with pytest.raises(OperationRefusedError, match="neither region would be routed to"):
        fail_over(stack)
    assert switch(stack, FAILOVER) == 0
    assert stack.record("dr")["state"] == "refused"


def test_a_failover_region_that_is_not_healthy_is_not_switched_to(stack: DrStack) -> None:
    """Within the step's deadline."""
    stack.web.unhealthy.add(FAILOVER)
    with pytest.raises(OperationFailedError, match="us-west-2 answers /health: not so within 5 s"):
        fail_over(stack)
    assert switch(stack, FAILOVER) == 0


def test_without_the_failover_region_there_is_nothing_to_fail_over_to(stack: DrStack) -> None:
    """Nor to fail back from; each says what to do."""
    stack.lose(FAILOVER)
    with pytest.raises(OperationFailedError, match="nothing to fail over to: see `responder dr status`"):
        fail_over(stack)
    with pytest.raises(OperationFailedError, match="routing leaves us-west-2 by itself"):
        fail_back(stack)


@pytest.mark.parametrize("ends", ["PARKED", "ANALYZED"])
def test_an_alert_that_does_not_reach_people_is_no_proof(stack: DrStack, ends: str) -> None:
    """Accepted is not served."""
    stack.web.ends = ends
    with pytest.raises(OperationFailedError, match="probe1"):
        fail_over(stack)
    assert stack.record("dr")["steps"][-1]["name"] == "prove"


class DiedError(BaseException):
    """The operator's machine died here."""


def dying_at(step: str) -> Callable[[StepEvent], None]:
    """Die when a step is under way, so that nothing more is written."""

    def on_step(event: StepEvent) -> None:
        if (event.step, event.state) == (step, "begun"):
            raise DiedError

    return on_step


def test_another_machine_goes_on_once_the_dead_one_was_silent_for_its_deadline(stack: DrStack) -> None:
    """Before that it is refused, and told how long to wait."""
    with pytest.raises(DiedError):
        fail_over(stack, on_step=dying_at("adopt"))
    since_ms = switch(stack, FAILOVER)
    with pytest.raises(OperationRefusedError, match="a failover of ada is under way") as refused:
        failover(stack.deployment, operator="grace", outside=stack.outside)
    assert "--take-over" in str(refused.value)
    stack.clock.advance(FORWARD.adopt_s + GRACE_MS / 1_000 + 1)
    outcome = failover(stack.deployment, operator="grace", outside=stack.outside)
    assert outcome.step("switch").facts["since_ms"] == since_ms
    assert stack.record("dr")["operator"] == "grace"
    assert stack.record("dr")["state"] == "done"


def test_somebody_who_knows_that_the_first_is_dead_takes_over_at_once(stack: DrStack) -> None:
    """The first, if it wakes up after all, is stopped at its next step."""
    rival: list[Outcome] = []

    def interrupted(event: StepEvent) -> None:
        if (event.step, event.state) == ("adopt", "begun") and not rival:
            rival.append(failover(stack.deployment, operator="grace", outside=stack.outside, take_over=True))

    with pytest.raises(OperationFailedError, match="another run has taken the place"):
        fail_over(stack, on_step=interrupted)
    assert rival[0].step("prove").state is State.DONE
    assert (stack.record("dr")["operator"], stack.record("dr")["state"]) == ("grace", "done")


def test_an_interrupted_run_lets_others_go_on_at_once(stack: DrStack) -> None:
    """Ctrl-C during a step is written down."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    stack.clients.functions[FAILOVER].effect = interrupt
    with pytest.raises(KeyboardInterrupt):
        fail_over(stack)
    assert stack.record("dr")["state"] == "interrupted"
    stack.clients.functions[FAILOVER].effect = lambda: None
    assert fail_over(stack).step("adopt").state is State.DONE


def test_with_a_domain_the_name_has_to_answer_the_failover_region(aws: None) -> None:  # noqa: ARG001 - moto
    """Nobody is served by a switch alone."""
    stack = dr_stack(domain="https://alerts.example.com/alerts")
    stack.answers = PRIMARY
    with pytest.raises(OperationFailedError, match="the name answers us-west-2"):
        fail_over(stack)
    stack.answers = FAILOVER
    assert fail_over(stack).steps[-1].name == "route"


def test_failing_back_turns_the_switch_off_and_proves_the_primary(stack: DrStack) -> None:
    """After both regions are healthy and markers crossed both ways."""
    stack.lose(PRIMARY)
    fail_over(stack)
    stack.mend(PRIMARY)
    outcome = fail_back(stack)
    assert [step.name for step in outcome.steps] == ["check", "replication", "switch", "prove", "settle"]
    assert switch(stack, FAILOVER) == 0
    assert set(outcome.step("replication").facts["lag_ms"]) == {
        "us-east-1 to us-west-2",
        "us-west-2 to us-east-1",
    }
    assert stack.web.asked[-1].startswith(f"http://{PRIMARY}/alerts")
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


def test_failing_back_with_both_switches_on_is_refused(stack: DrStack) -> None:
    """Nobody knows which was meant."""
    fail_over(stack)
    switch(stack, PRIMARY, since_ms=1)
    with pytest.raises(OperationRefusedError, match="both regions are on"):
        fail_back(stack)


def test_a_failback_that_was_broken_off_is_finished_by_the_next_one(stack: DrStack) -> None:
    """Also where the switch is off already."""
    fail_over(stack)
    stack.web.ends = "PARKED"
    with pytest.raises(OperationFailedError):
        fail_back(stack)
    assert switch(stack, FAILOVER) == 0
    stack.web.ends = "NOTIFIED"
    assert fail_back(stack).step("settle").state is State.DONE


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
    assert fail_back(stack).step("settle").facts == {"open": 3, "later": 0}
    assert len(stack.clients.functions[FAILOVER].invoked) > 2


def test_making_the_steps_does_nothing(stack: DrStack) -> None:
    """`--dry-run` shows them, each with its deadline."""
    steps = (*failover_steps(stack.deployment), *failback_steps(stack.deployment))
    assert all(step.title and 0 < step.deadline_s <= 600 for step in steps)
    assert stack.web.asked == []
    assert stack.record("dr") == {}


def test_the_journal_stays_under_dynamodbs_limit_however_many_alerts_are_adopted(
    stack: DrStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are cut, the count is not."""
    monkeypatch.setattr(adoption, "MAX_NAMED", 3)
    for n in range(5):
        put_alert(f"a{n}", status="RECEIVED", region=PRIMARY, due_at=stack.clock.s - 1)

    def recover() -> None:
        for n in range(5):
            put_alert(f"a{n}", status="NOTIFIED", region=PRIMARY)

    stack.clients.functions[FAILOVER].effect = recover
    fail_over(stack)
    record = Journal(stack.deployment, FAILOVER).read()
    assert record is not None
    adopted = record.step("adopt")
    assert adopted is not None
    assert (len(adopted.facts["adopted"]), adopted.facts["adopted_count"]) == (3, 5)
