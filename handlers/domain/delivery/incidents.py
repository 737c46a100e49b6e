"""Incidents: which alerts people are told of together, and which at once.

The alerts of one incident key (a signature, a state, a route) that a region takes in within a window are one
incident. Its first alert leads, as does any that is more severe than those before, and every CRITICAL one:
leads are posted at once. The others are held, and told together. Whether an alert leads is decided by one
small record a key, which is written when an incident opens and seldom after that; how many there are is
counted from rows when people are told, so no alert waits for another's write.

A resolution belongs to the incident of the alert that it resolves. It is held while other faults of that
incident fire; with the last one the incident is over, and what comes after is a new one.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.incident import IncidentView, Place
from handlers.domain.limits import ASK_AGAIN_S, FLUSH_COUNTS, GATHERING_S, MAX_INCIDENT_ROWS, PAIR_WAIT_S
from handlers.domain.ports import (
    Clock,
    Coordination,
    CoordinationUnavailableError,
    IncidentRow,
    Ledger,
    LedgerUnavailableError,
    MalformedRowError,
)
from handlers.domain.signature import signature_of
from topology.alerts import CLOCK_ERROR_S, URGENCY, FaultState, Severity, Status
from topology.records import incident_record

_log = logging.getLogger(__name__)

_TRIES: Final = 10
_KEPT_WINDOWS: Final = 2
_HEADS_READ: Final = 10
_AGAIN_S: Final = 1

_OPENED: Final = "opened_ms"
_CLOSED: Final = "closed"
_RANK: Final = "rank"
"""Of the most severe alert that leads."""
_LEAD: Final = "lead"
"""The number of the alert that led last: one that is worked on once more leads again."""
_ASKED: Final = "asked_ms"
"""When the model was last asked for it."""
_GATHERED: Final = "gathered_ms"
"""When an alert was last held shortly only, to see how many there are then."""


class Incidents(msgspec.Struct, frozen=True, kw_only=True):
    """The incidents of alerts. `window_s`: how long one is open; 0: there are none."""

    ledger: Ledger
    coordination: Coordination
    clock: Clock
    window_s: int

    def place(
        self, alert: Alert, *, route_of: Callable[[Alert], str | None], edits: Callable[[str | None], bool]
    ) -> Place:
        """The place of an alert at work. `route_of` and `edits`: as of `Routing`.

        Whatever is unknown makes it an alert by itself: it is told at once.
        """
        route = route_of(alert)
        try:
            fired = self.fired(alert) if alert.state is FaultState.RESOLVED else None
            if fired is not None:
                return self._beside(alert, fired, route_of(fired), edits=edits)
            if self.window_s == 0 or alert.folds:
                return Place(route=route)
            return self._in_own(alert, route, edits=edits(route))
        except (CoordinationUnavailableError, LedgerUnavailableError):
            _log.warning("No incident is known of it", extra={"alert_id": alert.alert_id}, exc_info=True)
            return Place(route=route)

    def over_at(self, alert: Alert, rows: Sequence[IncidentRow], *, edits: bool) -> int:
        """Until when (epoch seconds) a held `alert` of these `rows` waits; 0 if people are to be told now.

        It is when there are so many that people want to know, when all is resolved, and at the window's end.
        """
        told = sum(row.status is Status.NOTIFIED for row in rows)
        passed = any(told < count <= len(rows) for count in FLUSH_COUNTS)
        if edits or passed or not rows or self._is_over(rows, rows):
            return 0
        begun_s = alert.timestamp if alert.state is FaultState.RESOLVED else rows[0].accepted_at_ms // 1000
        end_s = begun_s + self.window_s
        return end_s if self.clock.now_ms() // 1000 < end_s else 0

    def rows(self, incident_id: str) -> Sequence[IncidentRow]:
        """The rows of an incident, up to `MAX_INCIDENT_ROWS`.

        Raises:
            LedgerUnavailableError: they are unknown.
        """
        return self.ledger.incident(incident_id, limit=MAX_INCIDENT_ROWS)

    def view(self, told: Sequence[Alert], rows: Sequence[IncidentRow]) -> IncidentView:
        """What is known with these alerts of one incident, of which `rows` may not know yet.

        Raises:
            LedgerUnavailableError: its head is unknown.
        """
        known = {row.alert_id: row for row in (*rows, *map(_row_of, told))}
        ordered = sorted(known.values(), key=lambda row: (row.accepted_at_ms, row.alert_id))
        states = _states(ordered)
        return IncidentView(
            incident_id=str(told[0].incident_id),
            count=len(ordered),
            more=len(rows) == MAX_INCIDENT_ROWS,
            hosts=tuple(dict.fromkeys(row.host for row in ordered if row.host)),
            first_ms=ordered[0].accepted_at_ms,
            last_ms=ordered[-1].accepted_at_ms,
            faults=len(states),
            resolved=sum(state is FaultState.RESOLVED for state in states.values()),
            head=self._head(told, ordered),
        )

    def leave_to_others(self, alert: Alert, place: Place) -> bool:
        """Whether nobody needs the analysis of `alert`, whose fault is over: the next one is to ask then.

        What was placed behind it does not ask, so it asks for these.
        """
        if place.incident_id is None:
            return True
        try:
            if any(row.fault_key != alert.fault_key for row in self.rows(place.incident_id)):
                return False
            return self._change(alert, place.incident_id, place.route, {_ASKED: 0})
        except (CoordinationUnavailableError, LedgerUnavailableError):
            _log.warning("Its incident is unknown", extra={"alert_id": alert.alert_id}, exc_info=True)
            return False

    def close(self, alert: Alert) -> None:
        """What comes after is a new incident: all of this alert's is resolved, or its lead is not told."""
        try:
            self._change(alert, alert.incident_id, alert.route or alert.unusable_route, {_CLOSED: 1})
        except CoordinationUnavailableError:
            _log.warning("An incident stays open", extra={"alert_id": alert.alert_id}, exc_info=True)

    def lost(self, alert: Alert) -> None:
        """Its worker has lost `alert`, which was to lead: if it is told elsewhere, what comes after is new.

        One that is still to be worked on, or was sent on from this very incident by another, leads it.
        """
        try:
            stored = self._row(alert.alert_id)
            if stored is None or stored.status is Status.RECEIVED or stored.incident_id == alert.incident_id:
                return
            self._change(alert, alert.incident_id, alert.route, {_CLOSED: 1}, led_by=_number_of(alert))
        except (CoordinationUnavailableError, LedgerUnavailableError):
            _log.warning("An incident stays open", extra={"alert_id": alert.alert_id}, exc_info=True)

    def _change(
        self,
        alert: Alert,
        incident_id: str | None,
        route: str | None,
        values: Mapping[str, int],
        *,
        led_by: int | None = None,
    ) -> bool:
        """Put `values` into the record of this incident, if it is the last of its key; False if others write.

        `led_by`: only if this alert, by its number, led it last.

        Raises:
            CoordinationUnavailableError: whether it was written is unknown.
        """
        name = incident_record(alert.region, incident_key_of(alert, route))
        record = self.coordination.read(name)
        if record is None or _id_of(name, record.values) != incident_id:
            return True
        if led_by not in (None, record.values[_LEAD]):
            return True
        after = {**record.values, **values}
        return after == record.values or self.coordination.write(
            name, record, after, expires_at=self._expires_at()
        )

    def _in_own(self, alert: Alert, route: str | None, *, edits: bool) -> Place:
        """Its place in the open incident of its key, or at the head of a new one."""
        name = incident_record(alert.region, incident_key_of(alert, route))
        number = _number_of(alert)
        rank, critical = URGENCY[alert.severity], alert.severity is Severity.CRITICAL
        for _ in range(_TRIES):
            record, now_ms = self.coordination.read(name), self.clock.now_ms()
            if alert.lease_token and now_ms >= (alert.due_at or 0) * 1000:
                return Place(wait_s=_AGAIN_S)  # its lease has run out, so another may have told of it
            values = record.values if record else {}
            if not self._is_open(values, now_ms):
                after = {
                    _OPENED: now_ms,
                    _CLOSED: 0,
                    _RANK: rank,
                    _LEAD: number,
                    _ASKED: now_ms,
                    _GATHERED: 0,
                }
                leads = asks = True
                gathers = False
            else:
                leads = rank < values[_RANK] or values[_LEAD] == number
                # One that leads once more asks once more, unless another has asked in its place.
                first = values[_LEAD] == number and values[_ASKED] == values[_OPENED]
                asks = first or now_ms - values[_ASKED] >= ASK_AGAIN_S * 1000
                gathers = not (leads or critical) and now_ms - values[_GATHERED] >= GATHERING_S * 1000
                after = {
                    **values,
                    **({_RANK: min(rank, values[_RANK]), _LEAD: number} if leads else {}),
                    **({_ASKED: now_ms} if asks else {}),
                    **({_GATHERED: now_ms} if gathers else {}),
                }
            if after == values or self.coordination.write(name, record, after, expires_at=self._expires_at()):
                end_s = after[_OPENED] // 1000 + self.window_s
                soon_s = now_ms // 1000 + GATHERING_S
                return Place(
                    route=route,
                    incident_id=_id_of(name, after),
                    lead=leads or critical,
                    asks=asks,
                    held_until=None if leads or critical else soon_s if edits or gathers else end_s,
                )
        raise CoordinationUnavailableError(f"the record {name!r} was written by others {_TRIES} times")

    def _beside(
        self, alert: Alert, fired: Alert, route: str | None, *, edits: Callable[[str | None], bool]
    ) -> Place:
        """The place of a resolution: where its alert went, or by the `route` that it will go by."""
        now_s = self.clock.now_ms() // 1000
        if fired.status is Status.RECEIVED:
            begun_s = max(fired.not_before or 0, alert.timestamp)
            if now_s < begun_s + 2 * PAIR_WAIT_S:
                return Place(wait_s=max(PAIR_WAIT_S, (fired.not_before or 0) - now_s))
        if fired.incident_id or fired.status not in (Status.RECEIVED, Status.SUPPRESSED):
            route = fired.route
        if fired.incident_id is None:
            return Place(route=route, asks=False)
        place = Place(route=route, incident_id=fired.incident_id, lead=False, asks=False)
        rows = self.rows(fired.incident_id)
        if self._is_over(rows, [*rows, _row_of(fired), _row_of(alert)]):
            self.close(fired)
            return place
        if alert.severity is Severity.CRITICAL or fired.status is not Status.NOTIFIED:
            return place
        wait_s = GATHERING_S if edits(route) else self.window_s
        return msgspec.structs.replace(place, held_until=now_s + wait_s)

    def fired(self, alert: Alert) -> Alert | None:
        """The alert that this one resolves: the last that its fault fired before, or what that repeats."""
        if alert.fault_key is None or alert.changed_at_ms is None:
            return None
        until_ms = alert.changed_at_ms + 1
        for event in self.ledger.history(alert.fault_key, FaultState.FIRING, until_ms=until_ms, limit=1):
            fired = self._row(event.alert_id)
            if fired is not None and fired.incident_id is None and fired.parent_id is not None:
                return self._row(fired.parent_id) or fired
            return fired
        return None

    def _row(self, alert_id: str) -> Alert | None:
        try:
            return self.ledger.get(alert_id)
        except MalformedRowError:
            return None

    def _head(self, told: Sequence[Alert], rows: Sequence[IncidentRow]) -> Alert | None:
        """A lead with its analysis if there is one, and then one that can be edited; the first of such."""
        mine = {alert.alert_id: alert for alert in told}
        leads = [row.alert_id for row in rows if row.lead][:_HEADS_READ]
        stored = self.ledger.get_many([alert_id for alert_id in leads if alert_id not in mine])
        heads = [mine.get(alert_id) or stored.get(alert_id) for alert_id in leads]
        found = [head for head in heads if isinstance(head, Alert)]
        return min(
            (*found, *told),
            key=lambda alert: (alert.analysis is None, alert.slack_ref is None),
            default=None,
        )

    def _is_over(self, seen: Sequence[IncidentRow], rows: Sequence[IncidentRow]) -> bool:
        """Whether all of `rows` is resolved; nobody knows where there are more than were `seen`."""
        return len(seen) < MAX_INCIDENT_ROWS and _resolved(_states(rows))

    def _is_open(self, values: Mapping[str, int], now_ms: int) -> bool:
        opened_ms = values.get(_OPENED, 0)
        since_ms = now_ms - opened_ms
        return not values.get(_CLOSED, 1) and -CLOCK_ERROR_S * 1000 <= since_ms < self.window_s * 1000

    def _expires_at(self) -> int:
        return self.clock.now_ms() // 1000 + _KEPT_WINDOWS * self.window_s


def incident_key_of(alert: Alert, route: str | None) -> str:
    """What the alerts of an incident have in common, as 32 hex digits."""
    said = "\n".join((route or "", str(alert.state), signature_of(alert)))
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _id_of(name: str, values: Mapping[str, int]) -> str:
    """The id of the incident that the record tells of: `i` and 32 hex digits."""
    return "i" + hashlib.sha256(f"{name}\n{values[_OPENED]}".encode()).hexdigest()[:32]


def _number_of(alert: Alert) -> int:
    """A number of the alert's id that DynamoDB keeps exactly."""
    return int.from_bytes(hashlib.sha256(alert.alert_id.encode()).digest()[:6])


def _row_of(alert: Alert) -> IncidentRow:
    return IncidentRow(**{name: getattr(alert, name) for name in IncidentRow.__struct_fields__})


def _states(rows: Iterable[IncidentRow]) -> dict[str, FaultState]:
    """The state of each fault by its latest alert.

    By the fault's own times, as regions accept by clocks that disagree; of one time a resolution is last.
    """
    ordered = sorted(
        rows,
        key=lambda row: (
            row.accepted_at_ms if row.changed_at_ms is None else row.changed_at_ms,
            row.accepted_at_ms,
            row.state is FaultState.RESOLVED,
        ),
    )
    return {row.fault_key or row.alert_id: row.state or FaultState.FIRING for row in ordered}


def _resolved(states: Mapping[str, FaultState]) -> bool:
    return all(state is FaultState.RESOLVED for state in states.values())
