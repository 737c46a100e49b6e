"""Analysis: from RECEIVED to ANALYZED, by the cache or by the model, and without either when it must be.

An alert never waits for its analysis beyond one invocation: what the model cannot say now, the alert goes
out without, and says so.
"""

import logging
from dataclasses import dataclass, replace
from typing import Final

from handlers.domain.alert import Alert, Analysis
from handlers.domain.claims import Allotment, Claims, leave_to_recovery
from handlers.domain.limits import MAX_ANALYST_CALLS
from handlers.domain.ports import (
    AnalysisCache,
    Analyst,
    AnalystBusyError,
    AnalystFailedError,
    AnalystUnconfiguredError,
    CacheUnavailableError,
)
from handlers.domain.signature import error_signature
from handlers.domain.states import analyzed, parked

_log = logging.getLogger(__name__)

_LEDGER_RESERVE_MS: Final = 3_000
"""Kept for the ledger write and the hint after the model has answered."""

_LEAST_CALL_MS: Final = 2_000
"""Less time than this is not worth a call: it would be paid for and thrown away."""

_BASE_PAUSE_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class AnalysisWork:
    """Analyses one alert at a time. `cache_ttl_s`: how long an analysis is reused."""

    claims: Claims
    cache: AnalysisCache
    analyst: Analyst
    cache_ttl_s: int

    def work(self, alert_id: str, allotment: Allotment) -> None:
        """Bring the alert to ANALYZED, or PARKED where there is no key, if it is there to be worked on.

        Raises:
            PoisonMessageError: there is no such alert.
        """
        leave_to_recovery(alert_id, lambda: self._work(alert_id, allotment))

    def _work(self, alert_id: str, allotment: Allotment) -> None:
        alert = self.claims.take(alert_id, allotment)
        if alert is None:
            return
        try:
            outcome = self._outcome(alert, until_ms=allotment.until_ms - _LEDGER_RESERVE_MS)
        except AnalystUnconfiguredError as error:
            _log.exception("Parked: the model has no key", extra={"alert_id": alert_id})
            self.claims.write(alert, parked(alert, reason=str(error)), until_ms=allotment.killed_at_ms)
            return
        now_s = self.claims.clock.now_ms() // 1000
        after = analyzed(alert, outcome, due_at=now_s + self.claims.lease_s)
        if self.claims.write(alert, after, until_ms=allotment.killed_at_ms):
            self.claims.hint(after)

    def _outcome(self, alert: Alert, *, until_ms: int) -> Analysis | str:
        """An analysis, or the reason why there is none."""
        signature = error_signature(alert)
        cached = self._cached(alert, signature)
        if cached is not None:
            _log.info(
                "Using cached analysis",
                extra={"alert_id": alert.alert_id, "signature": signature, "model": cached.model},
            )
            return replace(cached, cached=True)
        outcome = self._asked(alert, until_ms=until_ms)
        if isinstance(outcome, Analysis):
            self._keep(alert, signature, outcome)
        else:
            _log.warning(
                "Going on without an analysis", extra={"alert_id": alert.alert_id, "reason": outcome}
            )
        return outcome

    def _asked(self, alert: Alert, *, until_ms: int) -> Analysis | str:
        """What the model says, asked again while it is busy and time is left."""
        reason = "no time was left to ask the model"
        for attempt in range(MAX_ANALYST_CALLS):
            started_ms = self.claims.clock.now_ms()
            if until_ms - started_ms < _LEAST_CALL_MS:
                break
            try:
                answer = self.analyst.analyse(alert, timeout_s=(until_ms - started_ms) / 1000)
            except AnalystFailedError as error:
                return str(error)
            except AnalystBusyError as error:
                reason = str(error)
                pause_s = self._pause_s(error, attempt)
                if self.claims.clock.now_ms() + pause_s * 1000 + _LEAST_CALL_MS > until_ms:
                    break
                if attempt < MAX_ANALYST_CALLS - 1:
                    self.claims.sleeper.sleep(pause_s)
                continue
            _log.info(
                "Claude analysis",
                extra={
                    "alert_id": alert.alert_id,
                    "model": answer.analysis.model,
                    "input_tokens": answer.input_tokens,
                    "output_tokens": answer.output_tokens,
                    "latency_ms": self.claims.clock.now_ms() - started_ms,
                },
            )
            return answer.analysis
        return reason

    def _pause_s(self, error: AnalystBusyError, attempt: int) -> float:
        """As long as the service asked for, else doubling from a second, with jitter."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        return _BASE_PAUSE_S * (1 << attempt) * (0.5 + self.claims.randomness.fraction())

    def _cached(self, alert: Alert, signature: str) -> Analysis | None:
        try:
            return self.cache.get(signature, now_s=self.claims.clock.now_ms() // 1000)
        except CacheUnavailableError:
            _log.warning("The cache did not answer", extra={"alert_id": alert.alert_id}, exc_info=True)
            return None

    def _keep(self, alert: Alert, signature: str, analysis: Analysis) -> None:
        expires_at = self.claims.clock.now_ms() // 1000 + self.cache_ttl_s
        try:
            self.cache.put(signature, analysis, expires_at=expires_at)
        except CacheUnavailableError:
            _log.warning("The analysis was not cached", extra={"alert_id": alert.alert_id}, exc_info=True)
