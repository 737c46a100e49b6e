"""Claims: how analysis and distribution get hold of one alert, keep others off it, and give it back.

A queue message is only a hint. Whoever cannot claim the alert drops the hint: either somebody works on it,
or it has moved on, or Recovery will send another.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from handlers.domain.alert import Alert, Status
from handlers.domain.limits import LEASE_MARGIN_S, MAX_DELAY_S
from handlers.domain.ports import (
    Clock,
    Ledger,
    LedgerUnavailableError,
    Outbox,
    OutboxError,
    Randomness,
    Sleeper,
)
from handlers.domain.states import Actor, claimed, is_free

_log = logging.getLogger(__name__)

_TOKEN_DIGITS: Final = 32
_WRITE_PAUSES_S: Final = (0.5, 1.5)


class PoisonMessageError(Exception):
    """A message that can never be processed: it belongs in the dead-letter queue."""


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """The time for one message: finish by `until_ms`; the invocation is killed at `killed_at_ms`.

    `too_late`: so little is left that another invocation should do it.
    """

    until_ms: int
    killed_at_ms: int
    too_late: bool = False


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The claims of one kind of worker: `actor` works on alerts in `status`."""

    ledger: Ledger
    outbox: Outbox
    clock: Clock
    randomness: Randomness
    sleeper: Sleeper
    actor: Actor
    status: Status
    lease_s: int

    def take(self, alert_id: str, allotment: Allotment) -> Alert | None:
        """Claim the alert; None if there is nothing to do for this hint.

        Raises:
            PoisonMessageError: there is no such alert. A row is always written before its hint.
            LedgerUnavailableError: nothing is known.
        """
        alert = self.ledger.get(alert_id)
        if alert is None:
            raise PoisonMessageError(
                f"no alert {alert_id!r} in the ledger; look where this message came from"
            )
        now_s = self.clock.now_ms() // 1000
        if alert.status is not self.status or not is_free(alert, now_s=now_s):
            _log.info("Nothing to do", extra={"alert_id": alert_id, "status": alert.status})
            return None
        wait_s = max((alert.not_before or 0) - now_s, 0)
        if wait_s or allotment.too_late:
            self.hint(alert, delay_s=wait_s)
            return None
        mine = claimed(
            alert,
            token=self.randomness.hex(_TOKEN_DIGITS),
            due_at=math.ceil(allotment.killed_at_ms / 1000) + LEASE_MARGIN_S,
        )
        if not self.ledger.replace(alert, mine, actor=self.actor):
            _log.info("Somebody else was faster", extra={"alert_id": alert_id})
            return None
        return mine

    def still_mine(self, alert: Alert) -> bool:
        """Whether the claim holds now: asked right before a side effect, as we may have been frozen."""
        stored = self.ledger.get(alert.alert_id)
        return (
            stored is not None and stored.status is alert.status and stored.lease_token == alert.lease_token
        )

    def write(self, before: Alert, after: Alert, *, until_ms: int) -> bool:
        """Replace `before`, which is claimed, by `after`; tried thrice, as work has been done for it.

        Returns False if the claim was lost.

        Raises:
            LedgerUnavailableError: the last try failed; whether it was written is unknown.
        """
        for pause_s in _WRITE_PAUSES_S:
            try:
                return self._replace(before, after)
            except LedgerUnavailableError:
                if self.clock.now_ms() + pause_s * 1000 >= until_ms:
                    raise
                self.sleeper.sleep(pause_s)
        return self._replace(before, after)

    def hint(self, alert: Alert, *, delay_s: int = 0) -> None:
        """Send a hint to where the alert goes next. A failure is only logged: Recovery will send one."""
        try:
            self.outbox.send(alert.queue, [alert.alert_id], delay_s=min(max(delay_s, 0), MAX_DELAY_S))
        except OutboxError:
            _log.warning("Hint not sent, Recovery will", extra={"alert_id": alert.alert_id}, exc_info=True)

    def _replace(self, before: Alert, after: Alert) -> bool:
        done = self.ledger.replace(before, after, actor=self.actor)
        if not done:
            _log.warning("The claim was lost", extra={"alert_id": before.alert_id, "wanted": after.status})
        return done


def leave_to_recovery(alert_id: str, work: Callable[[], None]) -> None:
    """Do `work`; if the ledger fails, log it and drop the hint: the alert's lease runs out and Recovery acts.

    The receive count of a queue is no place for this retry, since a dead-letter queue is for poison only.
    """
    try:
        work()
    except LedgerUnavailableError:
        _log.exception(
            "The ledger is unavailable, leaving the alert to Recovery", extra={"alert_id": alert_id}
        )
