"""What becomes of a silenced alert once its silence is over; Recovery asks.

People are to be told of the state that their fault is in then, once, unless they know it. So the latest event
of the fault decides: an alert rests if its fault has changed since, if a later silenced alert of the same
state will decide, or if what people were told last says the same and nothing less severe. Else it goes out,
and analysis asks again, so that another silence may cover it. Of a fault that fired and was resolved all
under a silence nobody hears.

Events closer than the clocks' error have no certain order: then people are told, and it is counted. What is
told has to be here for certain before an alert rests (see `fault_changes.rested`): under an eventual ledger
the other region may have told people of another state, or be about to, as its own look is due.

Somebody may end a silence before the time that its alerts wait for. Such a silence names its earlier ends,
by which its alerts are found in the index, also those that a worker silenced which had not heard of it yet.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.limits import (
    FOREVER_MS,
    MAX_ENDED_EARLY_READ,
    MAX_SILENCED_EVENTS_READ,
    MAX_SILENCED_EVENTS_SEEN,
    MAX_SILENCED_PER_RUN,
)
from handlers.domain.ports import Ledger, MalformedRowError
from handlers.domain.regions.fault_changes import looked_at_again, rested
from handlers.domain.regions.ownership import OwnershipView
from handlers.domain.silences import Silences
from handlers.domain.states import promoted, repeat_looked_at
from topology.alerts import CLOCK_ERROR_S, URGENCY, DuplicateCause, FaultState, Status, silenced_key
from topology.limits import DYNAMODB_BATCH_GET_MAX

_ERROR_MS: Final = CLOCK_ERROR_S * 1000
_TOLD: Final = (Status.RECEIVED, Status.ANALYZED, Status.NOTIFIED)
"""People were told, or will be, unless another silence covers what is RECEIVED. Of a PARKED alert they were
not, but of a repeat that stands in for it they will be."""


class SilenceEnds(msgspec.Struct, frozen=True, kw_only=True):
    """Looks at what was silenced, in one region. `shared`: as of `Ownership`."""

    ledger: Ledger
    silences: Silences
    lease_s: int
    shared: bool

    def due(self, owners: Sequence[str], *, now_s: int) -> Iterator[str]:
        """The ids of alerts whose silence is over, by its time or by somebody's word."""
        for owner in owners:
            yield from self.ledger.overdue(silenced_key(owner), now_s=now_s, limit=MAX_SILENCED_PER_RUN)
        for end_s in sorted({end_s for ends in self._ended_early(now_s).values() for end_s in ends}):
            for owner in owners:
                found = self.ledger.overdue(
                    silenced_key(owner),
                    since_s=end_s,
                    now_s=end_s + max(URGENCY.values()),
                    limit=MAX_ENDED_EARLY_READ,
                )
                yield from islice(self._over(found, now_s), MAX_SILENCED_PER_RUN)

    def _over(self, alert_ids: Sequence[str], now_s: int) -> Iterator[str]:
        """Those of them whose silence is over; others may have an end at the same second."""
        for start in range(0, len(alert_ids), DYNAMODB_BATCH_GET_MAX):
            batch = alert_ids[start : start + DYNAMODB_BATCH_GET_MAX]
            rows = self.ledger.get_many(batch)
            for alert_id in batch:
                row = rows.get(alert_id)
                if isinstance(row, Alert) and self.over(row, now_s=now_s):
                    yield alert_id

    def over(self, alert: Alert, *, now_s: int) -> bool:
        """Whether the silence of the alert is over."""
        if alert.due_at is not None and alert.due_at <= now_s:
            return True
        return alert.silenced_until in self._ended_early(now_s).get(str(alert.silence_id), ())

    def after(self, alert: Alert, view: OwnershipView, *, now_s: int) -> Alert:
        """The alert as it goes out, or rests, for certain or until the next look."""
        due_at = now_s + self.lease_s
        if alert.fault_key is None or alert.state is None or alert.changed_at_ms is None:
            return promoted(alert, due_at=due_at)
        at_ms = alert.changed_at_ms
        other = FaultState.FIRING if alert.state is FaultState.RESOLVED else FaultState.RESOLVED
        changed = self.ledger.history(alert.fault_key, other, until_ms=FOREVER_MS, limit=1)
        if changed and changed[0].changed_at_ms > at_ms + _ERROR_MS:
            return repeat_looked_at(alert, due_at=None)
        uncertain = promoted(alert, due_at=due_at, duplicate_cause=DuplicateCause.STATE_UNCERTAIN)
        if changed and changed[0].changed_at_ms >= at_ms - _ERROR_MS:
            return uncertain
        events = self._events(alert, other)
        if events is None:
            return uncertain
        if self._is_news(alert, events):
            return promoted(alert, due_at=due_at)
        return self._rested(alert, view, events, now_s=now_s)

    def _is_news(self, alert: Alert, events: Sequence[Alert]) -> bool:
        """Whether people do not know of the state; `events`: the others of the fault, the latest first."""
        parked = {event.alert_id for event in events if event.status is Status.PARKED}
        for event in events:
            later = _order(event) > _order(alert)
            told = event.status in _TOLD or event.folded
            resting = event.status is Status.SUPPRESSED and event.silence_id is None
            stands_in = resting and event.parent_id in parked
            if (told or stands_in) and event.state is not alert.state:
                return True
            if told:
                firing = alert.state is FaultState.FIRING
                return not later and firing and URGENCY[alert.severity] < URGENCY[event.severity]
            if later and _is_undecided(event):
                return False
        return alert.state is FaultState.FIRING

    def _rested(self, alert: Alert, view: OwnershipView, events: Sequence[Alert], *, now_s: int) -> Alert:
        """The alert, which is no news: at rest, unless that may change by what is not decided yet."""
        if any(_is_undecided(event) and _order(event) > _order(alert) for event in events):
            return repeat_looked_at(alert, due_at=None)
        if any(
            event.status is Status.RECEIVED or (_is_undecided(event) and self.over(event, now_s=now_s))
            for event in events
        ):
            return looked_at_again(alert, now_s=now_s)
        return rested(alert, view, now_s=now_s, shared=self.shared)

    def _events(self, alert: Alert, other: FaultState) -> list[Alert] | None:
        """The other rows of the fault, the latest first; None if they are too many to know.

        Repeats, which their ids tell, are read after the alerts that they repeat, and may be left out: it is
        by these that people were told.
        """
        seen = [
            event
            for state in (FaultState(str(alert.state)), other)
            for event in self.ledger.history(
                str(alert.fault_key), state, until_ms=FOREVER_MS, limit=MAX_SILENCED_EVENTS_SEEN
            )
        ]
        ids = [event.alert_id for event in seen if event.alert_id != alert.alert_id]
        ids.sort(key=lambda alert_id: "." in alert_id)
        firsts = sum("." not in alert_id for alert_id in ids)
        if firsts > MAX_SILENCED_EVENTS_READ:
            return None
        rows = [self._row(alert_id) for alert_id in ids[:MAX_SILENCED_EVENTS_READ]]
        return sorted((row for row in rows if row is not None), key=_order, reverse=True)

    def _row(self, alert_id: str) -> Alert | None:
        try:
            return self.ledger.get(alert_id)
        except MalformedRowError:
            return None

    def _ended_early(self, now_s: int) -> dict[str, list[int]]:
        """By the id of a silence that is over: those of its earlier ends that are not."""
        return {
            silence.silence_id: [end_s for end_s in silence.due_s if end_s > now_s]
            for silence in self.silences.made_by_people()
            if silence.until_s <= now_s
        }


def _is_undecided(alert: Alert) -> bool:
    """Whether it is silenced, and its silence's end will say what becomes of it."""
    return alert.silence_id is not None and alert.due_at is not None


def _order(alert: Alert) -> tuple[int, int, str]:
    return alert.changed_at_ms or 0, alert.accepted_at_ms, alert.alert_id
