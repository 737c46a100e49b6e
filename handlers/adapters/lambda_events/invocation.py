"""An invocation as Lambda hands it over: its event, its context, and when it ends."""

from collections.abc import Mapping
from typing import Any, Protocol

from handlers.domain.ports import Clock

Event = Mapping[str, Any]


class Context(Protocol):
    """What we use of Lambda's context.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def get_remaining_time_in_millis(self) -> int:
        """Until the invocation is killed."""


def hard_ms(context: Context, clock: Clock) -> int:
    """When this invocation will be killed, epoch milliseconds."""
    return clock.now_ms() + context.get_remaining_time_in_millis()
