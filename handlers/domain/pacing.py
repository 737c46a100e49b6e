"""The pace of Slack messages, shared by every instance and both regions through one small record.

Slack takes about one message a second for a channel. Whoever wants to post takes the next slot first, by a
conditional write; who finds none comes back later instead of waiting in a worker. CRITICAL alerts take any
free slot, the others leave one free between, so that a backlog never stands in the way of what is urgent.
https://docs.slack.dev/apis/web-api/rate-limits

Where the record cannot be read or written, posting goes on: Slack's own 429 is then the limit.
"""

import logging
from dataclasses import dataclass, field
from typing import Final

from handlers.domain.limits import DIGEST_GATHER_S, MAX_DEFERRAL_S
from handlers.domain.ports import Clock, Coordination, CoordinationUnavailableError
from handlers.domain.shared_record import SharedRecord

_log = logging.getLogger(__name__)

RECORD: Final = "slack"
_TRIES: Final = 3

_NEXT: Final = "next_ms"
"""From when on the next slot may be taken."""
_GATHERED: Final = "gathered_ms"
"""Until when ordinary alerts gather for a digest."""
_CLOSED: Final = "closed_ms"
"""Until when Slack asked everybody to stay away."""


@dataclass(kw_only=True)
class Pace:
    """One message each `interval_ms`. What was read last is used first: a closed slot stays closed.

    `crowded`: the slot that was taken last had hardly become free, so others are waiting for one.
    """

    coordination: Coordination
    clock: Clock
    interval_ms: int
    crowded: bool = field(default=False, init=False)
    _record: SharedRecord = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._record = SharedRecord(coordination=self.coordination, name=RECORD)

    def take(self, *, urgent: bool) -> int:
        """Take a slot: 0 if there was one, else the milliseconds until it is worth trying again."""
        if wait_ms := self._wait_ms(urgent=urgent):
            return wait_ms
        try:
            for _ in range(_TRIES):
                self._record.read()
                if wait_ms := self._wait_ms(urgent=urgent):
                    return wait_ms
                now_ms, free_ms = self.clock.now_ms(), self._free_ms(urgent=urgent)
                if self._record.write({_NEXT: now_ms + self.interval_ms}):
                    self.crowded = now_ms - free_ms < self.interval_ms
                    return 0
        except CoordinationUnavailableError:
            _log.warning("The pace is unknown, going on without", exc_info=True)
            return 0
        return self.interval_ms

    def close(self, *, until_ms: int) -> None:
        """Slack asked everybody to stay away until `until_ms`."""
        self._raise_to(_CLOSED, until_ms)

    def gather(self) -> None:
        """A digest went out: let ordinary alerts gather for the next one."""
        self._raise_to(_GATHERED, self.clock.now_ms() + DIGEST_GATHER_S * 1000)

    def _wait_ms(self, *, urgent: bool) -> int:
        return max(0, self._free_ms(urgent=urgent) - self.clock.now_ms())

    def _free_ms(self, *, urgent: bool) -> int:
        """From when on there is a slot, by what is known.

        Other machines' clocks may be ahead: each time binds for as long as it may be.
        """
        now_ms, value = self.clock.now_ms(), self._record.value
        free_ms = min(value(_NEXT), now_ms + self.interval_ms)
        if not urgent:
            gathered_ms = min(value(_GATHERED), now_ms + DIGEST_GATHER_S * 1000)
            free_ms = max(free_ms + self.interval_ms, gathered_ms)
        return max(free_ms, min(value(_CLOSED), now_ms + MAX_DEFERRAL_S * 1000))

    def _raise_to(self, name: str, until_ms: int) -> None:
        try:
            for _ in range(_TRIES):
                self._record.read()
                if self._record.value(name) >= until_ms or self._record.write({name: until_ms}):
                    return
        except CoordinationUnavailableError:
            _log.warning("The pace was not written", exc_info=True)
