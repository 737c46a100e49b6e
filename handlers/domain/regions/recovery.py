"""Recovery: each minute in each region, sees to whatever nobody else will.

- Open alerts whose lease ran out get another wake-up, ever later, and are PARKED after too many attempts.
- Follow-ups that are due get a wake-up too, and are given up after a while.
- A SUPPRESSED alert is looked at, whether its fault changed state before it; then it is promoted
  (see `fault_changes`).
- A silenced alert is looked at once its silence is over (see `silence_ends`).
- A PARKED alert that suppressed repeats has one of them promoted: somebody has to be told.

It finds them by a constant number of queries of the sparse index, and with nothing due that is all it costs.
Under `strong` consistency it acts on the alerts of both regions, since its conditional writes hold across
them; under `eventual` only on what is this region's (see `ownership`).
"""

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.limits import (
    FOLLOW_UP_AFTER_S,
    MAX_ATTEMPTS,
    MAX_BACKOFF_S,
    MAX_CHILDREN_LOOKED_AT,
    MAX_FOLLOW_UP_ATTEMPTS,
    MAX_FOLLOW_UPS_PER_RUN,
    MAX_LEASE_BACKOFF_S,
    MAX_PARKED_COUNTED,
    MAX_RECOVERED_PER_RUN,
    MAX_REPEATS_PER_RUN,
    MAX_UNREADABLE_PER_KEY,
    PARKED_LOOK_S,
)
from handlers.domain.moves import Actor
from handlers.domain.ports import (
    Clock,
    Ledger,
    LedgerUnavailableError,
    MalformedRowError,
    QueueSender,
    QueueSendError,
)
from handlers.domain.regions.fault_changes import FaultChanges
from handlers.domain.regions.ownership import Ownership, OwnershipView
from handlers.domain.regions.silence_ends import SilenceEnds
from handlers.domain.silences import Silences
from handlers.domain.states import (
    IllegalMoveError,
    follow_up_ended,
    given_up,
    looked_at,
    promoted,
    recovered,
)
from topology.alerts import (
    Severity,
    Status,
    follow_up_key,
    open_key,
    parked_key,
    repeat_key,
)
from topology.queues import Queue

_log = logging.getLogger(__name__)

_MAX_FAILURES: Final = 5
"""In a row: then it is the ledger that fails, not one alert."""

_CHUNK: Final = 10
"""Rows moved before their wake-ups are sent: a crash between the two costs these another lease."""


class RecoveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. `left_over`: it stopped at a limit while more was due.

    `unreadable` counts the rows that cannot be read, or contradict the state machine: each stays where it is,
    without anybody being told of its alert, until somebody corrects it.
    `changed` counts the SUPPRESSED alerts that were promoted as their fault's state had changed, `unsilenced`
    those that were as their silence had ended.
    `parked_now` counts the alerts that are PARKED, up to `MAX_PARKED_COUNTED` a region.
    """

    recovered: int
    parked: int
    promoted: int
    follow_ups: int
    changed: int
    unsilenced: int
    passed_over: int
    unreadable: int
    left_over: bool
    parked_now: int


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """Recovers the alerts that are this region's to work on, the most severe first, the longest due first."""

    ledger: Ledger
    queue_sender: QueueSender
    ownership: Ownership
    clock: Clock
    lease_s: int
    silences: Silences
    actor: ClassVar[Actor] = Actor.RECOVERY

    def run(self, *, until_ms: int) -> RecoveryReport:
        """See to at most `MAX_RECOVERED_PER_RUN` alerts, and to none after `until_ms`.

        One alert that cannot be seen to is passed over, so that it costs no other its turn; nor do the
        unreadable ones, however many, up to `MAX_UNREADABLE_PER_KEY`.

        Raises:
            LedgerUnavailableError: the ledger fails every alert; what was moved so far is safe, and its
            wake-ups are sent.
        """
        self.ownership.heartbeat()
        view = self.ownership.view()
        counts: Counter[str] = Counter()
        due = self._due(view)
        in_time, failures, turns = True, 0, MAX_RECOVERED_PER_RUN
        while in_time and (chunk := list(islice(due, min(_CHUNK, turns)))):
            wake_ups: dict[Queue, list[Alert]] = {}
            try:
                for alert_id in chunk:
                    in_time = self.clock.now_ms() < until_ms
                    if not in_time:
                        break
                    try:
                        done, after = self._see_to(alert_id, view)
                        failures = 0
                    except (MalformedRowError, IllegalMoveError):
                        _log.exception("Passed over: correct its row", extra={"alert_id": alert_id})
                        done, after = "unreadable", None
                    except LedgerUnavailableError:
                        _log.exception("Passed over: the ledger fails it", extra={"alert_id": alert_id})
                        done, after, failures = "passed_over", None, failures + 1
                        if failures >= _MAX_FAILURES:
                            raise
                    counts[done] += 1
                    if done != "unreadable":
                        turns -= 1
                    if after is not None and after.step is not None:
                        wake_ups.setdefault(after.queue, []).append(after)
            finally:
                self._send(wake_ups)
        report = RecoveryReport(
            recovered=counts["recovered"],
            parked=counts["parked"],
            promoted=counts["promoted"],
            follow_ups=counts["follow_up"],
            changed=counts["changed"],
            unsilenced=counts["unsilenced"],
            passed_over=counts["passed_over"],
            unreadable=counts["unreadable"],
            left_over=not in_time or not turns or counts["unreadable"] >= MAX_UNREADABLE_PER_KEY,
            parked_now=sum(
                self.ledger.count(parked_key(owner), limit=MAX_PARKED_COUNTED) for owner in view.owners
            ),
        )
        _log.info("Recovery ran", extra={"report": msgspec.structs.asdict(report)})
        return report

    def _due(self, view: OwnershipView) -> Iterator[str]:
        """The ids to look at, key by key; one is queried once those before it are through."""
        limits = [
            (open_key(owner, severity), MAX_RECOVERED_PER_RUN + MAX_UNREADABLE_PER_KEY)
            for severity in Severity
            for owner in view.owners
        ]
        now_s = self.clock.now_ms() // 1000
        for key, limit in limits:
            yield from self.ledger.overdue(key, now_s=now_s, limit=limit)
        yield from self._silence_ends.due(view.owners, now_s=now_s)
        limits = [(follow_up_key(owner), MAX_FOLLOW_UPS_PER_RUN) for owner in view.owners]
        limits += [(repeat_key(owner), MAX_REPEATS_PER_RUN) for owner in view.owners]
        limits += [
            (parked_key(owner), MAX_RECOVERED_PER_RUN + MAX_UNREADABLE_PER_KEY) for owner in view.owners
        ]
        for key, limit in limits:
            yield from self.ledger.overdue(key, now_s=self.clock.now_ms() // 1000, limit=limit)

    def _see_to(self, alert_id: str, view: OwnershipView) -> tuple[str, Alert | None]:
        """What was done, as the report counts it, and the row that now waits for a worker, if one does."""
        alert = self.ledger.get(alert_id)
        now_s = self.clock.now_ms() // 1000
        if alert is None or alert.due_at is None or not view.owns(alert):
            return "passed_over", None
        unsilenced = alert.silence_id is not None and self._silence_ends.over(alert, now_s=now_s)
        if alert.due_at > now_s and not unsilenced:
            return "passed_over", None
        match alert.status:
            case Status.PARKED:
                seen_to = self._look_at_repeats(alert, now_s)
            case Status.SUPPRESSED if unsilenced:
                after = self._silence_ends.after(alert, view, now_s=now_s)
                seen_to = self._moved(alert, after, "looked_at" if after.status.at_rest else "unsilenced")
            case Status.SUPPRESSED:
                after = self._fault_changes.after(alert, view, now_s=now_s)
                seen_to = self._moved(alert, after, "looked_at" if after.status.at_rest else "changed")
            case Status.NOTIFIED:
                seen_to = self._follow_up(alert, now_s)
            case _:
                seen_to = self._recover(alert, now_s)
        return seen_to

    @property
    def _fault_changes(self) -> FaultChanges:
        return FaultChanges(ledger=self.ledger, ownership=self.ownership, lease_s=self.lease_s)

    @property
    def _silence_ends(self) -> SilenceEnds:
        return SilenceEnds(
            ledger=self.ledger, silences=self.silences, lease_s=self.lease_s, shared=self.ownership.shared
        )

    def _recover(self, alert: Alert, now_s: int) -> tuple[str, Alert | None]:
        if alert.attempts >= MAX_ATTEMPTS:
            reason = f"{alert.status} and tried {alert.attempts} times without coming through"
            after = given_up(alert, reason=reason, due_at=now_s + self.lease_s)
            _log.error(
                "Parked: too many attempts", extra={"alert_id": alert.alert_id, "attempts": alert.attempts}
            )
            done = "parked"
        else:
            backoff_s = min(self.lease_s << alert.attempts, MAX_LEASE_BACKOFF_S)
            after = recovered(alert, due_at=now_s + max(backoff_s, self.lease_s))
            done = "recovered"
        return self._moved(alert, after, done)

    def _follow_up(self, alert: Alert, now_s: int) -> tuple[str, Alert | None]:
        if alert.step is None:
            return "passed_over", None
        if alert.attempts >= MAX_FOLLOW_UP_ATTEMPTS:
            _log.warning("No follow-up: tried too often", extra={"alert_id": alert.alert_id})
            return self._moved(alert, follow_up_ended(alert), "follow_up")
        backoff_s = min(FOLLOW_UP_AFTER_S << alert.attempts, MAX_BACKOFF_S)
        return self._moved(alert, recovered(alert, due_at=now_s + backoff_s), "follow_up")

    def _look_at_repeats(self, alert: Alert, now_s: int) -> tuple[str, Alert | None]:
        """Promote one SUPPRESSED repeat of a PARKED alert, unless one that was promoted before is getting on.

        When what was promoted is PARKED too, the next one is: it is the first of the family that decides. It
        names its successor before that is promoted, so that two regions, or a crash in between, promote no
        second.
        """
        later = now_s + PARKED_LOOK_S
        first = self._relative(alert.parent_id) if alert.parent_id else alert
        if first is None or first.status is not Status.PARKED:
            return self._moved(
                alert, looked_at(alert, due_at=later, successor_id=alert.successor_id), "passed_over"
            )
        if alert.alert_id != first.alert_id:
            self.ledger.replace(alert, looked_at(alert, due_at=later, successor_id=None), actor=self.actor)
        successor = self._relative(first.successor_id) if first.successor_id else None
        if successor is None or successor.status is Status.PARKED:
            successor = self._next_successor(first.alert_id)
        if successor is None or successor.status is not Status.SUPPRESSED or successor.silence_id is not None:
            return self._moved(
                first, looked_at(first, due_at=later, successor_id=first.successor_id), "passed_over"
            )
        named = looked_at(first, due_at=now_s + self.lease_s, successor_id=successor.alert_id)
        if not self.ledger.replace(first, named, actor=self.actor):
            return "passed_over", None
        _log.warning("Promoting in the place of a PARKED alert", extra={"alert_id": successor.alert_id})
        return self._moved(successor, promoted(successor, due_at=now_s + self.lease_s), "promoted")

    def _next_successor(self, family: str) -> Alert | None:
        """A repeat that is SUPPRESSED; the index that names it may be behind."""
        for child_id in self.ledger.suppressed_children(family, limit=MAX_CHILDREN_LOOKED_AT):
            child = self._relative(child_id)
            if child is not None and child.status is Status.SUPPRESSED:
                return child
        return None

    def _relative(self, alert_id: str) -> Alert | None:
        """A row of a family; one that cannot be read counts as none, so that it silences no other."""
        try:
            return self.ledger.get(alert_id)
        except MalformedRowError:
            _log.exception("Passed over: correct its row", extra={"alert_id": alert_id})
            return None

    def _moved(self, before: Alert, after: Alert, done: str) -> tuple[str, Alert | None]:
        if self.ledger.replace(before, after, actor=self.actor):
            return done, after
        return "passed_over", None

    def _send(self, wake_ups: dict[Queue, list[Alert]]) -> None:
        for queue, alerts in wake_ups.items():
            try:
                self.queue_sender.send(queue, alerts)
            except QueueSendError:
                extra = {"queue": queue, "alert_ids": [alert.alert_id for alert in alerts]}
                _log.warning("Wake-ups not sent", extra=extra, exc_info=True)
