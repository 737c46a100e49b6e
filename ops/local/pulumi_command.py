"""`responder local pulumi`: the Pulumi CLI on the embedded AWS, by the project's own provider plugin.

An infra engineer rehearses here with the real engine: preview, diff, refresh, state, policies, destroy. What
the CLI reads and writes is set for that one call, and lies in the run folder (`plugin.workspace`).
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.main import get_command

from clients.interrupts import handle_endings
from emulator import local_stack
from emulator.attached_stack import STATE_FILE
from emulator.client import Emulator
from emulator.errors import EmulatorError, NotRunningError, RefusedError
from emulator.ports import PERSON, PortPlan
from emulator.pulumi.plugin.workspace import Workspace
from emulator.pulumi.program import DeployError
from emulator.pulumi.project import Project, read_project, stack_config
from emulator.pulumi.state import State
from emulator.stack_lock import changing
from lambda_packages import ROOT
from lambda_packages.build import HOST, build_packages
from ops.hints import act_on
from ops.local import running
from ops.local.pulumi_words import check_words, says_only, stack_of, with_paths
from ops.options import RunDir
from topology.backups import LATEST, package_key
from topology.names import LOCAL_STACK, PROJECT

TIMEOUT_S: Final = 120.0
"""Of what is asked of the CLI besides the command that was typed; it takes a second."""

_ACCOUNT: Final = f"{PROJECT}:expectedAccountId"
"""The account that a stack belongs in on AWS; here it is in the embedded one."""

_DEPLOY: Final = frozenset({"up", "update"})
"""The command that deploys, and its other name."""

_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


# What follows the first word is the CLI's, with `--` before it and without.
@_app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
def pulumi(
    arguments: Annotated[list[str], typer.Argument(help="What to run, after `--`: `-- up -s local`.")],
    *,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="Make another stack, such as prod, on the embedded AWS.")
    ] = False,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Any free ports, if the embedded AWS has to be started.")
    ] = False,
    run_dir: RunDir = running.RUN_DIR,
) -> None:
    """Run the Pulumi CLI on the embedded AWS: the real engine, and nothing of it reaches AWS.

    It starts the embedded AWS where none runs. State, configuration and passphrase are the run folder's: your
    login and the files of this checkout stay as they are. So what `config set` writes would be lost, and is
    refused: `up --config KEY=VALUE`. Files, as of --file, are looked for from where you are, folders, as of
    --policy-pack, from the checkout. Exits as the CLI does.
    """
    act_on(running.option_of(run_dir))
    check_words(arguments)
    stack = stack_of(arguments, rehearsal=rehearsal)
    cli = _find_cli()
    if says_only(arguments):
        quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        raise typer.Exit(subprocess.run([cli, *arguments], env=quiet, check=False).returncode)
    with changing(run_dir, say=lambda line: typer.echo(line, err=True)):
        emulator = _start_or_attach(run_dir, stack, PortPlan() if free_ports else PERSON)
        running.check_whole(emulator, run_dir)
        if stack == LOCAL_STACK:
            _refuse_in_process(emulator)
        workspace = Workspace.of(emulator)
        workspace.prepare(_project(emulator, workspace, stack))
        call = _Call(cli, workspace, workspace.environment(emulator.edge_url, stack, rehearsal=rehearsal))
        if not workspace.has_stack(stack) and arguments[:2] not in (["stack", "init"], ["stack", "select"]):
            call.ask("stack", "select", "--create", stack)
        code = call.run(with_paths(arguments, Path.cwd()))
        if stack == LOCAL_STACK:
            deployed = code == 0 and not _DEPLOY.isdisjoint(arguments)
            _settle(emulator, workspace, call, put_to_use=deployed)
    raise typer.Exit(code)


command: Final = get_command(_app)


class _Call:
    """The CLI with the environment of one call."""

    def __init__(self, cli: str, workspace: Workspace, environment: Mapping[str, str]) -> None:
        """Run nothing yet."""
        self._cli = cli
        self._folder = workspace.project_dir
        self._environment = environment

    def ask(self, *arguments: str) -> str:
        """What a command prints.

        Raises:
            EmulatorError: it failed, or did not end in time.
        """
        command = [self._cli, *arguments, "--non-interactive"]
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip() or error.stdout.strip()).splitlines()
            raise EmulatorError(
                f"pulumi {' '.join(arguments)} failed: {' '.join(said)}; run it again after `--` to see more"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise EmulatorError(f"pulumi {' '.join(arguments)} took {TIMEOUT_S:g} s; run it again") from error
        return done.stdout

    def run(self, arguments: Sequence[str]) -> int:
        """Run a command in this terminal, to its end: Ctrl-C reaches it too, and it ends tidily.

        What this process alone is told, by SIGTERM or SIGHUP, is passed on: else the CLI would go on by
        itself, with nobody who holds the run folder.
        """
        with subprocess.Popen([self._cli, *arguments], cwd=self._folder, env=self._environment) as cli:
            before = handle_endings(lambda *_: cli.terminate())
            before[signal.SIGINT] = signal.signal(
                signal.SIGINT, lambda *_: None
            )  # unlike SIG_IGN, not inherited
            try:
                code = cli.wait()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
        return code if code >= 0 else 128 - code


def _find_cli() -> str:
    cli = shutil.which("pulumi")
    if cli is None:
        raise EmulatorError(
            "the Pulumi CLI is not on PATH; install it as https://www.pulumi.com/docs/install/ says, or "
            "deploy without it: `responder local up`"
        )
    return cli


def _start_or_attach(run_dir: Path, stack: str, ports: PortPlan) -> Emulator:
    """The embedded AWS in the run folder, started with the regions of the stack if none runs.

    Raises:
        RefusedError: the one that runs has other regions.
    """
    regions = stack_config(ROOT, stack).regions
    try:
        emulator = Emulator.attach(run_dir)
    except NotRunningError:
        typer.echo("starting the embedded AWS …", err=True)
        return Emulator.start(run_dir, regions=regions, detach=True, ports=ports)
    if not set(regions) <= set(emulator.regions):
        raise RefusedError(
            f"stack {stack} needs {', '.join(regions)}, and the embedded AWS in {run_dir} has "
            f"{', '.join(emulator.regions)}; name another folder: --run-dir"
        )
    return emulator


def _refuse_in_process(emulator: Emulator) -> None:
    """Refuse a stack that is in the state of `responder local up`, which the CLI knows nothing of."""
    path = emulator.run_dir / STATE_FILE
    if State.of(emulator.instance_id, path=path, stack=LOCAL_STACK)[0].resources:
        raise RefusedError(
            f"`responder local up` has deployed the stack in {emulator.run_dir}, which the Pulumi CLI knows "
            "nothing of; `responder local down` first, or name another folder: --run-dir"
        )


def _project(emulator: Emulator, workspace: Workspace, stack: str) -> Project:
    """The project with the stack's configuration, and what makes it work on this machine.

    Raises:
        DeployError: the stack's file cannot be used.
    """
    if stack == LOCAL_STACK:
        overrides = local_stack.configuration(emulator)
    else:
        overrides = {"packagesFrom": str(_keep_packages(workspace))}
    project = read_project(ROOT, stack, overrides=overrides)
    if project.problems:
        raise DeployError(list(project.problems))
    config = {key: value for key, value in project.config.items() if key != _ACCOUNT}
    return replace(project, config=config)


def _keep_packages(workspace: Workspace) -> Path:
    """A folder with packages for this machine, under the names of a backup.

    Other stacks build for Lambda's processor, on which their functions could not run here.
    """
    folder = workspace.folder / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    for spec, package in build_packages(HOST).items():
        shutil.copyfile(package, folder / Path(package_key(LATEST, spec)).name)
    return folder


def _settle(emulator: Emulator, workspace: Workspace, call: _Call, *, put_to_use: bool) -> None:
    """Keep the outputs for the other commands, and have a stack that was just deployed take alerts."""
    if not workspace.resources(LOCAL_STACK):
        workspace.keep_outputs({})
    elif put_to_use:
        names = ("stack", "output", "--json", "--stack", LOCAL_STACK)
        local_stack.put_to_use(emulator, json.loads(call.ask(*names, "--show-secrets")))
        public = json.loads(call.ask(*names))
        workspace.keep_outputs({name: value for name, value in public.items() if value != "[secret]"})
