"""Arrivals: that a synthetic alert of a region came out at the end of the way; Recovery misses them.

One record of the coordination table for each region that sends them:

| value | meaning |
|---|---|
| `arrived_ms` | when the latest of them that was NOTIFIED had been accepted, epoch milliseconds |
"""

import logging
from typing import Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.ports import Coordination, CoordinationUnavailableError
from topology.records import synthetic_record

_log = logging.getLogger(__name__)

ARRIVED_MS: Final = "arrived_ms"
_TRIES: Final = 3


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """Notes what arrived, by its acceptance: what comes hours later does not say that the way is open."""

    coordination: Coordination

    def note(self, alert: Alert) -> None:
        """Note that this synthetic alert is NOTIFIED. One that is not noted costs nothing: the next is."""
        name = synthetic_record(alert.region)
        try:
            for _ in range(_TRIES):
                before = self.coordination.read(name)
                if before and before.values.get(ARRIVED_MS, 0) >= alert.accepted_at_ms:
                    return
                if self.coordination.write(name, before, {ARRIVED_MS: alert.accepted_at_ms}):
                    return
        except CoordinationUnavailableError:
            _log.warning("An arrival was not noted", extra={"alert_id": alert.alert_id}, exc_info=True)
