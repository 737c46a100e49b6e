"""A drill in progress: what its phases work with, and how phases are performed."""

import getpass
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as futures_wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from audit.outcome import Audit
from audit.stack import audit_stack
from clients.receipts import Receipt, read_receipts, scan_receipts
from dr.drill.prober import Prober
from dr.drill.record import ATTEMPTS_FILE, RECEIPTS_FILE, DrillFile, Moment, StepRun, now_ms
from dr.drill.target import DrillTarget
from dr.operations.operation import OnStep, StepEvent

POLL_S: Final = 0.5
BACKGROUND_WITHIN_S: Final = 300.0

ACCEPTED_LEAST: Final = 500
"""Alerts accepted in all; the load goes on until there are so many."""

T = TypeVar("T")


class DrillFailedError(Exception):
    """A phase could not be done in its time; all is rolled back, and the report says how far it got."""


@dataclass
class DrillRun:
    """One process's part of a drill. `say` is told what is going on, a line at a time.

    `accepted_least`: the load goes on until so many alerts are accepted; `background_within_s`: how long a
    background task is waited for.
    """

    target: DrillTarget
    file: DrillFile
    say: Callable[[str], None]
    phase: str = ""
    accepted_least: int = ACCEPTED_LEAST
    background_within_s: float = BACKGROUND_WITHIN_S
    _prober: Prober | None = field(default=None, init=False)
    _background: dict[str, Future[str]] = field(default_factory=dict, init=False)

    @property
    def receipts_path(self) -> Path:
        """What the prober was promised."""
        return self.target.run_dir / RECEIPTS_FILE

    @property
    def attempts_path(self) -> Path:
        """Every try that the prober made."""
        return self.target.run_dir / ATTEMPTS_FILE

    @property
    def operator(self) -> str:
        """Who this drill is, to the journal of failovers."""
        return f"drill {self.file.state.drill_id} by {getpass.getuser()}@{platform.node()}"

    def receipts(self) -> list[Receipt]:
        """All so far."""
        return list(read_receipts(self.receipts_path)) if self.receipts_path.exists() else []

    def start_load(self) -> None:
        """Post from here on."""
        self._prober = Prober(
            self.file.state.drill_id,
            self.target.webhooks(),
            self.receipts_path,
            self.attempts_path,
            leading=self.target.leading,
        )
        self._prober.start()

    def stop_load(self) -> str | None:
        """Post no more, and have every post answered; how many were accepted, None if nothing was posting.

        Raises:
            LoadFailedError: the load had died, or does not end.
        """
        prober, self._prober = self._prober, None
        return None if prober is None else f"{prober.stop().accepted} alerts accepted"

    def burst(self, count: int) -> None:
        """Have the load post `count` alerts at once."""
        if self._prober is not None:
            self._prober.burst(count)

    def begin_background(self, what: str, act: Callable[["DrillRun"], str]) -> None:
        """Begin a background task, beside the phases; `result_of` asks for its result."""
        pool = ThreadPoolExecutor(1, thread_name_prefix=what)
        self._background[what] = pool.submit(self._do_background, what, act)
        pool.shutdown(wait=False)

    def result_of(self, what: str, act: Callable[["DrillRun"], str]) -> str:
        """The result of a background task; it is done now where another process had begun it.

        Raises:
            DrillFailedError: it has not ended in time. What `act` raises passes.
        """
        if what not in self._background:
            return self._do_background(what, act)
        if not futures_wait([self._background[what]], self.background_within_s).done:
            raise DrillFailedError(f"{what}: not ended within {self.background_within_s:g} s")
        return self._background[what].result()

    def finish_background(self) -> None:
        """Wait for the background tasks to end, whatever their results.

        Raises:
            DrillFailedError: one goes on still.
        """
        futures_wait(self._background.values(), self.background_within_s)
        going_on = [what for what, result in self._background.items() if not result.done()]
        if going_on:
            raise DrillFailedError(
                f"{', '.join(going_on)}: goes on {self.background_within_s:g} s later, so a table that it "
                "makes stays; wait for the end of this process, and delete that"
            )

    def _do_background(self, what: str, act: Callable[["DrillRun"], str]) -> str:
        """Do it, and note its own times: those of the phase that asks for it say little."""
        began_ms = now_ms()
        self._note_background(what, began_ms, None)
        try:
            return act(self)
        finally:
            self._note_background(what, began_ms, now_ms())

    def _note_background(self, what: str, began_ms: int, ended_ms: int | None) -> None:
        known = self.file.state.facts.background_ms
        self.file.note(background_ms={**known, what: (began_ms, ended_ms)})

    def audit(self) -> Audit:
        """Compare receipts, the ledgers of the regions that are not lost, and Slack.

        Raises:
            LedgerUnreadableError: a region's ledger does not answer.
        """
        return audit_stack(
            self.target.deployment,
            receipts=scan_receipts(self.receipts_path) if self.receipts_path.exists() else (),
            slack=self.target.slack_messages(),
            lost_regions=self.target.lost_regions(),
        )

    def until(
        self, condition: Callable[[], T | None], what: str, *, within_s: float, every_s: float = POLL_S
    ) -> T:
        """Ask until there is an answer.

        Raises:
            DrillFailedError: there is none in time.
            LoadFailedError: the load died meanwhile; what it was to bring about would not come.
        """
        deadline = time.monotonic() + within_s
        while (answer := condition()) is None:
            if self._prober is not None and self._prober.died:
                self.stop_load()
            if time.monotonic() > deadline:
                raise DrillFailedError(f"{what}: not so within {within_s:g} s")
            time.sleep(every_s)
        return answer

    def on_step(self, moments: Mapping[str, Moment]) -> OnStep:
        """A listener that notes a procedure's steps under the phase that runs it, and when they ended.

        `moments` maps a step to the instant that it ends at.
        """

        def note(event: StepEvent) -> None:
            self.say(f"{event.operation}, {event.step}: {event.detail}")
            known = next(run.steps for run in self.file.state.phases if run.name == self.phase)
            began_ms = next((step.began_ms for step in known if step.name == event.step), event.at_ms)
            ended_ms = event.at_ms if event.state in {"done", "failed"} else None
            step = StepRun(name=event.step, began_ms=began_ms, ended_ms=ended_ms, detail=event.detail)
            self.file.step(self.phase, step)
            if event.state == "done" and event.step in moments:
                self.file.mark(moments[event.step], event.at_ms)

        return note


@dataclass(frozen=True)
class Phase:
    """A part of a drill. `act` returns what came of it, and may be done again by another process."""

    name: str
    title: str
    act: Callable[[DrillRun], str]


def perform(phases: Iterable[Phase], run: DrillRun) -> None:
    """Work off what is not done yet, the state on disk after each.

    Raises:
        DrillFailedError: a phase could not be done; those after it were not begun.
    """
    for phase in phases:
        if run.file.state.is_done(phase.name):
            run.say(f"{phase.name}: done already")
            continue
        run.phase = phase.name
        run.file.begin(phase.name)
        run.say(f"{phase.name}: {phase.title}")
        detail = phase.act(run)
        run.file.end(phase.name, detail)
        run.say(f"{phase.name}: {detail}")
