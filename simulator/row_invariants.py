"""The invariants of the ledger's writes: each is a move of the state machine whose condition really held."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from handlers.domain.alert import Alert
from handlers.domain.limits import MAX_ATTEMPTS
from handlers.domain.moves import MOVES, Actor, Condition
from handlers.domain.ports import Record
from simulator.scenario import REFUSED_MARK, REGIONS, Scenario, changing_faults, fault_of, peer_of
from simulator.scheduler import Scheduler
from topology.alerts import Severity, Status
from topology.records import ownership_record

if TYPE_CHECKING:
    from simulator.machine import Invocation

Watcher = Callable[["Invocation | None", Alert | None, Alert], None]
"""Is told who writes (None for an operator), what was stored and what is."""

_VIEW_AGE_MS: Final = 10_000
"""How long a worker may act on the view of the regions that it began with."""

_CONDITIONS: Final[Mapping[tuple[Actor, Status | None, Status], tuple[Condition, ...]]] = {
    (move.actor, move.origin, move.target): tuple(
        other.condition
        for other in MOVES
        if (other.actor, other.origin, other.target) == (move.actor, move.origin, move.target)
    )
    for move in MOVES
}


class RowInvariants:
    """Checks every write of one run. `broken(rule, text)` is called with each violation."""

    def __init__(
        self,
        scenario: Scenario,
        scheduler: Scheduler,
        broken: Callable[[str, str], None],
        others: Sequence[Watcher],
        silence_over: Callable[..., bool],
    ) -> None:
        """Begin with an empty ledger. `others` see each write too; `silence_over`: see `PeopleInvariants`."""
        self.workers: dict[str, dict[str, None]] = {}
        """By alert: the regions that ever worked on it."""
        self.creators: dict[str, dict[str, None]] = {}
        """By alert: the regions that took it in."""
        self.promoters: dict[str, dict[str, None]] = {}
        """By alert that was SUPPRESSED: the regions that had it go out."""
        self.made_ms: dict[str, tuple[int, int]] = {}
        """By alert: when the request began that made its row, and when the row was there."""
        self.made_live: set[str] = set()
        """The alerts whose rows were made to go out, and not to rest below another."""
        self.folded: dict[str, set[str]] = {}
        """By fold: the rows that were ever folded below it."""
        self.made_last_ms: dict[str, int] = {}
        """By alert: when its row was made last. Under an eventual ledger each region may make it."""
        self.by_fault: dict[int, dict[str, Alert]] = {}
        """By fault and id: the rows about it, as they were written last."""
        self.records: Callable[[str, str], Record | None] = lambda _region, _name: None
        """The coordination record as a region sees it."""
        self._changing = changing_faults(scenario)
        self._strong = scenario.consistency == "strong"
        self._takeover_ms = scenario.takeover_after_s * 1000
        self._skew_ms = scenario.disagreement_ms
        self._scheduler = scheduler
        self._broken = broken
        self._others = others
        self._silence_over = silence_over
        self._escalate_after_s = scenario.escalate_after_s
        self._holders: dict[str, Invocation] = {}
        """By lease token: the invocation that made it."""
        self._ever_parked: set[str] = set()

    def illegal(self, alert_id: str, text: str) -> None:
        """A handler tried a move that the state machine does not have."""
        self._broken("illegal_move", f"{alert_id}: {text}")

    def wrote(self, invocation: "Invocation | None", actor: Actor, stored: Alert | None, new: Alert) -> None:
        """A conditional write has replaced `stored` by `new`; no `invocation` for an operator."""
        origin = stored.status if stored else None
        conditions = _CONDITIONS.get((actor, origin, new.status), ())
        if not any(self._holds(condition, invocation, stored, new) for condition in conditions):
            self._broken(
                "condition_broken",
                f"{actor} wrote {new.alert_id} from {origin} to {new.status}, "
                f"but none of {', '.join(conditions) or 'no condition at all'} held",
            )
        self._note(invocation, stored, new)
        if new.attempts > MAX_ATTEMPTS:
            self._broken("attempts_unlimited", f"{new.alert_id} is at attempt {new.attempts}")
        if new.status is Status.PARKED and stored is not None and origin is not Status.PARKED:
            self._check_parked(stored, new)
        if invocation is None:
            return
        if stored is None:
            self.creators.setdefault(new.alert_id, {})[invocation.region] = None
            self.made_last_ms[new.alert_id] = self._scheduler.now_ms
            self.made_ms.setdefault(new.alert_id, (invocation.started_ms, self._scheduler.now_ms))
            if new.status is Status.RECEIVED:
                self.made_live.add(new.alert_id)
        elif stored.status is Status.SUPPRESSED and new.status is not Status.SUPPRESSED:
            self.promoters.setdefault(new.alert_id, {})[invocation.region] = None
        elif stored.step is not None:  # or it is only promoted, or looked at: nobody works on it yet
            self._note_work(invocation, stored, new)

    def _note(self, invocation: "Invocation | None", stored: Alert | None, new: Alert) -> None:
        for other in self._others:
            other(invocation, stored, new)
        fault = fault_of(new.title)
        if fault is not None:
            self.by_fault.setdefault(fault, {})[new.alert_id] = new
        if new.folded:
            self.folded.setdefault(new.parent_id or "", set()).add(new.alert_id)

    def taken_over(self, silent: str, by: str) -> None:
        """`silent` has been so for long, and `by` was well all the while: it must have taken over."""
        own, other = self._record(by, by), self._record(by, silent)
        if own.get("peer_through", -1) < other.get("epoch", 0):
            self._broken("not_taken_over", f"{by} has not taken over from {silent}")

    def switched(self, by: str, since_ms: int) -> None:
        """The switch of `by` has been on since then, and all is well there: it must have taken over."""
        if self._record(by, by).get("switched_ms", 0) < since_ms:
            self._broken("not_taken_over", f"{by} has not taken over, and its switch is on")

    def _holds(
        self, condition: Condition, invocation: "Invocation | None", stored: Alert | None, new: Alert
    ) -> bool:
        """Whether a move's condition really held, give or take what the clocks disagree."""
        if stored is None or condition is Condition.ABSENT:
            return stored is None and condition is Condition.ABSENT
        if invocation is None or condition is Condition.ASKED:
            return invocation is None and condition is Condition.ASKED
        latest_s = (self._scheduler.now_ms + self._skew_ms) // 1000 + 1
        overdue = stored.due_at is not None and stored.due_at <= latest_s
        return {
            Condition.FREE: overdue or stored.lease_token is None,
            Condition.LEASED: stored.lease_token in invocation.tokens,
            Condition.OVERDUE: overdue,
            Condition.FAMILY_OVERDUE: stored.status is Status.PARKED,
            Condition.STATE_CHANGED: stored.silence_id is None and fault_of(new.title) in self._changing,
            Condition.SILENCE_ENDED: self._silence_over(stored, latest_s=latest_s),
            Condition.UNTOLD_LONG: self._untold_long(stored, new, latest_s),
            Condition.PARENT_PARKED: new.parent_id in self._ever_parked or not self._strong,
        }[condition]

    def _untold_long(self, stored: Alert, new: Alert, latest_s: int) -> bool:
        """Whether it is CRITICAL, and only marked as told a second way, after the time that people have.

        Of what is PARKED they are told at once. Two runs that told of it in one second write the same.
        """
        due_s = stored.escalate_at
        if due_s is None:
            due_s = stored.timestamp + self._escalate_after_s
        told = new.escalated_at is not None and (new.escalated_at != stored.escalated_at or new == stored)
        waited = stored.status is Status.PARKED or due_s <= latest_s
        return stored.severity is Severity.CRITICAL and told and waited

    def _check_parked(self, stored: Alert, new: Alert) -> None:
        """It says why, and there is a reason: Slack refuses it, or its attempts are used up."""
        self._ever_parked.add(new.alert_id)
        if not (new.parked_reason or "").strip():
            self._broken("parked_without_reason", new.alert_id)
        if REFUSED_MARK not in new.title and stored.attempts < MAX_ATTEMPTS - 1:
            self._broken(
                "parked_too_soon", f"{new.alert_id} after {stored.attempts} attempts: {new.parked_reason}"
            )

    def _note_work(self, invocation: "Invocation", stored: Alert, new: Alert) -> None:
        """Somebody works on it: who holds it now, and from whom it was taken."""
        self.workers.setdefault(new.alert_id, {})[invocation.region] = None
        holder = self._holders.get(stored.lease_token or "")
        if holder is not None and holder is not invocation and not holder.over:
            holder.lease_lost.add(new.alert_id)
        if new.lease_token is not None and new.lease_token in invocation.tokens:
            self._holders[new.lease_token] = invocation
            invocation.leases[new.alert_id] = new.lease_token
        else:
            invocation.leases.pop(new.alert_id, None)
        if not self._strong:
            self._check_ownership(invocation, stored, new)

    def _check_ownership(self, invocation: "Invocation", stored: Alert, new: Alert) -> None:
        """Under an eventual ledger: who may work on it, give or take a view that is remembered."""
        alert_id = new.alert_id
        terms = [self._record(region, region).get("term", 0) for region in REGIONS]
        both_work = len(self.workers[alert_id]) > 1
        if both_work and len(self.creators.get(alert_id, {})) < len(REGIONS) and not any(terms):
            self._broken("worked_by_both", f"{alert_id} is worked on by both regions, and nobody took over")
        begins = new.step is stored.step
        old = self._scheduler.now_ms - invocation.started_ms > _VIEW_AGE_MS
        if not begins or old or invocation.was_frozen:
            return
        epoch = self._fenced_below(invocation.region)
        if epoch is not None and (new.owner != invocation.region or new.epoch < epoch):
            self._broken(
                "unfenced", f"{invocation.name} works on {alert_id} before it has seen the other region"
            )

    def _fenced_below(self, region: str) -> int | None:
        """The epoch that a region's own alerts must have for it to work on them; None if it is not fenced.

        A region is fenced that was silent for the whole takeover time, until it has seen the other's later
        heartbeat, or the other was silent for as long.
        """
        own, other = self._record(region, region), self._record(region, peer_of(region))
        earliest_ms = self._scheduler.now_ms - self._skew_ms
        latest_ms = self._scheduler.now_ms + self._skew_ms
        if not own:
            return None
        if earliest_ms - own["heartbeat_ms"] > self._takeover_ms + _VIEW_AGE_MS:
            return own["epoch"] + 1
        returned_ms = own["returned_ms"]
        unseen = returned_ms > 0 and other.get("heartbeat_ms", 0) <= returned_ms
        fenced = unseen and earliest_ms - returned_ms > _VIEW_AGE_MS
        return own["epoch"] if fenced and latest_ms - returned_ms < self._takeover_ms else None

    def _record(self, region: str, of: str) -> Mapping[str, int]:
        """What `region` sees of the record of region `of`."""
        record = self.records(region, ownership_record(of))
        return record.values if record else {}
