"""The local stack that runs: where it is, and how to reach it. `emulator.local_stack` brings it up."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clients.deployment import Deployment, RegionEndpoints
from clients.sender import Webhook
from emulator.client import Emulator
from emulator.errors import NotRunningError, RefusedError
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from ops.hints import act_on
from topology.config import StackConfig
from topology.names import LOCAL_STACK

RUN_DIR: Final = ROOT / ".local" / "stack"
"""Where the stack that `responder local up` leaves running keeps its state and logs."""

REPORTS: Final = ROOT / "reports"
RECEIPTS_FILE: Final = "receipts.jsonl"
"""The receipts of `responder local replay`, which `responder audit` reads by default."""


def local_config() -> StackConfig:
    """The configuration of the local stack.

    Raises:
        ConfigError: with every problem in `Pulumi.local.yaml`.
    """
    return stack_config(ROOT, LOCAL_STACK)


def command_line(words: str, run_dir: Path) -> str:
    """The command `words` to print, with the option by which it acts on the stack in `run_dir`."""
    return f"{words} {option_of(run_dir)}".rstrip()


def option_of(run_dir: Path) -> str:
    """The option that names the stack in `run_dir`; empty for the usual one."""
    folder = run_dir.resolve()
    return "" if folder == RUN_DIR else f"--run-dir {shlex.quote(str(folder))}"


def attach(run_dir: Path) -> Emulator:
    """The emulator of the local stack that runs in `run_dir`.

    Raises:
        NotRunningError: with the command that starts one.
    """
    act_on(option_of(run_dir))
    try:
        return Emulator.attach(run_dir)
    except NotRunningError as error:
        start = command_line("responder local up", run_dir)
        raise NotRunningError(f"{error}, with `{start}`") from error


def check_whole(emulator: Emulator, run_dir: Path) -> None:
    """Check that no region is lost, before all of them are changed.

    Raises:
        RefusedError: one is; with the command that brings it back.
    """
    lost = [r.name for r in emulator.status().regions if r.power != "running" or r.cut]
    if lost:
        start = command_line(f"responder local start {lost[0]}", run_dir)
        raise RefusedError(
            f"{', '.join(lost)} is lost, so it cannot be updated; bring it back with `{start}`"
        )


def api_keys(deployment: Deployment) -> Mapping[RegionEndpoints, str]:
    """Each region's API key, asked of its API Gateway."""
    return {endpoints: deployment.api_key(endpoints) for endpoints in deployment.regions}


def webhooks_of(deployment: Deployment) -> tuple[Webhook, ...]:
    """The webhooks that a source posts to, the primary's first."""
    keys = api_keys(deployment)
    return tuple(Webhook(e.region, e.webhook_url, keys[e]) for e in deployment.regions)
