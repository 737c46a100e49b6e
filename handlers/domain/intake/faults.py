"""The state of each fault: firing until a resolution of it comes in, then until it fires again.

One record of the coordination table for each fault that was resolved lately; a fault without one is firing.
The record is written before the row of the alert that changes it, so that whoever reads it afterwards sees
the change. The number of the last change goes into the alert's id: what comes after a change repeats nothing
that came before it. A resolution that is clearly later than the start of its episode needs no record: the
next outage has a start of its own, which is a part of its id, and a copy of this one is older by its source's
own times. An outage that came without a start that is believed leaves a record of no change: there it needs
one.

The number is made of the change before, the body and the time. So a record whose predecessor expired makes
none of its ids again, under which a reminder may still rest. Nor do two regions that do not see each other
give two changes one id, of whose rows one would then replace the other. A record that cannot be read is
written over, and what finds it so counts as a change.

| value | meaning |
|---|---|
| `change` | the number of the last change of the state; firing while it is even |
| `before` | the number of the one before that; 0 if there was none |
| `changed_ms` | since when by the source's own clock, epoch milliseconds; 0 where it does not say |

Under an eventual ledger each region reads its own replica, so a change in the other region may be unseen.
Recovery looks at each SUPPRESSED alert again once the rows of both are there.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.identity import change_number_of, fault_key_of
from handlers.domain.ports import (
    Coordination,
    CoordinationUnavailableError,
    Executor,
    LedgerUnavailableError,
    Record,
)
from topology.alerts import CLOCK_ERROR_S, FaultState
from topology.limits import DYNAMODB_BATCH_GET_MAX
from topology.records import fault_record

_TRIES: Final = 8
_CHANGE: Final = "change"
_BEFORE: Final = "before"
_CHANGED_MS: Final = "changed_ms"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert says of its fault. `by_source`: `at_ms` is the source's own time, else acceptance.

    `ends_episode`: it is over, and nothing of that episode can be later. `undated`: it fires without a start
    that is believed, in a format whose episodes have one.
    """

    fault_key: str
    state: FaultState
    at_ms: int
    by_source: bool
    ends_episode: bool
    undated: bool = False

    @classmethod
    def of(cls, alert: IncomingAlert, *, accepted_at_ms: int) -> "Change":
        """A time of the source that is in the future, or is none, is not believed."""
        told_ms = _epoch_ms(alert.changed_at)
        by_source = told_ms is not None and 0 < told_ms <= accepted_at_ms + CLOCK_ERROR_S * 1000
        resolved = alert.state is FaultState.RESOLVED
        began_ms = (_epoch_ms(alert.episode) or 0) if by_source and resolved else 0
        return cls(
            fault_key=fault_key_of(alert),
            state=alert.state,
            at_ms=told_ms if by_source and told_ms else accepted_at_ms,
            by_source=by_source,
            ends_episode=began_ms > 0 and (told_ms or 0) > began_ms + CLOCK_ERROR_S * 1000,
            undated=alert.episode is not None and not by_source and not resolved,
        )


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """The faults' records. `keep_s`: how long one is needed after its last change."""

    coordination: Coordination
    executor: Executor
    keep_s: int

    def known(self, changes: Sequence[Change]) -> dict[str, Record]:
        """The records of these faults, by fault key.

        Raises:
            LedgerUnavailableError: they are unknown.
        """
        names = {fault_record(change.fault_key): change.fault_key for change in changes}
        starts = range(0, len(names), DYNAMODB_BATCH_GET_MAX)
        batches = [list(names)[start : start + DYNAMODB_BATCH_GET_MAX] for start in starts]
        try:
            found = self.executor.map(self.coordination.read_many, batches)
        except CoordinationUnavailableError as error:
            raise LedgerUnavailableError(f"the faults' states are unknown: {error}") from error
        return {names[name]: record for part in found for name, record in part.items()}

    def last_change(
        self, change: Change, known: Record | None, *, at_ms: int, body_hash: str | None
    ) -> tuple[int, Record | None]:
        """The number of the fault's last change of state, with this one, which is recorded if it is one.

        `known`: its record as it was read. What the source says began before the last change came late, and
        belongs to the one before. Returns the record as it is then, too.

        Raises:
            LedgerUnavailableError: whether it was recorded is unknown.
        """
        name = fault_record(change.fault_key)
        try:
            for _ in range(_TRIES):
                if known is None and change.ends_episode:
                    return 0, None
                values = known.values if known else {_CHANGE: 0}
                last, changed_ms = values.get(_CHANGE), values.get(_CHANGED_MS, 0)
                if last is not None and change.state is _state_after(last):
                    if known is not None or not change.undated:
                        return last, known
                    after = {_CHANGE: 0}
                elif last and change.by_source and change.at_ms < changed_ms - CLOCK_ERROR_S * 1000:
                    return values.get(_BEFORE, 0), known
                else:
                    after = {
                        _CHANGE: change_number_of(last, body_hash=body_hash, at_ms=at_ms, state=change.state),
                        _BEFORE: last or 0,
                        _CHANGED_MS: change.at_ms if change.by_source else 0,
                    }
                if self.coordination.write(name, known, after, expires_at=at_ms // 1000 + self.keep_s):
                    version = max(known.version, 0) + 1 if known else 1
                    return after[_CHANGE], Record(version=version, values=after)
                known = self.coordination.read(name)
        except CoordinationUnavailableError as error:
            raise LedgerUnavailableError(f"the fault's state was not recorded: {error}") from error
        raise LedgerUnavailableError(f"the state of a fault changed {_TRIES} times meanwhile; send again")


def _state_after(change: int) -> FaultState:
    return FaultState.RESOLVED if change % 2 else FaultState.FIRING


def _epoch_ms(text: str | None) -> int | None:
    """An ISO 8601 time with its offset, as Alertmanager and CloudWatch write it; None for anything else."""
    try:
        at = datetime.fromisoformat(text or "")
        return round(at.timestamp() * 1000) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
