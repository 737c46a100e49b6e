"""What `responder local status` shows: where everything is, and which region is lost."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape

from clients.deployment import Deployment, RegionEndpoints
from clients.ledger import ParkedAlerts
from clients.routing import RoutingUnknownError, resolve_region
from clients.rows import LedgerUnreachableError
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.protocol import RegionStatus
from ops.local.running import command_line

_MANUAL_ALERT = '{"source":"manual-test","title":"Manual Test Alert","message":"Testing","severity":"LOW"}'
"""The runbook's "Manual Alert Injection"."""

_PARKED_COUNTED = 1_000

_NAMED_WITHIN_S: Final = 5.0
"""The embedded DNS reads its zones each second."""


@dataclass(frozen=True)
class LocalRegion:
    """One region. `state`: running, frozen, killed or cut; `api_key` None unless it is running."""

    region: str
    role: str
    state: str
    webhook: str
    api_key: str | None
    health: str


@dataclass(frozen=True)
class LocalStatus:
    """The running local stack.

    `memory_mb` sums all its processes, Lambda workers included; `parked` is None while no region answers.
    `name_points_to`: the region to which DNS, served at `dns`, sends new alerts; None where it does not say.
    """

    edge: str
    slack: str
    run_dir: str
    alerts_table: str
    dns: str
    name: str
    name_points_to: str | None
    slack_messages: int
    parked: int | None
    memory_mb: int
    regions: tuple[LocalRegion, ...]

    def show(self, console: Console) -> None:
        """Print the status; URLs are never wrapped, so that they can be copied."""

        def line(text: str = "") -> None:
            console.print(text, soft_wrap=True, highlight=False)

        for region in self.regions:
            colour = "green" if region.state == "running" else "red"
            line(f"\n[bold]{region.region}[/] ({region.role}) [{colour}]{region.state}[/]")
            line(f"  webhook  {region.webhook}")
            line(f"  api key  {region.api_key or 'unknown while the region is lost'}")
            line(f"  health   {region.health}")
        serving = next((region for region in self.regions if region.api_key is not None), None)
        shown = (serving or self.regions[0]).region
        line(f"\nAWS CLI  aws --endpoint-url {self.edge} --region {shown} …")
        line("         with AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test")
        host, _, port = self.dns.rpartition(":")
        points_to = self.name_points_to or "[red]unknown[/]"
        line(f"Name     {self.name} → {points_to}  (dig @{host} -p {port} {self.name})")
        line(f"Slack    {self.slack}  ({self.slack_messages} messages)")
        if self.parked != 0:
            count = "unknown" if self.parked is None else self.parked
            line(f"Parked   [red]{count}[/]  ({self._command('responder parked list')})")
        line(f"Logs     {self.run_dir}/logs  ({self.memory_mb} MB in memory)")
        line()
        if serving is not None:
            console.print(
                f"Try      curl -X POST '{serving.webhook}' -H 'content-type: application/json' "
                f"-H 'x-api-key: {serving.api_key}' -d '{_MANUAL_ALERT}'",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )
            line(f"         {self._command('responder local replay')}")
            line(f"         {self._command('responder audit')}")
        line(f"Stop     {self._command('responder local down')}")

    def _command(self, words: str) -> str:
        return escape(command_line(words, Path(self.run_dir)))


def read_status(emulator: Emulator) -> LocalStatus:
    """Read the status of the emulator and the deployment.

    Raises:
        IncompleteOutputsError: the stack is half made; the message has the command that finishes it.
    """
    deployment, status = attached_deployment(emulator), emulator.status()
    states = {region.name: region for region in status.regions}
    return LocalStatus(
        edge=emulator.edge_url,
        slack=emulator.slack_url,
        run_dir=str(emulator.run_dir),
        alerts_table=deployment.alerts_table,
        dns="{}:{}".format(*emulator.dns_address),
        name=urlsplit(deployment.alerts_url or "").hostname or "",
        name_points_to=_points_to(deployment, emulator),
        slack_messages=status.slack_messages,
        parked=_parked(deployment),
        memory_mb=round(sum(process.memory_mb for process in status.processes)),
        regions=tuple(_region(deployment, e, states[e.region]) for e in deployment.regions),
    )


def wait_for_name(deployment: Deployment, emulator: Emulator) -> None:
    """Wait until DNS knows the name of a stack that was just deployed, or `_NAMED_WITHIN_S` are over."""
    deadline = time.monotonic() + _NAMED_WITHIN_S
    while _points_to(deployment, emulator) is None and time.monotonic() < deadline:
        time.sleep(0.1)


def _points_to(deployment: Deployment, emulator: Emulator) -> str | None:
    try:
        return resolve_region(deployment, emulator.dns_address)
    except RoutingUnknownError:
        return None


def _parked(deployment: Deployment) -> int | None:
    """How many alerts are PARKED: the embedded CloudWatch gets no such metric, so its alarm stays silent."""
    try:
        return len(ParkedAlerts(deployment).read(limit=_PARKED_COUNTED))
    except LedgerUnreachableError:
        return None


def _region(deployment: Deployment, endpoints: RegionEndpoints, status: RegionStatus) -> LocalRegion:
    state = "cut" if status.cut and status.power == "running" else status.power
    return LocalRegion(
        region=endpoints.region,
        role=endpoints.role,
        state=state,
        webhook=endpoints.webhook_url,
        api_key=deployment.api_key(endpoints) if state == "running" else None,
        health=endpoints.health_url,
    )
