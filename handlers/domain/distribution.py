"""Distribution: from ANALYZED to NOTIFIED, through Slack.

A message is posted only while the claim holds. What may have been posted without our knowing (a timeout, a
ledger write lost after the POST) is tried again, and logged with its cause: so duplicates can be counted.
"""

import logging
import math
from dataclasses import dataclass
from typing import Final

from handlers.domain.alert import Alert
from handlers.domain.claims import Allotment, Claims, leave_to_recovery
from handlers.domain.limits import MAX_DEFERRAL_S, MAX_DISTRIBUTION_ATTEMPTS
from handlers.domain.ports import (
    LedgerUnavailableError,
    Notifier,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)
from handlers.domain.slack_message import notification_of
from handlers.domain.states import deferred, notified, parked

_log = logging.getLogger(__name__)

_LEDGER_RESERVE_MS: Final = 1_000
"""Kept for the ledger write after the POST."""

_LEAST_POST_MS: Final = 500
_MAX_POST_S: Final = 10.0
_DEFAULT_RETRY_AFTER_S: Final = 5.0
_BASE_BACKOFF_S: Final = 4.0


@dataclass(frozen=True, kw_only=True)
class DistributionWork:
    """Posts one alert at a time."""

    claims: Claims
    notifier: Notifier

    def work(self, alert_id: str, allotment: Allotment) -> None:
        """Bring the alert to NOTIFIED, or give it back for later, or park it, if it is there to be worked on.

        Raises:
            PoisonMessageError: there is no such alert.
        """
        leave_to_recovery(alert_id, lambda: self._work(alert_id, allotment))

    def _work(self, alert_id: str, allotment: Allotment) -> None:
        alert = self.claims.take(alert_id, allotment)
        if alert is None:
            return
        notification = notification_of(alert)
        if not self.claims.still_mine(alert):
            _log.warning("The claim was lost before the POST", extra={"alert_id": alert_id})
            return
        left_ms = allotment.until_ms - _LEDGER_RESERVE_MS - self.claims.clock.now_ms()
        if left_ms < _LEAST_POST_MS:
            self._give_back(alert, delay_s=1, attempts=alert.attempts, allotment=allotment)
            return
        try:
            self.notifier.post(notification, timeout_s=min(left_ms / 1000, _MAX_POST_S))
        except NotifierThrottledError as error:
            wait_s = _DEFAULT_RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s
            _log.info("Slack asked to wait", extra={"alert_id": alert_id, "retry_after_s": wait_s})
            self._give_back(alert, delay_s=wait_s, attempts=alert.attempts, allotment=allotment)
        except NotifierUnavailableError as error:
            self._failed(alert, error, allotment)
        except NotifierRefusedError as error:
            _log.exception("Parked: Slack refuses it", extra={"alert_id": alert_id})
            self.claims.write(alert, parked(alert, reason=str(error)), until_ms=allotment.killed_at_ms)
        else:
            self._posted(alert, allotment)

    def _posted(self, alert: Alert, allotment: Allotment) -> None:
        now_ms = self.claims.clock.now_ms()
        extra = {"alert_id": alert.alert_id, "alert_to_slack_ms": now_ms - alert.accepted_at_ms}
        try:
            recorded = self.claims.write(
                alert, notified(alert, at_ms=now_ms), until_ms=allotment.killed_at_ms
            )
        except LedgerUnavailableError:
            _log.exception(
                "Notified but not recorded", extra=extra | {"duplicate_cause": "ledger_write_failed"}
            )
            return
        if recorded:
            _log.info("Notified", extra=extra)
        else:
            _log.warning("Notified but not recorded", extra=extra | {"duplicate_cause": "claim_moved"})

    def _failed(self, alert: Alert, error: NotifierUnavailableError, allotment: Allotment) -> None:
        attempts = alert.attempts + 1
        extra: dict[str, object] = {"alert_id": alert.alert_id, "attempts": attempts, "reason": str(error)}
        if error.outcome_unknown:
            extra["duplicate_cause"] = "outcome_unknown"
        _log.warning("Slack failed", extra=extra)
        if attempts >= MAX_DISTRIBUTION_ATTEMPTS:
            reason = f"given up after {attempts} attempts; the last: {error}"
            self.claims.write(alert, parked(alert, reason=reason), until_ms=allotment.killed_at_ms)
            return
        backoff_s = _BASE_BACKOFF_S * (1 << alert.attempts) * (0.5 + self.claims.randomness.fraction())
        self._give_back(alert, delay_s=backoff_s, attempts=attempts, allotment=allotment)

    def _give_back(self, alert: Alert, *, delay_s: float, attempts: int, allotment: Allotment) -> None:
        wait_s = math.ceil(min(max(delay_s, 1), MAX_DEFERRAL_S))
        not_before = self.claims.clock.now_ms() // 1000 + wait_s
        after = deferred(alert, not_before=not_before, lease_s=self.claims.lease_s, attempts=attempts)
        if self.claims.write(alert, after, until_ms=allotment.killed_at_ms):
            self.claims.hint(after, delay_s=wait_s)
