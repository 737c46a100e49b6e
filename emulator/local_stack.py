"""The local stack: packages, embedded AWS, deployment and secrets, brought up as one thing.

`responder local`, the demo and the end-to-end tests all bring a stack up through here.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

from clients.aws import AwsClients
from clients.deployment import Deployment
from emulator.attached_stack import STATE_FILE
from emulator.client import Emulator
from emulator.errors import RefusedError, StartFailedError
from emulator.pulumi.deploy import DeployResult, up
from emulator.pulumi.plugin.workspace import Workspace
from emulator.pulumi.project import stack_config
from emulator.pulumi.provider.resource import GLOBAL_REGION
from lambda_packages import ROOT
from lambda_packages.build import HOST, build_packages
from topology.names import LOCAL_STACK

ZONE: Final = "responder.test"
DOMAIN: Final = f"alerts.{ZONE}"
"""The name that fails over; only the embedded AWS's DNS server knows of it (RFC 6761 keeps `.test` free)."""

TAKES_PER_S: Final = 10
"""Alerts a second that each region takes without a 5xx, from the first one on, on two busy cores.

`make bench-rate` measures it: at twice the rate answers take seconds there, at three times many are 503.
"""

WARM_WITHIN_S: Final = 30.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RealServices:
    """The secrets of the real Slack and Claude; None where the stand-in is used."""

    slack_webhook: str | None = field(default=None, repr=False)
    anthropic_key: str | None = field(default=None, repr=False)


STAND_INS: Final = RealServices()


@dataclass(frozen=True)
class LocalStack:
    """A stack on the embedded AWS. `deploy_s`: from the program's start to its outputs, in seconds."""

    emulator: Emulator
    deployment: Deployment
    deployed: DeployResult
    deploy_s: float


def deploy(
    emulator: Emulator,
    *,
    real: RealServices = STAND_INS,
    with_bot: bool = False,
    config: Mapping[str, str] | None = None,
    progress: Progress = lambda _: None,
) -> LocalStack:
    """Run the Pulumi program against a running emulator and give the handlers their secrets.

    Used for the first `up` and for every later one: what did not change is left alone. `with_bot`: post to
    the Slack stand-in by a bot's token instead of a webhook. `config` goes before the stack's own file.

    Raises:
        PackageError: a Lambda package could not be built.
        DeployError: the program or a resource failed; what was created is in the state file.
        StateError: the state file cannot be used.
        StartFailedError: a region's reception does not answer.
        RefusedError: the Pulumi CLI has deployed the stack there.
    """
    _refuse_foreign(emulator)
    channel = (emulator.stand_ins().slack_channel or "") if with_bot else ""
    progress("building the Lambda packages (kept until a source changes)")
    build_packages(HOST)
    progress("deploying both regions with the real Pulumi program")
    begun = time.monotonic()
    deployed = up(
        stack=LOCAL_STACK,
        edge_url=emulator.edge_url,
        webhook_base_urls={region: emulator.webhook_base_url(region) for region in emulator.regions},
        state_path=emulator.run_dir / STATE_FILE,
        project_dir=ROOT,
        instance_id=emulator.instance_id,
        config={**configuration(emulator, slack_channel=channel), **(config or {})},
    )
    deploy_s = time.monotonic() - begun
    deployment = put_to_use(emulator, deployed.outputs, real=real, slack_channel=channel, progress=progress)
    return LocalStack(emulator, deployment, deployed, deploy_s)


def configuration(emulator: Emulator, *, slack_channel: str = "") -> dict[str, str]:
    """What goes before the file of the local stack: where Slack and the name that fails over are."""
    return {
        "slackWebhookOrigin": f"{emulator.stand_ins().slack_webhook_origin}/",
        "slackChannel": slack_channel,
        "domain": DOMAIN,
        "hostedZoneId": _hosted_zone(AwsClients(emulator.edge_url)),
    }


def put_to_use(
    emulator: Emulator,
    outputs: Mapping[str, Any],
    *,
    real: RealServices = STAND_INS,
    slack_channel: str = "",
    progress: Progress = lambda _: None,
) -> Deployment:
    """Give the handlers of a local stack that was just deployed their secrets, and have them started.

    Raises:
        StartFailedError: a region's reception does not answer.
    """
    stand_ins = emulator.stand_ins()
    deployment = Deployment.from_outputs(outputs, AwsClients(emulator.edge_url))
    _put_secrets(
        deployment,
        {
            **({} if real.slack_webhook else route_webhooks(emulator, deployment)),
            deployment.names.slack_webhook_secret: real.slack_webhook or stand_ins.slack_webhook_url,
            deployment.names.anthropic_key_secret: real.anthropic_key or stand_ins.anthropic_api_key,
            **({deployment.names.slack_bot_token_secret: stand_ins.slack_bot_token} if slack_channel else {}),
        },
    )
    emulator.checkpoint()
    progress("starting the receptions of both regions")
    _warm(deployment)
    return deployment


def route_webhooks(emulator: Emulator, deployment: Deployment) -> dict[str, str]:
    """A new webhook of the Slack stand-in for each secret of a route, to a channel called like the route."""
    prefix = f"{deployment.names.slack_webhook_secret}-"
    return {name: emulator.add_slack_webhook(name.removeprefix(prefix)) for name in deployment.route_secrets}


def _refuse_foreign(emulator: Emulator) -> None:
    """Refuse to deploy over a stack that is in the state of the Pulumi CLI, which would not know of it."""
    if Workspace.of(emulator).resources(LOCAL_STACK):
        raise RefusedError(
            f"the stack in {emulator.run_dir} is the Pulumi CLI's; go on with "
            "`responder local pulumi -- up`, or end it: `responder local down`"
        )


def _warm(deployment: Deployment) -> None:
    """Have each region start as many receptions as are reserved, so that its first alerts wait for none."""
    at_once = stack_config(ROOT, LOCAL_STACK).reserved_concurrency
    urls = [endpoints.health_url for endpoints in deployment.regions for _ in range(at_once)]
    timeout = urllib3.Timeout(total=WARM_WITHIN_S)
    with (
        urllib3.PoolManager(maxsize=at_once, retries=False, timeout=timeout) as pool,
        ThreadPoolExecutor(len(urls)) as threads,
    ):
        try:
            list(threads.map(lambda url: pool.request("GET", url), urls))
        except urllib3.exceptions.HTTPError as error:
            raise StartFailedError(f"a reception does not answer: {error}; see the hosts' logs") from error


def _hosted_zone(clients: AwsClients) -> str:
    """The id of the zone that the domain is in, made where there is none: a zone belongs to no stack."""
    route53 = clients.client("route53", GLOBAL_REGION)
    for zone in route53.list_hosted_zones()["HostedZones"]:
        if zone["Name"] == f"{ZONE}.":
            return str(zone["Id"]).rpartition("/")[2]
    made = route53.create_hosted_zone(Name=ZONE, CallerReference=ZONE)
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


def _put_secrets(deployment: Deployment, values: Mapping[str, str | None]) -> None:
    """Write the secrets' values in the primary region; their replicas follow."""
    manager = deployment.clients.client("secretsmanager", deployment.primary.region)
    for name, value in values.items():
        manager.put_secret_value(SecretId=name, SecretString=value)
