"""Reception: turns incoming alerts into ledger rows and only then lets the caller promise anything.

The rows decide. A wake-up to the processing queue follows, and where it is lost Recovery sends another. The
most severe alerts of a body are written first. A body of which only some rows could be written is refused as
a whole (503): those rows are live all the same, and a retry, which has the same bytes, finds them, is
answered with them and writes only what is missing.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final, TypeVar

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert, IncomingAlert
from handlers.domain.identity import alert_id_of, identity_of, identity_of_key, repeat_id_of
from handlers.domain.intake.drafts import Draft, Earlier, Placed, by_source, earlier_of
from handlers.domain.intake.faults import Change, Faults
from handlers.domain.intake.quotas import Quotas
from handlers.domain.intake.rows import new_row
from handlers.domain.limits import REPEAT_LOOK_AFTER_S, UNSEEN_RETRY_S, WAKE_AGAIN_AFTER_S
from handlers.domain.moves import Actor
from handlers.domain.ports import (
    Clock,
    Executor,
    Ledger,
    LedgerUnavailableError,
    QueueSender,
    QueueSendError,
    Randomness,
    Record,
)
from handlers.domain.refusal import RefusedError
from handlers.domain.regions.ownership import Ownership
from handlers.domain.states import promoted, received, suppressed
from topology.alerts import URGENCY, FaultState, Severity, Status
from topology.limits import DYNAMODB_BATCH_GET_MAX, SQS_BATCH_MAX
from topology.queues import Queue

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_SUFFIX_DIGITS: Final = 8
_SUFFIX_TRIES: Final = 3
_PROMOTION_TRIES: Final = 3
_SENDS_MS: Final = 2_000
"""How long after the last row wake-ups are still sent."""

Failure = LedgerUnavailableError | RefusedError


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What one request brings: a body's alerts, the hash of its bytes, and any `Idempotency-Key`."""

    format: str
    alerts: Sequence[IncomingAlert]
    body_hash: str
    key: str | None = None


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """Takes submissions in. Windows and leases in seconds.

    `hold_back_s`: how long a firing alert waits for its resolution, unless it is CRITICAL.
    """

    ledger: Ledger
    faults: Faults
    quotas: Quotas
    queue_sender: QueueSender
    clock: Clock
    randomness: Randomness
    executor: Executor
    ownership: Ownership
    region: str
    lease_s: int
    event_window_s: int
    content_window_s: int
    hold_back_s: int = 0
    actor: ClassVar[Actor] = Actor.RECEPTION

    def accept(self, submission: Submission, *, until_ms: int) -> list[Alert]:
        """Write a row for every alert, the most severe first, and send the wake-ups.

        Returns the rows that answer for the alerts, in the order of `submission`. With a body, or a key, that
        came before, these are the rows of that time.

        Raises:
            LedgerUnavailableError: not every row was written by `until_ms`; safe to send again.
            RefusedError: 409, the key was used with another body.
        """
        drafts = self._drafts(submission)
        if submission.key is not None:
            placed, failures = self._placed_by_key(drafts, until_ms)
        else:
            placed, failures = self._placed_by_identity(drafts, until_ms)
        if not failures:
            placed, failures = self._looked_at_again(placed)
        self._send_wake_ups(placed, until_ms + _SENDS_MS)
        if failures:
            raise failures[0]
        by_index = {answer.draft.index: answer.row for answer in placed}
        return [by_index[alert.index] for alert in submission.alerts]

    @property
    def _retry_s(self) -> float:
        return math.inf if self.ownership.shared else UNSEEN_RETRY_S

    def _drafts(self, submission: Submission) -> list[Draft]:
        """The rows as they would be, the most severe first, as if no fault's state had ever changed."""
        at_ms, epoch = self.clock.now_ms(), self.ownership.epoch()
        drafts = []
        for alert in sorted(submission.alerts, key=lambda alert: URGENCY[alert.severity]):
            if submission.key is not None:
                identity, window_s = identity_of_key(submission.key, alert.index), self.event_window_s
            else:
                identity = identity_of(alert)
                window_s = self.content_window_s if alert.event_id is None else self.event_window_s
            change = Change.of(alert, accepted_at_ms=at_ms)
            row = new_row(
                alert,
                alert_id=alert_id_of(identity, at_ms=at_ms, window_s=window_s),
                identity=identity,
                change=change,
                at_ms=at_ms,
                region=self.region,
                body_format=submission.format,
                body_hash=submission.body_hash,
            )
            drafts.append(
                Draft(
                    row=replace(row, epoch=epoch),
                    index=alert.index,
                    identity=identity,
                    window_s=window_s,
                    change=change,
                )
            )
        return drafts

    def _placed_by_identity(
        self, drafts: Sequence[Draft], until_ms: int
    ) -> tuple[list[Placed], list[Failure]]:
        counted, failures = self._counted(drafts, until_ms)
        drafts = [draft.after(change) for draft, change in counted]
        stored = self._stored(drafts)
        firsts: dict[str, Draft] = {}
        for draft in drafts:
            firsts.setdefault(draft.row.alert_id, draft)
        new = [
            draft for draft in firsts.values() if not (known := earlier_of(draft, stored)) or not known.told
        ]
        folds, unfolded = self._folds(new, until_ms)

        def place(draft: Draft) -> Placed:
            if draft.index in folds:
                return self._repeat(draft, folds[draft.index], until_ms)
            earlier = earlier_of(draft, stored) or self._created(draft, self._received(draft.row), until_ms)
            if earlier is None:
                return Placed(draft=draft, row=self._received(draft.row))
            if earlier.is_retried_by(draft.row, within_s=self._retry_s):
                return Placed(draft=draft, row=earlier.row or draft.row)
            return self._repeat(draft, earlier, until_ms)

        placed, failed = self._attempted(place, list(firsts.values()))
        self._give_back(new, placed)
        first_rows = {answer.draft.row.alert_id: answer.row for answer in placed}
        again = [
            (draft, first_rows[draft.row.alert_id])
            for draft in drafts
            if draft is not firsts[draft.row.alert_id] and draft.row.alert_id in first_rows
        ]
        repeats, failed_again = self._attempted(
            lambda pair: self._repeat(pair[0], Earlier(alert_id=pair[1].alert_id, row=pair[1]), until_ms),
            again,
        )
        return placed + repeats, [*failures, *unfolded, *failed, *failed_again]

    def _placed_by_key(self, drafts: Sequence[Draft], until_ms: int) -> tuple[list[Placed], list[Failure]]:
        """Ids made of a key name the request: what is stored under them answers for it, or is a conflict."""
        stored = self._stored(drafts)
        before = [(draft, earlier_of(draft, stored)) for draft in drafts]
        placed = [self._answered(draft, earlier.row) for draft, earlier in before if earlier and earlier.row]
        # What was told before says nothing new of its fault, so only the others are counted.
        unanswered = [draft for draft, earlier in before if earlier is None or earlier.row is None]
        counted, failures = self._counted(unanswered, until_ms)
        folds, unfolded = self._folds([draft for draft, _ in counted], until_ms)
        failures += unfolded

        def place(draft: Draft) -> Placed:
            fold = folds.get(draft.index)
            if fold and not self.ownership.shared:
                # The other region, which may not see it yet, would write another row under its own id.
                return self._repeat(draft, fold, until_ms)
            row = _folded(draft.row, fold.alert_id) if fold else self._received(draft.row)
            earlier = earlier_of(draft, stored) or self._created(draft, row, until_ms)
            if earlier is None:
                return Placed(draft=draft, row=row)
            if earlier.row is None:  # unreadable, so nobody is told of it
                return self._repeat(draft, earlier, until_ms)
            return self._answered(draft, earlier.row)

        # The first goes alone: it meets a key that is being reused before anything else is written.
        new = sorted((draft for draft, _ in counted), key=lambda draft: draft.index)
        for part in (new[:1], new[1:]):
            done, failed = self._attempted(place, part)
            placed += done
            failures += failed
            if failures:
                break
        self._give_back(new, placed)
        return placed, failures

    def _answered(self, draft: Draft, row: Alert) -> Placed:
        if row.body_hash != draft.row.body_hash:
            raise RefusedError(
                409,
                "idempotency_key_reused",
                field="Idempotency-Key",
                hint="this key came with another body before; use a new key for a new body",
                body_format=draft.row.format,
            )
        return Placed(draft=draft, row=row)

    def _counted(
        self, drafts: Sequence[Draft], until_ms: int
    ) -> tuple[list[tuple[Draft, int]], list[Failure]]:
        """Each draft with the last change of its fault's state; what changes a state is recorded."""
        known = self.faults.known([draft.change for draft in drafts])
        by_fault: dict[str, list[Draft]] = {}
        for draft in drafts:
            by_fault.setdefault(draft.change.fault_key, []).append(draft)

        def count(group: Sequence[Draft]) -> list[tuple[Draft, int]]:
            record = known.get(group[0].change.fault_key)
            counted = []
            for draft in sorted(group, key=lambda draft: draft.index):
                self._check_time(until_ms)
                last, record = self._last_change(draft, record)
                counted.append((draft, last))
            return counted

        done, failures = self._attempted(count, list(by_fault.values()))
        return [pair for group in done for pair in group], failures

    def _folds(self, drafts: Sequence[Draft], until_ms: int) -> tuple[dict[int, Earlier], list[Failure]]:
        """The fold of each of these that is above its source's quota, by index; the least severe are.

        It is there before anything is folded below it.
        """

        def fold(group: Sequence[Draft]) -> dict[int, Earlier]:
            row = group[0].row
            within = len(group) - self.quotas.excess(row.source, len(group), at_ms=row.accepted_at_ms)
            if within == len(group):
                return {}
            self._check_time(until_ms)
            above = self.quotas.fold_of(row)
            if self.ledger.create(above, actor=self.actor):
                _log.warning("A source is above its quota", extra={"alert_id": above.alert_id})
            return {draft.index: Earlier(alert_id=above.alert_id, row=above) for draft in group[within:]}

        done, failures = self._attempted(fold, by_source(drafts))
        return {index: above for part in done for index, above in part.items()}, failures

    def _give_back(self, drafts: Sequence[Draft], placed: Sequence[Placed]) -> None:
        """Take those that were not placed out of their sources' quotas."""
        done = {answer.draft.index for answer in placed}
        for group in by_source([draft for draft in drafts if draft.index not in done]):
            row = group[0].row
            self.quotas.give_back(row.source, len(group), at_ms=row.accepted_at_ms)

    def _last_change(self, draft: Draft, known: Record | None) -> tuple[int, Record | None]:
        row = draft.row
        return self.faults.last_change(draft.change, known, at_ms=row.accepted_at_ms, body_hash=row.body_hash)

    def _stored(self, drafts: Iterable[Draft]) -> dict[str, Earlier]:
        """What there is under the drafts' ids, and under the ids that earlier ones may have."""
        ids = list(
            dict.fromkeys(alert_id for draft in drafts for alert_id in (draft.row.alert_id, draft.earlier_id))
        )
        return self._read(ids)

    def _read(self, alert_ids: Sequence[str]) -> dict[str, Earlier]:
        starts = range(0, len(alert_ids), DYNAMODB_BATCH_GET_MAX)
        batches = [alert_ids[start : start + DYNAMODB_BATCH_GET_MAX] for start in starts]
        return {
            alert_id: Earlier(alert_id=alert_id, row=row if isinstance(row, Alert) else None)
            for found in self.executor.map(self.ledger.get_many, batches)
            for alert_id, row in found.items()
        }

    def _received(self, row: Alert) -> Alert:
        waits = row.severity is not Severity.CRITICAL and row.state is FaultState.FIRING and not row.folds
        begins = row.timestamp + (self.hold_back_s if waits else 0)
        live = received(row, due_at=begins + self.lease_s)
        return live if begins == row.timestamp else replace(live, not_before=begins)

    def _created(self, draft: Draft, row: Alert, until_ms: int) -> Earlier | None:
        """None if the `row` of a draft is written; else what was there already.

        That somebody was faster, or a try of ours was written unseen, makes it come again.
        """
        self._check_time(until_ms)
        if self.ledger.create(row, actor=self.actor):
            return None
        earlier = self._read([draft.row.alert_id]).get(draft.row.alert_id)
        if earlier is None:
            raise LedgerUnavailableError(f"the row {draft.row.alert_id} came and went; send again")
        return earlier

    def _repeat(self, draft: Draft, earlier: Earlier, until_ms: int) -> Placed:
        """Write a draft as a repeat: SUPPRESSED, or RECEIVED if nobody is told of the earlier one.

        Below a fold, or what is folded, it is folded.
        """
        row, repeated = draft.row, None if earlier.folds else earlier
        child_id = repeat_id_of(
            earlier.family, body_hash=str(row.body_hash), index=draft.index, change=draft.last_change
        )
        for _ in range(_SUFFIX_TRIES):
            self._check_time(until_ms)
            child = replace(row, alert_id=child_id, parent_id=earlier.family)
            if earlier.folds:
                child = _folded(child, earlier.family)
            elif earlier.told:
                child = suppressed(child, due_at=child.timestamp + REPEAT_LOOK_AFTER_S)
            else:
                child = self._received(child)
            if self.ledger.create(child, actor=self.actor):
                return Placed(draft=draft, row=child, earlier=repeated)
            before = self._read([child_id]).get(child_id)
            # A repeat that rests does not answer where nobody is told of what it repeats.
            retried = before is not None and before.is_retried_by(row, within_s=self._retry_s)
            if before and retried and (earlier.told or not before.rests):
                return Placed(draft=draft, row=before.row or row, earlier=repeated)
            child_id = f"{earlier.family}.{self.randomness.hex(_SUFFIX_DIGITS)}"
        raise LedgerUnavailableError(f"{_SUFFIX_TRIES} ids below {earlier.family} are taken; send again")

    def _looked_at_again(self, placed: Sequence[Placed]) -> tuple[list[Placed], list[Failure]]:
        """Promote each SUPPRESSED one whose parent was PARKED, or whose fault changed state, meanwhile.

        Recovery, or who recorded that change, may not have seen these rows yet. What is folded is no repeat.
        """
        rests = [
            answer
            for answer in placed
            if answer.row.status is Status.SUPPRESSED and answer.earlier is not None
        ]
        try:
            parents = self._read(list({answer.earlier.alert_id: None for answer in rests if answer.earlier}))
            records = self.faults.known([answer.draft.change for answer in rests])
        except LedgerUnavailableError as error:
            return list(placed), [error]

        def look(answer: Placed) -> Placed:
            if answer.row.status is not Status.SUPPRESSED or answer.earlier is None:
                return answer
            parent = parents.get(answer.earlier.alert_id)
            last, _ = self._last_change(answer.draft, records.get(answer.draft.change.fault_key))
            if parent is not None and parent.told and last == answer.draft.last_change:
                return answer
            return replace(answer, row=self._promoted(answer.row))

        return self._attempted(look, placed)

    def _promoted(self, row: Alert) -> Alert:
        """The SUPPRESSED `row` when it goes out; Recovery may be faster, or look at it meanwhile."""
        for _ in range(_PROMOTION_TRIES):
            live = promoted(row, due_at=row.timestamp + self.lease_s)
            if self.ledger.replace(row, live, actor=self.actor):
                return live
            stored = self._read([row.alert_id]).get(row.alert_id)
            if stored is None or stored.row is None:
                break
            row = stored.row
            if row.status is not Status.SUPPRESSED:
                return row
        raise LedgerUnavailableError(f"{row.alert_id} is no repeat any more and was not promoted; send again")

    def _attempted(self, function: Callable[[T], R], items: Sequence[T]) -> tuple[list[R], list[Failure]]:
        """What came of each item, side by side; one that fails costs the others nothing."""

        def attempt(item: T) -> R | Failure:
            try:
                return function(item)
            except (LedgerUnavailableError, RefusedError) as error:
                return error

        outcomes = self.executor.map(attempt, items)
        failures = [
            outcome for outcome in outcomes if isinstance(outcome, LedgerUnavailableError | RefusedError)
        ]
        return [o for o in outcomes if not isinstance(o, LedgerUnavailableError | RefusedError)], failures

    def _check_time(self, until_ms: int) -> None:
        if self.clock.now_ms() >= until_ms:
            raise LedgerUnavailableError("the ledger is too slow to write the whole body in time; send again")

    def _send_wake_ups(self, placed: Sequence[Placed], until_ms: int) -> None:
        """Send wake-ups for the rows that are new, and for older ones that nobody has touched yet."""
        waiting: dict[tuple[Queue, int], dict[str, Alert]] = {}
        for answer in placed:
            at_ms = answer.draft.row.accepted_at_ms
            for row in (answer.row, answer.earlier.row if answer.earlier else None):
                if row is None or row.status is not Status.RECEIVED or row.lease_token or row.attempts:
                    continue
                if row.accepted_at_ms == at_ms or at_ms - row.accepted_at_ms >= WAKE_AGAIN_AFTER_S * 1000:
                    delay_s = max((row.not_before or 0) - at_ms // 1000, 0)
                    waiting.setdefault((row.queue, delay_s), {})[row.alert_id] = row
        batches = [
            (queue, list(alerts.values())[start : start + SQS_BATCH_MAX], delay_s)
            for (queue, delay_s), alerts in waiting.items()
            for start in range(0, len(alerts), SQS_BATCH_MAX)
        ]
        self.executor.map(lambda batch: self._send(*batch, until_ms), batches)

    def _send(self, queue: Queue, alerts: Sequence[Alert], delay_s: int, until_ms: int) -> None:
        try:
            if self.clock.now_ms() >= until_ms:
                raise QueueSendError("no time is left")  # noqa: TRY301 - one outcome, one line
            self.queue_sender.send(queue, alerts, delay_s=delay_s)
        except QueueSendError:
            extra = {"alert_ids": [alert.alert_id for alert in alerts]}
            _log.warning("Wake-ups not sent, Recovery will", extra=extra, exc_info=True)


def _folded(row: Alert, fold_id: str) -> Alert:
    return suppressed(replace(row, parent_id=fold_id, folded=True), due_at=None)
