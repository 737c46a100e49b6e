"""What the journal of failovers and failbacks says afterwards: of runs that were broken off, and refused."""

from dataclasses import asdict

import pytest

from clients.coordination import CoordinationRecords
from dr.operations.facts import NoFacts, RestFacts, SwitchFacts, facts_of
from dr.operations.journal import OperationRefusedError, State
from dr.operations.operation import StepEvent
from tests.fakes.dr_operator import fail_back, fail_over, switch
from tests.fakes.dr_stack import PRIMARY, DrStack, dr_stack, put_alert


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """A stack with a strong ledger."""
    return dr_stack()


@pytest.mark.parametrize("state", ["begun", "done"])
@pytest.mark.parametrize("step", ["check", "switch", "drain", "test-alert"])
def test_an_interruption_between_steps_lets_others_go_on_at_once(
    stack: DrStack, step: str, state: str
) -> None:
    """Ctrl-C may come while a step's line is printed, as well as during the step."""

    def interrupt(event: StepEvent) -> None:
        if (event.step, event.state) == (step, state):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_over(stack, on_step=interrupt)
    left = stack.record("dr")
    assert left["state"] == "interrupted"
    assert left["steps"][-1]["state"] == ("interrupted" if state == "begun" else "done")
    assert fail_over(stack).step("test-alert").state is State.DONE


@pytest.mark.parametrize(("nth", "state"), [(1, "interrupted"), (2, "interrupted"), (10, "done")])
def test_an_interruption_of_a_write_of_the_journal_leaves_nobody_waiting(
    stack: DrStack, monkeypatch: pytest.MonkeyPatch, nth: int, state: str
) -> None:
    """Its first, a step's and its last: with every step done and only that broken off, it is done."""
    write, writes = CoordinationRecords.write, []

    def broken_off(self: CoordinationRecords, name: str, *rest: object) -> bool:
        written = write(self, name, *rest)  # type: ignore[arg-type] # passed on as it came
        writes.extend([name] if name == "dr" else [])
        if name == "dr" and len(writes) == nth:
            raise KeyboardInterrupt
        return written

    monkeypatch.setattr(CoordinationRecords, "write", broken_off)
    with pytest.raises(KeyboardInterrupt):
        fail_over(stack)
    assert stack.record("dr")["state"] == state


@pytest.mark.parametrize(("error", "state"), [(BrokenPipeError, "failed"), (SystemExit, "interrupted")])
def test_a_line_that_cannot_be_printed_leaves_nobody_waiting(
    stack: DrStack, error: type[BaseException], state: str
) -> None:
    """The pipe behind it is closed, say; Rich ends the program then."""

    def closed(_event: StepEvent) -> None:
        raise error

    with pytest.raises(error):
        fail_over(stack, on_step=closed)
    assert stack.record("dr")["state"] == state


def test_a_refused_failback_leaves_the_failover_on_record(stack: DrStack) -> None:
    """It changed nothing: the failover is still done, and another one posts nothing."""
    fail_over(stack)
    before = stack.record("dr")
    stack.web.down.add(PRIMARY)
    with pytest.raises(OperationRefusedError):
        fail_back(stack)
    assert stack.record("dr") == before
    assert fail_over(stack).already_done
    assert len(stack.web.posted) == 1


def test_the_time_of_an_operation_does_not_count_from_a_try_that_was_refused(stack: DrStack) -> None:
    """What lies between is nobody's work."""
    switch(stack, PRIMARY, since_ms=1)
    with pytest.raises(OperationRefusedError):
        fail_over(stack)
    switch(stack, PRIMARY, since_ms=0)
    stack.clock.advance(3_600)
    began_ms = stack.clock.now_ms()
    assert fail_over(stack).started_ms >= began_ms


def test_an_alert_that_both_regions_took_in_is_counted_once(stack: DrStack) -> None:
    """The number is that of alerts, not of looks."""
    fail_over(stack)
    for n in range(3):
        put_alert(f"a{n}", status="NOTIFIED", region=PRIMARY)
    done = fail_back(stack).step("replication")
    assert done.facts.compared == 4
    assert "; 4 alerts, " in done.detail


def test_facts_in_another_form_are_none() -> None:
    """Of a step that another release wrote, or that this one does not know: nobody acts on them."""
    for found in (SwitchFacts(since_ms=1), RestFacts(open=2, later=0, complete=True)):
        step = "switch" if isinstance(found, SwitchFacts) else "rest"
        assert facts_of(step, asdict(found)) == found
    assert facts_of("switch", {}) == NoFacts()
    assert facts_of("switch", {"since": 1}) == NoFacts()
    assert facts_of("unknown", {"since_ms": 1}) == NoFacts()
