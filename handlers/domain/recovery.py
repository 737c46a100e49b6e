"""Recovery: each minute in each region, sends new hints for open alerts whose lease ran out.

Under `strong` consistency it acts on the alerts of both regions, since its conditional writes hold across
them; under `eventual` only on its own region's. With nothing overdue it costs one query a lane.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from handlers.domain.alert import Alert, Queue, Severity, Status, open_lane
from handlers.domain.limits import MAX_RECOVERED_PER_RUN, MAX_RECOVERY_ATTEMPTS
from handlers.domain.ports import Clock, Ledger, MalformedRowError, Outbox, OutboxError
from handlers.domain.states import Actor, parked, recovered

_log = logging.getLogger(__name__)

_CHUNK: Final = 10
"""Rows moved before their hints are sent: a crash between the two costs these another lease."""


@dataclass(frozen=True, kw_only=True)
class RecoveryReport:
    """What a run did. `left_over`: it stopped at a limit while more was overdue."""

    recovered: int
    parked: int
    passed_over: int
    left_over: bool


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Recovers the open alerts of `owners` (regions), the most severe first, oldest first."""

    ledger: Ledger
    outbox: Outbox
    clock: Clock
    owners: tuple[str, ...]
    lease_s: int
    actor: Actor = field(default=Actor.RECOVERY, init=False)

    def run(self, *, until_ms: int) -> RecoveryReport:
        """Recover at most `MAX_RECOVERED_PER_RUN` alerts, and none after `until_ms`.

        Raises:
            LedgerUnavailableError: the run ends here; what it moved so far is safe.
        """
        counts: Counter[str] = Counter()
        overdue = islice(self._overdue(), MAX_RECOVERED_PER_RUN)
        in_time = True
        while in_time and (chunk := list(islice(overdue, _CHUNK))):
            hints: dict[Queue, list[str]] = {}
            for alert_id in chunk:
                in_time = self.clock.now_ms() < until_ms
                if not in_time:
                    break
                after = self._move(alert_id)
                counts[after.status if after else "passed_over"] += 1
                if after and not after.status.at_rest:
                    hints.setdefault(after.queue, []).append(alert_id)
            self._send(hints)
        seen = counts.total()
        report = RecoveryReport(
            recovered=counts[Status.RECEIVED] + counts[Status.ANALYZED],
            parked=counts[Status.PARKED],
            passed_over=counts["passed_over"],
            left_over=not in_time or seen >= MAX_RECOVERED_PER_RUN,
        )
        _log.info("Recovery ran", extra={"report": report})
        return report

    def _overdue(self) -> Iterator[str]:
        """The ids to look at, lane by lane; a lane is queried once the ones before it are through."""
        for severity in Severity:
            for owner in self.owners:
                yield from self.ledger.overdue(
                    open_lane(owner, severity), now_s=self.clock.now_ms() // 1000, limit=MAX_RECOVERED_PER_RUN
                )

    def _move(self, alert_id: str) -> Alert | None:
        """The row after it was made ready for another try, or parked; None if that is not due any more."""
        try:
            alert = self.ledger.get(alert_id)
        except MalformedRowError:
            _log.exception("Passed over: the row is malformed", extra={"alert_id": alert_id})
            return None
        now_s = self.clock.now_ms() // 1000
        if alert is None or alert.status.at_rest or alert.due_at is None or alert.due_at > now_s:
            return None
        if alert.attempts >= MAX_RECOVERY_ATTEMPTS:
            after = parked(
                alert, reason=f"{alert.status} and tried {alert.attempts} times without coming through"
            )
            _log.error("Parked: too many attempts", extra={"alert_id": alert_id, "attempts": alert.attempts})
        else:
            after = recovered(alert, due_at=now_s + self.lease_s)
        return after if self.ledger.replace(alert, after, actor=self.actor) else None

    def _send(self, hints: dict[Queue, list[str]]) -> None:
        for queue, alert_ids in hints.items():
            try:
                self.outbox.send(queue, alert_ids)
            except OutboxError:
                _log.warning("Hints not sent", extra={"queue": queue, "alert_ids": alert_ids}, exc_info=True)
