"""The rate limit of Slack messages, shared by every instance and both regions through one small record.

Slack takes about one message a second for a channel. Whoever wants to post takes the next slot first, by a
conditional write; who finds none comes back later instead of waiting in a worker. CRITICAL alerts take any
free slot, the others leave one free between, so that a backlog never stands in the way of what is urgent.
Once in a while it is the other way round, so that a steady stream of CRITICAL alerts starves nobody.
https://docs.slack.dev/apis/web-api/rate-limits

Where the record cannot be read or written, posting goes on unless Slack had asked to wait when it was last
read: its own 429 is then the limit.
"""

import logging
from dataclasses import dataclass, field
from typing import Final

from handlers.domain.limits import DIGEST_WINDOW_S, MAX_DEFERRAL_S
from handlers.domain.ports import Clock, Coordination, CoordinationUnavailableError
from handlers.domain.shared_record import SharedRecord
from topology.alerts import CLOCK_ERROR_S
from topology.records import rate_record

_log = logging.getLogger(__name__)

_TRIES: Final = 3
_GATHERING_MS: Final = 500
"""A hundred alerts are claimed in about so long; what took the next slot would come to Slack beside them.
Twice that has ordinary alerts wait a third longer, for few refusals less."""
_CLOCKS_MS: Final = CLOCK_ERROR_S * 1000
_TURN_MS: Final = 10_000
"""A steady stream of CRITICAL alerts leaves the others at least one slot in so long."""

_NEXT: Final = "next_ms"
"""From when on the next slot may be taken."""
_OFFERED: Final = "offered_ms"
"""When ordinary alerts last had a slot to themselves, taken or not."""
_WINDOW: Final = "window_ms"
"""Until when the digest window is open: ordinary alerts wait in it for the next digest."""
_BACK_OFF: Final = "back_off_ms"
"""Until when Slack asked everybody to stay away; CRITICAL alerts too, as it is the whole app that it limits,
and may disable for good if it goes on. So only `MAX_DEFERRAL_S` cuts it short. Whoever knows better, as with
a new webhook, deletes the record: within `REMEMBERED_MS` every worker has read that.
https://docs.slack.dev/apis/web-api/rate-limits"""


@dataclass(kw_only=True, eq=False, repr=False)
class RateLimiter:
    """One message each `interval_ms` to the channel of `route`.

    What was read a moment ago is used first: a back-off stays in force.

    `crowded`: the slot that was taken last had hardly become free, so others are waiting for one.
    """

    coordination: Coordination
    clock: Clock
    interval_ms: int
    route: str = ""
    crowded: bool = field(default=False, init=False)
    _record: SharedRecord = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._record = SharedRecord(
            coordination=self.coordination, clock=self.clock, name=rate_record(self.route)
        )

    def reserve(self, *, urgent: bool) -> int:
        """Take a slot: 0 if there was one, else the milliseconds until it is worth trying again."""
        if self._record.fresh and (wait_ms := self._wait_ms(urgent=urgent)):
            return wait_ms
        try:
            for _ in range(_TRIES):
                self._record.read()
                if wait_ms := self._wait_ms(urgent=urgent):
                    return wait_ms
                now_ms, free_ms, turn = self.clock.now_ms(), self._free_ms(urgent=urgent), self._turn()
                crowded = now_ms - free_ms < self.interval_ms
                gathering_ms = 0 if urgent or not crowded else _GATHERING_MS
                changes = {_NEXT: now_ms + self.interval_ms + gathering_ms}
                if turn or not urgent:
                    changes[_OFFERED] = now_ms
                if self._record.write(changes):
                    self.crowded = crowded
                    return 0
        except CoordinationUnavailableError:
            _log.warning("The rate limit is unknown, going on by what was known last", exc_info=True)
            return self._wait_ms(urgent=urgent)
        return self.interval_ms

    def back_off(self, *, until_ms: int) -> None:
        """Slack asked everybody to stay away until `until_ms`."""
        self._raise_to(_BACK_OFF, until_ms, ahead_ms=MAX_DEFERRAL_S * 1000)

    def open_digest_window(self) -> None:
        """A digest went out: let ordinary alerts wait for the next one."""
        ahead_ms = DIGEST_WINDOW_S * 1000
        self._raise_to(_WINDOW, self.clock.now_ms() + ahead_ms, ahead_ms=ahead_ms)

    def _wait_ms(self, *, urgent: bool) -> int:
        return max(0, self._free_ms(urgent=urgent) - self.clock.now_ms())

    def _free_ms(self, *, urgent: bool) -> int:
        """From when on there is a slot, by what is known."""
        gives_way = urgent is self._turn()
        free_ms = self._bounded(_NEXT, self.interval_ms + _GATHERING_MS) + (
            self.interval_ms if gives_way else 0
        )
        if not urgent:
            free_ms = max(free_ms, self._bounded(_WINDOW, DIGEST_WINDOW_S * 1000))
        return max(free_ms, self._bounded(_BACK_OFF, MAX_DEFERRAL_S * 1000))

    def _turn(self) -> bool:
        """Whether ordinary alerts come first for once: they had no slot to themselves for a while."""
        offered_ms, now_ms = self._record.value(_OFFERED), self.clock.now_ms()
        return not now_ms - _TURN_MS < offered_ms <= now_ms + _CLOCKS_MS

    def _bounded(self, name: str, ahead_ms: int) -> int:
        """A time at most `ahead_ms` ahead; one beyond is of a clock that is wrong, and means nothing."""
        until_ms = self._record.value(name)
        return until_ms if until_ms <= self.clock.now_ms() + ahead_ms + _CLOCKS_MS else 0

    def _raise_to(self, name: str, until_ms: int, *, ahead_ms: int) -> None:
        try:
            for _ in range(_TRIES):
                self._record.read()
                if self._bounded(name, ahead_ms) >= until_ms or self._record.write({name: until_ms}):
                    return
        except CoordinationUnavailableError:
            _log.warning("The rate limit was not written", exc_info=True)
