"""`responder dr drill`: rehearses losing a region, or a table, on a stack of its own or on a running one.

The drill's own stack runs detached in a folder of its own: when this process is killed it stays up, so that
`responder dr status` can look at it, and `responder dr drill --resume` or `responder dr failback` go on.
"""

import contextlib
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chaos.target import ChaosRefusedError, permit
from clients.interrupts import INTERRUPTED_CODE, interrupt_on_ending
from clients.reports import write_report
from dr.drill.page import PAGE_FILE, figures, seconds
from dr.drill.play import Play
from dr.drill.record import DrillFile, DrillState, DrillStateError, now_ms, read_state
from dr.drill.report import EMULATED, DrillReport
from dr.drill.runner import Result, only_drill, run_drill
from dr.drill.scenarios import REGION_KILLED, SCENARIOS, Scenario
from dr.drill.stage import LocalStage
from emulator.control import Emulator
from emulator.errors import NotRunningError
from emulator.project import stack_config
from ops import local, running
from ops.dr_drill_all import Line, copy_backups, line_of, planted_faults, rebuilt, show
from ops.options import AsJson, DryRun
from ops.running import REPORTS
from topology.config import StackConfig
from topology.names import LOCAL_STACK

DRILL_DIR: Final = running.ROOT / ".local" / "drill"
"""Where a drill's own stack runs, so that everybody knows where to look for one that died."""

Say = Callable[[str], None]


def drill(  # noqa: PLR0913 - one option each
    scenario: Annotated[str, typer.Argument(help=f"What happens: {', '.join(SCENARIOS)}.")] = REGION_KILLED,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Every scenario, every planted fault, and a rebuild from backups.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the drill whose process died.")
    ] = False,
    run_dir: Annotated[
        Path | None, typer.Option(help="A running stack's folder; without it the drill gets its own stack.")
    ] = None,
    stack: Annotated[str, typer.Option(help="The stack to drill, by its configuration.")] = LOCAL_STACK,
    stack_name: Annotated[str, typer.Option(help="Type the stack's name; production asks for it.")] = "",
    decide_after: Annotated[
        float, typer.Option(min=0, max=3_600, help="Seconds that a person is given to decide.")
    ] = 5.0,
    report: Annotated[Path, typer.Option(help="Folder of drill.json, drill.html and drill.md.")] = REPORTS,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Rehearse a disaster under load, from the fault to the failback, and count every alert.

    Exits 1 if an objective is missed, an alert is unaccounted or something not put back; 130 if interrupted.
    """
    played = _scenario(scenario)
    config = _permitted(stack, stack_name)
    if dry_run:
        _tell_plan(played, as_json=as_json)
        return
    if stack != LOCAL_STACK:
        raise typer.BadParameter(
            f"a region of {stack!r} cannot be taken away from here: that needs AWS FIS, or a hand. Rehearse "
            "with `responder dr failover`, `dr status` and `dr failback`"
        )
    console = Console(stderr=as_json)
    say = _teller(console)
    interrupt_on_ending()
    if every:
        _play_all(stack, decide_after, config, report, say, console)
        return
    if resume:
        result = _resume(run_dir or DRILL_DIR, config, report, say)
    else:
        given = _Given(played, stack, decide_after)
        opened = _own_stack(config, say) if run_dir is None else contextlib.nullcontext(run_dir)
        with opened as folder:
            result = _on(folder, given, config, report, say)
    _conclude(result, report, console, as_json=as_json)


@dataclass(frozen=True)
class _Given:
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


def _scenario(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise typer.BadParameter(f"no scenario {name!r}; there is {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def _permitted(stack: str, typed: str) -> StackConfig:
    config = stack_config(running.ROOT, stack)
    try:
        permit(config, typed_stack=typed)
    except ChaosRefusedError as error:
        raise typer.BadParameter(str(error)) from error
    return config


@contextlib.contextmanager
def _own_stack(config: StackConfig, say: Say) -> Iterator[Path]:
    """A stack in `DRILL_DIR`, taken down however the drill ends; only SIGKILL leaves it running.

    Raises:
        DrillStateError: another drill is under way there, or one was never finished.
    """
    with only_drill(_scratch()):
        _clear(DRILL_DIR)
        DRILL_DIR.mkdir()
        say("starting two regions on this machine")
        emulator = Emulator.start(DRILL_DIR, regions=config.regions, detach=True)
        try:
            local.deploy(emulator, progress=say)
            yield DRILL_DIR
        finally:
            _take_down(emulator, say)


def _play_all(
    stack: str, decide_after_s: float, config: StackConfig, report: Path, say: Say, console: Console
) -> None:
    """Play everything, print one table, and exit as it went."""
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="drill-all-", dir=_scratch()) as name:
        backups = Path(name) / "bucket"
        with _own_stack(config, say) as folder:
            for scenario in SCENARIOS.values():
                console.rule(f"[bold]{scenario.name}")
                given = _Given(scenario, stack, decide_after_s)
                result = _on(folder, given, config, report / "drills" / scenario.name, say)
                lines.append(line_of(result.report))
                if result.interrupted:
                    raise typer.Exit(INTERRUPTED_CODE)
            deployment = LocalStage(running.attach(folder)).deployment
            objects = copy_backups(deployment, backups, say)
        console.rule("[bold]planted faults, and a rebuild")
        lines += planted_faults(objects, backups, deployment.alerts_table)
        lines.append(rebuilt(objects, Path(name) / "rebuild", say))
    show(lines, console)
    write_report(report / "drill-all.json", [asdict(line) for line in lines])
    if not all(line.passed for line in lines):
        raise typer.Exit(1)


def _scratch() -> Path:
    folder = running.ROOT / ".local"
    folder.mkdir(exist_ok=True)
    return folder


def _on(run_dir: Path, given: _Given, config: StackConfig, report: Path, say: Say) -> Result:
    """Drill the stack that runs in `run_dir`, and leave it running."""
    stage = LocalStage(running.attach(run_dir))
    with only_drill(run_dir):
        unfinished = read_state(run_dir)
        if unfinished is not None and unfinished.passed is None:
            raise DrillStateError(
                f"drill {unfinished.drill_id} in {run_dir} was never finished; go on with it by "
                f"`responder dr drill --resume --run-dir {run_dir}`"
            )
        play = Play(stage, DrillFile.create(run_dir, given.state()), say)
        say(
            f"if this process dies: `responder dr status --run-dir {run_dir}` says how it stands, and "
            f"`responder dr drill --resume --run-dir {run_dir}` goes on"
        )
        return run_drill(given.scenario, play, config=config, folder=report)


def _resume(run_dir: Path, config: StackConfig, report: Path, say: Say) -> Result:
    """Go on with the drill of `run_dir`; a stack that was the drill's own is taken down at the end."""
    try:
        emulator = Emulator.attach(run_dir)
    except NotRunningError as error:
        raise DrillStateError(
            f"the stack of the drill in {run_dir} is gone ({error}), so there is nothing to go on with or to "
            "put back; start a new drill with `responder dr drill`"
        ) from error
    stage = LocalStage(emulator)
    with only_drill(run_dir):
        play = Play(stage, DrillFile.resume(run_dir), say)
        say(f"going on with drill {play.file.state.drill_id}")
        result = run_drill(SCENARIOS[play.file.state.scenario], play, config=config, folder=report)
    if run_dir.resolve() == DRILL_DIR.resolve():
        _take_down(emulator, say)
    return result


def _clear(folder: Path) -> None:
    """Make room for a new drill; what a drill that died while it deployed left behind is ended.

    Raises:
        DrillStateError: an unfinished drill is there, and its stack runs.
    """
    if not folder.exists():
        return
    try:
        emulator = Emulator.attach(folder)
    except NotRunningError:
        shutil.rmtree(folder)
        return
    with only_drill(folder):
        state = read_state(folder)
        if state is not None and state.passed is None:
            raise DrillStateError(
                f"drill {state.drill_id} was never finished; `responder dr drill --resume` goes on with it, "
                f"and `responder local down --run-dir {folder}` throws it away"
            )
        emulator.stop()
    shutil.rmtree(folder)


def _take_down(emulator: Emulator, say: Say) -> None:
    emulator.stop()
    say(f"the drill's stack is taken down; its logs are in {emulator.run_dir}")


def _tell_plan(scenario: Scenario, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({phase.name: phase.title for phase in scenario.phases}, indent=2))
        return
    table = Table("phase", "what happens", title=f"{scenario.name}: {scenario.title}")
    for phase in scenario.phases:
        table.add_row(phase.name, phase.title)
    Console().print(table)


def _conclude(result: Result, folder: Path, console: Console, *, as_json: bool) -> None:
    """Show what was found, and exit as it went."""
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(result.report)).decode())
    else:
        console.print(_table(result.report))
        for line in result.report.missed:
            console.print(f"[bold red]missed[/] {escape(line)}", soft_wrap=True)
        for change in result.report.slower:
            console.print(
                f"slower than {result.report.compared_with}: {change.measure}, "
                f"{seconds(change.before_s)} then, {seconds(change.now_s)} now"
            )
        console.print(f"report: {folder / PAGE_FILE}", soft_wrap=True)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED_CODE)
    if not result.report.passed:
        raise typer.Exit(1)


def _table(report: DrillReport) -> Table:
    verdict = "[green]passed[/]" if report.passed else "[bold red]FAILED[/]"
    caption = EMULATED if report.emulated else None
    table = Table(title=f"{report.title}: {verdict}, {report.took_s:g} s", caption=caption, show_header=False)
    for row in figures(report):
        table.add_row(*row)
    for name, took_s in report.rto.parts_s.items():
        table.add_row(f"  {name}", seconds(took_s), "of the RTO")
    if report.rto.served_again_s is not None:
        table.add_row("served again", seconds(report.rto.served_again_s), "by sources' own retries")
    return table


def _teller(console: Console) -> Say:
    begun = time.monotonic()

    def say(line: str) -> None:
        console.print(
            f"[dim]{time.monotonic() - begun:6.1f} s[/]  {escape(line)}", soft_wrap=True, highlight=False
        )

    return say
