"""Leases: how analysis and distribution get hold of one alert, keep others off it, and give it back.

A queue message is only a wake-up. Whoever cannot claim the alert drops the wake-up: either somebody works on
it, or it has moved on, or Recovery will send another.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert, Step
from handlers.domain.limits import LEASE_MARGIN_S
from handlers.domain.moves import Actor
from handlers.domain.ports import (
    Clock,
    Ledger,
    LedgerUnavailableError,
    QueueSender,
    QueueSendError,
    Randomness,
    Sleeper,
)
from handlers.domain.regions.ownership import Ownership
from handlers.domain.states import VERSION, claimed, is_free, postponed
from topology.alerts import DuplicateCause
from topology.limits import SQS_DELAY_MAX_S

_log = logging.getLogger(__name__)

_TOKEN_DIGITS: Final = 32
_READ_AHEAD_MS: Final = 1_000
"""A slot of Slack's would be taken for an alert that somebody else has told of meanwhile."""

_WRITE_PAUSES_S: Final = (0.5, 1.5)


class PoisonMessageError(Exception):
    """A message that can never be processed: it belongs in the dead-letter queue."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """The time for one message: finish by `soft_ms`; the invocation is killed at `hard_ms`.

    `expired`: so little is left that another invocation should do it.
    """

    soft_ms: int
    hard_ms: int
    expired: bool = False


class Leases(msgspec.Struct, frozen=True, kw_only=True):
    """The leases of one kind of worker: `actor` works on alerts that wait for `step`."""

    ledger: Ledger
    queue_sender: QueueSender
    ownership: Ownership
    clock: Clock
    randomness: Randomness
    sleeper: Sleeper
    actor: Actor
    step: Step
    lease_s: int
    _read_ahead: dict[str, tuple[int, Alert]] = {}
    """By alert: when it was read, and how it was."""

    def expect(self, alert_ids: Sequence[str]) -> Mapping[str, Alert]:
        """Read the alerts of a batch at once, each for a `look` at it soon; those that could be read, by id.

        What changes meanwhile is noticed, as each write compares the row with the one that was read.
        """
        self._read_ahead.clear()
        if len(alert_ids) < 2:  # noqa: PLR2004 - one is read by itself
            return {}
        now_ms = self.clock.now_ms()
        try:
            rows = self.ledger.get_many(alert_ids)
        except LedgerUnavailableError:
            _log.warning("Not read ahead", extra={"alerts": len(alert_ids)}, exc_info=True)
            return {}
        alerts = {alert_id: row for alert_id, row in rows.items() if isinstance(row, Alert)}
        self._read_ahead.update({alert_id: (now_ms, alert) for alert_id, alert in alerts.items()})
        return alerts

    def acquire(self, alert_id: str, deadline: Deadline) -> Alert | None:
        """Claim the alert; None if there is nothing to do for this wake-up. Raises as `look` does."""
        alert = self.look(alert_id, deadline)
        return None if alert is None else self.claim(alert, deadline)

    def look(self, alert_id: str, deadline: Deadline) -> Alert | None:
        """The alert, if it is there to be claimed now; None if there is nothing to do for this wake-up.

        Raises:
            PoisonMessageError: there is no such alert. A row is always written before its wake-up.
            LedgerUnavailableError: nothing is known.
        """
        read_ms, alert = self._read_ahead.pop(alert_id, (0, None))
        if alert is None or not 0 <= self.clock.now_ms() - read_ms < _READ_AHEAD_MS:
            alert = self.ledger.get(alert_id)
        if alert is None:
            raise PoisonMessageError(
                f"no alert {alert_id!r} in the ledger; look where this message came from"
            )
        if not self._is_there_for_us(alert):
            _log.info("Nothing to do", extra={"alert_id": alert_id, "status": alert.status})
            return None
        wait_s = max((alert.not_before or 0) - self.clock.now_ms() // 1000, 0)
        if wait_s or deadline.expired:
            self.send_wake_up(alert, delay_s=wait_s)
            return None
        return alert

    def claim(self, alert: Alert, deadline: Deadline) -> Alert | None:
        """Claim `alert` as it was read; None if it is not there any more.

        Raises:
            LedgerUnavailableError: whether it is claimed is unknown.
        """
        transferred = self.step is Step.DISTRIBUTION and self.ownership.view().transferred(alert)
        mine = claimed(
            alert,
            token=self.randomness.hex(_TOKEN_DIGITS),
            due_at=math.ceil(deadline.hard_ms / 1000) + LEASE_MARGIN_S,
            duplicate_cause=DuplicateCause.OWNERSHIP_TRANSFERRED
            if transferred and not alert.status.at_rest
            else None,
        )
        if not self.ledger.replace(alert, mine, actor=self.actor):
            _log.info("Somebody else was faster", extra={"alert_id": alert.alert_id})
            return None
        return mine

    def open_ones(self, alert_ids: Sequence[str]) -> list[Alert]:
        """Those alerts that are there to be claimed and may go together with others, whenever they are due.

        Raises:
            LedgerUnavailableError: nothing is known.
        """
        for alert_id in alert_ids:
            self._read_ahead.pop(alert_id, None)
        stored = self.ledger.get_many(alert_ids)
        rows = [row for alert_id in alert_ids if isinstance(row := stored.get(alert_id), Alert)]
        return [row for row in rows if not (row.alone or row.status.at_rest) and self._is_there_for_us(row)]

    def still_mine(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Those whose lease holds now: asked right before a side effect, as we may have been frozen.

        Raises:
            LedgerUnavailableError: nothing is known.
        """
        stored = self.ledger.get_many([alert.alert_id for alert in alerts])
        view, now_ms = self.ownership.view(), self.clock.now_ms()
        return [
            alert
            for alert in alerts
            if isinstance(row := stored.get(alert.alert_id), Alert)
            and row.step is alert.step
            and row.lease_token == alert.lease_token
            and view.owns(row)
            and now_ms < (alert.due_at or 0) * 1000
        ]

    def postpone(self, alert: Alert, *, wait_s: float, attempts: int | None = None) -> None:
        """There is no room for the free `alert` now: have it come again after `wait_s`.

        It is no attempt, unless `attempts` says how many there are with it.

        Raises:
            LedgerUnavailableError: whether it was written is unknown.
        """
        wait = math.ceil(max(wait_s, 1))
        after = postponed(alert, not_before=self.clock.now_ms() // 1000 + wait, lease_s=self.lease_s)
        if attempts is not None:
            after = replace(after, attempts=attempts)
        if self.ledger.replace(alert, after, actor=self.actor):
            self.send_wake_up(after, delay_s=wait)

    def write(self, before: Alert, after: Alert, *, until_ms: int) -> bool:
        """Replace `before`, which is claimed, by `after`; tried thrice, as work has been done for it.

        Returns False if the lease was lost.

        Raises:
            LedgerUnavailableError: the last try failed; whether it was written is unknown.
        """
        if self._replace_unless_unavailable(before, after, until_ms=until_ms):
            return True
        stored = self.ledger.get(before.alert_id)
        # A try whose answer was lost may have been the one that wrote it.
        done = stored is not None and all(getattr(stored, name) == getattr(after, name) for name in VERSION)
        if not done:
            _log.warning("The lease was lost", extra={"alert_id": before.alert_id, "wanted": after.status})
        return done

    def send_wake_up(self, alert: Alert, *, delay_s: int = 0) -> None:
        """Send a wake-up to where the alert goes next. A failure is only logged: Recovery will send one."""
        try:
            self.queue_sender.send(alert.queue, [alert], delay_s=min(max(delay_s, 0), SQS_DELAY_MAX_S))
        except QueueSendError:
            _log.warning("Wake-up not sent, Recovery will", extra={"alert_id": alert.alert_id}, exc_info=True)

    def _is_there_for_us(self, alert: Alert) -> bool:
        """Whether it waits for this step, nobody works on it, and it is this region's to work on."""
        return (
            alert.step is self.step
            and is_free(alert, now_s=self.clock.now_ms() // 1000)
            and self.ownership.view().owns(alert)
        )

    def _replace_unless_unavailable(self, before: Alert, after: Alert, *, until_ms: int) -> bool:
        for pause_s in _WRITE_PAUSES_S:
            try:
                return self.ledger.replace(before, after, actor=self.actor)
            except LedgerUnavailableError:
                if self.clock.now_ms() + pause_s * 1000 >= until_ms:
                    raise
                self.sleeper.sleep(pause_s)
        return self.ledger.replace(before, after, actor=self.actor)


def leave_to_recovery(alert_id: str, work: Callable[[], None]) -> None:
    """Do `work`; if the ledger fails, log it and drop the wake-up: the lease runs out and Recovery acts.

    The receive count of a queue is no place for this retry, since a dead-letter queue is for poison only.
    """
    try:
        work()
    except LedgerUnavailableError:
        _log.exception(
            "The ledger is unavailable, leaving the alert to Recovery", extra={"alert_id": alert_id}
        )
