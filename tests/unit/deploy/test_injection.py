"""`--inject`: an alert is followed until people have it, and each hop says how long it took."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clients.checks import Finding, State
from deploy.checks.injection import FOLLOWED_S, injection
from deploy.checks.subject import Subject
from dr.operations.environment import Answer
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack
from topology.alerts import Status

pytestmark = pytest.mark.usefixtures("aws")


def inject(stack: DrStack, region: str = PRIMARY, *, stopped: threading.Event | None = None) -> Finding:
    """What the check finds in a region."""
    checked = Subject(stack.deployment, stack_config(ROOT, "dev"), web=stack.web)
    return injection(checked, stack.clock, stopped or threading.Event()).run(region)


def test_an_alert_of_each_region_is_followed_to_slack() -> None:
    """LOW, under a source of its own; its hops are figures."""
    stack = dr_stack()
    for region in (PRIMARY, FAILOVER):
        finding = inject(stack, region)
        assert finding.state == State.OK, finding
        assert {"answered", "notified"} <= finding.figures_ms.keys()
    assert [body["severity"] for body in stack.web.posted] == ["LOW", "LOW"]
    assert len({body["event_id"] for body in stack.web.posted}) == 2


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        (lambda web: web.down.add(PRIMARY), State.FAILED, "does not answer"),
        (lambda web: setattr(web, "refuses", 403), State.FAILED, "answers 403: Forbidden"),
        (lambda web: setattr(web, "receipt", {"ok": True}), State.FAILED, "answers 202"),
        (lambda web: setattr(web, "ends", Status.PARKED), State.FAILED, "is PARKED"),
        (lambda web: setattr(web, "ends", Status.RECEIVED), State.FAILED, f"RECEIVED after {FOLLOWED_S:g} s"),
        (
            lambda web: setattr(web, "receipt", {"alerts": [{"alert_id": "in no row"}]}),
            State.UNKNOWN,
            "no row of it",
        ),
    ],
)
def test_an_alert_that_does_not_arrive_says_where_it_is(
    change: Callable[[Any], object], state: State, reason: str
) -> None:
    """The clock is a fake: the two minutes pass at once."""
    stack = dr_stack()
    change(stack.web)
    finding = inject(stack)
    assert finding.state == state
    assert reason in finding.reason


def test_a_check_that_was_stopped_follows_nothing() -> None:
    """A person who ends it does not wait for the two minutes."""
    stack, stopped = dr_stack(), threading.Event()
    stack.web.ends, begun_ms = Status.RECEIVED, stack.clock.now_ms()
    stopped.set()
    assert inject(stack, stopped=stopped).state == State.UNKNOWN
    assert stack.clock.now_ms() - begun_ms < FOLLOWED_S * 1_000


def test_a_post_whose_answer_was_lost_is_made_again_with_the_same_body() -> None:
    """Which is answered with the same alert, so it is no second one."""
    stack, lost = dr_stack(), [True]
    post = stack.web.post

    def losing(url: str, body: Mapping[str, object], *, api_key: str) -> Answer | None:
        answer = post(url, body, api_key=api_key)
        return None if lost and lost.pop() else answer

    stack.web.post = losing  # type: ignore[method-assign]  # one answer is lost on its way
    assert inject(stack).state == State.OK
    first, second = stack.web.posted
    assert first == second
