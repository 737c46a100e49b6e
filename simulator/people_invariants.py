"""The invariants of what people do: silences cover what they hide, and who sees to an alert is left alone.

They know which silences were made, when and about what, who acknowledged which alert, and what the second way
was given.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handlers.domain.alert import Alert
from handlers.domain.limits import REMEMBERED_MS
from simulator.scenario import PlannedSilence, Scenario, fault_of
from simulator.scheduler import START_MS, Scheduler
from topology.alerts import CLOCK_ERROR_S, FaultState, Severity, Status

if TYPE_CHECKING:
    from simulator.machine import Invocation

_LATE_MS: Final = 400_000
"""A worker that has asked for the silences writes what came of it within its own time, or never."""

_SECOND_MS: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A silence that was made; `ended_ms`: when somebody ended it."""

    plan: PlannedSilence
    at_ms: int
    ended_ms: int | None = None


class PeopleInvariants:
    """Checks one run. `broken(rule, text)` is called with each violation."""

    def __init__(self, scenario: Scenario, scheduler: Scheduler, broken: Callable[[str, str], None]) -> None:
        """Begin with nobody having done anything."""
        self.published: dict[str, list[int]] = {}
        """By alert: when the second way took it."""
        self._scenario = scenario
        self._strong = scenario.consistency == "strong"
        self._scheduler = scheduler
        self._broken = broken
        self._made: dict[str, _Made] = {}
        self._rows: dict[str | None, Alert] = {}
        self._by_fault: dict[str, dict[str, Alert]] = {}
        """By fault key and id: the rows."""
        self._acknowledged_ms: dict[str, int] = {}
        self._snoozes: dict[str, list[tuple[int, int]]] = {}
        """By alert: when somebody snoozed it, and until when."""
        self._told_ms: dict[str, int] = {}
        """By alert: when its row last became NOTIFIED, by nobody's clock."""

    def made(self, plan: PlannedSilence) -> None:
        """Somebody has made a silence."""
        self._made[plan.silence_id] = _Made(plan=plan, at_ms=self._scheduler.now_ms)

    def ended(self, plan: PlannedSilence) -> None:
        """Somebody has ended one before its time."""
        made = self._made[plan.silence_id]
        self._made[plan.silence_id] = _Made(plan=plan, at_ms=made.at_ms, ended_ms=self._scheduler.now_ms)

    def acknowledged(self, alert_id: str) -> None:
        """Somebody has acknowledged an alert."""
        self._acknowledged_ms[alert_id] = self._scheduler.now_ms

    def snoozed(self, alert_id: str, *, until_ms: int) -> None:
        """Somebody wants to hear of an alert a second way only from then on."""
        self._acknowledged_ms.pop(alert_id, None)
        self._snoozes.setdefault(alert_id, []).append((self._scheduler.now_ms, until_ms))

    def wrote(self, _by: "Invocation | None", stored: Alert | None, new: Alert) -> None:
        """A conditional write has replaced `stored` by `new`: perhaps it is silenced now."""
        self._rows[new.alert_id] = new
        if new.status is Status.NOTIFIED and not (stored and stored.status is Status.NOTIFIED):
            self._told_ms[new.alert_id] = self._scheduler.now_ms
        self._by_fault.setdefault(new.fault_key or "", {})[new.alert_id] = new
        if new.silence_id is None or (stored and stored.silence_id is not None):
            return
        made = self._made.get(new.silence_id)
        if made is None:
            self._broken(
                "silence_unknown", f"{new.alert_id} is silenced by {new.silence_id}, which nobody made"
            )
            return
        skew_ms = self._scenario.disagreement_ms + _SECOND_MS
        # Under an eventual ledger the other region may not have heard yet that somebody has ended it.
        ended = made.ended_ms is not None and self._strong
        over_ms = (made.ended_ms or 0) if ended else START_MS + made.plan.to_ms
        latest_ms = over_ms + skew_ms + REMEMBERED_MS
        if new.accepted_at_ms > latest_ms or self._scheduler.now_ms > latest_ms + _LATE_MS:
            self._broken(
                "silence_outlived",
                f"{new.alert_id} is silenced by {new.silence_id}, which had ended before it came",
            )
        meant = [new]
        if new.state is FaultState.RESOLVED:  # it is silenced if what it resolves would be
            fired = self._by_fault.get(new.fault_key or "", {}).values()
            meant += [row for row in fired if row.state is FaultState.FIRING]
            meant += [self._rows[row.parent_id] for row in meant if row.parent_id in self._rows]
        matching = [row for row in meant if made.plan.matcher.matches(row)]
        if not matching:
            self._broken("silence_strayed", f"{new.alert_id} is silenced by {new.silence_id}, and no match")
        elif not made.plan.critical and all(row.severity is Severity.CRITICAL for row in matching):
            self._broken("critical_silenced", f"{new.alert_id} is silenced by {new.silence_id}")

    def over(self, row: Alert, *, latest_s: int) -> bool:
        """Whether the silence of a row may be over at `latest_s`, by its time or by somebody's word."""
        if row.silence_id is None or row.silenced_until is None:
            return False
        made = self._made.get(row.silence_id)
        ended = made is not None and made.ended_ms is not None
        return ended or row.silenced_until <= latest_s

    def publishing(self, row: Alert | None, alert_id: str, *, began_ms: int) -> None:
        """The second way takes an alert. `row` is what is stored; `began_ms`: when the publisher began."""
        now_ms, skew_ms = self._scheduler.now_ms, self._scenario.disagreement_ms + _SECOND_MS
        self.published.setdefault(alert_id, []).append(now_ms)
        if row is None or row.severity is not Severity.CRITICAL:
            self._broken("escalated_wrongly", f"{alert_id} goes a second way, and is not CRITICAL")
            return
        if self._strong and self._acknowledged_ms.get(alert_id, now_ms) < began_ms:
            self._broken("escalated_acknowledged", f"{alert_id} goes a second way, and was acknowledged")
        if row.status is Status.PARKED:
            return
        seen_told = row.status is Status.NOTIFIED and self._told_ms[alert_id] < began_ms
        since_ms = (row.notified_at_ms or 0) if seen_told else row.accepted_at_ms
        due_ms = since_ms + self._scenario.escalate_after_s * 1000
        snoozes = self._snoozes.get(alert_id, [])
        if self._strong:  # or the publisher may not have heard of the last word, or of any
            due_ms = next((until_ms for at_ms, until_ms in reversed(snoozes) if at_ms < began_ms), due_ms)
            snoozes = [snooze for snooze in snoozes if snooze[0] >= began_ms]
        due_ms = min([due_ms, *(until_ms for _, until_ms in snoozes)])
        if now_ms + skew_ms < due_ms:
            self._broken(
                "escalated_early", f"{alert_id} goes a second way {(due_ms - now_ms) / 1000:.0f} s too early"
            )

    def check_rest(self, rows: Mapping[str, Alert]) -> None:
        """At rest: what ended silences hid is known, and nobody waits for an acknowledgement unheard."""
        for row in rows.values():
            if row.status is Status.SUPPRESSED and row.silence_id is not None:
                self._check_hidden(row, rows.values())
            if row.severity is Severity.CRITICAL and self._scenario.escalate_after_s:
                self._check_escalated(row, rows.values())

    def _check_hidden(self, row: Alert, rows: Iterable[Alert]) -> None:
        """Its fault was over before, or people know the state that it is in."""
        error_ms = CLOCK_ERROR_S * 1000 + self._scenario.disagreement_ms
        changed_ms = row.changed_at_ms or 0
        same_fault = [other for other in rows if other.fault_key == row.fault_key]
        superseded = any(
            other.state is not row.state and (other.changed_at_ms or 0) > changed_ms - error_ms
            for other in same_fault
        )
        told = [other for other in same_fault if other.status is not Status.SUPPRESSED or other.folded]
        # What is PARKED people find, but it is in no channel: a resolution of it may rest.
        others = [o for o in told if o.state is not row.state and o.status is not Status.PARKED]
        same_ms = max((o.changed_at_ms or 0 for o in told if o.state is row.state), default=0)
        other_ms = max((o.changed_at_ms or 0 for o in others), default=0)
        known = same_ms > other_ms - error_ms if same_ms else not others and row.state is FaultState.RESOLVED
        if not superseded and not known:
            self._broken(
                "silence_hides",
                f"{row.alert_id} rests under {row.silence_id}: fault {fault_of(row.title)} stayed "
                f"{row.state}, and nobody was told",
            )

    def _check_escalated(self, row: Alert, rows: Iterable[Alert]) -> None:
        """What nobody acknowledged went a second way, unless it was over by then."""
        if row.status is not Status.NOTIFIED or row.state is FaultState.RESOLVED:
            return
        if row.alert_id in self._acknowledged_ms:
            if self._strong and row.acknowledged_at is None:
                self._broken(
                    "acknowledgement_lost", f"{row.alert_id} was acknowledged, and its row does not say so"
                )
            return
        if row.alert_id in self.published:
            return
        over = any(
            other.fault_key == row.fault_key
            and other.state is FaultState.RESOLVED
            and (other.changed_at_ms or 0) >= (row.changed_at_ms or 0) - CLOCK_ERROR_S * 1000
            for other in rows
        )
        if not over:
            self._broken("never_escalated", f"nobody acknowledged {row.alert_id}, and no second way has it")
