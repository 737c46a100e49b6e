"""An operator who fails over and back as a test says, and dies where it says."""

from collections.abc import Callable
from typing import Any

from clients.coordination import CoordinationRecords
from dr.operations.failback import FailbackDeadlines, failback
from dr.operations.failover import FailoverDeadlines, failover
from dr.operations.operation import Outcome, StepEvent
from tests.fakes.dr_stack import DrStack
from tests.fakes.switches import set_switch

FORWARD = FailoverDeadlines(check_s=5, switch_s=5, drain_s=30, test_alert_s=5, route_s=5)
BACK = FailbackDeadlines(check_s=5, replication_s=10, switch_s=5, route_s=5, test_alert_s=5, rest_s=10)
"""Short ones: each poll is a call of moto."""


def fail_over(stack: DrStack, **options: Any) -> Outcome:
    """Fail over as ada."""
    return failover(
        stack.deployment, operator="ada", deadlines=FORWARD, environment=stack.environment, **options
    )


def fail_back(stack: DrStack, **options: Any) -> Outcome:
    """Fail back as ada."""
    return failback(
        stack.deployment, operator="ada", deadlines=BACK, environment=stack.environment, **options
    )


def switch(stack: DrStack, region: str, since_ms: int | None = None) -> int:
    """Read a region's switch, or set it."""
    records = CoordinationRecords(stack.deployment, region)
    if since_ms is not None:
        assert set_switch(records, since_ms)
    return records.switched_on_ms()


class DiedError(BaseException):
    """The operator's machine died here."""


def dying_at(step: str) -> Callable[[StepEvent], None]:
    """Die when a step is under way, so that nothing more is written."""

    def on_step(event: StepEvent) -> None:
        if (event.step, event.state) == (step, "begun"):
            raise DiedError

    return on_step
