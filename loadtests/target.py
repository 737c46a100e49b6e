"""The stack that a load test is for: found by the options, and checked before anything is sent to it."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from chaos.target import ChaosRefusedError, permit
from clients.aws import AwsClients
from clients.deployment import Deployment
from clients.sender import POST_TIMEOUT_S, Webhook
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from topology.errors import ExplainedError
from topology.names import LOCAL_STACK
from topology.tables import ALERTS

RUN_DIR: Final = ROOT / ".local" / "stack"
HOST_STACK: Final = "--host"
_UNAUTHORIZED: Final = frozenset({401, 403})


class LoadRefusedError(ExplainedError):
    """Nothing was sent: the stack is not there, refuses the key, or is not one to put a load on."""


@dataclass(frozen=True)
class Target:
    """Where alerts go. Without a deployment nothing but the answers of `webhooks` is known."""

    name: str
    webhooks: tuple[Webhook, ...]
    deployment: Deployment | None = None
    emulator: Emulator | None = None


def open_target(
    *, host: str = "", run_dir: str = "", outputs: str = "", stack_name: str = "", api_key: str = ""
) -> Target:
    """The target of these options: a webhook at `host` on this machine, a real stack by its outputs, or the
    local stack of a run folder.

    Raises:
        LoadRefusedError: it is not there, or no load may be put on it; one line.
    """  # noqa: D205 - what the options mean is one sentence
    try:
        target = _open(host, run_dir, outputs, stack_name, api_key)
    except LoadRefusedError:
        raise
    except (ExplainedError, ChaosRefusedError, BotoCoreError, ClientError) as error:
        raise LoadRefusedError(" ".join(str(error).split())) from error
    for webhook in target.webhooks:
        _check(webhook)
    return target


def _open(host: str, run_dir: str, outputs: str, stack_name: str, api_key: str) -> Target:
    if host:
        return Target(HOST_STACK, (Webhook("host", _loopback(host), api_key),))
    emulator = None
    if outputs:
        deployment = Deployment.from_outputs(_read_outputs(Path(outputs)), AwsClients())
        if stack_name != deployment.names.stack:
            raise LoadRefusedError(
                f"the stack of {outputs} is {deployment.names.stack!r}, a real one: its name must be typed, "
                f"and {stack_name!r} was; confirm with --stack-name {deployment.names.stack}"
            )
    else:
        emulator = Emulator.attach(Path(run_dir or RUN_DIR))
        deployment = attached_deployment(emulator)
        stand_ins = emulator.stand_ins()
        if stand_ins.slack_webhook_url is None or stand_ins.anthropic_api_key is None:
            raise LoadRefusedError(
                "this stack posts to a real Slack or asks the real Claude, which people share and pay for; "
                "bring one up with stand-ins"
            )
    permit(stack_config(ROOT, deployment.names.stack), typed_stack=stack_name)
    if deployment.alerts_table != deployment.names.table(ALERTS):
        raise LoadRefusedError(
            f"stack {deployment.names.stack!r} writes to {deployment.alerts_table}, which is not its own"
        )
    webhooks = tuple(Webhook(e.region, e.webhook_url, deployment.api_key(e)) for e in deployment.regions)
    return Target(deployment.names.stack or LOCAL_STACK, webhooks, deployment, emulator)


def _loopback(host: str) -> str:
    name = urlsplit(host).hostname or ""
    try:
        local = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    if not local:
        raise LoadRefusedError(
            f"--host takes a webhook on this machine, http://127.0.0.1:PORT/..., not {host!r}; "
            "a stack is named by --run-dir or --outputs"
        )
    return host


def _read_outputs(path: Path) -> dict[str, object]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.DecodeError) as error:
        raise LoadRefusedError(
            f"--outputs: {path} cannot be read as JSON ({error}); write it by `pulumi stack output --json`"
        ) from error


def _check(webhook: Webhook) -> None:
    """Post an empty object, which is refused for what it lacks, so that a wrong key shows now.

    Raises:
        LoadRefusedError: nothing answers, or the key is refused.
    """
    headers = {"content-type": "application/json", "x-api-key": webhook.api_key}
    try:
        answer = urllib3.request(
            "POST", webhook.url, body=b"{}", headers=headers, retries=False, redirect=False,
            timeout=urllib3.Timeout(total=POST_TIMEOUT_S),
        )  # fmt: skip
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise LoadRefusedError(
            f"nothing answers at the webhook of {webhook.region} ({type(error).__name__}); start the stack"
        ) from error
    if answer.status in _UNAUTHORIZED:
        raise LoadRefusedError(
            f"{webhook.region} refuses the API key ({answer.status}); deploy the stack again, or give its key"
        )
