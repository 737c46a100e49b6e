"""What becomes of a SUPPRESSED repeat when its fault is looked at; Recovery asks.

It goes out if the fault changed state since the alert before of the same state: then it is no repeat.
Reception sees to that where it can: this is for a change that was accepted in the other region and had not
replicated, and for a record that was lost. Until the other region's rows are here for certain, it is looked
at again, ever later; and once more after that, as the index shows them a while later.
"""

import logging

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.limits import MAX_BACKOFF_S, REPEAT_LOOK_AFTER_S, SEEN_LOOK_AFTER_S
from handlers.domain.ports import Ledger, MalformedRowError
from handlers.domain.regions.ownership import Ownership, OwnershipView
from handlers.domain.states import promoted, repeat_looked_at
from topology.alerts import CLOCK_ERROR_S, DuplicateCause, FaultState

_log = logging.getLogger(__name__)


def looked_at_again(alert: Alert, *, now_s: int) -> Alert:
    """The SUPPRESSED alert, to be looked at again: the longer it has been looked at, the later."""
    since_s = max(alert.timestamp, alert.silenced_until or 0)
    later_s = min(max(now_s - since_s, REPEAT_LOOK_AFTER_S), MAX_BACKOFF_S)
    return repeat_looked_at(alert, due_at=now_s + later_s)


def rested(alert: Alert, view: OwnershipView, *, now_s: int, shared: bool) -> Alert:
    """The SUPPRESSED alert, in which nothing is news: at rest once all that came before it is known.

    `shared`: as of `Ownership`; else the other region's rows may all come at once, after a pause.
    """
    if min(view.seen_through_ms, now_s * 1000) < alert.accepted_at_ms + REPEAT_LOOK_AFTER_S * 1000:
        return looked_at_again(alert, now_s=now_s)
    if shared or alert.attempts:
        return repeat_looked_at(alert, due_at=None)
    return repeat_looked_at(alert, due_at=now_s + SEEN_LOOK_AFTER_S, seen=True)


class FaultChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Looks at what repeats, in one region."""

    ledger: Ledger
    ownership: Ownership
    lease_s: int

    def after(self, alert: Alert, view: OwnershipView, *, now_s: int) -> Alert:
        """The alert as it goes out, or rests, for certain or until the next look."""
        if alert.fault_key is None or alert.state is None or alert.changed_at_ms is None:
            return repeat_looked_at(alert, due_at=None)
        at_ms, error_ms = alert.changed_at_ms, CLOCK_ERROR_S * 1000
        doubt_ms = -error_ms if self.ownership.shared else error_ms
        changed_ms = self._changed_ms(alert, until_ms=at_ms + doubt_ms)
        told_ms = self._told_ms(alert, until_ms=at_ms + 1)
        if changed_ms > told_ms - doubt_ms:
            _log.warning("No repeat after all: its fault changed", extra={"alert_id": alert.alert_id})
            certain = told_ms + error_ms < changed_ms < at_ms - error_ms
            cause = None if certain else DuplicateCause.STATE_UNCERTAIN
            return promoted(alert, due_at=now_s + self.lease_s, duplicate_cause=cause)
        return rested(alert, view, now_s=now_s, shared=self.ownership.shared)

    def _changed_ms(self, alert: Alert, *, until_ms: int) -> int:
        """When its fault was last in the other state before `until_ms`; 0 if it never was."""
        other = FaultState.FIRING if alert.state is FaultState.RESOLVED else FaultState.RESOLVED
        events = self.ledger.history(str(alert.fault_key), other, until_ms=until_ms, limit=1)
        return events[0].changed_at_ms if events else 0

    def _told_ms(self, alert: Alert, *, until_ms: int) -> int:
        """When its fault was last in the same state before `until_ms`, by another alert.

        The index may be behind, but the alert that it repeats is there.
        """
        state = FaultState(str(alert.state))
        events = self.ledger.history(str(alert.fault_key), state, until_ms=until_ms, limit=2)
        others = [event.changed_at_ms for event in events if event.alert_id != alert.alert_id]
        if others:
            return others[0]
        parent = self._parent(alert.parent_id) if alert.parent_id else None
        return (parent.changed_at_ms or 0) if parent is not None and parent.state is state else 0

    def _parent(self, alert_id: str) -> Alert | None:
        try:
            return self.ledger.get(alert_id)
        except MalformedRowError:
            _log.exception("Passed over: correct its row", extra={"alert_id": alert_id})
            return None
