"""The journal of a failover or failback: one record of the coordination table, where a region survives.

It is how another machine finds out what is under way and goes on where one died, and how two operators are
kept from working against each other. `responder dr status` shows it.

| value | meaning |
|---|---|
| `operation` | `failover` or `failback` |
| `state` | `running`, `done`, `refused`, `failed` or `interrupted` |
| `operator`, `token` | who runs it, and a mark of this one run |
| `started_ms`, `ended_ms` | of the operation, all its runs since one was refused; 0 while it has not ended |
| `silent_until_ms` | when the step under way has to be over; afterwards anybody may go on in its place |
| `steps` | a list of what each step did, see `StepRecord` |

A run that is refused has changed nothing, so what was done before it stays on record.

Every write is conditional on what was read before: a run that was frozen while another took its place, also
by a clock that is ahead, loses at its next step; and it cannot turn a switch that the other has turned
(`dr.operations.switching`).
"""

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol, Self

from clients.coordination import CoordinationRecords, CoordinationUnreachableError, VersionedRecord
from clients.deployment import Deployment
from dr.operations.facts import Facts, facts_of
from topology.errors import ExplainedError
from topology.records import OPERATION

GRACE_MS: Final = 5_000
"""How long after its step's deadline a run still counts as alive: for its last write, and for two machines'
clocks, which may differ by so much."""


class OperationRefusedError(ExplainedError):
    """The operation was not begun or not gone on with, because it would do harm; nothing was changed."""


class OperationFailedError(ExplainedError):
    """A step failed or met its deadline. What was done stays; running the operation again goes on from it."""


class OperationLostError(OperationFailedError):
    """Another run has taken this one's place."""


class State(StrEnum):
    """How an operation, or a step, stands."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


_NOT_GONE_ON_WITH: Final = frozenset({State.DONE, State.REFUSED})


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step of an operation. Times in epoch milliseconds; `facts`: what it found."""

    name: str
    state: State
    began_ms: int
    ended_ms: int
    detail: str
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class OperationRecord:
    """An operation as the journal has it; see the module for the values."""

    operation: str
    state: State
    operator: str
    token: str
    started_ms: int
    ended_ms: int
    silent_until_ms: int
    steps: tuple[StepRecord, ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From the record's values."""
        steps = tuple(
            StepRecord(
                **{**step, "state": State(step["state"]), "facts": facts_of(step["name"], step["facts"])}
            )
            for step in values["steps"]
        )
        return cls(**{**values, "state": State(values["state"]), "steps": steps})

    @property
    def heard_ms(self) -> int:
        """When it was last heard of: when a step began or ended."""
        return max(self.started_ms, *(max(step.began_ms, step.ended_ms) for step in self.steps), 0)

    def alive(self, now_ms: int) -> bool:
        """Whether its operator may still be at it."""
        return self.state is State.RUNNING and now_ms <= self.silent_until_ms + GRACE_MS

    def wait_s(self, now_ms: int) -> int:
        """Seconds until anybody may go on in its place, if nothing more is heard of it."""
        return max(0, (self.silent_until_ms + GRACE_MS - now_ms) // 1_000 + 1)

    def step(self, name: str) -> StepRecord | None:
        """What a step did, if it was begun."""
        return next((step for step in self.steps if step.name == name), None)

    def after(self, *, step: StepRecord | None = None, **changes: Any) -> Self:
        """The record with `changes`, and with `step` in the place of an earlier one of its name."""
        if step is not None:
            changes["steps"] = (*(other for other in self.steps if other.name != step.name), step)
        return replace(self, **changes)


class Journal(Protocol):
    """Where one operation is written down step by step; a record of the coordination table, or a file."""

    record: OperationRecord

    def write(self, *, step: StepRecord | None = None, **changes: Any) -> None:
        """Write it down with `changes`, and with `step` in the place of an earlier one of its name.

        Raises:
            OperationFailedError: it cannot be written, or another run has taken this one's place.
        """


class JournalStore:
    """The journal of a stack's operations in one region's coordination table."""

    def __init__(self, deployment: Deployment, region: str) -> None:
        """Nothing is read yet."""
        self.region: Final = region
        self._records = CoordinationRecords(deployment, region)

    def read(self) -> OperationRecord | None:
        """The latest operation, or None if there never was one.

        Raises:
            CoordinationUnreachableError: the region does not answer.
        """
        return _operation_of(self._records.read(OPERATION))

    def open(
        self, operation: str, *, operator: str, now_ms: int, deadline_s: float, take_over: bool
    ) -> "StoredJournal":
        """Begin an operation, or go on with one of the same kind that was not brought to its end.

        `take_over`: although another run may still be alive.

        Raises:
            OperationRefusedError: another run is alive, or began at the same moment.
            OperationFailedError: the region does not answer.
        """
        try:
            before = self._records.read(OPERATION)
        except CoordinationUnreachableError as error:
            raise OperationFailedError(f"{error}; nothing was done") from error
        last = _operation_of(before)
        if last is not None and last.alive(now_ms) and not take_over:
            raise OperationRefusedError(
                f"a {last.operation} of {last.operator} is under way; see `responder dr status`, wait "
                f"{last.wait_s(now_ms)} s, or if you know that it is dead, say --take-over"
            )
        goes_on = last is not None and last.operation == operation and last.state not in _NOT_GONE_ON_WITH
        journal = StoredJournal(
            self._records,
            before,
            OperationRecord(
                operation=operation,
                state=State.RUNNING,
                operator=operator,
                token=secrets.token_hex(4),
                started_ms=last.started_ms if last is not None and goes_on else now_ms,
                ended_ms=0,
                silent_until_ms=now_ms + round(deadline_s * 1_000),
                steps=(),
            ),
        )
        try:
            journal.write()
        except OperationLostError as error:
            raise OperationRefusedError(
                "somebody else began at the same moment; see `responder dr status`"
            ) from error
        except KeyboardInterrupt:
            with contextlib.suppress(OperationFailedError):
                journal.write(state=State.INTERRUPTED, ended_ms=now_ms)
            raise
        return journal


class StoredJournal:
    """`Journal` of an operation that this process runs, in the coordination table."""

    def __init__(
        self, records: CoordinationRecords, before: VersionedRecord | None, record: OperationRecord
    ) -> None:
        """Nothing is written yet."""
        self._records = records
        self._before = before
        last = _operation_of(before)
        self._done = last if last is not None and last.state is State.DONE else None
        self.record = record

    def write(self, *, step: StepRecord | None = None, **changes: Any) -> None:
        """See `Journal`.

        Raises:
            OperationLostError: another run has taken this one's place.
            OperationFailedError: the region does not answer.
        """
        self.record = self.record.after(step=step, **changes)
        refused = self.record.state is State.REFUSED
        values = asdict(self._done if refused and self._done else self.record)
        try:
            written = self._records.write(OPERATION, self._before, values)
            if not written:
                # A try of ours that got no answer may have been written after all.
                stored = self._records.read(OPERATION)
                if stored is None or stored.values.get("token") != self.record.token:
                    raise OperationLostError(
                        f"another run has taken the place of this {self.record.operation}; "
                        "see `responder dr status`"
                    )
                written = self._records.write(OPERATION, stored, values)
                self._before = stored
            version = self._before.version + 1 if self._before else 1
        except CoordinationUnreachableError as error:
            raise OperationFailedError(f"{error}; run it again") from error
        if not written:
            raise OperationLostError("another run writes the same journal; see `responder dr status`")
        self._before = VersionedRecord(version, values)


def _operation_of(record: VersionedRecord | None) -> OperationRecord | None:
    return OperationRecord.of(record.values) if record is not None and "operation" in record.values else None
