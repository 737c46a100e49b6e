"""What goes out together: the alerts of one incident, and in a storm whatever waits for the same channel."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.delivery.channels import Channels
from handlers.domain.delivery.leases import Deadline, Leases
from handlers.domain.limits import (
    GATHERING_S,
    MAX_DIGEST_ALERTS,
    MAX_DIGEST_FAULTS,
    MAX_DIGEST_WAIT_S,
    MIN_DIGEST_ALERTS,
)
from handlers.domain.ports import Executor, IncidentRow, LedgerUnavailableError
from topology.alerts import URGENCY, Severity, Status, open_key
from topology.limits import DYNAMODB_BATCH_GET_MAX

T = TypeVar("T")
R = TypeVar("R")

_log = logging.getLogger(__name__)

_OTHERS_MAX: Final = MAX_DIGEST_ALERTS - 1
_LOOKED_AT: Final = 2 * MAX_DIGEST_ALERTS
"""Of what waits in a storm: so many are read to choose whole incidents of."""


class Gathering(msgspec.Struct, frozen=True, kw_only=True):
    """Finds and claims what a message may tell of besides the alert that it is about."""

    leases: Leases
    channels: Channels
    executor: Executor

    def anything_waits(self) -> bool:
        """Whether people are still to be told of an ordinary alert that is not held."""
        until_s = self._soon_s()
        keys = self._open_keys(critical=False)
        return any(self.leases.ledger.waiting(key, until_s=until_s, limit=1) for key in keys)

    def of_incident(self, mine: Alert, rows: Sequence[IncidentRow], deadline: Deadline) -> list[Alert]:
        """The other alerts of its incident, of which people are to be told with `mine`, claimed.

        A CRITICAL alert waits for nobody and takes nobody's time: it goes alone, or with what it resolves.
        """
        urgent = mine.severity is Severity.CRITICAL
        ids = [
            row.alert_id
            for row in rows
            if row.alert_id != mine.alert_id
            and row.status is Status.ANALYZED
            and row.lease_token is None
            and not row.alone
            and (row.severity is Severity.CRITICAL) is urgent
            and (not urgent or row.fault_key == mine.fault_key)
        ]
        return self._claimed(self._open(ids[:_OTHERS_MAX], mine), deadline)

    def backlog(self, mine: Alert, besides: Sequence[Alert], deadline: Deadline) -> tuple[list[Alert], bool]:
        """What else waits for the same channel in the same queue, claimed, and whether there is more of it.

        The most severe incidents first, then those that are due longest, each whole if there is room; none if
        there are too few for a digest.
        """
        taken = {mine.alert_id, *(alert.alert_id for alert in besides)}
        ids: list[str] = []
        for key in self._open_keys(critical=mine.severity is Severity.CRITICAL):
            if room := _LOOKED_AT - len(ids):
                found = self.leases.ledger.waiting(key, until_s=self._soon_s(), limit=room)
                ids += [alert_id for alert_id in found if alert_id not in taken]
        if len(ids) + len(taken) < MIN_DIGEST_ALERTS:
            return [], False
        waiting = self._open(ids, mine)
        if len(waiting) + len(taken) < MIN_DIGEST_ALERTS:
            return [], False
        chosen = _whole_incidents(waiting, room=MAX_DIGEST_ALERTS - len(taken))
        return self._claimed(chosen, deadline), len(chosen) < len(waiting)

    def each(self, function: Callable[[T], R | None], items: Iterable[T]) -> list[R]:
        """What `function` made of each; one that the ledger fails is left to Recovery, the others go on."""

        def safely(item: T) -> R | None:
            try:
                return function(item)
            except LedgerUnavailableError:
                _log.exception("The ledger is unavailable, leaving one alert to Recovery")
                return None

        return [done for done in self.executor.map(safely, items) if done is not None]

    def _open(self, alert_ids: Sequence[str], mine: Alert) -> list[Alert]:
        """Those that are there to be claimed and go to the channel of `mine`."""
        channel = self.channels.of(mine.route)
        starts = range(0, len(alert_ids), DYNAMODB_BATCH_GET_MAX)
        parts = [alert_ids[start : start + DYNAMODB_BATCH_GET_MAX] for start in starts]
        rows = [row for part in parts for row in self.leases.open_ones(part)]
        return [row for row in rows if self.channels.of(row.route) is channel]

    def _claimed(self, alerts: Sequence[Alert], deadline: Deadline) -> list[Alert]:
        return self.each(lambda alert: self.leases.claim(alert, deadline), alerts)

    def _soon_s(self) -> int:
        """Until when (epoch seconds) is due what waits for a slot; what is held is due later."""
        return self.leases.clock.now_ms() // 1000 + self.leases.lease_s + MAX_DIGEST_WAIT_S + GATHERING_S

    def _open_keys(self, *, critical: bool) -> list[str]:
        """The open keys of one of the two queues, the most severe first."""
        owners = self.leases.ownership.view().owners
        severities = [one for one in Severity if (one is Severity.CRITICAL) is critical]
        return [open_key(owner, severity) for severity in severities for owner in owners]


def by_incident(alerts: Iterable[Alert]) -> list[list[Alert]]:
    """The alerts of each incident, and each alert that has none, in order of appearance."""
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.incident_id or alert.alert_id, []).append(alert)
    return list(groups.values())


def _whole_incidents(alerts: Sequence[Alert], *, room: int) -> list[Alert]:
    def place(group: Sequence[Alert]) -> tuple[int, int]:
        return min(URGENCY[alert.severity] for alert in group), min(alert.due_at or 0 for alert in group)

    incidents = sorted(by_incident(alerts), key=place)[: MAX_DIGEST_FAULTS - 1]
    return [alert for group in incidents for alert in group][:room]
