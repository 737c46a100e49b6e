"""What a drill knows of itself: instants, phases and facts, in a file of the run folder after every change.

The file is all that `--resume` starts from, so whatever a later phase needs is in here, and no secret is.
"""

import contextlib
import fcntl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from clients.receipts import write_report
from topology.errors import ExplainedError

STATE_FILE: Final = "drill-state.json"
RECEIPTS_FILE: Final = "drill-receipts.jsonl"
ATTEMPTS_FILE: Final = "drill-attempts.jsonl"
LOCK_FILE: Final = "drill.lock"


class DrillStateError(ExplainedError):
    """There is no drill to go on with, one is in the way, or its file cannot be used; nothing was done."""


class DrillUnderWayError(DrillStateError):
    """Another process is at a drill of this run folder."""


class Moment(StrEnum):
    """The instants that a drill is timed by, in the order of a region's loss."""

    RESTORE_POINT = "restore point"
    FAULT = "fault"
    DETECTED = "detected"
    DECIDED = "decided"
    ACTED = "acted"
    VERIFIED = "verified"
    DRAINED = "drained"
    RESTORED = "restore checked"
    STARTED = "region started"
    FAILED_BACK = "failed back"
    LOAD_ENDED = "load ended"
    RESTED = "all at rest"


@dataclass(frozen=True, kw_only=True)
class StepRun:
    """A step inside a phase, as the procedure that was rehearsed told it. Times in epoch milliseconds."""

    name: str
    began_ms: int
    ended_ms: int | None
    detail: str


@dataclass(frozen=True, kw_only=True)
class PhaseRun:
    """A phase that began. `ended_ms` None: it is under way, or the drill died in it."""

    name: str
    began_ms: int
    ended_ms: int | None = None
    detail: str = ""
    steps: tuple[StepRun, ...] = ()


@dataclass(frozen=True)
class Damage:
    """The ids that the bad writer meets: their text is overwritten, their status is, they are deleted."""

    changed: tuple[str, ...]
    broken: tuple[str, ...]
    deleted: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.changed, *self.broken, *self.deleted)


@dataclass(frozen=True)
class RestoredTable:
    """A table that the drill makes, and deletes at its end."""

    region: str
    name: str


class DrillFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a phase found that a later one or the report needs. What no phase has found is left out of JSON.

    `background_ms`: of a background task, by its phase's name, begin and end in epoch milliseconds, None
    where it did not end. `restored_table`: the one that the ledger is repaired from. `damage_undone`: by a
    rollback, since the drill did not come to verify it.
    """

    export_arn: str | None = None
    background_ms: Mapping[str, tuple[int, int | None]] = msgspec.field(default_factory=dict)
    alerts_drained: int | None = None
    damage: Damage | None = None
    restored_table: str | None = None
    damage_undone: bool = False
    restored_tables: tuple[RestoredTable, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DrillState:
    """One drill so far. `facts`: what a phase found that a later one or the report needs.

    `resumed`: how often another process went on with it; `passed` None until it has ended.
    """

    drill_id: str
    scenario: str
    stack: str
    began_ms: int
    decide_after_s: float
    moments: Mapping[Moment, int] = field(default_factory=dict)
    phases: tuple[PhaseRun, ...] = ()
    facts: DrillFacts = field(default_factory=DrillFacts)
    resumed: int = 0
    passed: bool | None = None

    def is_done(self, phase: str) -> bool:
        """Whether the phase was completed."""
        return any(run.name == phase and run.ended_ms is not None for run in self.phases)


class DrillFile:
    """The state, on disk after each change. A restore rehearsal beside the failover writes here too."""

    def __init__(self, path: Path, state: DrillState) -> None:
        """Not for callers: see `create` and `resume`."""
        self._path = path
        self._state = state
        self._lock = threading.RLock()
        self._change()

    @classmethod
    def create(cls, run_dir: Path, state: DrillState) -> Self:
        """Begin a drill; the records of one that has ended there are removed."""
        for name in (RECEIPTS_FILE, ATTEMPTS_FILE):
            (run_dir / name).unlink(missing_ok=True)
        return cls(run_dir / STATE_FILE, state)

    @classmethod
    def resume(cls, run_dir: Path) -> Self:
        """Go on with the drill of a run folder.

        Raises:
            DrillStateError: there is none, it has ended, or the file is not one.
        """
        state = read_state(run_dir)
        if state is None or state.passed is not None:
            raise DrillStateError(f"no unfinished drill is in {run_dir}; start one with `responder dr drill`")
        return cls(run_dir / STATE_FILE, replace(state, resumed=state.resumed + 1))

    @property
    def state(self) -> DrillState:
        """As it is now."""
        return self._state

    def begin(self, phase: str) -> None:
        """A phase begins, or begins again after an interruption."""
        others = tuple(run for run in self._state.phases if run.name != phase)
        before = next((run for run in self._state.phases if run.name == phase), None)
        began_ms = before.began_ms if before else now_ms()
        self._change(phases=(*others, PhaseRun(name=phase, began_ms=began_ms)))

    def end(self, phase: str, detail: str) -> None:
        """The phase that began is completed."""
        self._phase(phase, ended_ms=now_ms(), detail=detail)

    def step(self, phase: str, step: StepRun) -> None:
        """A step of a phase began, went on or ended; the newest word of a name counts."""
        run = next(run for run in self._state.phases if run.name == phase)
        others = tuple(other for other in run.steps if other.name != step.name)
        self._phase(phase, steps=(*others, step))

    def mark(self, moment: Moment, at_ms: int | None = None) -> int:
        """Note an instant; the first word counts, so that a repeated phase moves none."""
        with self._lock:
            at_ms = self._state.moments.get(moment, at_ms or now_ms())
            self._change(moments={**self._state.moments, moment: at_ms})
            return at_ms

    def note(self, **facts: Any) -> None:
        """Keep what was found."""
        with self._lock:
            self._change(facts=msgspec.structs.replace(self._state.facts, **facts))

    def close(self, *, passed: bool) -> None:
        """The drill has ended and rolled back everything that it could."""
        self._change(passed=passed)

    def _phase(self, name: str, **changes: Any) -> None:
        with self._lock:
            runs = self._state.phases
            self._change(phases=tuple(replace(run, **changes) if run.name == name else run for run in runs))

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._state = replace(self._state, **changes)
            write_report(self._path, msgspec.to_builtins(self._state))


def read_state(run_dir: Path) -> DrillState | None:
    """The drill of a run folder, or None if there never was one.

    Raises:
        DrillStateError: the file is not a drill's.
    """
    path = run_dir / STATE_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=DrillState)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise DrillStateError(
            f"{path} is not a drill's state ({error}); fail back by `responder dr failback`, then remove it"
        ) from error


@contextlib.contextmanager
def only_drill(run_dir: Path) -> Iterator[None]:
    """Keep every other drill off this run folder; the system lets go when the process dies.

    Raises:
        DrillUnderWayError: one is under way.
    """
    with (run_dir / LOCK_FILE).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DrillUnderWayError(
                f"a drill is under way in {run_dir}; wait for its end, or stop it"
            ) from None
        yield


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
