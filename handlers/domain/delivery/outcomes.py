"""What is written of an alert once Slack has answered, and what a failure leads to.

Whatever happens, the row says what to do next: nothing, another try from a time on, another channel, or an
operator.
"""

import logging
import math
from typing import Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.delivery.arrivals import Arrivals
from handlers.domain.delivery.channels import Channels
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.delivery.leases import Deadline, Leases
from handlers.domain.limits import (
    FIRST_BACKOFF_S,
    LEAST_JITTER,
    MAX_ADDRESS_ATTEMPTS,
    MAX_ATTEMPTS,
    MAX_BACKOFF_S,
    MAX_FOLLOW_UP_ATTEMPTS,
)
from handlers.domain.ports import (
    LedgerUnavailableError,
    NotifierMisaddressedError,
    NotifierUnavailableError,
    RouteMeter,
)
from handlers.domain.states import deferred, follow_up_ended, parked, rerouted
from topology.alerts import DuplicateCause, Severity

_log: Final = logging.getLogger(__name__)


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Writes what became of alerts that the caller has claimed."""

    leases: Leases
    incidents: Incidents
    channels: Channels
    arrivals: Arrivals
    route_meter: RouteMeter | None

    def record(self, before: Alert, after: Alert, deadline: Deadline) -> None:
        """Slack took what is told of the alert."""
        now_ms = self.leases.clock.now_ms()
        extra = {"alert_id": before.alert_id, "alert_to_slack_ms": now_ms - before.accepted_at_ms}
        try:
            recorded = self.leases.write(before, after, until_ms=deadline.hard_ms)
        except LedgerUnavailableError:
            _log.exception("Posted but not recorded", extra=extra)
            return
        if recorded:
            _log.info("Notified", extra=extra)
            if before.synthetic:
                self.arrivals.note(before)
        else:
            _log.warning("Posted but not recorded", extra=extra)

    def failed(
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
        self.give_back(
            alert, deadline, wait_s=backoff_s * jitter, attempts=attempts, duplicate_cause=duplicate_cause
        )

    def _has_left_route(self, alert: Alert, deadline: Deadline, *, last: bool) -> bool:
        """Whether it goes to the default channel from now on, since its route's address is unusable.

        A follow-up stays: whoever reads it has read its alert there. A synthetic alert does: nobody reads it.
        """
        route = alert.route
        if route is None or self.channels.of(route) is self.channels.default:
            return False
        if self.route_meter is not None:
            self.route_meter.count_unusable(route)
        if alert.status.at_rest or alert.synthetic or not (last or alert.severity is Severity.CRITICAL):
            return False
        _log.error("A route is unusable", extra={"alert_id": alert.alert_id, "route": route})
        now_s = self.leases.clock.now_ms() // 1000
        after = rerouted(alert, not_before=now_s + 1, lease_s=self.leases.lease_s)
        if self.leases.write(alert, after, until_ms=deadline.hard_ms):
            self.leases.send_wake_up(after, delay_s=1)
        return True

    def refused(self, alert: Alert, reason: str, deadline: Deadline, *, alone: bool) -> None:
        """Park it; one of a digest is tried alone first, as the refusal may be another's."""
        _log.error("Slack refuses it", extra={"alert_id": alert.alert_id, "reason": reason, "alone": alone})
        if alone:
            self._give_up(alert, reason, deadline)
        else:
            self.give_back(alert, deadline, wait_s=1, alone=True)

    def _give_up(
        self, alert: Alert, reason: str, deadline: Deadline, *, duplicate_cause: DuplicateCause | None = None
    ) -> None:
        now_s = self.leases.clock.now_ms() // 1000
        if alert.status.at_rest:
            after = follow_up_ended(alert)
        else:
            if alert.lead and alert.incident_id:
                self.incidents.close(alert)
            after = parked(
                alert, reason=reason, due_at=now_s + self.leases.lease_s, duplicate_cause=duplicate_cause
            )
        self.leases.write(alert, after, until_ms=deadline.hard_ms)

    def give_back(
        self,
        alert: Alert,
        deadline: Deadline,
        *,
        wait_s: float,
        attempts: int | None = None,
        duplicate_cause: DuplicateCause | None = None,
        alone: bool = False,
    ) -> None:
        """Have it tried again after `wait_s`. `attempts`: how many there are by now, if this was one."""
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
