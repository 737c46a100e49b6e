"""Distribution: from ANALYZED to NOTIFIED, through Slack, within Slack's rate limit.

An alert is posted when there is a slot for it, or comes back later. One that has come back before, or takes
a slot that others were waiting for, brings those along: a storm goes out as digests. A message is posted
only while its leases hold. What may have been posted without our knowing is written into the row as a
possible duplicate and tried again, so that every duplicate has a cause that can be counted.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.delivery.channels import Channels
from handlers.domain.delivery.digests import Group, digest_of
from handlers.domain.delivery.leases import Deadline, Leases, leave_to_recovery
from handlers.domain.delivery.messages import Message, follow_up_of, notification_of
from handlers.domain.limits import (
    DIGEST_WINDOW_S,
    FIRST_BACKOFF_S,
    LEAST_JITTER,
    MAX_ADDRESS_ATTEMPTS,
    MAX_ATTEMPTS,
    MAX_BACKOFF_S,
    MAX_DEFERRAL_S,
    MAX_DIGEST_ALERTS,
    MAX_DIGEST_WAIT_S,
    MAX_FOLDED_COUNTED,
    MAX_FOLLOW_UP_ATTEMPTS,
    MAX_FOLLOW_UP_WAITS,
    MIN_DIGEST_ALERTS,
)
from handlers.domain.ports import (
    Executor,
    LedgerUnavailableError,
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
    RouteMeter,
)
from handlers.domain.states import deferred, follow_up_ended, notified, parked, rerouted
from topology.alerts import DuplicateCause, Severity, open_key
from topology.queues import Queue

T = TypeVar("T")
R = TypeVar("R")

_log = logging.getLogger(__name__)

_LEDGER_RESERVE_MS: Final = 1_000
"""Kept for the ledger write after the POST."""

_DIGEST_RESERVE_MS: Final = 4_000
"""Kept for the ledger writes after the POST of a digest, and needed to begin gathering one."""

_LEAST_POST_MS: Final = 500
_MAX_POST_S: Final = 10.0
_OTHERS_MAX: Final = MAX_DIGEST_ALERTS - 1
_DEFAULT_RETRY_AFTER_S: Final = 5.0
_JITTER_S: Final = 2.0


class DistributionWork(msgspec.Struct, frozen=True, kw_only=True):
    """Posts one alert at a time, or one and those that wait with it.

    `redact_emails`: whether e-mail addresses are redacted as secrets always are.
    """

    leases: Leases
    channels: Channels
    executor: Executor
    route_meter: RouteMeter | None = None
    redact_emails: bool = True

    def chains(self, alert_ids: Sequence[str]) -> Sequence[Sequence[str]]:
        """What to do one after the other: all, since Slack takes one message at a time."""
        self.leases.expect(alert_ids)
        return [alert_ids]

    def work(self, alert_id: str, deadline: Deadline) -> None:
        """Bring the alert to NOTIFIED, or give it back for later, or park it, if it is there to be worked on.

        Raises:
            PoisonMessageError: there is no such alert.
        """
        leave_to_recovery(alert_id, lambda: self._work(alert_id, deadline))

    def _work(self, alert_id: str, deadline: Deadline) -> None:
        alert = self.leases.look(alert_id, deadline)
        if alert is None:
            return
        if alert.status.at_rest and alert.attempts < MAX_FOLLOW_UP_WAITS and self._anything_waits():
            wait_s = DIGEST_WINDOW_S << alert.attempts
            self.leases.postpone(alert, wait_s=wait_s + self._jitter_s(), attempts=alert.attempts + 1)
            return
        urgent = alert.queue is Queue.DISTRIBUTION_CRITICAL
        if wait_ms := self.channels.of(alert.route).rate_limiter.reserve(urgent=urgent):
            self._postpone(alert, wait_s=wait_ms / 1000, urgent=urgent)
            return
        mine = self.leases.claim(alert, deadline)
        if mine is None:
            return
        if mine.status.at_rest:
            self._follow_up(mine, deadline)
            return
        backlog = alert.not_before is not None or self.channels.of(mine.route).rate_limiter.crowded
        waiting = self._waiting(mine, deadline) if backlog and not alert.alone else []
        if others := self._claimed(waiting, deadline):
            self._digest([mine, *others], deadline, more_wait=len(waiting) == _OTHERS_MAX)
        else:
            self._single(mine, deadline)

    def _postpone(self, alert: Alert, *, wait_s: float, urgent: bool) -> None:
        """Who waited before waits longer: there is a backlog, and it goes out together.

        The longer it has waited in all the longer, so that the wake-ups of a storm do not leave the workers
        without time for its digests. Whoever comes to a free slot takes along who is not due yet.
        """
        if not urgent:
            if alert.not_before is not None:
                waited_s = (self.leases.clock.now_ms() - alert.accepted_at_ms) / 1000
                wait_s = max(wait_s, DIGEST_WINDOW_S, min(waited_s / 2, MAX_DIGEST_WAIT_S))
            wait_s += self._jitter_s()
        self.leases.postpone(alert, wait_s=min(wait_s, MAX_DEFERRAL_S))

    def _jitter_s(self) -> float:
        return _JITTER_S * self.leases.randomness.fraction()

    def _anything_waits(self) -> bool:
        """Whether people are still to be told of an ordinary alert, before which no follow-up goes."""
        return any(self.leases.ledger.waiting(key, limit=1) for key in self._open_keys(critical=False))

    def _open_keys(self, *, critical: bool) -> list[str]:
        """The open keys of one of the two queues, the most severe first."""
        owners = self.leases.ownership.view().owners
        severities = [one for one in Severity if (one is Severity.CRITICAL) is critical]
        return [open_key(owner, severity) for severity in severities for owner in owners]

    def _waiting(self, mine: Alert, deadline: Deadline) -> list[str]:
        """What waits in the same queue, if enough for a digest; most severe, then longest due."""
        # It takes along what is behind it in the batch, so it may use the time of these too.
        if self._ms_until(deadline.hard_ms) < 2 * _DIGEST_RESERVE_MS:
            return []
        waiting: list[str] = []
        for key in self._open_keys(critical=mine.severity is Severity.CRITICAL):
            if room := MAX_DIGEST_ALERTS - len(waiting):
                waiting += self.leases.ledger.waiting(key, limit=room)
        others = [alert_id for alert_id in waiting if alert_id != mine.alert_id][:_OTHERS_MAX]
        return others if len(others) + 1 >= MIN_DIGEST_ALERTS else []

    def _claimed(self, alert_ids: Sequence[str], deadline: Deadline) -> list[Alert]:
        if not alert_ids:
            return []
        return self._each(lambda alert: self.leases.claim(alert, deadline), self.leases.open_ones(alert_ids))

    def _digest(self, claimed: Sequence[Alert], deadline: Deadline, *, more_wait: bool) -> None:
        """One message for all of `claimed` whose lease still holds; the next one soon, if `more_wait`."""
        members = self.leases.still_mine(claimed)
        if not members:
            return
        digest = digest_of([Group(alerts=(member,)) for member in members], emails=self.redact_emails)

        def record(alert: Alert, at_ms: int) -> None:
            self._record(alert, notified(alert, at_ms=at_ms, digest_id=digest.digest_id), deadline)

        def posted(at_ms: int, _reference: str | None) -> None:
            _log.info("Posted a digest", extra={"digest_id": digest.digest_id, "alerts": len(members)})
            self._each(lambda alert: record(alert, at_ms), members)
            if not more_wait and members[0].severity is not Severity.CRITICAL:
                self.channels.of(members[0].route).rate_limiter.open_digest_window()

        self._post(digest, members, deadline, until_ms=deadline.hard_ms - _DIGEST_RESERVE_MS, posted=posted)

    def _single(self, alert: Alert, deadline: Deadline) -> None:
        folded = (
            self.leases.ledger.count_children(alert.alert_id, limit=MAX_FOLDED_COUNTED) if alert.folds else 0
        )
        if not self.leases.still_mine([alert]):
            _log.warning("The lease was lost before the POST", extra={"alert_id": alert.alert_id})
            return

        def posted(at_ms: int, reference: str | None) -> None:
            self._record(alert, notified(alert, at_ms=at_ms, slack_ref=reference), deadline)

        self._post(
            notification_of(alert, folded=folded, emails=self.redact_emails),
            [alert],
            deadline,
            until_ms=deadline.soft_ms - _LEDGER_RESERVE_MS,
            posted=posted,
        )

    def _follow_up(self, alert: Alert, deadline: Deadline) -> None:
        if not self.leases.still_mine([alert]):
            return

        def posted(_at_ms: int, _reference: str | None) -> None:
            self._record(alert, follow_up_ended(alert), deadline)

        self._post(
            follow_up_of(alert, emails=self.redact_emails),
            [alert],
            deadline,
            until_ms=deadline.soft_ms - _LEDGER_RESERVE_MS,
            posted=posted,
        )

    def _post(
        self,
        message: Message,
        alerts: Sequence[Alert],
        deadline: Deadline,
        *,
        until_ms: int,
        posted: Callable[[int, str | None], object],
    ) -> None:
        """Post `message` about `alerts` before `until_ms`; then record it by `posted`, or give each back."""
        left_ms = self._ms_until(until_ms)
        if left_ms < _LEAST_POST_MS:
            self._each(lambda alert: self._give_back(alert, deadline, wait_s=1), alerts)
            return
        channel = self.channels.of(alerts[0].route)
        try:
            reference = channel.notifier.post(message, timeout_s=min(left_ms / 1000, _MAX_POST_S))
        except NotifierThrottledError as error:
            asked_s = _DEFAULT_RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s
            wait_s = min(max(asked_s, 1), MAX_DEFERRAL_S)
            _log.info("Slack asked to wait", extra={"alerts": len(alerts), "retry_after_s": wait_s})
            channel.rate_limiter.back_off(until_ms=self.leases.clock.now_ms() + round(wait_s * 1000))
            self._each(lambda alert: self._give_back(alert, deadline, wait_s=wait_s), alerts)
        except (NotifierUnavailableError, NotifierMisaddressedError) as error:
            failure = error  # a name that the function below may keep
            self._each(lambda alert: self._failed(alert, failure, deadline), alerts)
        except NotifierRefusedError as error:
            reason = str(error)
            alone = len(alerts) == 1
            self._each(lambda alert: self._refused(alert, reason, deadline, alone=alone), alerts)
        else:
            posted(self.leases.clock.now_ms(), reference)

    def _record(self, before: Alert, after: Alert, deadline: Deadline) -> None:
        now_ms = self.leases.clock.now_ms()
        extra = {"alert_id": before.alert_id, "alert_to_slack_ms": now_ms - before.accepted_at_ms}
        try:
            recorded = self.leases.write(before, after, until_ms=deadline.hard_ms)
        except LedgerUnavailableError:
            _log.exception("Posted but not recorded", extra=extra)
            return
        if recorded:
            _log.info("Notified", extra=extra)
        else:
            _log.warning("Posted but not recorded", extra=extra)

    def _failed(
        self, alert: Alert, error: NotifierUnavailableError | NotifierMisaddressedError, deadline: Deadline
    ) -> None:
        """Give it back for later, or up after the last attempt; an unusable address has only the last few.

        A route's alert goes to the default channel instead of being given up; a CRITICAL one at once.
        """
        limit = MAX_FOLLOW_UP_ATTEMPTS if alert.status.at_rest else MAX_ATTEMPTS
        if isinstance(error, NotifierMisaddressedError):
            skipped, unknown = limit - MAX_ADDRESS_ATTEMPTS, False
        else:
            skipped, unknown = 0, error.outcome_unknown
        # Who was not tried that often yet goes on from there, so the row needs no second count.
        attempts = max(alert.attempts, skipped) + 1
        duplicate_cause = DuplicateCause.OUTCOME_UNKNOWN if unknown and not alert.status.at_rest else None
        _log.warning(
            "Slack failed",
            extra={
                "alert_id": alert.alert_id,
                "attempts": attempts,
                "reason": str(error),
                "duplicate_cause": duplicate_cause,
            },
        )
        if skipped and self._has_left_route(alert, deadline, last=attempts >= limit):
            return
        if attempts >= limit:
            why = "Slack's address stays unusable" if skipped else "no attempt is left"
            self._give_up(alert, f"{why}: {error}", deadline, duplicate_cause=duplicate_cause)
            return
        backoff_s = min(FIRST_BACKOFF_S << attempts - skipped - 1, MAX_BACKOFF_S)
        jitter = LEAST_JITTER + 2 * (1 - LEAST_JITTER) * self.leases.randomness.fraction()
        self._give_back(
            alert, deadline, wait_s=backoff_s * jitter, attempts=attempts, duplicate_cause=duplicate_cause
        )

    def _has_left_route(self, alert: Alert, deadline: Deadline, *, last: bool) -> bool:
        """Whether it goes to the default channel from now on, since its route's address is unusable.

        A follow-up stays: whoever reads it has read its alert there.
        """
        route = alert.route
        if route is None or self.channels.of(route) is self.channels.default:
            return False
        if self.route_meter is not None:
            self.route_meter.count_unusable(route)
        if alert.status.at_rest or not (last or alert.severity is Severity.CRITICAL):
            return False
        _log.error("A route is unusable", extra={"alert_id": alert.alert_id, "route": route})
        now_s = self.leases.clock.now_ms() // 1000
        after = rerouted(alert, not_before=now_s + 1, lease_s=self.leases.lease_s)
        if self.leases.write(alert, after, until_ms=deadline.hard_ms):
            self.leases.send_wake_up(after, delay_s=1)
        return True

    def _refused(self, alert: Alert, reason: str, deadline: Deadline, *, alone: bool) -> None:
        """Park it; one of a digest is tried alone first, as the refusal may be another's."""
        _log.error("Slack refuses it", extra={"alert_id": alert.alert_id, "reason": reason, "alone": alone})
        if alone:
            self._give_up(alert, reason, deadline)
        else:
            self._give_back(alert, deadline, wait_s=1, alone=True)

    def _give_up(
        self, alert: Alert, reason: str, deadline: Deadline, *, duplicate_cause: DuplicateCause | None = None
    ) -> None:
        now_s = self.leases.clock.now_ms() // 1000
        if alert.status.at_rest:
            after = follow_up_ended(alert)
        else:
            after = parked(
                alert, reason=reason, due_at=now_s + self.leases.lease_s, duplicate_cause=duplicate_cause
            )
        self.leases.write(alert, after, until_ms=deadline.hard_ms)

    def _give_back(
        self,
        alert: Alert,
        deadline: Deadline,
        *,
        wait_s: float,
        attempts: int | None = None,
        duplicate_cause: DuplicateCause | None = None,
        alone: bool = False,
    ) -> None:
        wait = math.ceil(max(wait_s, 1))
        after = deferred(
            alert,
            not_before=self.leases.clock.now_ms() // 1000 + wait,
            lease_s=self.leases.lease_s,
            attempts=alert.attempts if attempts is None else attempts,
            duplicate_cause=duplicate_cause,
            alone=alone,
        )
        if self.leases.write(alert, after, until_ms=deadline.hard_ms):
            self.leases.send_wake_up(after, delay_s=wait)

    def _each(self, function: Callable[[T], R | None], items: Iterable[T]) -> list[R]:
        """What `function` made of each; one that the ledger fails is left to Recovery, the others go on."""

        def safely(item: T) -> R | None:
            try:
                return function(item)
            except LedgerUnavailableError:
                _log.exception("The ledger is unavailable, leaving one alert to Recovery")
                return None

        return [done for done in self.executor.map(safely, items) if done is not None]

    def _ms_until(self, until_ms: int) -> int:
        return until_ms - self.leases.clock.now_ms()
