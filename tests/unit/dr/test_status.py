"""How disaster recovery stands: what is unknown is never well."""

import pytest

from clients.coordination import CoordinationRecords
from clients.deployment import Deployment
from clients.routing import RoutingUnknownError
from dr.exports.requests import ExportsUnknownError
from dr.operations.environment import Environment
from dr.operations.failover import failover
from dr.operations.journal import GRACE_MS, OperationFailedError
from dr.operations.status import DrStatus, read_status
from tests.fakes.dr_operator import FORWARD, DiedError, dying_at, fail_over
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert
from tests.fakes.switches import set_switch

HOUR_S = 3_600


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """A stack with a strong ledger."""
    return dr_stack()


def an_hour(_deployment: Deployment, _region: str, _now_s: float) -> int | None:
    """Every region has an export that is an hour old."""
    return HOUR_S


def status(stack: DrStack, export_age: int | None = HOUR_S) -> DrStatus:
    """Of a stack whose exports may be three hours old."""
    return read_status(
        stack.deployment,
        export_age=lambda _deployment, _region, _now_s: export_age,
        export_max_age_s=3 * HOUR_S,
        environment=stack.environment,
    )


def test_a_stack_with_nothing_wrong_is_well(stack: DrStack) -> None:
    """Both healthy, both switches off, markers cross, an export is young enough."""
    found = status(stack)
    assert (found.well, found.problems) == (True, ())
    assert [(one.health, one.switch) for one in found.regions] == [("healthy", "off"), ("healthy", "off")]
    assert set(found.lag_ms or {}) == {"us-east-1 to us-west-2", "us-west-2 to us-east-1"}


def test_a_region_that_does_not_answer_is_unknown_and_not_well(stack: DrStack) -> None:
    """Its alerts are counted as the other region sees them."""
    put_alert("a1", status="RECEIVED", region=PRIMARY, due_at=1)
    stack.lose(PRIMARY)
    found = status(stack)
    lost = found.regions[0]
    assert (lost.health, lost.switch) == ("unknown", "unknown")
    assert lost.open_alerts is not None
    assert (lost.open_alerts.total, lost.open_alerts.overdue) == (1, 1)
    assert found.lag_ms is None
    assert not found.well
    for problem in (
        "us-east-1 does not answer",
        "the switch of us-east-1 is unknown",
        "1 alerts of us-east-1 are overdue",
        "replication between the regions stands still, or is unknown",
    ):
        assert problem in found.problems


def test_with_the_failover_region_lost_nobody_knows_of_an_operation(stack: DrStack) -> None:
    """Which is said, and not taken for none."""
    stack.lose(FAILOVER)
    found = status(stack)
    assert not found.operation_known
    assert "whether an operation is under way is unknown" in found.problems


def test_a_failover_is_shown_with_its_steps_and_is_not_the_usual_state(stack: DrStack) -> None:
    """Until it is gone back on."""
    failover(stack.deployment, operator="ada", environment=stack.environment)
    found = status(stack)
    assert found.operation is not None
    assert (found.operation.operator, len(found.operation.steps)) == ("ada", 4)
    assert found.regions[1].switch == "on"
    assert any("responder dr failback" in problem for problem in found.problems)


def test_an_operation_that_failed_is_a_problem_with_its_next_step(stack: DrStack) -> None:
    """Somebody has to go on."""
    stack.web.ends = "PARKED"
    with pytest.raises(OperationFailedError):
        failover(stack.deployment, operator="ada", environment=stack.environment)
    assert (
        "a failover of ada was failed; `responder dr failover` goes on with it, or go the other way by "
        "`responder dr failback`"
    ) in status(stack).problems


def test_an_operation_whose_process_may_be_dead_is_told_with_when_it_was_last_heard(stack: DrStack) -> None:
    """And with what to do now, and from when on without saying that it is dead."""
    with pytest.raises(DiedError):
        fail_over(stack, on_step=dying_at("drain"))
    stack.clock.advance(7)
    (problem,) = [text for text in status(stack).problems if "a failover of ada" in text]
    left_s = round(FORWARD.drain_s + GRACE_MS / 1_000) - 7 + 1
    assert problem == (
        "a failover of ada is under way, last heard of 7 s ago in its step drain; if it is dead, "
        f"`responder dr failover --take-over` goes on in its place, without --take-over in {left_s} s"
    )


def test_an_operation_that_was_silent_for_too_long_is_broken_off(stack: DrStack) -> None:
    """Then anybody may go on."""
    with pytest.raises(DiedError):
        fail_over(stack, on_step=dying_at("drain"))
    stack.clock.advance(FORWARD.drain_s + GRACE_MS / 1_000 + 1)
    (problem,) = [text for text in status(stack).problems if "a failover of ada" in text]
    assert "was broken off, last heard of" in problem
    assert "`responder dr failover` goes on with it" in problem


def test_both_switches_on_is_said(stack: DrStack) -> None:
    """Neither region is routed to."""
    for region in (PRIMARY, FAILOVER):
        set_switch(CoordinationRecords(stack.deployment, region), 1)
    assert "both switches are on, so neither region is routed to" in status(stack).problems


def test_a_switch_that_routing_sees_otherwise_is_unknown(stack: DrStack) -> None:
    """The record and `/switch` have to agree."""
    stack.web.down.add(FAILOVER)
    assert status(stack).regions[1].switch == "unknown"


@pytest.mark.parametrize("age", [None, 3 * HOUR_S + 1])
def test_no_export_or_one_that_is_too_old_is_not_well(stack: DrStack, age: int | None) -> None:
    """None known is as bad as none."""
    assert status(stack, age).problems == tuple(
        f"no good export of {region} is known that is younger than 3 h" for region in (PRIMARY, FAILOVER)
    )


def test_exports_of_each_region_are_looked_at_by_themselves(stack: DrStack) -> None:
    """One region's are all that is left when the other is lost."""

    def age(_deployment: Deployment, region: str, _now_s: float) -> int | None:
        if region == PRIMARY:
            raise ExportsUnknownError(region)
        return HOUR_S

    found = read_status(
        stack.deployment, export_age=age, export_max_age_s=3 * HOUR_S, environment=stack.environment
    )
    assert found.problems == ("no good export of us-east-1 is known that is younger than 3 h",)
    assert [one.export_age_s for one in found.regions] == [None, HOUR_S]


def test_a_name_that_answers_another_region_or_nothing_is_not_well(aws: None) -> None:  # noqa: ARG001 - moto
    """With a domain only."""
    stack = dr_stack(domain="https://alerts.example.com/alerts")
    stack.answers = FAILOVER
    assert status(stack).problems == ("the name answers us-west-2, not us-east-1",)

    def silent(_deployment: Deployment) -> str | None:
        raise RoutingUnknownError("DNS does not answer")

    found = read_status(
        stack.deployment,
        export_age=an_hour,
        export_max_age_s=3 * HOUR_S,
        environment=Environment(stack.clock, stack.web, silent),
    )
    assert found.problems == ("where the name points is unknown",)
