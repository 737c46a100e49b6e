"""The quota of each source: what it sends above that in a minute is folded into one alert that counts it.

So no source floods the others out, neither of the queues nor of the channel. A region counts what would go
out, by acceptance: no CRITICAL alert, no repeat and no retry. The count is one record a source and region,
since under a strong ledger no record expires by itself. Where it cannot be had, nothing is folded.

What is above the quota is kept as SUPPRESSED rows below the **fold**: one alert a source, minute and region.
Recovery has it go out once the minute is over, and its message counts the rows below it. A folded row has an
id below the fold's, where no later alert looks for what it repeats, so it silences none.
"""

import logging
from typing import Final

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert, IncomingAlert
from handlers.domain.identity import alert_id_of, body_hash_of, identity_of_fold, source_hash_of
from handlers.domain.intake.faults import Change
from handlers.domain.intake.rows import new_row
from handlers.domain.limits import FOLD_AFTER_S, QUOTA_MINUTE_S
from handlers.domain.ports import Coordination, CoordinationUnavailableError
from handlers.domain.states import received
from topology.alerts import FaultState, Severity
from topology.records import quota_record

_log = logging.getLogger(__name__)

_KEEP_S: Final = 3_600
"""A record, after the minute that it counts; more than clocks may disagree."""


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """The quotas of one region's sources. `per_minute`: alerts of one source."""

    coordination: Coordination
    region: str
    per_minute: int

    def excess(self, source: str, number: int, *, at_ms: int) -> int:
        """Count `number` alerts of a source, accepted at `at_ms`: how many of them are above its quota."""
        return min(max(self._count(source, number, at_ms=at_ms) - self.per_minute, 0), number)

    def give_back(self, source: str, number: int, *, at_ms: int) -> None:
        """Uncount what was not written after all: its sender comes again with it."""
        self._count(source, -number, at_ms=at_ms)

    def _count(self, source: str, number: int, *, at_ms: int) -> int:
        """The count of the source's minute with these; 0 if it is unknown."""
        try:
            return self.coordination.add(
                quota_record(self.region, source_hash_of(source)),
                number,
                window=at_ms // (QUOTA_MINUTE_S * 1000),
                expires_at=at_ms // 1000 + _KEEP_S,
            )
        except CoordinationUnavailableError:
            _log.warning("A source is not counted, nothing of it is folded", exc_info=True)
            return 0

    def fold_of(self, row: Alert) -> Alert:
        """The fold for the new `row`: the same for all of its source, minute and region."""
        at_ms, source = row.accepted_at_ms, row.source
        identity = identity_of_fold(source, self.region)
        alert_id = alert_id_of(identity, at_ms=at_ms, window_s=QUOTA_MINUTE_S)
        fold = new_row(
            IncomingAlert(
                source=source,
                title=f"{source} sends more than {self.per_minute:,} alerts a minute",
                severity=Severity.HIGH,
                message="What is above its quota is in the ledger, of a request the least severe: SUPPRESSED"
                f" and with parent_id {alert_id}. CRITICAL ones went out. Look at what sends them.",
                part=msgspec.json.encode({"source": source, "per_minute": self.per_minute}).decode(),
            ),
            alert_id=alert_id,
            identity=identity,
            change=Change(
                fault_key=identity[:32],
                state=FaultState.FIRING,
                at_ms=at_ms,
                by_source=False,
                ends_episode=False,
            ),
            at_ms=at_ms,
            region=self.region,
            body_format=row.format,
            body_hash=body_hash_of(alert_id.encode()),
        )
        minute_s = fold.timestamp // QUOTA_MINUTE_S * QUOTA_MINUTE_S
        fold = replace(fold, epoch=row.epoch, folds=True, alone=True)
        return received(fold, due_at=minute_s + QUOTA_MINUTE_S + FOLD_AFTER_S)
