"""The invariants of incidents: who is held, what joins and closes one, what is said of it, who asks a model.

They know what each row says by its own text, and when an incident's record was closed; they share with the
handlers only the names in rows and records.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handlers.domain.alert import Alert
from handlers.domain.limits import ASK_AGAIN_S
from handlers.domain.ports import Record
from simulator.scenario import Kind, Scenario
from simulator.scheduler import Scheduler
from simulator.wiring import PostedMessage
from topology.alerts import URGENCY, FaultState, Severity, Status

if TYPE_CHECKING:
    from simulator.machine import Invocation

_COUNTED: Final = re.compile(r"Incident: (?:at least )?([\d,]+) alert")
_OVER: Final = re.compile(r"^Incident: .*, resolved(?:: all .*)?$", re.MULTILINE)
_DIGITS: Final = re.compile(r"\d+")
_UNREACHABLE: Final = (Kind.COORDINATION_DOWN, Kind.PARTITION)
_SETTLED_MS: Final = 1_000
"""After this an index shows a row, where none is behind."""


@dataclass(kw_only=True)
class _Call:
    """One question to the model, about an alert that does not rest."""

    alert_id: str
    at_ms: int
    invocation: "Invocation"
    incident_id: str | None = None
    answered_ms: int | None = None


class IncidentInvariants:
    """Checks the incidents of one run. `broken(rule, text)` is called with each violation."""

    def __init__(self, scenario: Scenario, scheduler: Scheduler, broken: Callable[[str, str], None]) -> None:
        """Begin without incidents."""
        self.rows: dict[str, dict[str, Alert]] = {}
        """By incident and id: its rows, as they were written last."""
        self._latest: dict[tuple[str, str], Alert] = {}
        """By writer's region and id: the rows. Under an eventual ledger each region may have its own."""
        self._by_number: dict[int, Alert] = {}
        """By the number that an incident's record has of an alert: its row, as it was written last."""
        self._scenario = scenario
        self._scheduler = scheduler
        self._broken = broken
        self._strong = scenario.consistency == "strong"
        self._exact = self._strong and not scenario.faults.index_lag and scenario.mix is None
        self._records_sure = not any(
            getattr(scenario.faults, fault) for fault in ("coordination_failed", "coordination_lost_answer")
        ) and not any(incident.kind in _UNREACHABLE for incident in scenario.incidents)
        self._alike: dict[tuple[str, ...], dict[str, Alert]] = {}
        """By what they have in common: the rows that may be one incident."""
        self._by_fault_key: dict[str, dict[str, Alert]] = {}
        self._joined_ms: dict[tuple[str, str], int] = {}
        """By incident and id: when the row became a part of it."""
        self._closed_ms: dict[str, int] = {}
        """By incident: since when it is over, by its record, or by what people were told."""
        self._calls: list[_Call] = []
        self._joined_by: dict[tuple[str, str], Invocation | None] = {}
        """By incident and id: who made the row a part of it."""
        self._asked: dict[str, list[tuple[int, Invocation]]] = {}
        """By incident: when its record came to say that the model is asked, and who wrote that."""

    def wrote(self, invocation: "Invocation | None", stored: Alert | None, new: Alert) -> None:
        """A conditional write has replaced `stored` by `new`."""
        self._check_route(stored, new)
        if stored is None and new.severity is Severity.CRITICAL and new.not_before is not None:
            self._broken("critical_held", f"{new.alert_id} is held back from its acceptance on")
        self._latest[invocation.region if invocation else "", new.alert_id] = new
        self._by_number[_number_of(new.alert_id)] = new
        self._alike.setdefault(self._alike_by(new), {})[new.alert_id] = new
        if new.fault_key is not None:
            self._by_fault_key.setdefault(new.fault_key, {})[new.alert_id] = new
        incident_id = new.incident_id
        if incident_id is None:
            return
        first = new.alert_id not in self.rows.setdefault(incident_id, {})
        if first:
            self._joined_ms[incident_id, new.alert_id] = self._scheduler.now_ms
            self._joined_by[incident_id, new.alert_id] = invocation
        if invocation is not None and stored is not None and new.status is Status.ANALYZED:
            for call in self._calls:
                if (call.alert_id, call.invocation) == (new.alert_id, invocation):
                    call.incident_id = incident_id
            if stored.status is Status.RECEIVED:
                self._check_place(invocation, new, incident_id)
        self.rows[incident_id][new.alert_id] = new

    def recorded(self, invocation: "Invocation", name: str, stored: Record | None, new: Record) -> None:
        """An incident's record was written: perhaps the model is asked for it, or it is closed now."""
        values = new.values
        said = f"{name}\n{values['opened_ms']}"
        incident_id = "i" + hashlib.sha256(said.encode()).hexdigest()[:32]
        if values.get("asked_ms") and not (stored and stored.values.get("asked_ms") == values["asked_ms"]):
            self._asked.setdefault(incident_id, []).append((self._scheduler.now_ms, invocation))
        if not values.get("closed") or (stored and stored.values.get("closed")):
            return
        self._closed_ms[incident_id] = self._scheduler.now_ms
        if invocation.function != "analysis" or self._has_lost_lead(incident_id, values["lead"]):
            return
        if fault := self._firing(incident_id, invocation):
            self._broken("closed_too_soon", f"{invocation.name} closes {incident_id}, where {fault} fires")

    def posting(
        self, invocation: "Invocation", message: PostedMessage, members: tuple[str, ...] | None
    ) -> None:
        """A worker is about to say something of `members`, and perhaps of their incident."""
        claimed = [self._latest.get((invocation.region, alert_id)) for alert_id in members or ()]
        ids = {row.incident_id for row in claimed if row is not None}
        severities = {row.severity for row in claimed if row is not None}
        if Severity.CRITICAL in severities and len(severities) > 1:
            self._broken("critical_merged", f"{invocation.name} posts CRITICAL alerts among others")
        incident_id = ids.pop() if len(ids) == 1 else None
        if incident_id is not None:
            self._check_said(invocation, message, incident_id, told=len(members or ()))

    def asked(self, invocation: "Invocation", alert: Alert) -> None:
        """The model is asked about an alert."""
        if alert.status == Status.RECEIVED:
            self._calls.append(
                _Call(alert_id=alert.alert_id, at_ms=self._scheduler.now_ms, invocation=invocation)
            )

    def model_answered(self, invocation: "Invocation", alert_id: str) -> None:
        """The model's answer has reached who asked last about this alert."""
        for call in reversed(self._calls):
            if (call.alert_id, call.invocation) == (alert_id, invocation):
                call.answered_ms = self._scheduler.now_ms
                return

    def just_asked(self, row: Alert) -> bool:
        """Whether only others had the model asked for its incident in the minute before a row joined that.

        Then it is not asked about the row too, and perhaps there was no answer yet.
        """
        key = str(row.incident_id), row.alert_id
        joined_ms = self._joined_ms.get(key, 0)
        since_ms = joined_ms - ASK_AGAIN_S * 1000 - self._scenario.disagreement_ms - _SETTLED_MS
        by = [asker for at_ms, asker in self._asked.get(key[0], ()) if since_ms < at_ms < joined_ms]
        return bool(by) and self._joined_by.get(key) not in by

    def check_calls(self) -> None:
        """At rest: no incident has cost two calls of a region, while none failed and the first was kept."""
        scenario = self._scenario
        if scenario.mix or scenario.faults.cache_failed or scenario.faults.coordination_lost_answer:
            return
        if any(incident.kind is Kind.CACHE_DOWN for incident in scenario.incidents):
            return
        kept: dict[tuple[str, str], _Call] = {}
        for call in self._calls:
            by = call.invocation
            if call.incident_id is None:
                continue
            first = kept.get((call.incident_id, by.region))
            undisturbed = not (by.killed or by.was_frozen or by.ledger_errors or by.coordination_errors)
            if first is None:
                if call.answered_ms is not None and undisturbed:
                    kept[call.incident_id, by.region] = call
            elif undisturbed and self._needless(first, call):
                self._broken(
                    "asked_twice",
                    f"{call.incident_id}: the model was asked about {first.alert_id}, and about "
                    f"{call.alert_id} again",
                )

    def _needless(self, first: _Call, call: _Call) -> bool:
        answered_ms = first.answered_ms or 0
        soon_ms = first.at_ms + ASK_AGAIN_S * 1000 - self._scenario.disagreement_ms
        return call.at_ms < soon_ms or call.at_ms > answered_ms + 3 * _SETTLED_MS

    def _check_route(self, stored: Alert | None, new: Alert) -> None:
        """It is decided by the analysis. An unusable one is left for the default, and the row says so."""
        if stored is None or stored.route == new.route:
            return
        decided = stored.status is Status.RECEIVED and new.status is Status.ANALYZED
        if not decided and (new.route is not None or new.unusable_route != stored.route):
            self._broken("route_changed", f"{new.alert_id} goes by {new.route}, and went by {stored.route}")

    def _check_place(self, invocation: "Invocation", new: Alert, incident_id: str) -> None:
        if new.severity is Severity.CRITICAL and new.not_before is not None:
            self._broken("critical_held", f"{new.alert_id} is held until {new.not_before}")
        rows = self.rows[incident_id].values()
        if new.state is FaultState.RESOLVED:
            self._check_resolution(new, incident_id)
        elif not new.lead:
            alike = self._alike[self._alike_by(new)].values()
            others = [
                row
                for row in (*rows, *alike)
                if row.alert_id != new.alert_id
                and (row.incident_id in (None, incident_id) or row.status is Status.RECEIVED)
            ]
            if all(URGENCY[row.severity] > URGENCY[new.severity] for row in others):
                self._broken("severe_held", f"{new.alert_id} is {new.severity}, and nobody leads above it")
        closed_ms = self._closed_ms.get(incident_id)
        late = closed_ms is not None and invocation.started_ms > closed_ms
        if new.state is FaultState.FIRING and late and self._strong:
            self._broken("closed_goes_on", f"{new.alert_id} joins {incident_id}, which was closed before")

    def _check_resolution(self, new: Alert, incident_id: str) -> None:
        """It joins the incident of an alert of its own fault, or (of a fault that nobody knows) its own."""
        rows = self.rows[incident_id].values()
        fired = [row for row in rows if row.state is not FaultState.RESOLVED]
        if fired and not any(row.fault_key == new.fault_key for row in fired):
            self._broken(
                "foreign_resolution", f"{new.alert_id} joins {incident_id}, which is of other faults"
            )
        own = [
            row
            for row in self._by_fault_key.get(new.fault_key or "", {}).values()
            if row.state is FaultState.FIRING and row.incident_id == incident_id
        ]
        if own and self._exact and not any(row.route == new.route for row in own):
            routes = sorted(str(row.route) for row in own if row.unusable_route is None)
            if routes:
                self._broken(
                    "route_changed", f"{new.alert_id} goes by {new.route}, what it resolves by {routes}"
                )

    def _check_said(
        self, invocation: "Invocation", message: PostedMessage, incident_id: str, *, told: int
    ) -> None:
        """What is said of an incident: no more than there is, nor (where all is seen) less."""
        counted = _COUNTED.search(message.text)
        number = int(counted[1].replace(",", "")) if counted else told
        there, seen = len(self.rows[incident_id]), self._seen(incident_id, invocation)
        if number > there or number < told:
            self._broken(
                "incident_miscounted",
                f"{invocation.name} says {number} of {incident_id}, which has {there}, and tells of {told}",
            )
        edits = getattr(message, "refers_to", None) is not None
        if number < len(seen) and (edits or counted):
            self._broken(
                "edit_takes_back" if edits else "incident_miscounted",
                f"{invocation.name} says {number} of {incident_id}, which has had {len(seen)} for long",
            )
        if _OVER.search(message.text):
            if fault := self._firing(incident_id, invocation):
                self._broken(
                    "said_resolved", f"{invocation.name} says that {incident_id} is over, and {fault} fires"
                )
            if self._records_sure:
                self._closed_ms.setdefault(incident_id, self._scheduler.now_ms)

    def _seen(self, incident_id: str, invocation: "Invocation") -> list[Alert]:
        """The rows of an incident that whoever looked at it must have seen."""
        if not self._exact or invocation.ledger_errors:
            return []
        before_ms = invocation.started_ms - _SETTLED_MS
        rows = self.rows.get(incident_id, {})
        return [row for alert_id, row in rows.items() if self._joined_ms[incident_id, alert_id] < before_ms]

    def _firing(self, incident_id: str, invocation: "Invocation") -> str | None:
        """A fault of an incident that nobody has said is over, if whoever looked at its rows saw that.

        A resolution that a source dates after the alert ends it, also where the alert was accepted last.
        """
        for row in self._seen(incident_id, invocation):
            if row.state is FaultState.RESOLVED or row.fault_key is None:
                continue
            after_ms = row.accepted_at_ms - self._scenario.disagreement_ms
            over = any(
                other.state is FaultState.RESOLVED
                and (
                    other.accepted_at_ms >= after_ms or (other.changed_at_ms or 0) > (row.changed_at_ms or 0)
                )
                for other in self._by_fault_key[row.fault_key].values()
            )
            if not over:
                return row.alert_id
        return None

    def _has_lost_lead(self, incident_id: str, number: int) -> bool:
        """Whether the alert that led last, by its number, was sent on elsewhere while its worker was away."""
        lead = self._by_number.get(number)
        if lead is None or lead.status is Status.RECEIVED:
            return False
        return lead.incident_id != incident_id

    def _alike_by(self, row: Alert) -> tuple[str, ...]:
        routed = self._scenario.routed
        aside = routed is not None and routed.matches(row)
        return (row.region, row.source, _DIGITS.sub("", row.title), row.message, str(row.state), str(aside))


def _number_of(alert_id: str) -> int:
    return int.from_bytes(hashlib.sha256(alert_id.encode()).digest()[:6])
