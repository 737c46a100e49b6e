"""What `responder packages` and each `responder local` command does: the stack on the embedded AWS."""

import contextlib
import json
import shutil
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dr.drill.record import only_drill
from emulator import local_stack
from emulator.client import Emulator
from emulator.deviations import DEVIATIONS
from emulator.errors import EmulatorError, NotRunningError
from emulator.ports import PERSON, PortPlan
from emulator.pulumi.provider.catalogue import ignored_arguments
from emulator.stack_lock import changing
from emulator.supervisor.runfile import is_held, is_run_dir
from lambda_packages.build import HOST, LAMBDA, build_packages
from ops.hints import act_on
from ops.local import running
from ops.local.status import read_status, wait_for_name
from ops.options import AsJson, RunDir
from ops.tables import make_table, print_table

KeyFile = Annotated[
    Path | None, typer.Option(dir_okay=False, exists=True, help="File that holds the secret.")
]
RegionName = Annotated[str, typer.Argument(help="Such as us-east-1; `responder local status` lists both.")]


class Fault(StrEnum):
    """How a region can be lost."""

    KILL = "kill"
    FREEZE = "freeze"
    CUT = "cut"


def up(
    *,
    real_claude: Annotated[
        bool, typer.Option("--real-claude", help="Ask the real Claude; costs money.")
    ] = False,
    anthropic_key_file: KeyFile = None,
    real_slack: Annotated[bool, typer.Option("--real-slack", help="Post to a real Slack channel.")] = False,
    slack_webhook_file: KeyFile = None,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Any free ports, for a second stack or where 4566 is taken.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
) -> None:
    """Start the embedded AWS, deploy both regions, and leave them running; again: update what changed.

    The real Claude or Slack is used only when asked for here with a key in a file: a key that sits in
    the environment never is.
    """
    act_on(running.option_of(run_dir))
    console = Console()
    real = local_stack.RealServices(
        slack_webhook=_real_secret(slack_webhook_file, "slack-webhook-file", real_slack, "real-slack"),
        anthropic_key=_real_secret(anthropic_key_file, "anthropic-key-file", real_claude, "real-claude"),
    )
    with changing(run_dir, say=_say):
        stack = _bring_up(run_dir, real, PortPlan() if free_ports else PERSON, console)
    done = stack.deployed
    console.print(
        f"[green]up[/] in {stack.deploy_s:.1f} s: {done.created} created, {done.updated} updated, "
        f"{done.same} unchanged, {done.deleted} deleted"
    )
    console.print(f"each region takes {local_stack.TAKES_PER_S} alerts a second without a 5xx")
    wait_for_name(stack.deployment, stack.emulator)
    read_status(stack.emulator).show(console)
    for used, service in ((real_claude, "Claude"), (real_slack, "Slack")):
        if used:
            console.print(f"[bold yellow]the real {service} is used[/]")


def _bring_up(
    run_dir: Path, real: local_stack.RealServices, ports: PortPlan, console: Console
) -> local_stack.LocalStack:
    """Start or attach, then deploy; an interruption leaves running only what ran before.

    Raises:
        RefusedError: a region is lost.
    """
    emulator, fresh = _start_or_attach(run_dir, real, ports)
    running.check_whole(emulator, run_dir)
    try:
        return local_stack.deploy(emulator, real=real, progress=lambda line: console.print(f"{line} …"))
    except KeyboardInterrupt as interrupt:
        if fresh:
            emulator.stop()
            raise KeyboardInterrupt("nothing is left running") from interrupt
        raise


def status(*, run_dir: RunDir = running.RUN_DIR, as_json: AsJson = False) -> None:
    """Print what runs and where: webhooks with their keys, the edge for `aws --endpoint-url`, Slack."""
    local = read_status(running.attach(run_dir))
    if as_json:
        typer.echo(json.dumps(asdict(local), indent=2))
    else:
        local.show(Console())


def break_region(
    region: RegionName,
    how: Annotated[
        Fault, typer.Option(help="Kill it, freeze it (a grey failure), or cut its network.")
    ] = Fault.KILL,
    *,
    run_dir: RunDir = running.RUN_DIR,
) -> None:
    """Lose a region: its processes are killed or frozen, or nothing passes in or out. Undo: `start`."""
    emulator = running.attach(run_dir)
    {Fault.KILL: emulator.kill, Fault.FREEZE: emulator.freeze, Fault.CUT: emulator.cut}[how](region)
    start = running.command_line(f"responder local start {region}", run_dir)
    typer.echo(f"{region}: {how}; bring it back with `{start}`")


def start_region(region: RegionName, *, run_dir: RunDir = running.RUN_DIR) -> None:
    """Bring a lost region back, however it was lost. A killed one has empty queues: Recovery refills them.

    Its functions are cold then: the first alerts are answered a second or two late.
    """
    was = running.attach(run_dir).bring_back(region)
    typer.echo(f"{region}: was {was}, now running" if was else f"{region}: was running")


def deviations(*, as_json: AsJson = False) -> None:
    """List what the embedded AWS does otherwise than AWS, which a green local run therefore does not show."""
    ignored = [{"type": kind, "argument": name, "reason": why} for kind, name, why in ignored_arguments()]
    if as_json:
        typer.echo(json.dumps({"deviations": [asdict(d) for d in DEVIATIONS], "ignored": ignored}, indent=2))
        return
    table = make_table("service", "kind", "what", "so a local run does not show", whole={"service", "kind"})
    for deviation in DEVIATIONS:
        table.add_row(deviation.service, deviation.kind, deviation.what, deviation.matters)
    arguments = make_table("resource type", "argument taken and not honoured", "reason")
    for argument in ignored:
        arguments.add_row(*argument.values())
    for each in (table, arguments):
        print_table(each, Console())


def down(*, run_dir: RunDir = running.RUN_DIR) -> None:
    """Stop the embedded AWS and forget its stack. What Slack received and the ledger are gone with it.

    Refused while a drill is under way there.
    """
    with contextlib.ExitStack() as held:
        if is_run_dir(run_dir):
            held.enter_context(only_drill(run_dir))
            held.enter_context(changing(run_dir, say=_say))
        try:
            Emulator.attach(run_dir).stop()
        except NotRunningError as error:
            typer.echo(f"nothing to stop: {error}")
        if is_held(run_dir):
            raise EmulatorError(f"the emulator in {run_dir} does not end; see its logs there, then try again")
        if is_run_dir(run_dir):
            shutil.rmtree(run_dir, ignore_errors=True)
    typer.echo("down: nothing is left running")


def _say(line: str) -> None:
    """Say what is waited for, beside the answer."""
    typer.echo(line, err=True)


def packages(
    *, host: Annotated[bool, typer.Option("--host", help="For this machine instead of Lambda.")] = False
) -> None:
    """Build the Lambda packages (arm64, as on AWS) and say where they are."""
    for spec, path in build_packages(HOST if host else LAMBDA).items():
        typer.echo(f"{spec.suffix:24} {path.stat().st_size / 1e6:6.2f} MB  {path}")


def _start_or_attach(run_dir: Path, real: local_stack.RealServices, ports: PortPlan) -> tuple[Emulator, bool]:
    """The local stack's emulator, and whether it was started now.

    Raises:
        typer.BadParameter: one runs with other services than those asked for.
    """
    try:
        emulator = Emulator.attach(run_dir)
    except NotRunningError:
        started = Emulator.start(
            run_dir,
            regions=running.local_config().regions,
            detach=True,
            ports=ports,
            real_slack=real.slack_webhook is not None,
            real_claude=real.anthropic_key is not None,
        )
        return started, True
    stand_ins = emulator.stand_ins()
    runs_with = (stand_ins.slack_webhook_url is None, stand_ins.anthropic_api_key is None)
    if runs_with != (real.slack_webhook is not None, real.anthropic_key is not None):
        down = running.command_line("responder local down", run_dir)
        raise typer.BadParameter(f"the running stack uses another choice of real services; `{down}` first")
    return emulator, False


def _real_secret(file: Path | None, option: str, wanted: bool, switch: str) -> str | None:  # noqa: FBT001 - a switch and its name
    """The secret's value, or None for the stand-in.

    Raises:
        typer.BadParameter: the switch without the file or the file without the switch, or no key in it.
    """
    if wanted and file is None:
        raise typer.BadParameter(f"--{switch} needs --{option} FILE: no key is taken from the environment")
    if file is not None and not wanted:
        raise typer.BadParameter(f"--{option} does nothing without --{switch}")
    if file is None:
        return None
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--{option}: {file} cannot be read as text; name the key's file") from error
    if not secret:
        raise typer.BadParameter(f"--{option}: {file} is empty; put the key into it")
    return secret
