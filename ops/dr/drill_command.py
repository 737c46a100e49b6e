"""`responder dr drill`: rehearses losing a region, or a table, on a stack of its own or on a running one.

The drill's own stack runs detached in a folder of its own: when this process is killed it stays up, so that
`responder dr status` can look at it, and `responder dr drill --resume` or `responder dr failback` go on.
"""

import contextlib
import json
import secrets
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from chaos.target import ChaosRefusedError, permit
from clients.interrupts import INTERRUPTED_CODE, interrupt_on_ending
from clients.receipts import write_report
from dr.drill.record import DrillFile, DrillState, DrillStateError, now_ms, only_drill, read_state
from dr.drill.run import DrillRun
from dr.drill.runner import ReportUnwrittenError, Result, run_drill
from dr.drill.scenarios import REGION_KILLED, SCENARIOS, TITLES, Scenario
from dr.drill.target import LocalDrillTarget
from emulator import local_stack
from emulator.client import Emulator
from emulator.errors import NotRunningError
from emulator.pulumi.project import stack_config
from emulator.stack_lock import changing, empty
from lambda_packages import ROOT
from ops.dr.drill_all import Line, copy_backups, line_of, planted_faults, rebuilt, show
from ops.dr.drill_output import Say, conclude, show_plan, show_plans, teller
from ops.local import running
from ops.local.running import REPORTS
from ops.options import AsJson, DryRun, check_writable
from ops.scratch import scratch_folder
from topology.config import StackConfig
from topology.names import LOCAL_STACK, STACKS

DRILL_DIR: Final = ROOT / ".local" / "drill"
"""Where a drill's own stack runs, so that everybody knows where to look for one that died."""

DECIDE_AFTER_S: Final = 5.0


def drill(  # noqa: PLR0913 - one option each
    scenario: Annotated[
        str | None, typer.Argument(help=f"What happens: {', '.join(TITLES)}.", show_default=REGION_KILLED)
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Every scenario, every planted fault, and a rebuild from backups.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the drill whose process died.")
    ] = False,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            readable=False, help="A running stack's folder; without it the drill gets its own stack."
        ),
    ] = None,
    stack: Annotated[str, typer.Option(help="The stack to drill, by its configuration.")] = LOCAL_STACK,
    stack_name: Annotated[str, typer.Option(help="Type the stack's name; production asks for it.")] = "",
    decide_after: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=3_600,
            help="Seconds that a person is given to decide.",
            show_default=f"{DECIDE_AFTER_S:g}",
        ),
    ] = None,
    report: Annotated[
        Path, typer.Option(help="Folder of drill.json, drill.html and drill.md.", file_okay=False)
    ] = REPORTS,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Rehearse a disaster under load, from the fault to the failback, and count every alert.

    Exits 1 if an objective is missed, an alert is unaccounted or a rollback fails; 130 if interrupted.
    """
    _refuse(
        {
            "--all begins anew; leave --resume out, or --all": every and resume,
            "--all runs every scenario; name none": every and scenario is not None,
            "--all has a stack of its own; leave --run-dir out": every and run_dir is not None,
            "--resume goes on with the scenario that was begun; name none": resume and scenario is not None,
            "--resume keeps the time that was given; leave --decide-after out": resume
            and decide_after is not None,
            "--resume has no plan to show; see how it stands by `responder dr status`": resume and dry_run,
        }
    )
    chosen = _scenario(scenario or REGION_KILLED)
    decide_after_s = DECIDE_AFTER_S if decide_after is None else decide_after
    config = _permitted(stack, stack_name)
    if dry_run:
        if every:
            show_plans(as_json=as_json)
        else:
            show_plan(chosen, as_json=as_json)
        return
    if stack != LOCAL_STACK:
        raise typer.BadParameter(
            f"a region of {stack!r} cannot be taken away from here: that needs AWS FIS, or a hand. Rehearse "
            "with `responder dr failover`, `dr status` and `dr failback`"
        )
    check_writable(report, "--report")
    console = Console(stderr=as_json)
    say = teller(console)
    interrupt_on_ending()
    if every:
        lines = _run_all(_Parameters(chosen, stack, decide_after_s), config, report, say, console)
        if as_json:
            typer.echo(json.dumps([asdict(line) for line in lines], indent=2))
        else:
            show(lines, console)
        if not all(line.passed for line in lines):
            raise typer.Exit(1)
        return
    if resume:
        result = _resume(run_dir or DRILL_DIR, config, report, say)
    else:
        parameters = _Parameters(chosen, stack, decide_after_s)
        opened = _own_stack(config, say) if run_dir is None else contextlib.nullcontext(run_dir)
        with opened as folder:
            result = _on(folder, parameters, config, report, say)
    conclude(result, report, console, as_json=as_json)


@dataclass(frozen=True)
class _Parameters:
    """What a new drill was asked for."""

    scenario: Scenario
    stack: str
    decide_after_s: float

    def state(self) -> DrillState:
        """Of a drill that begins now."""
        began = now_ms()
        day = datetime.fromtimestamp(began / 1_000, UTC).strftime("%Y%m%dT%H%M%S")
        return DrillState(
            drill_id=f"{day}-{secrets.token_hex(3)}",
            scenario=self.scenario.name,
            stack=self.stack,
            began_ms=began,
            decide_after_s=self.decide_after_s,
        )


def _refuse(mistakes: Mapping[str, bool]) -> None:
    """Raise typer.BadParameter of the first mistake that was made: an option that would do nothing."""
    for rule, made in mistakes.items():
        if made:
            raise typer.BadParameter(rule)


def _scenario(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise typer.BadParameter(f"no scenario {name!r}; there is {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def _permitted(stack: str, typed: str) -> StackConfig:
    if stack not in STACKS:
        raise typer.BadParameter(f"stack {stack!r} is not known; there is {', '.join(STACKS)}")
    config = stack_config(ROOT, stack)
    try:
        permit(config, typed_stack=typed)
    except ChaosRefusedError as error:
        raise typer.BadParameter(str(error)) from error
    return config


@contextlib.contextmanager
def _own_stack(config: StackConfig, say: Say) -> Iterator[Path]:
    """A stack in `DRILL_DIR`, taken down at the end; SIGKILL and an unwritten report leave it to `--resume`.

    Raises:
        DrillStateError: another drill is under way there, or one was never finished.
    """
    with only_drill(_scratch()):
        emulator = _start_own(config, say)
        try:
            yield DRILL_DIR
        except ReportUnwrittenError:
            raise
        except BaseException:
            _take_down(emulator, say)
            raise
        _take_down(emulator, say)


def _start_own(config: StackConfig, say: Say) -> Emulator:
    """Bring up the drill's own stack, in the place of an earlier one's."""
    with changing(DRILL_DIR, say=say):
        _clear(DRILL_DIR)
        say("starting two regions on this machine")
        emulator = Emulator.start(DRILL_DIR, regions=config.regions, detach=True)
        try:
            local_stack.deploy(emulator, progress=say)
        except BaseException:
            _take_down(emulator, say)
            raise
        return emulator


def _run_all(
    parameters: _Parameters, config: StackConfig, report: Path, say: Say, console: Console
) -> list[Line]:
    """Run every scenario, with the other `parameters`, and the rest; a line of each, also as a report."""
    lines: list[Line] = []
    with scratch_folder("drill-all") as scratch:
        backups = scratch / "bucket"
        with _own_stack(config, say) as folder:
            for scenario in SCENARIOS.values():
                console.rule(f"[bold]{scenario.name}")
                this = replace(parameters, scenario=scenario)
                result = _on(folder, this, config, report / "drills" / scenario.name, say)
                lines.append(line_of(result.report))
                if result.interrupted:
                    raise typer.Exit(INTERRUPTED_CODE)
            deployment = LocalDrillTarget(running.attach(folder)).deployment
            objects = copy_backups(deployment, backups, say)
        console.rule("[bold]planted faults, and a rebuild")
        lines += planted_faults(objects, backups, deployment.alerts_table)
        lines.append(rebuilt(objects, scratch / "rebuild", say))
    write_report(report / "drill-all.json", [asdict(line) for line in lines])
    return lines


def _scratch() -> Path:
    folder = ROOT / ".local"
    folder.mkdir(exist_ok=True)
    return folder


def _on(run_dir: Path, parameters: _Parameters, config: StackConfig, report: Path, say: Say) -> Result:
    """Drill the stack that runs in `run_dir`, and leave it running."""
    target = LocalDrillTarget(running.attach(run_dir))
    with only_drill(run_dir):
        unfinished = read_state(run_dir)
        if unfinished is not None and unfinished.passed is None:
            raise DrillStateError(
                f"drill {unfinished.drill_id} in {run_dir} was never finished; go on with it by "
                f"`responder dr drill --resume --run-dir {shlex.quote(str(run_dir))}`"
            )
        run = DrillRun(target, DrillFile.create(run_dir, parameters.state()), say)
        option = f"--run-dir {shlex.quote(str(run_dir))}"
        say(
            f"if this process dies: `responder dr status {option}` says how it stands, and "
            f"`responder dr drill --resume {option}` goes on"
        )
        return run_drill(parameters.scenario, run, config=config, folder=report)


def _resume(run_dir: Path, config: StackConfig, report: Path, say: Say) -> Result:
    """Go on with the drill of `run_dir`; a stack that was the drill's own is taken down at the end."""
    try:
        emulator = Emulator.attach(run_dir)
    except NotRunningError as error:
        raise DrillStateError(
            f"the stack of the drill in {run_dir} is gone ({error}), so there is nothing to go on with or to "
            "roll back; start a new drill with `responder dr drill`"
        ) from error
    target = LocalDrillTarget(emulator)
    with only_drill(run_dir):
        run = DrillRun(target, DrillFile.resume(run_dir), say)
        say(f"going on with drill {run.file.state.drill_id}")
        result = run_drill(SCENARIOS[run.file.state.scenario], run, config=config, folder=report)
    if run_dir.resolve() == DRILL_DIR.resolve():
        _take_down(emulator, say)
    return result


def _clear(folder: Path) -> None:
    """Make room for a new drill; what a drill that died while it deployed left behind is ended.

    Raises:
        DrillStateError: an unfinished drill is there, and its stack runs.
    """
    try:
        emulator = Emulator.attach(folder)
    except NotRunningError:
        empty(folder)
        return
    with only_drill(folder):
        state = read_state(folder)
        if state is not None and state.passed is None:
            raise DrillStateError(
                f"drill {state.drill_id} was never finished; `responder dr drill --resume` goes on with it, "
                f"and `responder local down --run-dir {shlex.quote(str(folder))}` throws it away"
            )
        emulator.stop()
    empty(folder)


def _take_down(emulator: Emulator, say: Say) -> None:
    with changing(emulator.run_dir, say=say):
        emulator.stop()
    say(f"the drill's stack is taken down; its logs are in {emulator.run_dir}")
