"""The circuit breaker around Claude, shared by every instance and both regions through one small record.

After a few failures in a row nobody asks for a while: alerts go out at once without their analysis, and are
followed up. Then a single caller asks; its success closes the circuit, its failure keeps it open for longer.
https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker

Where the record cannot be read, Claude is asked unless the circuit was open when it was last: the call's own
timeout is then the limit.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from handlers.domain.ports import Clock, Coordination, CoordinationUnavailableError
from handlers.domain.shared_record import SharedRecord
from topology.records import CLAUDE_BREAKER

_log = logging.getLogger(__name__)

FAILURES_TO_OPEN: Final = 5
FIRST_OPEN_MS: Final = 15_000
MAX_OPEN_MS: Final = 300_000
MAX_ASKED_OPEN_MS: Final = 3_600_000
"""However long Claude asks us to stay away, one call goes out within the hour."""

PROBE_MS: Final = 30_000
"""While one caller tries whether Claude is back, the others stay out this long."""

_MAX_DOUBLINGS: Final = 10
_FAILURES: Final = "failures"
_OPEN_UNTIL: Final = "open_until_ms"
_OPENED: Final = "opened"
"""How often in a row it opened."""


@dataclass(kw_only=True, eq=False, repr=False)
class Breaker:
    """Closed while fewer than `FAILURES_TO_OPEN` calls in a row have failed."""

    coordination: Coordination
    clock: Clock
    _record: SharedRecord = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._record = SharedRecord(coordination=self.coordination, clock=self.clock, name=CLAUDE_BREAKER)

    def allows(self) -> bool:
        """Whether to ask Claude now. True for one caller only once an open circuit's time is over."""
        if self._record.fresh and self._is_open():
            return False
        try:
            self._record.read()
            if self._is_open():
                return False
            if not self._record.value(_OPEN_UNTIL):
                return True
            return self._record.write({_OPEN_UNTIL: self.clock.now_ms() + PROBE_MS})
        except CoordinationUnavailableError:
            _log.warning("The circuit breaker is unknown, going on by what was known last", exc_info=True)
            return not self._is_open()

    def succeeded(self) -> None:
        """A call was answered."""
        if self._record.value(_FAILURES) or self._record.value(_OPEN_UNTIL):
            self._write({_FAILURES: 0, _OPEN_UNTIL: 0, _OPENED: 0})

    def failed(self, *, stay_away_s: float | None = None) -> None:
        """A call was not answered; `stay_away_s`: for how long Claude asked not to be asked, where it did."""
        failures = self._record.value(_FAILURES) + 1
        probing = self._record.value(_OPEN_UNTIL) > 0
        if stay_away_s is None and failures < FAILURES_TO_OPEN and not probing:
            self._write({_FAILURES: failures})
            return
        opened = self._record.value(_OPENED)
        open_ms = min(FIRST_OPEN_MS << min(opened, _MAX_DOUBLINGS), MAX_OPEN_MS)
        if stay_away_s is not None:
            open_ms = max(open_ms, min(round(stay_away_s * 1000), MAX_ASKED_OPEN_MS))
        _log.warning("Claude is not asked for a while", extra={"open_ms": open_ms, "failures": failures})
        until_ms = self.clock.now_ms() + open_ms
        self._write({_FAILURES: failures, _OPEN_UNTIL: until_ms, _OPENED: opened + 1})

    def _is_open(self) -> bool:
        """By what is known. Another machine's clock may be ahead, so nothing binds for longer than it may."""
        now_ms = self.clock.now_ms()
        return now_ms < self._record.value(_OPEN_UNTIL) <= now_ms + MAX_ASKED_OPEN_MS

    def _write(self, changes: Mapping[str, int]) -> None:
        """Write; a race that is lost is let go, since the winner saw the same Claude."""
        try:
            self._record.write(changes)
        except CoordinationUnavailableError:
            _log.warning("The circuit breaker was not written", exc_info=True)
