"""Waiting for what AWS has begun: restores, imports, exports, tables that come up."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import passes

POLLS_S: Final = (0.2, 15.0)
"""First and longest pause between two questions; each is half as long again as the one before."""

T = TypeVar("T")


def wait_for(
    ask: Callable[[], T],
    over: Callable[[T], bool],
    *,
    within_s: float,
    polls_s: tuple[float, float] = POLLS_S,
) -> T:
    """What `ask` answers once that is `over`, or what it answers first after `within_s`.

    A question that AWS is too busy for is asked again until then: the work goes on meanwhile.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: AWS refuses for good, or is too busy at the end.
    """
    deadline, pause_s = time.monotonic() + within_s, polls_s[0]
    while True:
        late = time.monotonic() > deadline
        try:
            answer = ask()
        except (BotoCoreError, ClientError) as error:
            if late or not passes(error):
                raise
        else:
            if late or over(answer):
                return answer
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, polls_s[1])
