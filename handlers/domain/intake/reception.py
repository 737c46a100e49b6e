"""Reception: turns incoming alerts into ledger rows and only then lets the caller promise anything.

The rows decide. A wake-up to the processing queue follows, and where it is lost Recovery sends another. A
body of which only some rows could be written is refused as a whole (503): those rows are live, Recovery or
the source's retry carries them on, and a retry that finds them becomes their SUPPRESSED repeat, so nothing
promised ever depends on a row that nobody works on.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from handlers.domain.alert import Alert, IncomingAlert
from handlers.domain.formats import RefusedError
from handlers.domain.identity import alert_id_of, identity_of, identity_of_key
from handlers.domain.intake.rows import new_row
from handlers.domain.ports import (
    Clock,
    Executor,
    Ledger,
    LedgerUnavailableError,
    QueueSender,
    QueueSendError,
    Randomness,
)
from handlers.domain.regions.ownership import Ownership
from handlers.domain.states import Actor, promoted, received, suppressed
from topology.alerts import Status
from topology.queues import Queue

_log = logging.getLogger(__name__)

_SUFFIX_DIGITS: Final = 8
_SUFFIX_TRIES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What one request brings: a body's alerts, and any `Idempotency-Key` with the body's hash."""

    format: str
    alerts: Sequence[IncomingAlert]
    key: str | None = None
    body_hash: str | None = None
    """Of the whole body; given together with an `Idempotency-Key` only."""


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A row as it would be if it is the first of its kind, and the id that an earlier one may have."""

    row: Alert
    earlier_id: str
    window_s: int


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """The row that answers for an alert, and the earlier row that it repeats, if it does."""

    row: Alert
    earlier: Alert | None = None


@dataclass(frozen=True, kw_only=True)
class Reception:
    """Takes submissions in. Windows and leases in seconds."""

    ledger: Ledger
    queue_sender: QueueSender
    clock: Clock
    randomness: Randomness
    executor: Executor
    ownership: Ownership
    region: str
    lease_s: int
    event_window_s: int
    content_window_s: int
    actor: Actor = field(default=Actor.RECEPTION, init=False)

    def accept(self, submission: Submission, *, until_ms: int) -> list[Alert]:
        """Write a row for every alert, in order, and send the wake-ups.

        Returns the rows that answer for the alerts. With a key that was used before with the same body,
        these are the rows of that time.

        Raises:
            LedgerUnavailableError: not every row was written by `until_ms`; safe to send again.
            RefusedError: 409, the key was used with another body; nothing was written.
        """
        now_ms, epoch = self.clock.now_ms(), self.ownership.epoch()
        drafts = [
            self._draft(submission, index, now_ms=now_ms, epoch=epoch)
            for index in range(len(submission.alerts))
        ]
        firsts: dict[str, _Draft] = {}
        for draft in drafts:
            firsts.setdefault(draft.row.alert_id, draft)
        leaders = list(firsts.values())
        followers = [draft for draft in drafts if draft is not firsts[draft.row.alert_id]]
        # With a key the first goes alone: it meets a reused key before anything else is written.
        alone = 1 if submission.key is not None else 0
        placed = [self._place(draft, until_ms) for draft in leaders[:alone]]
        placed += self.executor.map(lambda draft: self._place(draft, until_ms), leaders[alone:])
        first_rows = {draft.row.alert_id: first.row for draft, first in zip(leaders, placed, strict=True)}
        placed += self.executor.map(
            lambda draft: self._child(draft.row, first_rows[draft.row.alert_id], until_ms), followers
        )
        self._send_wake_ups(placed)
        answers = {id(draft): one.row for draft, one in zip([*leaders, *followers], placed, strict=True)}
        return [answers[id(draft)] for draft in drafts]

    def _draft(self, submission: Submission, index: int, *, now_ms: int, epoch: int) -> _Draft:
        alert = submission.alerts[index]
        if submission.key is not None:
            identity, window_s = identity_of_key(submission.key, index), self.event_window_s
        else:
            identity = identity_of(alert)
            window_s = self.content_window_s if alert.event_id is None else self.event_window_s
        row = new_row(
            alert,
            alert_id=alert_id_of(identity, at_ms=now_ms, window_s=window_s),
            identity=identity,
            at_ms=now_ms,
            region=self.region,
            body_format=submission.format,
        )
        return _Draft(
            row=replace(row, body_hash=submission.body_hash, epoch=epoch),
            earlier_id=alert_id_of(identity, at_ms=now_ms - window_s * 1000, window_s=window_s),
            window_s=window_s,
        )

    def _place(self, draft: _Draft, until_ms: int) -> _Placed:
        """The row that answers for a draft: itself, or what it repeats, or its row as a repeat."""
        row = received(draft.row, due_at=draft.row.timestamp + self.lease_s)
        self._check_time(until_ms)
        earlier = self.ledger.get(draft.earlier_id)
        if earlier is None or row.accepted_at_ms - earlier.accepted_at_ms >= draft.window_s * 1000:
            if self.ledger.create(row, actor=self.actor):
                return _Placed(row=row)
            # Somebody was faster, or a try of ours was written unseen: then this becomes a repeat of itself.
            earlier = self.ledger.get(row.alert_id)
            if earlier is None:
                raise LedgerUnavailableError(f"the row {row.alert_id} came and went; send again")
        if row.body_hash is None:
            return self._child(draft.row, earlier, until_ms)
        if earlier.body_hash != row.body_hash:
            raise RefusedError(
                409,
                "idempotency_key_reused",
                field="Idempotency-Key",
                hint="this key came with another body before; use a new key for a new body",
            )
        return _Placed(row=earlier)

    def _child(self, row: Alert, parent: Alert, until_ms: int) -> _Placed:
        """Write `row` as a repeat of `parent`: SUPPRESSED, or RECEIVED if the parent never got through.

        A parent that is PARKED while its child is being written does not see it any more: so it is read
        again afterwards, and the child goes out in its place.
        """
        family = parent.parent_id or parent.alert_id
        for _ in range(_SUFFIX_TRIES):
            self._check_time(until_ms)
            child = replace(row, alert_id=f"{family}.{self.randomness.hex(_SUFFIX_DIGITS)}", parent_id=family)
            due_at = child.timestamp + self.lease_s
            if parent.status is Status.PARKED:
                child = received(child, due_at=due_at)
                if self.ledger.create(child, actor=self.actor):
                    return _Placed(row=child, earlier=parent)
                continue
            child = suppressed(child, at_ms=child.accepted_at_ms)
            if not self.ledger.create(child, actor=self.actor):
                continue
            now = self.ledger.get(parent.alert_id)
            live = promoted(child, due_at=due_at)
            if now is not None and now.status is not Status.PARKED:
                return _Placed(row=child, earlier=parent)
            # Recovery may have promoted it already; then our write is not taken, and the outcome is the same.
            self.ledger.replace(child, live, actor=self.actor)
            return _Placed(row=live, earlier=parent)
        raise LedgerUnavailableError(f"{_SUFFIX_TRIES} random ids below {family} are taken; send again")

    def _check_time(self, until_ms: int) -> None:
        if self.clock.now_ms() >= until_ms:
            raise LedgerUnavailableError("the ledger is too slow to write the whole body in time; send again")

    def _send_wake_ups(self, answers: Sequence[_Placed]) -> None:
        """Send wake-ups for the rows to be worked on, and for earlier ones that nobody has touched yet.

        Those may have been written for a request that was answered 503, before any wake-up.
        """
        rows = [row for answer in answers for row in (answer.row, answer.earlier) if row is not None]
        waiting: dict[Queue, dict[str, None]] = {}
        for row in rows:
            if row.status is Status.RECEIVED and row.lease_token is None and row.attempts == 0:
                waiting.setdefault(row.queue, {})[row.alert_id] = None
        for queue, alert_ids in waiting.items():
            try:
                self.queue_sender.send(queue, list(alert_ids))
            except QueueSendError:
                extra = {"alert_ids": list(alert_ids)}
                _log.warning("Wake-ups not sent, Recovery will", extra=extra, exc_info=True)
