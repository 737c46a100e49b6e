"""The invariant checker: watches a run and reports the first promise that is broken, which ends the run.

It knows the truth: real time, what was really written and posted, and which worker was really disturbed. It
shares no code with the handlers but the state machine as data (`moves.MOVES`) and the limits. Writes are
checked in `row_invariants`, posts in `post_invariants`, incidents in `incident_invariants`, silences and
acknowledgements in `people_invariants`, changes of faults in `change_checks`, and the final state in
`final_checks`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.change_checks import Told, untold_change, untold_severity
from simulator.history import History
from simulator.incident_invariants import IncidentInvariants
from simulator.people_invariants import PeopleInvariants
from simulator.post_invariants import PostInvariants
from simulator.row_invariants import RowInvariants
from simulator.scenario import Scenario
from simulator.scheduler import Scheduler
from topology.alerts import Status

if TYPE_CHECKING:
    from simulator.machine import Invocation

_SEND_ON_MS: Final = 5_000
"""For the row to be sent on, slow calls included."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A broken promise. `rule` names it in one word, the same for every seed that breaks it."""

    rule: str
    text: str
    at_ms: int

    def __str__(self) -> str:
        """The rule and what broke it."""
        return f"{self.rule}: {self.text}"


class InvariantChecker:
    """Checks one run. `violation` is the first one found."""

    def __init__(self, scenario: Scenario, scheduler: Scheduler, history: History) -> None:
        """Begin without a violation."""
        self.violation: Violation | None = None
        self._scenario = scenario
        self._scheduler = scheduler
        self._history = history
        self.posts = PostInvariants(scenario, scheduler, self.broken)
        self.incidents = IncidentInvariants(scenario, scheduler, self.broken)
        self.people = PeopleInvariants(scenario, scheduler, self.broken)
        others = (self.incidents.wrote, self.people.wrote)
        self.rows = RowInvariants(scenario, scheduler, self.broken, others, self.people.over)

    def critical_asked(self, invocation: "Invocation", alert_id: str, *, patience_s: int) -> None:
        """The model is asked about an alert that waits no longer than `patience_s` for it if all is well."""

        def check() -> None:
            row = self.posts.read(invocation.region, alert_id)
            undisturbed = not (invocation.over or invocation.was_frozen or invocation.ledger_errors)
            waits = row and row.status is Status.RECEIVED and row.lease_token in invocation.tokens
            if waits and undisturbed:
                self.broken("critical_waits", f"{alert_id} waits until {invocation.name} hears the model")

        self._scheduler.after(patience_s * 1000 + _SEND_ON_MS, check)

    def check_told(self, receipt: Told, receipts: Iterable[Told]) -> None:
        """Check that what a receipt says of its fault was told to people, if it is a change or worse."""
        rows = self.rows.by_fault.get(receipt.fault, {}).values()
        same = [other for other in receipts if other.fault == receipt.fault]
        text = untold_change(receipt, same, rows, self.rows.made_ms, self.rows.made_last_ms, self._scenario)
        if text is not None:
            self.broken("untold_change", text)
        text = untold_severity(receipt, rows)
        if text is not None:
            self.broken("untold_severity", text)

    def broken(self, rule: str, text: str) -> None:
        """Note a violation, if it is the first."""
        if self.violation is None:
            self.violation = Violation(rule=rule, text=text, at_ms=self._scheduler.now_ms)
            self._history.add(self._scheduler.now_ms, "VIOLATION", str(self.violation))
