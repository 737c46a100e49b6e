"""Distribution: from ANALYZED to NOTIFIED, through Slack, within Slack's rate limit.

An alert is posted when there is a slot for it in its channel, or comes back later. It brings along what of
its incident waits too. One that has come back before, or takes a slot that others were waiting for, brings
those along: a storm goes out as digests. A message is posted only while its leases hold. What may have been
posted without our knowing is written into the row as a possible duplicate and tried again, so that every
duplicate has a cause that can be counted.
"""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.arrivals import Arrivals
from handlers.domain.delivery.channels import Channels
from handlers.domain.delivery.digests import Group, digest_of
from handlers.domain.delivery.gathering import Gathering, by_incident
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.delivery.leases import Deadline, Leases, leave_to_recovery
from handlers.domain.delivery.messages import follow_up_of, notification_of
from handlers.domain.delivery.outcomes import Outcomes
from handlers.domain.delivery.posting import LEDGER_RESERVE_MS, Posting
from handlers.domain.delivery.views import Views
from handlers.domain.limits import (
    DIGEST_WINDOW_S,
    MAX_DEFERRAL_S,
    MAX_DIGEST_WAIT_S,
    MAX_FOLDED_COUNTED,
    MAX_FOLLOW_UP_WAITS,
)
from handlers.domain.ports import Executor, IncidentRow, Meter, RouteMeter
from handlers.domain.states import follow_up_ended, notified
from topology.alerts import SINK, SYNTHETIC, FaultState, Severity
from topology.metrics import ACCEPTED_TO_SLACK
from topology.queues import Queue

_log = logging.getLogger(__name__)

_DIGEST_RESERVE_MS: Final = 4_000
"""Kept for the ledger writes after the POST of a digest, and needed to begin gathering one."""

_JITTER_S: Final = 2.0


class DistributionWork(msgspec.Struct, frozen=True, kw_only=True):
    """Posts one alert at a time, or one and those that wait with it.

    `redact_emails`: whether e-mail addresses are redacted as secrets always are. `escalate_after_s`: how long
    people have to acknowledge a CRITICAL alert before it goes a second way; 0: it never does.
    """

    leases: Leases
    incidents: Incidents
    channels: Channels
    arrivals: Arrivals
    executor: Executor
    route_meter: RouteMeter | None = None
    meter: Meter | None = None
    redact_emails: bool = True
    escalate_after_s: int = 0

    @property
    def _outcomes(self) -> Outcomes:
        return Outcomes(
            leases=self.leases,
            incidents=self.incidents,
            channels=self.channels,
            arrivals=self.arrivals,
            route_meter=self.route_meter,
        )

    @property
    def _gathering(self) -> Gathering:
        return Gathering(leases=self.leases, channels=self.channels, executor=self.executor)

    @property
    def _posting(self) -> Posting:
        return Posting(
            leases=self.leases, channels=self.channels, gathering=self._gathering, outcomes=self._outcomes
        )

    @property
    def _views(self) -> Views:
        return Views(incidents=self.incidents, executor=self.executor)

    def chains(self, alert_ids: Sequence[str]) -> Sequence[Sequence[str]]:
        """What to do one after the other: all of a channel, as Slack takes one message of each at a time."""
        alerts = self.leases.expect(alert_ids)
        chains: dict[int, list[str]] = {}
        for alert_id in alert_ids:
            alert = alerts.get(alert_id)
            channel = self.channels.of(alert.route if alert else None)  # several routes may lead to it
            chains.setdefault(id(channel), []).append(alert_id)
        return [*chains.values()]

    def work(self, alert_id: str, deadline: Deadline) -> None:
        """Bring the alert to NOTIFIED, or give it back for later, or park it, if it is there to be worked on.

        Raises:
            PoisonMessageError: there is no such alert.
        """
        leave_to_recovery(alert_id, lambda: self._work(alert_id, deadline))

    def _work(self, alert_id: str, deadline: Deadline) -> None:
        alert = self.leases.look(alert_id, deadline)
        if alert is None:
            return
        if alert.synthetic and SYNTHETIC not in self.channels.by_route:
            self._sink(alert, deadline)
            return
        if alert.status.at_rest and alert.attempts < MAX_FOLLOW_UP_WAITS and self._gathering.anything_waits():
            wait_s = DIGEST_WINDOW_S << alert.attempts
            self.leases.postpone(alert, wait_s=wait_s + self._jitter_s(), attempts=alert.attempts + 1)
            return
        if self._held_on(alert):
            return
        limiter = self.channels.of(alert.route).rate_limiter
        urgent = alert.queue is Queue.DISTRIBUTION_CRITICAL
        if wait_ms := limiter.reserve(urgent=urgent):
            self._postpone(alert, wait_s=wait_ms / 1000, urgent=urgent)
            return
        mine = self.leases.claim(alert, deadline)
        if mine is None:
            return
        if mine.status.at_rest:
            self._follow_up(mine, deadline)
        else:
            # A held alert comes again too, so that alone is no sign that others wait for a slot.
            own = alert.lead or alert.incident_id is None
            again = alert.not_before is not None
            self._tell(mine, deadline, backlog=(again and own) or limiter.crowded, held=again and not own)

    def _tell(self, mine: Alert, deadline: Deadline, *, backlog: bool, held: bool) -> None:
        """Post `mine`, with what of its incident waits too, and with the `backlog` if there is one.

        What was `held` goes into the message of its incident's lead, if that can be edited.
        """
        rows = self._views.rows(mine)
        mates: list[Alert] = []
        others: list[Alert] = []
        more_wait = False
        # It takes along what is behind it in the batch, so it may use the time of these too.
        if not mine.alone and deadline.hard_ms - self.leases.clock.now_ms() >= 2 * _DIGEST_RESERVE_MS:
            mates = self._gathering.of_incident(mine, rows, deadline)
            if backlog:
                others, more_wait = self._gathering.backlog(mine, mates, deadline)
        if mates or others or (held and not mine.alone and self._edits(mine, rows)):
            self._digest([mine, *mates, *others], rows, deadline, more_wait=more_wait)
        else:
            self._single(mine, rows, deadline)

    def _held_on(self, alert: Alert) -> bool:
        """Whether `alert`, which was held, is so on: there is nothing that people are to be told of now."""
        own = alert.lead or alert.alone or alert.status.at_rest or alert.severity is Severity.CRITICAL
        if own or alert.incident_id is None or alert.not_before is None:
            return False
        rows = self._views.rows(alert)
        until_s = self.incidents.over_at(alert, rows, edits=self._edits(alert, rows))
        if until_s:
            self.leases.postpone(alert, wait_s=until_s - self.leases.clock.now_ms() // 1000)
        return until_s > 0

    def _edits(self, alert: Alert, rows: Sequence[IncidentRow]) -> bool:
        """Whether a message of its incident can be edited: that of a lead which was told by itself."""
        return self.channels.of(alert.route).edits and any(row.slack_ref for row in rows)

    def _sink(self, alert: Alert, deadline: Deadline) -> None:
        """A synthetic alert for which the stack has no channel has come as far as it can."""
        if (mine := self.leases.claim(alert, deadline)) is not None:
            after = notified(replace(mine, route=SINK), at_ms=self.leases.clock.now_ms())
            self._outcomes.record(mine, after, deadline)

    def _postpone(self, alert: Alert, *, wait_s: float, urgent: bool) -> None:
        """Who waited before waits longer: there is a backlog, and it goes out together.

        The longer it has waited in all the longer, so that the wake-ups of a storm do not leave the workers
        without time for its digests. Whoever comes to a free slot takes along who is not due yet.
        """
        if not urgent:
            if alert.not_before is not None:
                waited_s = (self.leases.clock.now_ms() - alert.accepted_at_ms) / 1000
                wait_s = max(wait_s, DIGEST_WINDOW_S, min(waited_s / 2, MAX_DIGEST_WAIT_S))
            wait_s += self._jitter_s()
        self.leases.postpone(alert, wait_s=min(wait_s, MAX_DEFERRAL_S))

    def _jitter_s(self) -> float:
        return _JITTER_S * self.leases.randomness.fraction()

    def _digest(
        self,
        claimed: Sequence[Alert],
        rows: Sequence[IncidentRow],
        deadline: Deadline,
        *,
        more_wait: bool,
    ) -> None:
        """One message for all of `claimed` whose lease still holds; the next one soon, if `more_wait`.

        `rows` are those of the first one's incident.
        """
        views = self._views.of_each(claimed, rows)
        members = self.leases.still_mine(claimed)
        if not members:
            return
        channel = self.channels.of(members[0].route)
        incidents = by_incident(members)
        groups = [Group(alerts=tuple(part), view=views.get(part[0].incident_id or "")) for part in incidents]
        digest = digest_of(groups, edits=channel.edits, emails=self.redact_emails)

        def record(alert: Alert, at_ms: int, reference: str | None) -> None:
            heads = len(incidents) == 1 and alert.lead
            after = self._notified(
                alert, at_ms=at_ms, digest_id=digest.digest_id, slack_ref=reference if heads else None
            )
            self._outcomes.record(alert, after, deadline)

        def posted(at_ms: int, reference: str | None) -> None:
            _log.info("Posted a digest", extra={"digest_id": digest.digest_id, "alerts": len(members)})
            self._gathering.each(lambda alert: record(alert, at_ms, reference), members)
            self._posting.reply(digest.thread if reference else (), reference, channel, deadline)
            if len(incidents) > 1 and not more_wait and members[0].severity is not Severity.CRITICAL:
                channel.rate_limiter.open_digest_window()

        self._posting.post(
            digest, members, deadline, until_ms=deadline.hard_ms - _DIGEST_RESERVE_MS, posted=posted
        )

    def _single(self, alert: Alert, rows: Sequence[IncidentRow], deadline: Deadline) -> None:
        folded = (
            self.leases.ledger.count_children(alert.alert_id, limit=MAX_FOLDED_COUNTED) if alert.folds else 0
        )
        view = self._views.of([alert], rows)
        if not self.leases.still_mine([alert]):
            _log.warning("The lease was lost before the POST", extra={"alert_id": alert.alert_id})
            return

        def posted(at_ms: int, reference: str | None) -> None:
            self._outcomes.record(alert, self._notified(alert, at_ms=at_ms, slack_ref=reference), deadline)

        self._posting.post(
            notification_of(alert, folded=folded, view=view, emails=self.redact_emails),
            [alert],
            deadline,
            until_ms=deadline.soft_ms - LEDGER_RESERVE_MS,
            posted=posted,
        )

    def _notified(
        self, alert: Alert, *, at_ms: int, digest_id: str | None = None, slack_ref: str | None = None
    ) -> Alert:
        """The alert that Slack has taken; how long it was on its way is counted."""
        if self.meter is not None:
            self.meter.add(ACCEPTED_TO_SLACK, max(at_ms - alert.accepted_at_ms, 0))  # clocks may disagree
        urgent = alert.severity is Severity.CRITICAL and alert.state is not FaultState.RESOLVED
        return notified(
            alert,
            at_ms=at_ms,
            digest_id=digest_id,
            slack_ref=slack_ref,
            escalate_after_s=self.escalate_after_s if urgent else 0,
        )

    def _follow_up(self, alert: Alert, deadline: Deadline) -> None:
        view = self._views.of([alert], self._views.rows(alert))
        if not self.leases.still_mine([alert]):
            return

        def posted(_at_ms: int, _reference: str | None) -> None:
            self._outcomes.record(alert, follow_up_ended(alert), deadline)

        self._posting.post(
            follow_up_of(alert, view=view, emails=self.redact_emails),
            [alert],
            deadline,
            until_ms=deadline.soft_ms - LEDGER_RESERVE_MS,
            posted=posted,
        )
