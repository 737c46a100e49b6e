"""The second way: what is CRITICAL and reaches nobody by Slack goes to another address as well, once.

Each minute, before Recovery: CRITICAL alerts that Slack has taken and nobody has acknowledged for a
configured time, those that Slack has not taken for as long, and those that are PARKED, of which it will take
none. All of a run are told in one message, so that a storm does not call somebody a hundred times. A fault
that was resolved needs nobody, and what goes out again after a redrive, a silence or a promotion is given the
time that a worker has.

An alert is told, then recorded: at least once. Its owner's region tells of it, and the other one only when
that has not for `PEER_GRACE_S` after the configured time; so people are told twice only if a run is ended
between the two, or both regions see to it at once after such an outage.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.limits import (
    FOREVER_MS,
    MAX_ESCALATED_PER_RUN,
    MAX_OPEN_DUE_S,
    MAX_RECOVERED_PER_RUN,
    cut,
)
from handlers.domain.moves import Actor
from handlers.domain.ports import Clock, Escalation, EscalationError, Ledger, LedgerUnavailableError
from handlers.domain.redaction import redacted
from handlers.domain.regions.ownership import Ownership, OwnershipView
from handlers.domain.states import escalated, not_escalated
from handlers.domain.text import ascii_of, inert
from topology.alerts import (
    CLOCK_ERROR_S,
    FaultState,
    Severity,
    Status,
    open_key,
    parked_key,
    unacknowledged_key,
)
from topology.limits import DYNAMODB_BATCH_GET_MAX, SNS_SUBJECT_MAX_CHARS

_log = logging.getLogger(__name__)

PEER_GRACE_S: Final = 90
"""A run of the owner's Recovery, and half a one."""

_LINE_CHARS: Final = 300
_ASCII_CUT_MARK: Final = "..."


class Escalations(msgspec.Struct, frozen=True, kw_only=True):
    """`after_s`: the configured time. `redact_emails`: whether e-mail addresses are redacted too."""

    ledger: Ledger
    ownership: Ownership
    escalation: Escalation
    clock: Clock
    region: str
    after_s: int
    redact_emails: bool = True
    actor: ClassVar[Actor] = Actor.RECOVERY

    def run(self) -> int:
        """How many alerts were told a second way, at most `MAX_ESCALATED_PER_RUN`.

        What cannot be told or recorded now is seen to by the next run: nothing is raised.
        """
        try:
            due = self._due()
            if due:
                self.escalation.publish(*self._message(due))
        except (LedgerUnavailableError, EscalationError):
            _log.exception("Not told a second way, the next run will")
            return 0
        for alert in due:
            extra = {"alert_id": alert.alert_id, "status": alert.status}
            try:
                after = escalated(alert, at=self.clock.now_ms() // 1000)
                if self.ledger.replace(alert, after, actor=self.actor):
                    _log.warning("Told a second way", extra=extra)
            except LedgerUnavailableError:
                _log.exception("Told a second way and not recorded", extra=extra)
        return len(due)

    def _due(self) -> list[Alert]:
        """What goes a second way now; of resolved faults it is recorded that nothing does."""
        view, now_s = self.ownership.view(), self.clock.now_ms() // 1000
        due = []
        for alert in self._found(view, now_s):
            if alert.status is Status.NOTIFIED and alert.escalate_at is not None:
                if resolved_since(alert, self.ledger):
                    self.ledger.replace(alert, not_escalated(alert), actor=self.actor)
                else:
                    due.append(alert)
            elif alert.severity is Severity.CRITICAL and alert.state is not FaultState.RESOLVED:
                due.append(alert)
        return due[:MAX_ESCALATED_PER_RUN]

    def _found(self, view: OwnershipView, now_s: int) -> Iterator[Alert]:
        """The rows that have waited long enough, as consistent reads have them.

        Of each key as many are looked at as Recovery moves in a run, so that it moves none unseen.
        """
        ids: dict[str, None] = {}
        for owner in view.owners:
            keys = {
                unacknowledged_key(owner): now_s,
                open_key(owner, Severity.CRITICAL): now_s + MAX_OPEN_DUE_S,
                parked_key(owner): now_s + MAX_OPEN_DUE_S,
            }
            for key, until_s in keys.items():
                found = self.ledger.overdue(key, now_s=until_s, limit=MAX_RECOVERED_PER_RUN)
                ids |= dict.fromkeys(found)
        wanted = [*ids]
        for start in range(0, len(wanted), DYNAMODB_BATCH_GET_MAX):
            batch = wanted[start : start + DYNAMODB_BATCH_GET_MAX]
            for row in self.ledger.get_many(batch).values():
                if isinstance(row, Alert) and view.owns(row) and self._has_waited(row, now_s):
                    yield row

    def _has_waited(self, alert: Alert, now_s: int) -> bool:
        grace_s = 0 if alert.owner == self.region else PEER_GRACE_S
        if alert.status is Status.NOTIFIED:
            return alert.escalate_at is not None and alert.escalate_at + grace_s <= now_s
        if alert.escalated_at is not None or alert.due_at is None:
            return False
        waited = alert.timestamp + self.after_s + grace_s <= now_s
        if alert.status is Status.PARKED:
            # Not by `due_at`, which the Recovery of either region moves.
            return alert.owner == self.region or waited
        fresh = not alert.attempts and alert.not_before is None and alert.due_at > now_s
        return not alert.status.at_rest and not fresh and waited

    def _message(self, alerts: Sequence[Alert]) -> tuple[str, str]:
        """Subject and text, both inert and without secrets."""
        known = [alert for alert in alerts if alert.status is Status.NOTIFIED]
        untold = [alert for alert in alerts if alert.status is not Status.NOTIFIED]
        if len(alerts) == 1:
            why = "not acknowledged" if known else "not in Slack"
            subject = (
                f"{alerts[0].severity}, {why}: {self._ascii_line(alerts[0].title) or alerts[0].alert_id}"
            )
        else:
            subject = (
                f"{len(alerts)} CRITICAL alerts: {len(known)} not acknowledged, {len(untold)} not in Slack"
            )
        lines = []
        if known:
            lines += ["In Slack, and nobody has acknowledged:", *map(self._entry, known)]
        if untold:
            lines += ["Not in Slack, which has not taken it:", *map(self._entry, untold)]
        room = SNS_SUBJECT_MAX_CHARS - len(_ASCII_CUT_MARK)
        short = subject if len(subject) <= SNS_SUBJECT_MAX_CHARS else subject[:room] + _ASCII_CUT_MARK
        return short, "\n\n".join(lines)

    def _entry(self, alert: Alert) -> str:
        """One alert, and what to do about it."""
        at = datetime.fromtimestamp(alert.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        where = ", ".join(filter(None, (alert.source, alert.component, alert.host)))
        if alert.status is Status.NOTIFIED:
            todo = f"responder alerts ack {alert.alert_id} --by NAME"
        elif alert.status is Status.PARKED:
            todo = f"responder parked show {alert.alert_id}"
        else:
            todo = "responder audit"
        cause = alert.analysis.probable_cause if alert.analysis else ""
        parts = (alert.title, f"{alert.severity} from {where}, {at}, {alert.alert_id}", cause)
        return "\n  ".join(["- " + self._line(parts[0]), *map(self._line, filter(None, parts[1:])), todo])

    def _ascii_line(self, text: str) -> str:
        """For a subject: ASCII counts the same however SNS counts, and none of it is a control character.

        Redacted before and after, as a secret may be known by what ASCII lacks, or only without.
        """
        return ascii_of(self._line(ascii_of(self._line(text))))

    def _line(self, text: str) -> str:
        return cut(redacted(inert(text, one_line=True), emails=self.redact_emails), _LINE_CHARS)


def resolved_since(alert: Alert, ledger: Ledger) -> bool:
    """Whether the fault of `alert` was resolved after it, or by it; in doubt it was not."""
    if alert.state is FaultState.RESOLVED:
        return True
    if alert.fault_key is None or alert.changed_at_ms is None:
        return False
    events = ledger.history(alert.fault_key, FaultState.RESOLVED, until_ms=FOREVER_MS, limit=1)
    return bool(events) and events[0].changed_at_ms > alert.changed_at_ms + CLOCK_ERROR_S * 1000
