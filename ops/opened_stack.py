"""Which stack and region a command acts on, and how a person is asked before it does."""

import getpass
import json
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer
from botocore.exceptions import BotoCoreError

from clients.aws import AwsClients, passes
from clients.deployment import Deployment, NoOutputsError, RegionEndpoints
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from ops.hints import act_on
from ops.local import running
from runbook.location import BUCKET_SCHEME, BucketFormError, locate
from topology.config import StackConfig
from topology.errors import ExplainedError
from topology.names import LOCAL_STACK, PRODUCTION_STACK, STACKS

Outputs = Annotated[
    str | None,
    typer.Option(
        "--outputs",
        "--stack",
        metavar="WHERE",
        callback=lambda where: None if where == LOCAL_STACK else where,
        help="A real stack: a file by `pulumi stack output --json`, its backup bucket as s3://REGION:BUCKET, "
        "or its name; your AWS credentials are used.",
    ),
]
"""`docs/runbook.md#which-stack` says more. A stack's name is never a file's: `./prod` is."""

StackName = Annotated[str, typer.Option(help="Type the stack's name; production asks for it.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Go on in the place of a run that you know to be dead.")
]

SHORT_TIMEOUT_S: Final = 4.0
"""Timeout of a call whose attempts are limited: no answer by then counts as none."""

LOCATE_ATTEMPTS_MAX: Final = 2
"""Of a call that asks a region where the stack is: the other may know too."""


class RegionSilentError(ExplainedError):
    """The region that was asked does not answer; the message names the other one."""


@dataclass(frozen=True)
class OpenedStack:
    """A stack to act on; `emulator` None where it is on AWS itself."""

    deployment: Deployment
    emulator: Emulator | None

    @property
    def config(self) -> StackConfig:
        """The stack's configuration, from its file beside the program.

        Raises:
            ConfigError: with every problem of the file.
        """
        return stack_config(ROOT, self.deployment.names.stack)


def open_stack(run_dir: Path, outputs: str | None, *, attempts_max: int = 0) -> OpenedStack:
    """Open the stack that `--outputs` or `--stack` names, or else the local one of a run folder.

    `attempts_max`: tries of a few seconds that each call has, where a lost region must not hold anything up;
    0: as `AwsClients` has it.

    Raises:
        typer.BadParameter: as `deployment_of`.
        NotLocatedError: no place has the outputs of the stack.
        IncompleteOutputsError: an output is missing, or the local stack is half made.
        NoCredentialsGivenError: nobody is logged in to AWS.
        NotRunningError: nothing runs in the folder.
    """
    if outputs is not None:
        act_on(_option_of(outputs))
        deployment, emulator = deployment_of(outputs), None
        deployment.clients.check_credentials()
    else:
        emulator = running.attach(run_dir)
        deployment = attached_deployment(emulator)
    if attempts_max:
        clients = AwsClients(
            deployment.clients.endpoint_url, read_timeout_s=SHORT_TIMEOUT_S, attempts_max=attempts_max
        )
        deployment = replace(deployment, clients=clients)
    return OpenedStack(deployment, emulator)


def command_on(words: str, run_dir: Path, outputs: str | None) -> str:
    """The command to print, with the option by which it acts on the stack that `open_stack` opens."""
    if outputs is None:
        return running.command_line(words, run_dir)
    return f"{words} {_option_of(outputs)}"


def _option_of(outputs: str) -> str:
    return f"{'--stack' if outputs in STACKS else '--outputs'} {shlex.quote(outputs)}"


def confirm(deployment: Deployment, what: str, *, yes: bool, stack_name: str) -> None:
    """Ask before `what` is done: on production the stack's name has to be typed, elsewhere `--yes` will do.

    Raises:
        typer.BadParameter: the person does not confirm.
    """
    stack = deployment.names.stack
    if stack_name == stack or (yes and stack != PRODUCTION_STACK):
        return
    try:
        typed = stack_name or typer.prompt(f"{what} Type the stack's name, {stack}, to do it", err=True)
    except typer.Abort as error:
        if isinstance(error.__context__, EOFError):
            option = f"--stack-name {stack}" if stack == PRODUCTION_STACK else "--yes"
            raise typer.BadParameter(
                f"nobody answers the question; {option} does without. Nothing was done"
            ) from error
        raise
    if typed != stack:
        raise typer.BadParameter(f"{typed!r} is not {stack!r}; nothing was done")


@contextmanager
def asking(deployment: Deployment, region: str) -> Iterator[None]:
    """Add the option that asks the other region to the error of a region that does not answer.

    Raises:
        RegionSilentError: an `ExplainedError` was raised because nothing answered.
    """
    try:
        yield
    except ExplainedError as error:
        cause = error.__cause__
        if not (isinstance(cause, BotoCoreError) and passes(cause)):
            raise
        other = next(endpoints.region for endpoints in deployment.regions if endpoints.region != region)
        raise RegionSilentError(
            f"{str(error).rstrip('.')}; the other region has its own: add `--region {other}`"
        ) from error


def chosen_regions(deployment: Deployment, region: str) -> list[RegionEndpoints]:
    """The region that `--region` names; both where it is empty.

    Raises:
        typer.BadParameter: it is none of the stack's.
    """
    found = [endpoints for endpoints in deployment.regions if region in {"", endpoints.region}]
    if not found:
        known = ", ".join(endpoints.region for endpoints in deployment.regions)
        raise typer.BadParameter(f"--region: {region!r} is none of this stack's; there are {known}")
    return found


def operator() -> str:
    """The person and machine that act, for the journal."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def deployment_of(outputs: str) -> Deployment:
    """The stack on AWS that `--outputs` or `--stack` names.

    Raises:
        typer.BadParameter: it is a file that is no JSON object or has none of a stack's outputs, or it names
            no bucket.
        NotLocatedError: no place has the outputs of the stack.
        IncompleteOutputsError: an output is missing.
    """
    try:
        if outputs in STACKS or outputs.startswith(BUCKET_SCHEME):
            brief = AwsClients(read_timeout_s=SHORT_TIMEOUT_S, attempts_max=LOCATE_ATTEMPTS_MAX)
            brief.check_credentials()
            return replace(locate(outputs, brief), clients=AwsClients())
        return Deployment.from_outputs(_read_outputs(outputs), AwsClients())
    except BucketFormError as error:
        raise typer.BadParameter(f"--outputs: {error}") from error
    except NoOutputsError as error:
        raise typer.BadParameter(
            f"--outputs: {outputs} has none of a stack's outputs; write it by `pulumi stack output --json`"
        ) from error


def _read_outputs(outputs: str) -> dict[str, object]:
    """Read a stack's outputs from a file.

    Raises:
        typer.BadParameter: the file is no JSON object.
    """
    advice = f"write it by `pulumi stack output --json`, or name a stack: {', '.join(STACKS)}"
    try:
        content = json.loads(Path(outputs).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise typer.BadParameter(f"--outputs: {outputs} cannot be read as JSON ({why}); {advice}") from error
    if not isinstance(content, dict):
        raise typer.BadParameter(f"--outputs: {outputs} holds no JSON object of outputs; {advice}")
    return content
