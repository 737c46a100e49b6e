"""Plays a drill from its first phase, or from where another process died, and always puts everything back.

`responder dr drill` calls it. Whatever ends a drill, the region is mended, the switch is off, the ledger is
repaired, the restored tables are gone, and the report says how far it got and what could not be put back.
"""

import contextlib
import fcntl
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit.ledger import LedgerUnreadableError
from audit.outcome import Audit
from clients.interrupts import handle_endings, leave_terminal
from clients.receipts import ReceiptsError
from dr.drill.page import write_page
from dr.drill.play import DrillFailedError, Play, perform
from dr.drill.prober import read_log
from dr.drill.record import DrillStateError, Moment, now_ms
from dr.drill.region_loss import switch_off, wait_at_rest
from dr.drill.report import (
    DrillReport,
    Evidence,
    Objectives,
    Plot,
    PutBack,
    make_report,
    read_history,
    write_json,
)
from dr.drill.scenarios import Scenario
from dr.drill.summary import write_summary
from dr.drill.table_corruption import kept_table, undo_damage
from dr.drill.tables import drop_tables
from topology.config import StackConfig
from topology.errors import ExplainedError
from topology.regions import FAILOVER, PRIMARY

LOCK_FILE: Final = "drill.lock"
ERRORS_FILE: Final = "drill-errors.txt"


class ReportUnwrittenError(ExplainedError):
    """A drill put back what it could, and its report is nowhere; going on with it writes one."""


@dataclass(frozen=True)
class Result:
    """How a drill ended. `interrupted`: somebody stopped it; it was put back."""

    report: DrillReport
    interrupted: bool


@contextlib.contextmanager
def only_drill(run_dir: Path) -> Iterator[None]:
    """Keep every other drill off this run folder; the system lets go when the process dies.

    Raises:
        DrillStateError: one is under way.
    """
    with (run_dir / LOCK_FILE).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DrillStateError(
                f"a drill is under way in {run_dir}; wait for its end, or stop it"
            ) from None
        yield


def run_drill(scenario: Scenario, play: Play, *, config: StackConfig, folder: Path) -> Result:
    """Play what is left of `scenario`, put everything back, audit, and write the reports into `folder`.

    Raises:
        ReportUnwrittenError: they cannot be written.
    """
    stopped, interrupted = None, False
    try:
        if Moment.LOAD_ENDED not in play.file.state.moments:
            play.start_load()
        perform(scenario.phases, play)
    except KeyboardInterrupt:
        stopped, interrupted = f"interrupted in phase {play.phase!r}", True
    except SystemExit:  # so Rich ends a program whose output is a pipe that nobody reads any more
        leave_terminal()
        stopped, interrupted = f"interrupted in phase {play.phase!r}, as nobody reads its output", True
    except Exception as error:  # noqa: BLE001 - the edge of a drill: whatever it is, all is put back and reported
        stopped = f"phase {play.phase!r} failed: {error}"
        _keep_traceback(play, stopped)
    with _finishing(play.say):
        if stopped:
            play.say(f"{stopped}; putting everything back")
        put_back = _put_back(play)
        evidence = Evidence(
            audit=None if interrupted else _audit(play),
            log=read_log(play.attempts_path),
            receipts=play.receipts(),
            put_back=put_back,
            ended_ms=now_ms(),
            stopped=stopped,
        )
        plot = _plot(scenario, play, config)
        try:
            report = make_report(play.file.state, plot, evidence, past=read_history(folder))
            for write in (write_json, write_page, write_summary):
                write(report, folder)
        except OSError as error:
            raise ReportUnwrittenError(
                f"the drill has ended, and its report cannot be written into {folder} ({error}); have it by "
                f"`responder dr drill --resume --run-dir {play.stage.run_dir} --report FOLDER`"
            ) from error
        play.file.close(passed=report.passed)
    return Result(report, interrupted)


def _put_back(play: Play) -> PutBack:
    """Undo what the drill did and has not undone, each thing whatever became of the others."""

    def mend() -> str | None:
        return ", ".join(play.stage.mend_regions()) or None

    undo: tuple[tuple[str, Callable[[], str | None]], ...] = (
        ("load ended", play.stop_load),
        ("rehearsal ended", play.finish_aside),
        ("regions brought back", mend),
        ("switch turned off", lambda: switch_off(play)),
        ("ledger repaired", lambda: undo_damage(play)),
        ("restored tables deleted", lambda: drop_tables(play, keep=kept_table(play))),
    )
    done, not_done = [], []
    for what, act in undo:
        try:
            found = act()
        except Exception as error:  # noqa: BLE001 - as above: the rest must still be undone
            not_done.append(f"{what}: {error}")
            _keep_traceback(play, f"not put back: {what}")
            continue
        if found:
            done.append(f"{what}: {found}")
    return PutBack(done=tuple(done), not_done=tuple(not_done))


def _keep_traceback(play: Play, what: str) -> None:
    """For whoever looks for a bug; people on call get the one line."""
    with (play.stage.run_dir / ERRORS_FILE).open("a", encoding="utf-8") as out:
        out.write(f"{what}\n{traceback.format_exc()}\n")


def _audit(play: Play) -> Audit | None:
    """The audit once all is at rest, or when the time for that is over; None if nothing can be read."""
    try:
        with contextlib.suppress(DrillFailedError):
            wait_at_rest(play)
        return play.audit()
    except (LedgerUnreadableError, ReceiptsError) as error:
        play.say(f"no audit: {error}")
        return None


def _plot(scenario: Scenario, play: Play, config: StackConfig) -> Plot:
    deployment = play.stage.deployment
    return Plot(
        title=scenario.title,
        regions={deployment.primary.region: PRIMARY, deployment.failover.region: FAILOVER},
        lost_to=deployment.failover.region if scenario.loses_region else None,
        emulated=play.stage.emulated,
        objectives=Objectives(
            rto_s=config.rto_objective_s,
            rpo_alerts=config.rpo_objective_alerts,
            accepted_least=play.accepted_least,
        ),
    )


@contextlib.contextmanager
def _finishing(say: Callable[[str], None]) -> Iterator[None]:
    """What puts things back is not interrupted again; it has deadlines of its own."""

    def tell(_number: int, _frame: object) -> None:
        say("putting everything back first; this ends by itself")

    before = handle_endings(tell, ctrl_c=True)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
