"""The stack that is checked, with what its checks share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from clients.checks import Check, Finding
from clients.deployment import Deployment, RegionEndpoints
from dr.operations.environment import HttpWeb, Web
from topology.config import StackConfig
from topology.names import LOCAL_STACK


@dataclass(frozen=True)
class Subject:
    """A deployed stack. `config` is what its file asks for, which is what the checks compare with.

    `by_cli`: a local stack was deployed by the Pulumi CLI, as every other one is.
    """

    deployment: Deployment
    config: StackConfig
    by_cli: bool = False
    web: Web = field(default_factory=HttpWeb)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def regions(self) -> tuple[str, str]:
        """The primary and the failover region."""
        return self.deployment.primary.region, self.deployment.failover.region

    @property
    def embedded(self) -> bool:
        """Whether the stack is on the embedded AWS, whose account has no settings to look at."""
        return self.deployment.clients.endpoint_url is not None

    @property
    def up(self) -> str:
        """The command that deploys the stack again."""
        return self._pulumi("up") if self._of_cli else "`responder local up`"

    @property
    def refresh(self) -> str:
        """The command after which `up` makes again what somebody has taken away by hand."""
        return self._pulumi("refresh") if self._of_cli else "`responder local down`"

    @property
    def _of_cli(self) -> bool:
        return self.by_cli or self.deployment.names.stack != LOCAL_STACK

    def _pulumi(self, command: str) -> str:
        by = "responder local pulumi --" if self.embedded else "pulumi"
        return f"`{by} {command} -s {self.deployment.names.stack}`"

    def check(
        self,
        name: str,
        category: str,
        title: str,
        *,
        actions: tuple[str, ...],
        run: Callable[["Subject", str], Finding],
        regions: tuple[str, ...] | None = None,
        see: str = "",
    ) -> Check:
        """A check of this stack in both regions, or in those given; `run` takes the stack and the region.

        `see`: the section of a document, as `Check` has it.
        """
        return Check(
            id=name,
            category=category,
            title=title,
            regions=self.regions if regions is None else regions,
            actions=actions,
            run=partial(run, self),
            see=see,
        )

    def client(self, service: str, region: str) -> Any:
        """A boto3 client."""
        return self.deployment.clients.client(service, region)

    def endpoints(self, region: str) -> RegionEndpoints:
        """What a region of the stack offers."""
        return next(one for one in self.deployment.regions if one.region == region)
