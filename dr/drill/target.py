"""The target of a drill: a stack that a region can be taken from, and what its environment shows of it.

Today there is `LocalDrillTarget`, the embedded AWS of a run folder. On AWS, AWS FIS would take a region away.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from audit.comparison import SlackPost
from clients.deployment import Deployment
from clients.routing import RoutingUnknownError, resolve_region
from clients.sender import Webhook
from dr.operations.environment import Environment
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator

Loss = Literal["kill", "freeze"]


@dataclass(frozen=True)
class Health:
    """What the health checks say of a region. `since_ms`: of the last change, epoch milliseconds."""

    healthy: bool
    since_ms: int


class DrillTarget(Protocol):
    """A stack under drill. `emulated`: its times are of a local emulator."""

    deployment: Deployment
    run_dir: Path
    emulated: bool
    environment: Environment

    def webhooks(self) -> tuple[Webhook, ...]:
        """Where alerts are posted, the primary first."""

    def leading(self) -> str | None:
        """The region that the stack's name points to; None without a name, or where nobody can say."""

    def health(self, region: str) -> Health | None:
        """The word of the health check on a region's `/health`; None where there is none."""

    def serving(self, region: str) -> bool:
        """Whether routing would send alerts to a region, by all its health checks."""

    def lose_region(self, region: str, how: Loss) -> None:
        """Lose it; one that is lost already stays as it is."""

    def lost_regions(self) -> Mapping[str, str]:
        """The regions that are lost now, and how."""

    def start_regions(self) -> list[str]:
        """Start every lost region again; return which were lost."""

    def slack_messages(self) -> Iterable[SlackPost]:
        """What Slack received, oldest first."""


class LocalDrillTarget:
    """The stack on the embedded AWS that runs in a folder."""

    emulated = True

    def __init__(self, emulator: Emulator) -> None:
        """Find what is deployed there.

        Raises:
            IncompleteOutputsError, StateError: nothing usable is.
        """
        self._emulator = emulator
        self.run_dir = emulator.run_dir
        self.deployment = attached_deployment(emulator)
        self.environment = Environment(
            resolve=lambda deployment: resolve_region(deployment, emulator.dns_address)
        )
        self._webhooks: tuple[Webhook, ...] = ()

    def webhooks(self) -> tuple[Webhook, ...]:
        """With keys asked for once; a lost region's is the other's: a stack with a name has one for both."""
        if not self._webhooks:
            lost, regions = self.lost_regions(), self.deployment.regions
            answering = [endpoints for endpoints in regions if endpoints.region not in lost] or list(regions)
            keys = {endpoints.region: self.deployment.api_key(endpoints) for endpoints in answering}
            any_key = keys[answering[0].region]
            self._webhooks = tuple(
                Webhook(endpoints.region, endpoints.webhook_url, keys.get(endpoints.region, any_key))
                for endpoints in regions
            )
        return self._webhooks

    def leading(self) -> str | None:
        """By the emulator's own DNS."""
        with contextlib.suppress(RoutingUnknownError):
            return resolve_region(self.deployment, self._emulator.dns_address)
        return None

    def health(self, region: str) -> Health | None:
        """By the emulator's own health checker."""
        return self._check(self.deployment.names.health_check(region, "health"))

    def serving(self, region: str) -> bool:
        """By the emulator's own health checker."""
        check = self._check(self.deployment.names.health_check(region, "serves"))
        return check is not None and check.healthy

    def lose_region(self, region: str, how: Loss) -> None:
        """Signal its processes."""
        if region not in self.lost_regions():
            {"kill": self._emulator.kill, "freeze": self._emulator.freeze}[how](region)

    def lost_regions(self) -> Mapping[str, str]:
        """By the emulator's own word."""
        regions = self._emulator.status().regions
        return {
            region.name: "cut" if region.cut else region.power
            for region in regions
            if region.cut or region.power != "running"
        }

    def start_regions(self) -> list[str]:
        """Start, resume and reconnect whatever is lost; return the regions that were."""
        return [region for region in self._emulator.regions if self._emulator.bring_back(region)]

    def slack_messages(self) -> Iterable[SlackPost]:
        """From its stand-in."""
        return self._emulator.slack_messages()

    def _check(self, name: str) -> Health | None:
        checks = (check for check in self._emulator.health_checks() if check.name == name)
        return next((Health(check.healthy, check.since_ms) for check in checks), None)
