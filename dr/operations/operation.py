"""Runs an operation: named steps, each with a deadline, each written down before and after it.

Failover and failback are lists of such steps. Every step looks before it acts and may be done again, so an
operation that was broken off anywhere is simply run again, by anybody.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.coordination import CoordinationUnreachableError
from clients.deployment import IncompleteOutputsError
from clients.rows import LedgerUnreachableError
from dr.operations.environment import Clock
from dr.operations.facts import Facts, NoFacts
from dr.operations.journal import (
    Journal,
    JournalStore,
    OperationFailedError,
    OperationRecord,
    OperationRefusedError,
    State,
    StepRecord,
)

POLL_S: Final = 0.5

_UNANSWERED: Final = (
    BotoCoreError,
    ClientError,
    CoordinationUnreachableError,
    IncompleteOutputsError,
    LedgerUnreachableError,
)

Progress = Literal["begun", "progress", "done", "failed"]

T = TypeVar("T")
F = TypeVar("F", bound=Facts)


@dataclass(frozen=True, kw_only=True)
class StepEvent:
    """What a step just did, at `at_ms` (epoch milliseconds)."""

    operation: str
    step: str
    state: Progress
    at_ms: int
    detail: str
    facts: Facts


OnStep = Callable[[StepEvent], None]


def no_op(_event: StepEvent) -> None:
    """Ignore the event."""


@dataclass(frozen=True)
class StepResult:
    """What came of a step: a line for people, and what it found."""

    detail: str
    facts: Facts = field(default_factory=NoFacts)


@dataclass(kw_only=True)
class StepContext:
    """What a step works with: its clock and deadline, and `tell`, which is called with its progress.

    `last_progress`: the last that was told in the wait under way.
    """

    clock: Clock
    deadline_ms: int
    tell: Callable[[str], None]
    last_progress: str = ""

    def say(self, detail: str) -> None:
        """Tell the step's progress, unless the same was told just before."""
        if detail != self.last_progress:
            self.last_progress = detail
            self.tell(detail)

    def left_s(self) -> float:
        """Seconds until the step's deadline; below 0 once it is past."""
        return (self.deadline_ms - self.clock.now_ms()) / 1_000

    def until(self, condition: Callable[[], T | None], what: str, *, within_s: float | None = None) -> T:
        """Ask again and again until there is an answer, and return it. It is asked once at least.

        Raises:
            OperationFailedError: `what` is not so by the step's deadline, or within `within_s`; its text ends
                with the progress that `condition` told last.
        """
        self.last_progress = ""
        begun_ms = self.clock.now_ms()
        deadline_ms = self.deadline_ms
        if within_s is not None:
            deadline_ms = min(deadline_ms, begun_ms + round(within_s * 1_000))
        while (answer := condition()) is None:
            now_ms = self.clock.now_ms()
            if now_ms >= deadline_ms:
                last = f"; at last: {self.last_progress}" if self.last_progress else ""
                raise OperationFailedError(f"{what}: not so within {(now_ms - begun_ms) / 1_000:.0f} s{last}")
            self.clock.sleep(POLL_S)
        return answer


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `act` may be called again after any failure, also by another process."""

    name: str
    title: str
    deadline_s: int
    act: Callable[[StepContext], StepResult]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an operation came to. `already_done`: there was nothing left to do."""

    operation: str
    token: str
    already_done: bool
    started_ms: int
    ended_ms: int
    steps: tuple[StepRecord, ...]

    def step(self, name: str) -> StepRecord:
        """What a step did.

        Raises:
            KeyError: there is no such step.
        """
        return {step.name: step for step in self.steps}[name]

    def facts(self, kind: type[F]) -> F:
        """The facts of this kind that a step found.

        Raises:
            KeyError: no step did.
        """
        for step in self.steps:
            if isinstance(step.facts, kind):
                return step.facts
        raise KeyError(kind.__name__)


def run(
    operation: str,
    steps: Sequence[Step],
    *,
    store: JournalStore,
    operator: str,
    clock: Clock,
    on_step: OnStep = no_op,
    take_over: bool = False,
) -> Outcome:
    """Run the steps in their order, as one of those operations that the journal allows one of at a time.

    Raises:
        OperationRefusedError: another run is under way, or a step found that going on would do harm.
        OperationFailedError: a step failed; the steps before it stay done.
    """
    journal = store.open(
        operation,
        operator=operator,
        now_ms=clock.now_ms(),
        deadline_s=steps[0].deadline_s,
        take_over=take_over,
    )
    return perform(steps, journal, clock=clock, on_step=on_step)


def perform(steps: Sequence[Step], journal: Journal, *, clock: Clock, on_step: OnStep = no_op) -> Outcome:
    """Perform the steps of an operation that is written down in `journal`. Raises as `run` does."""
    try:
        for step in steps:
            _perform(step, journal, clock, on_step)
        journal.write(state=State.DONE, ended_ms=clock.now_ms())
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        # Whatever it is and wherever it comes, others are not to wait for a step's deadline because of it.
        _close(journal, error, clock, on_step)
        raise
    return outcome_of(journal.record, already_done=False)


def outcome_of(record: OperationRecord, *, already_done: bool) -> Outcome:
    """What became of the operation; `already_done`: before, so that nothing was done now."""
    return Outcome(
        operation=record.operation,
        token=record.token,
        already_done=already_done,
        started_ms=record.started_ms,
        ended_ms=record.ended_ms,
        steps=record.steps,
    )


def _perform(step: Step, journal: Journal, clock: Clock, on_step: OnStep) -> None:
    began_ms = clock.now_ms()
    deadline_ms = began_ms + step.deadline_s * 1_000
    record = StepRecord(
        name=step.name, state=State.RUNNING, began_ms=began_ms, ended_ms=0, detail=step.title, facts=NoFacts()
    )

    def tell(state: Progress, detail: str) -> None:
        on_step(_event(journal, record, state=state, at_ms=clock.now_ms(), detail=detail))

    journal.write(step=record, silent_until_ms=deadline_ms)
    tell("begun", step.title)
    context = StepContext(clock=clock, deadline_ms=deadline_ms, tell=lambda detail: tell("progress", detail))
    result = _act(step, context)
    record = replace(
        record, state=State.DONE, ended_ms=clock.now_ms(), detail=result.detail, facts=result.facts
    )
    journal.write(step=record)
    tell("done", result.detail)


def _event(journal: Journal, step: StepRecord, *, state: Progress, at_ms: int, detail: str) -> StepEvent:
    return StepEvent(
        operation=journal.record.operation,
        step=step.name,
        state=state,
        at_ms=at_ms,
        detail=detail,
        facts=step.facts,
    )


def _act(step: Step, context: StepContext) -> StepResult:
    """Do it; whatever AWS or a region does not answer is the step's failure."""
    try:
        return step.act(context)
    except _UNANSWERED as error:
        raise OperationFailedError(f"{step.name}: {error}; run it again to go on") from error


def _ended_by(error: BaseException) -> State:
    if isinstance(error, OperationRefusedError):
        return State.REFUSED
    return State.FAILED if isinstance(error, Exception) else State.INTERRUPTED


def _close(journal: Journal, error: BaseException, clock: Clock, on_step: OnStep) -> None:
    """Let others go on at once; where that cannot be written they wait for the step's deadline."""
    if journal.record.state is State.DONE:  # all is done, and only the last write was broken off
        with contextlib.suppress(OperationFailedError):
            journal.write()
        return
    now_ms, state = clock.now_ms(), _ended_by(error)
    last = journal.record.steps[-1] if journal.record.steps else None
    broken_off = None
    if last is not None and last.state is State.RUNNING:
        broken_off = replace(last, state=state, ended_ms=now_ms, detail=str(error) or state.value)
    with contextlib.suppress(OperationFailedError):
        journal.write(step=broken_off, state=state, ended_ms=now_ms)
    if broken_off is not None:
        on_step(_event(journal, broken_off, state="failed", at_ms=now_ms, detail=broken_off.detail))
