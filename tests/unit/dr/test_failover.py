"""Failing over, with tables on moto: steps, refusals, resuming, and what is never called."""

import re

import pytest

from clients.coordination import CoordinationRecords
from dr.operations import drain
from dr.operations.failback import failback_steps
from dr.operations.failover import failover, failover_steps, what_it_does
from dr.operations.journal import GRACE_MS, JournalStore, OperationFailedError, OperationRefusedError, State
from dr.operations.operation import Outcome, StepEvent
from tests.fakes.dr_operator import FORWARD, DiedError, dying_at, fail_back, fail_over, switch
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """A stack with a strong ledger."""
    return dr_stack()


def test_failing_over_asks_nothing_of_the_lost_region_nor_of_route_53(stack: DrStack) -> None:
    """Every call and every URL is the failover region's; the switch is on and an alert went through."""
    stack.lose(PRIMARY)
    stack.clients.called.clear()
    outcome = fail_over(stack)
    assert stack.clients.called == {FAILOVER}
    assert {url.split("/")[2] for url in stack.web.asked} == {FAILOVER}
    assert [step.name for step in outcome.steps] == ["check", "switch", "drain", "test-alert"]
    assert all(step.state is State.DONE for step in outcome.steps)
    assert switch(stack, FAILOVER) == outcome.step("switch").facts.since_ms > 0
    assert outcome.step("test-alert").facts.status == "NOTIFIED"
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


def test_alerts_that_the_lost_region_left_are_drained_and_named(stack: DrStack) -> None:
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
    drained = fail_over(stack).step("drain")
    assert drained.facts.drained == ("a1", "a2")
    assert (drained.facts.left, drained.facts.later) == (2, 0)
    assert drained.ended_ms >= drained.began_ms + 8_000
    assert set(stack.clients.functions[FAILOVER].invoked) == {"mcp-incident-responder-dev-RecoveryFunction"}
    assert stack.clients.functions[PRIMARY].invoked == []


def test_an_alert_that_is_due_long_after_is_left_to_recovery_and_counted(stack: DrStack) -> None:
    """A backoff that the lost region granted is no reason to wait for it."""
    put_alert("a1", status="ANALYZED", region=PRIMARY, due_at=stack.clock.s + 900)
    drained = fail_over(stack).step("drain")
    assert (drained.facts.drained, drained.facts.later) == ((), 1)


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
    assert outcome.step("switch").facts.since_ms == since_ms
    assert outcome.started_ms <= since_ms < outcome.step("switch").began_ms


def test_under_an_eventual_ledger_the_drain_waits_for_the_takeover(aws: None) -> None:  # noqa: ARG001 - moto
    """Recovery there has to have acted on this turning of the switch, or alerts stay the lost region's."""
    stack = dr_stack(consistency="eventual")
    with pytest.raises(OperationFailedError, match="has taken over"):
        fail_over(stack)

    def recover() -> None:
        records = CoordinationRecords(stack.deployment, FAILOVER)
        name = f"region#{FAILOVER}"
        records.write(name, records.read(name), {"switched_ms": records.switched_on_ms()})

    stack.clients.functions[FAILOVER].effect = recover
    assert fail_over(stack).step("drain").state is State.DONE


def test_a_clock_that_runs_behind_turns_the_switch_on_later_than_the_last_time(stack: DrStack) -> None:
    """Recovery acts once for each later time; the same or an earlier one would be passed over."""
    last_ms = stack.clock.now_ms() + 60_000
    CoordinationRecords(stack.deployment, FAILOVER).write(
        f"region#{FAILOVER}", None, {"switched_ms": last_ms}
    )
    assert fail_over(stack).step("switch").facts.since_ms == last_ms + 1


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
    assert stack.record("dr")["steps"][-1]["name"] == "test-alert"


def test_another_machine_goes_on_once_the_dead_one_was_silent_for_its_deadline(stack: DrStack) -> None:
    """Before that it is refused, and told how long to wait."""
    with pytest.raises(DiedError):
        fail_over(stack, on_step=dying_at("drain"))
    since_ms = switch(stack, FAILOVER)
    with pytest.raises(OperationRefusedError, match="a failover of ada is under way") as refused:
        failover(stack.deployment, operator="grace", environment=stack.environment)
    assert "--take-over" in str(refused.value)
    stack.clock.advance(FORWARD.drain_s + GRACE_MS / 1_000 + 1)
    outcome = failover(stack.deployment, operator="grace", environment=stack.environment)
    assert outcome.step("switch").facts.since_ms == since_ms
    assert stack.record("dr")["operator"] == "grace"
    assert stack.record("dr")["state"] == "done"


def test_somebody_who_knows_that_the_first_is_dead_takes_over_at_once(stack: DrStack) -> None:
    """The first, if it wakes up after all, is stopped at its next step."""
    rival: list[Outcome] = []

    def interrupted(event: StepEvent) -> None:
        if (event.step, event.state) == ("drain", "begun") and not rival:
            rival.append(
                failover(stack.deployment, operator="grace", environment=stack.environment, take_over=True)
            )

    with pytest.raises(OperationFailedError, match="another run has taken the place"):
        fail_over(stack, on_step=interrupted)
    assert rival[0].step("test-alert").state is State.DONE
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
    assert fail_over(stack).step("drain").state is State.DONE


def test_with_a_domain_the_name_has_to_answer_the_failover_region(aws: None) -> None:  # noqa: ARG001 - moto
    """Nobody is served by a switch alone."""
    stack = dr_stack(domain="https://alerts.example.com/alerts")
    stack.answers = PRIMARY
    with pytest.raises(OperationFailedError, match="the name answers us-west-2"):
        fail_over(stack)
    stack.answers = FAILOVER
    assert fail_over(stack).steps[-1].name == "route"


def test_a_failover_whose_switch_is_turned_off_meanwhile_is_not_done(stack: DrStack) -> None:
    """Whoever did it, by whatever way."""

    def turned_off(event: StepEvent) -> None:
        if (event.step, event.state) == ("test-alert", "begun"):
            switch(stack, FAILOVER, since_ms=0)

    with pytest.raises(OperationFailedError, match="it is off"):
        fail_over(stack, on_step=turned_off)
    assert stack.record("dr")["state"] == "failed"


@pytest.mark.parametrize("what", ["switch", "health", "name"])
def test_a_failover_that_holds_no_more_is_looked_at_again(aws: None, what: str) -> None:  # noqa: ARG001 - moto
    """The journal alone says nothing about now."""
    stack = dr_stack(domain="https://alerts.example.com/alerts")
    stack.answers = FAILOVER
    fail_over(stack)
    assert fail_over(stack).already_done
    match what:
        case "switch":
            switch(stack, FAILOVER, since_ms=stack.clock.now_ms() + 1)
        case "health":
            stack.web.unhealthy.add(FAILOVER)
        case "name":
            stack.answers = PRIMARY
    if what == "switch":
        assert not fail_over(stack).already_done
        return
    with pytest.raises(OperationFailedError):
        fail_over(stack)


def test_a_repeat_of_the_probe_is_no_proof_until_its_parent_reaches_people(stack: DrStack) -> None:
    """The first answer was lost; the repeat is at rest at once and nobody is told."""
    put_alert("first", status="RECEIVED", region=FAILOVER)
    stack.web.ends, stack.web.parent = "SUPPRESSED", "first"
    with pytest.raises(OperationFailedError, match="alert first reaches people"):
        fail_over(stack)
    put_alert("first", status="NOTIFIED", region=FAILOVER)
    assert fail_over(stack).step("test-alert").facts.alert_id == "first"


def test_an_acceptance_by_something_else_than_the_webhook_is_no_proof(stack: DrStack) -> None:
    """A proxy's 202, say; the step fails and is written down."""
    stack.web.receipt = {"ok": True}
    with pytest.raises(OperationFailedError, match="us-west-2 accepts an alert"):
        fail_over(stack)
    assert stack.record("dr")["state"] == "failed"


def test_a_mistake_in_a_step_lets_others_go_on_at_once(stack: DrStack) -> None:
    """Whatever is raised is written down before it goes on."""

    def mistake() -> None:
        raise ZeroDivisionError

    stack.clients.functions[FAILOVER].effect = mistake
    with pytest.raises(ZeroDivisionError):
        fail_over(stack)
    assert stack.record("dr")["state"] == "failed"


@pytest.mark.parametrize(
    ("consistency", "domain", "says"),
    [
        ("strong", "", "point them to http://us-west-2/alerts, with its key.$"),
        ("eventual", "", "us-east-1 takes in from now on stays its own"),
        ("strong", "https://alerts.example.com/alerts", "us-west-2 takes what is posted to https://alerts"),
    ],
)
def test_what_a_failover_leaves_to_a_person_is_said(
    aws: None,  # noqa: ARG001 - moto
    consistency: str,
    domain: str,
    says: str,
) -> None:
    """Without a domain a region that half works goes on answering its sources."""
    assert re.search(says, what_it_does(dr_stack(consistency=consistency, domain=domain).deployment))


def test_of_more_alerts_than_are_watched_none_is_taken_for_seen_to_that_is_not(
    stack: DrStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer ones of a higher severity push it out of what is read of the index."""
    monkeypatch.setattr(drain, "MAX_WATCHED", 2)
    for n in range(2):
        put_alert(f"b{n}", status="RECEIVED", region=PRIMARY, due_at=stack.clock.s - 1)
    rounds = 0

    def recover() -> None:
        nonlocal rounds
        rounds += 1
        for n in range(2):
            put_alert(f"a{n}", status="RECEIVED", region=PRIMARY, due_at=stack.clock.s - 2)
        if rounds == 3:
            put_alert("b0", status="NOTIFIED", region=PRIMARY)
            put_alert("b1", status="NOTIFIED", region=PRIMARY)

    stack.clients.functions[FAILOVER].effect = recover
    drained = fail_over(stack).step("drain")
    assert rounds == 3
    assert drained.facts.complete is False
    assert drained.detail.startswith(
        "2 of the at least 2 alerts that us-east-1 left open are processed; more"
    )


def test_making_the_steps_does_nothing(stack: DrStack) -> None:
    """`--dry-run` shows them, each with its deadline."""
    steps = (*failover_steps(stack.deployment), *failback_steps(stack.deployment))
    assert all(step.title and 0 < step.deadline_s <= 600 for step in steps)
    assert stack.web.asked == []
    assert stack.record("dr") == {}


def test_the_journal_stays_under_dynamodbs_limit_however_many_alerts_are_drained(
    stack: DrStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are cut, the count is not."""
    monkeypatch.setattr(drain, "MAX_NAMED", 3)
    for n in range(5):
        put_alert(f"a{n}", status="RECEIVED", region=PRIMARY, due_at=stack.clock.s - 1)

    def recover() -> None:
        for n in range(5):
            put_alert(f"a{n}", status="NOTIFIED", region=PRIMARY)

    stack.clients.functions[FAILOVER].effect = recover
    fail_over(stack)
    record = JournalStore(stack.deployment, FAILOVER).read()
    assert record is not None
    drained = record.step("drain")
    assert drained is not None
    assert (len(drained.facts.drained), drained.facts.drained_count) == (3, 5)
