"""Heartbeats as reception has them: what is one, and noting that it came. Recovery misses those that do not.

One record of the coordination table for each heartbeat and region. It is written at most once in
`HEARTBEAT_NOTE_S` seconds, so that a fast heartbeat makes no hot item.

| value | meaning |
|---|---|
| `seen_ms` | when this region last had it, epoch milliseconds |
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.limits import HEARTBEAT_NOTE_S
from handlers.domain.ports import Clock, Coordination, CoordinationUnavailableError, LedgerUnavailableError
from topology.alerts import FaultState
from topology.records import heartbeat_record

if TYPE_CHECKING:
    from topology.heartbeats import HeartbeatSpec

SEEN_MS: Final = "seen_ms"


def heartbeat_of(specs: Sequence["HeartbeatSpec"], alert: IncomingAlert) -> str | None:
    """Which of these heartbeats an alert of a body is; None for none.

    A resolution is none: it says that the sender's own rule has stopped to fire.
    """
    if alert.state is FaultState.RESOLVED:
        return None
    return next((spec.name for spec in specs if spec.match.matches(alert)), None)


class Heartbeats(msgspec.Struct, frozen=True, kw_only=True):
    """The heartbeats that come to `region`."""

    coordination: Coordination
    clock: Clock
    region: str
    specs: Sequence["HeartbeatSpec"] = ()
    _noted_ms: dict[str, int] = {}

    def name_of(self, alert: IncomingAlert) -> str | None:
        """Which heartbeat an alert of a body is; None for none."""
        return heartbeat_of(self.specs, alert)

    def note(self, names: Iterable[str]) -> None:
        """Note that these came now, unless they were noted lately.

        One that was not noted is a promise not kept, as a row that was not written: the next may be a day
        away, and its sender's retry mends it. So alerts of the same body are written before.

        Raises:
            LedgerUnavailableError: whether they are noted is unknown; safe to send again.
        """
        now_ms = self.clock.now_ms()
        due = [name for name in names if not self._is_recent(self._noted_ms.get(name, 0), now_ms)]
        records = {heartbeat_record(self.region, name): name for name in due}
        if not records:
            return
        try:
            known = self.coordination.read_many(list(records))
            for record_name, name in records.items():
                before = known.get(record_name)
                seen_ms = before.values.get(SEEN_MS, 0) if before else 0
                if not self._is_recent(seen_ms, now_ms):
                    # Where somebody else has written meanwhile, it has noted the same.
                    self.coordination.write(record_name, before, {SEEN_MS: now_ms})
                    seen_ms = now_ms
                self._noted_ms[name] = seen_ms
        except CoordinationUnavailableError as error:
            raise LedgerUnavailableError(f"a heartbeat was not noted: {error}") from error

    def _is_recent(self, seen_ms: int, now_ms: int) -> bool:
        return 0 <= now_ms - seen_ms < HEARTBEAT_NOTE_S * 1000
