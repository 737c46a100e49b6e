"""Runs a drill from its first phase, or from where another process died, and always rolls everything back.

`responder dr drill` calls it. Whatever ends a drill, the region is started again, the switch is off, the
ledger is repaired, the restored tables are gone, and the report says how far it got and what could not be
rolled back.
"""

import contextlib
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
from dr.drill.prober import read_log
from dr.drill.record import Moment, now_ms
from dr.drill.region_loss import switch_off, wait_at_rest
from dr.drill.report import (
    DrillReport,
    Objectives,
    ReportContext,
    ReportInputs,
    Rollback,
    make_report,
    read_history,
    write_json,
)
from dr.drill.run import DrillFailedError, DrillRun, perform
from dr.drill.scenarios import Scenario
from dr.drill.summary import write_summary
from dr.drill.table_corruption import kept_table, undo_damage
from dr.drill.tables import drop_tables
from topology.config import StackConfig
from topology.errors import ExplainedError
from topology.regions import FAILOVER, PRIMARY

ERRORS_FILE: Final = "drill-errors.txt"


class ReportUnwrittenError(ExplainedError):
    """A drill was rolled back as far as it could be, and has no report; going on with it writes one."""


@dataclass(frozen=True)
class Result:
    """How a drill ended. `interrupted`: somebody stopped it; it was rolled back."""

    report: DrillReport
    interrupted: bool


def run_drill(scenario: Scenario, run: DrillRun, *, config: StackConfig, folder: Path) -> Result:
    """Run what is left of `scenario`, roll everything back, audit, and write the reports into `folder`.

    Raises:
        ReportUnwrittenError: they cannot be written.
    """
    stopped, interrupted = None, False
    try:
        if Moment.LOAD_ENDED not in run.file.state.moments:
            run.start_load()
        perform(scenario.phases, run)
    except KeyboardInterrupt:
        stopped, interrupted = f"interrupted in phase {run.phase!r}", True
    except SystemExit:  # so Rich ends a program whose output is a pipe that nobody reads any more
        leave_terminal()
        stopped, interrupted = f"interrupted in phase {run.phase!r}, as nobody reads its output", True
    except Exception as error:  # noqa: BLE001 - the edge of a drill: whatever it is, all is rolled back and reported
        stopped = f"phase {run.phase!r} failed: {error}"
        _keep_traceback(run, stopped)
    with _finishing(run.say):
        if stopped:
            run.say(f"{stopped}; rolling everything back")
        rollback = _roll_back(run)
        inputs = ReportInputs(
            audit=None if interrupted else _audit(run),
            log=read_log(run.attempts_path),
            receipts=run.receipts(),
            rollback=rollback,
            ended_ms=now_ms(),
            stopped=stopped,
        )
        context = _context(scenario, run, config)
        try:
            report = make_report(run.file.state, context, inputs, history=read_history(folder))
            for write in (write_json, write_page, write_summary):
                write(report, folder)
        except OSError as error:
            raise ReportUnwrittenError(
                f"the drill has ended, and its report cannot be written into {folder} ({error}); have it by "
                f"`responder dr drill --resume --run-dir {run.target.run_dir} --report FOLDER`"
            ) from error
        run.file.close(passed=report.passed)
    return Result(report, interrupted)


def _roll_back(run: DrillRun) -> Rollback:
    """Undo what the drill did and has not undone, each thing whatever became of the others."""

    def start_regions() -> str | None:
        return ", ".join(run.target.start_regions()) or None

    undo: tuple[tuple[str, Callable[[], str | None]], ...] = (
        ("load ended", run.stop_load),
        ("rehearsal ended", run.finish_background),
        ("regions started", start_regions),
        ("switch turned off", lambda: switch_off(run)),
        ("ledger repaired", lambda: undo_damage(run)),
        ("restored tables deleted", lambda: drop_tables(run, keep=kept_table(run))),
    )
    done, not_done = [], []
    for what, act in undo:
        try:
            outcome = act()
        except Exception as error:  # noqa: BLE001 - as above: the rest must still be undone
            not_done.append(f"{what}: {error}")
            _keep_traceback(run, f"not rolled back: {what}")
            continue
        if outcome:
            done.append(f"{what}: {outcome}")
    return Rollback(done=tuple(done), not_done=tuple(not_done))


def _keep_traceback(run: DrillRun, what: str) -> None:
    """For whoever looks for a bug; people on call get the one line."""
    with (run.target.run_dir / ERRORS_FILE).open("a", encoding="utf-8") as out:
        out.write(f"{what}\n{traceback.format_exc()}\n")


def _audit(run: DrillRun) -> Audit | None:
    """The audit once all is at rest, or when the time for that is over; None if nothing can be read."""
    try:
        with contextlib.suppress(DrillFailedError):
            wait_at_rest(run)
        return run.audit()
    except (LedgerUnreadableError, ReceiptsError) as error:
        run.say(f"no audit: {error}")
        return None


def _context(scenario: Scenario, run: DrillRun, config: StackConfig) -> ReportContext:
    deployment = run.target.deployment
    return ReportContext(
        title=scenario.title,
        regions={deployment.primary.region: PRIMARY, deployment.failover.region: FAILOVER},
        lost_to=deployment.failover.region if scenario.loses_region else None,
        emulated=run.target.emulated,
        objectives=Objectives(
            rto_s=config.rto_objective_s,
            rpo_alerts=config.rpo_objective_alerts,
            accepted_least=run.accepted_least,
        ),
    )


@contextlib.contextmanager
def _finishing(say: Callable[[str], None]) -> Iterator[None]:
    """Hold off interruptions while everything is rolled back; that has deadlines of its own."""

    def tell(_number: int, _frame: object) -> None:
        say("everything is rolled back first; this ends by itself")

    before = handle_endings(tell, ctrl_c=True)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
