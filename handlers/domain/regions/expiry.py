"""Expiry of a strong ledger: deletes the rows whose time is over, since DynamoDB does not.

The record of a row's fault goes with it, if that has expired too.

A table with multi-region strong consistency has no TTL, so its rows would stay for ever. Each region's
Recovery deletes some with each run; that both do costs a refused write now and then.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

import logging
from typing import Final

import msgspec

from handlers.domain.limits import MAX_EXPIRED_PER_RUN
from handlers.domain.ports import (
    Clock,
    CoordinationUnavailableError,
    Executor,
    ExpiredRow,
    ExpiringLedger,
    ExpiringRecords,
    LedgerUnavailableError,
)
from topology.alerts import Severity
from topology.records import fault_record

_log = logging.getLogger(__name__)

_CHUNK: Final = 10
"""Deleted side by side, between two looks at the clock."""


class ExpiryReport(msgspec.Struct, frozen=True, kw_only=True):
    """`oldest_s`: for how long the oldest row that is still there has been expired; 0 if there is none."""

    deleted: int = 0
    oldest_s: int = 0


class Expiry(msgspec.Struct, frozen=True, kw_only=True):
    """Deletes at most `MAX_EXPIRED_PER_RUN` rows a run."""

    ledger: ExpiringLedger
    records: ExpiringRecords
    clock: Clock
    executor: Executor

    def run(self, *, until_ms: int) -> ExpiryReport:
        """Delete what has expired, and nothing after `until_ms`. What fails is left to the next run."""
        now_s = self.clock.now_ms() // 1000
        try:
            found = [
                row
                for severity in Severity
                for row in self.ledger.expired(severity, now_s=now_s, limit=MAX_EXPIRED_PER_RUN)
            ]
        except LedgerUnavailableError:
            _log.warning("Which rows have expired is unknown", exc_info=True)
            return ExpiryReport()
        oldest_first = sorted(found, key=lambda row: (row.expires_at, row.alert_id))
        left = list(oldest_first)
        deleted = 0
        for start in range(0, min(len(oldest_first), MAX_EXPIRED_PER_RUN), _CHUNK):
            if self.clock.now_ms() >= until_ms:
                break
            chunk = oldest_first[start : start + min(_CHUNK, MAX_EXPIRED_PER_RUN - start)]
            outcomes = self.executor.map(self._delete, chunk)
            gone = [row for row, outcome in zip(chunk, outcomes, strict=True) if outcome is not None]
            left = [row for row in left if row not in gone]
            deleted += sum(outcome is True for outcome in outcomes)
        oldest_s = now_s - left[0].expires_at if left else 0
        return ExpiryReport(deleted=deleted, oldest_s=oldest_s)

    def _delete(self, row: ExpiredRow) -> bool | None:
        """Whether it was deleted; None if that is unknown."""
        try:
            # The record first: if its row goes without it, nobody finds it again.
            if row.fault_key is not None:
                now_s = self.clock.now_ms() // 1000
                self.records.delete_expired(fault_record(row.fault_key), now_s=now_s)
            return self.ledger.delete_expired(row)
        except (LedgerUnavailableError, CoordinationUnavailableError):
            _log.warning("An expired row was not deleted", extra={"alert_id": row.alert_id}, exc_info=True)
            return None
