"""Analysis: from RECEIVED to ANALYZED, by the cache or by the model, and without either when it must be.

An alert never waits long for its analysis: what the model cannot say now, the alert goes out without, and
says so. Where the model may say it later, the alert is followed up once it rests: Recovery sends it here
again, and the analysis is posted after it. A CRITICAL alert waits least, but the call that was begun for it
goes on: its answer is cached, and follows the alert at once where that rests by then.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert, Analysis, Step
from handlers.domain.delivery.breaker import Breaker
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.delivery.leases import Deadline, Leases, leave_to_recovery
from handlers.domain.delivery.reuse.templates import fitted, template_of_answer
from handlers.domain.delivery.routing import Routing
from handlers.domain.incident import Place
from handlers.domain.limits import (
    ANALYSIS_PATIENCE_S,
    APART_ATTEMPTS,
    CRITICAL_ANSWER_S,
    FOLLOW_UP_AFTER_S,
    MAX_ANALYST_CALLS,
    MAX_BACKOFF_S,
    PAIR_WAIT_S,
)
from handlers.domain.ports import (
    AnalysisCache,
    Analyst,
    AnalystBusyError,
    AnalystFailedError,
    AnalystUnconfiguredError,
    CacheUnavailableError,
    Executor,
    LedgerUnavailableError,
    Meter,
)
from handlers.domain.signature import signature_of
from handlers.domain.silences import Silences
from handlers.domain.states import analyzed, deferred, follow_up_ended, follow_up_ready, silenced
from topology.alerts import CLOCK_ERROR_S, FaultState, Severity
from topology.metrics import CACHE_HITS, INPUT_TOKENS, MODEL_CALLS, OUTPUT_TOKENS

if TYPE_CHECKING:
    from topology.silences import Silence

_log = logging.getLogger(__name__)

_LEDGER_RESERVE_MS: Final = 3_000
"""Kept for the ledger write and the wake-up after the model has answered."""

_LEAST_CALL_MS: Final = 2_000
"""Less time than this is not worth a call: it would be paid for and thrown away."""

_BASE_PAUSE_S: Final = 1.0


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """An analysis, or the reason why there is none and whether there may be one later.

    `overtaken`: its fault is over already.
    """

    analysis: Analysis | None = None
    reason: str = ""
    later: bool = False
    overtaken: bool = False


class AnalysisWork(msgspec.Struct, frozen=True, kw_only=True):
    """Analyses alerts, in chains.

    `cache_ttl_s`: how long an analysis is reused. `critical_patience_s`: how long a CRITICAL alert waits.
    """

    leases: Leases
    incidents: Incidents
    routing: Routing
    silences: Silences
    cache: AnalysisCache
    analyst: Analyst
    breaker: Breaker
    executor: Executor
    cache_ttl_s: int
    critical_patience_s: int
    meter: Meter | None = None

    def chains(self, alert_ids: Sequence[str]) -> Sequence[Sequence[str]]:
        """What to do one after the other: alerts of one signature, for which the model is asked once.

        The others need not wait for its answer. What could not be read ahead is one chain too. So is what was
        tried often, in a new order each time: an alert that ends its workers takes no other along for good.
        """
        alerts = self.leases.expect(alert_ids)
        chains: dict[str, list[str]] = {}
        often: list[tuple[float, str]] = []
        for alert_id in alert_ids:
            alert = alerts.get(alert_id)
            if alert is not None and alert.attempts >= APART_ATTEMPTS:
                often.append((self.leases.randomness.fraction(), alert_id))
            else:
                chains.setdefault("" if alert is None else signature_of(alert), []).append(alert_id)
        if often:
            chains["tried often"] = [alert_id for _, alert_id in sorted(often)]
        return [*chains.values()]

    def work(self, alert_id: str, deadline: Deadline) -> None:
        """Bring the alert to ANALYZED, or its follow-up to READY, if it is there to be worked on.

        Raises:
            PoisonMessageError: there is no such alert.
        """
        leave_to_recovery(alert_id, lambda: self._work(alert_id, deadline))

    def _work(self, alert_id: str, deadline: Deadline) -> None:
        alert = self.leases.acquire(alert_id, deadline)
        if alert is None:
            return
        if alert.status.at_rest:
            self._send_on(alert, self._outcome(alert, deadline, within_s=ANALYSIS_PATIENCE_S), deadline)
            return
        if alert.synthetic:
            # Nobody is told of it: it has its route, and neither a silence nor an incident is for it.
            place = Place(route=alert.route)
            self._send_on(alert, _Outcome(reason="it is synthetic"), deadline, place=place)
            return
        now_s = self.leases.clock.now_ms() // 1000
        silence = self._silence_of(alert, now_s)
        if silence is not None:
            after = silenced(alert, silence_id=silence.silence_id, until=silence.until_s)
            if self.leases.write(alert, after, until_ms=deadline.hard_ms):
                extra = {"alert_id": alert.alert_id, "silence_id": silence.silence_id}
                _log.info("Silenced", extra=extra)
            return
        place = self._place(alert)
        if place.wait_s:
            after = deferred(
                alert,
                not_before=now_s + place.wait_s,
                lease_s=self.leases.lease_s,
                attempts=alert.attempts,
            )
            if self.leases.write(alert, after, until_ms=deadline.hard_ms):
                self.leases.send_wake_up(after, delay_s=place.wait_s)
        elif alert.severity is Severity.CRITICAL:
            self._work_on_critical(alert, place, deadline)
        else:
            outcome = self._outcome(alert, deadline, within_s=ANALYSIS_PATIENCE_S, place=place)
            self._send_on(alert, outcome, deadline, place=place)

    def _silence_of(self, alert: Alert, now_s: int) -> "Silence | None":
        """A resolution, which has another severity and text, is silenced if what it resolves would be."""
        resolves = alert.state is FaultState.RESOLVED and self.silences.any_now(now_s=now_s)
        fired = self.incidents.fired(alert) if resolves else None
        return self.silences.silence_of(fired or alert, now_s=now_s)

    def _place(self, alert: Alert) -> Place:
        return self.incidents.place(alert, route_of=self.routing.route_of, edits=self.routing.edits)

    def _work_on_critical(self, alert: Alert, place: Place, deadline: Deadline) -> None:
        """Send it on when its patience is over at the latest, and its analysis after it."""
        sent_on: list[Alert] = []

        def send_on() -> None:
            sent_on.append(alert)
            reason = f"the model took longer than {self.critical_patience_s} s"
            self._send_on(alert, _Outcome(reason=reason, later=True), deadline, place=place)

        outcome = self.executor.overlap(
            lambda: self._outcome(alert, deadline, within_s=CRITICAL_ANSWER_S, place=place),
            patience_s=self.critical_patience_s,
            meanwhile=send_on,
        )
        if not sent_on:
            self._send_on(alert, outcome, deadline, place=place)
        elif outcome.analysis is not None:
            # What rests by now is followed up here, the others by Recovery, from the cache.
            follow_up = self.leases.acquire(alert.alert_id, deadline)
            if follow_up is not None:
                self._send_on(follow_up, outcome, deadline, place=None if follow_up.status.at_rest else place)

    def _send_on(
        self, alert: Alert, outcome: _Outcome, deadline: Deadline, *, place: Place | None = None
    ) -> None:
        """Write what came of `alert`, and wake up distribution; `place` is that of one that does not rest."""
        now_s = self.leases.clock.now_ms() // 1000
        if place is None:
            after = self._followed_up(alert, outcome)
        else:
            held_until = place.held_until
            if outcome.overtaken and alert.severity is not Severity.CRITICAL:
                held_until = now_s + PAIR_WAIT_S
            after = analyzed(
                replace(alert, route=place.route, incident_id=place.incident_id, lead=place.lead or None),
                outcome.analysis or outcome.reason,
                due_at=(held_until or now_s) + self.leases.lease_s,
                follow_up=outcome.later,
                not_before=held_until,
            )
        written = self.leases.write(alert, after, until_ms=deadline.hard_ms)
        if written and after.step is Step.DISTRIBUTION:
            self.leases.send_wake_up(after, delay_s=(after.not_before or now_s) - now_s)
        elif not written and place is not None and place.lead:
            self.incidents.lost(after)

    def _followed_up(self, alert: Alert, outcome: _Outcome) -> Alert:
        """The NOTIFIED alert with its analysis, or for another try by Recovery, or with no hope of one."""
        now_s = self.leases.clock.now_ms() // 1000
        if outcome.analysis is not None:
            return follow_up_ready(alert, outcome.analysis, due_at=now_s + self.leases.lease_s)
        if outcome.later:
            wait_s = min(FOLLOW_UP_AFTER_S << alert.attempts, MAX_BACKOFF_S)
            return deferred(alert, not_before=now_s, lease_s=wait_s, attempts=alert.attempts)
        return follow_up_ended(alert)

    def _outcome(
        self, alert: Alert, deadline: Deadline, *, within_s: int, place: Place | None = None
    ) -> _Outcome:
        until_ms = min(deadline.soft_ms - _LEDGER_RESERVE_MS, self.leases.clock.now_ms() + within_s * 1000)
        if alert.folds:
            return _Outcome(reason="it stands for many alerts")
        signature = signature_of(alert)
        cached = self._cached(alert, signature)
        if cached is not None:
            return _Outcome(analysis=cached)
        if place is not None and not place.asks:
            return _Outcome(reason="the model was asked for its incident already")
        if (
            place is not None
            and (after_s := self._resolved_after_s(alert)) is not None
            and self.incidents.leave_to_others(alert, place)
        ):
            return _Outcome(reason=f"resolved after {after_s} s, so the model was not asked", overtaken=True)
        asked_ms = self.leases.clock.now_ms()
        outcome = self._asked(alert, until_ms=until_ms)
        if outcome.analysis is not None:
            self._keep(alert, signature, outcome.analysis, asked_ms=asked_ms)
        else:
            _log.warning(
                "Going on without an analysis",
                extra={"alert_id": alert.alert_id, "reason": outcome.reason, "later": outcome.later},
            )
        return outcome

    def _resolved_after_s(self, alert: Alert) -> int | None:
        """How long the fault lasted that a firing alert tells of, if it is over already."""
        if alert.state is not FaultState.FIRING or alert.fault_key is None or alert.changed_at_ms is None:
            return None
        until_ms = self.leases.clock.now_ms() + CLOCK_ERROR_S * 1000
        try:
            events = self.leases.ledger.history(
                alert.fault_key, FaultState.RESOLVED, until_ms=until_ms, limit=1
            )
        except LedgerUnavailableError:
            _log.warning("Whether it is over is unknown", extra={"alert_id": alert.alert_id}, exc_info=True)
            return None
        lasted_ms = [event.changed_at_ms - alert.changed_at_ms for event in events]
        return lasted_ms[0] // 1000 if lasted_ms and lasted_ms[0] > 0 else None

    def _asked(self, alert: Alert, *, until_ms: int) -> _Outcome:
        """What the model says, asked again while it is busy and time is left."""
        reason = "no time was left to ask the model"
        for attempt in range(MAX_ANALYST_CALLS):
            started_ms = self.leases.clock.now_ms()
            if until_ms - started_ms < _LEAST_CALL_MS:
                break
            if not self.breaker.allows():
                reason = "the model has failed lately and is not asked for a while"
                break
            try:
                answer = self.analyst.analyse(alert, timeout_s=(until_ms - started_ms) / 1000)
            except AnalystFailedError as error:
                self.breaker.succeeded()
                return _Outcome(reason=str(error))
            except AnalystUnconfiguredError as error:
                _log.exception("The model has no key", extra={"alert_id": alert.alert_id})
                return _Outcome(reason=str(error), later=True)
            except AnalystBusyError as error:
                reason = str(error)
                pause_s = self._pause_s(error, attempt)
                in_time = self.leases.clock.now_ms() + pause_s * 1000 + _LEAST_CALL_MS <= until_ms
                self.breaker.failed(stay_away_s=None if in_time else error.retry_after_s)
                if not in_time:
                    break
                if attempt < MAX_ANALYST_CALLS - 1:
                    self.leases.sleeper.sleep(pause_s)
                continue
            self.breaker.succeeded()
            self._count(
                {MODEL_CALLS: 1, INPUT_TOKENS: answer.input_tokens, OUTPUT_TOKENS: answer.output_tokens}
            )
            _log.info(
                "Claude analysis",
                extra={
                    "alert_id": alert.alert_id,
                    "model": answer.analysis.model,
                    "input_tokens": answer.input_tokens,
                    "output_tokens": answer.output_tokens,
                    "latency_ms": self.leases.clock.now_ms() - started_ms,
                },
            )
            return _Outcome(analysis=answer.analysis)
        return _Outcome(reason=reason, later=True)

    def _pause_s(self, error: AnalystBusyError, attempt: int) -> float:
        """As long as the service asked for, else doubling from a second, with jitter."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        return _BASE_PAUSE_S * (1 << attempt) * (0.5 + self.leases.randomness.fraction())

    def _cached(self, alert: Alert, signature: str) -> Analysis | None:
        """What was said of another alert of this signature, made to fit this one; None if there is none."""
        try:
            template = self.cache.get(signature, now_s=self.leases.clock.now_ms() // 1000)
        except CacheUnavailableError:
            _log.warning("The cache did not answer", extra={"alert_id": alert.alert_id}, exc_info=True)
            return None
        if template is None:
            return None
        about = {"alert_id": alert.alert_id, "signature": signature, "model": template.model}
        analysis = fitted(template, alert)
        if analysis is None:
            _log.info("Nothing of the cached analysis fits", extra=about)
        else:
            self._count({CACHE_HITS: 1})
            _log.info("Using cached analysis", extra=about | {"left_out": analysis.left_out or 0})
        return analysis

    def _count(self, values: Mapping[str, int]) -> None:
        if self.meter is not None:
            for metric, value in values.items():
                self.meter.add(metric, value)

    def _keep(self, alert: Alert, signature: str, analysis: Analysis, *, asked_ms: int) -> None:
        template, expires_at = template_of_answer(analysis, alert), asked_ms // 1000 + self.cache_ttl_s
        try:
            self.cache.put(signature, template, asked_ms=asked_ms, expires_at=expires_at)
        except CacheUnavailableError:
            _log.warning("The analysis was not cached", extra={"alert_id": alert.alert_id}, exc_info=True)
