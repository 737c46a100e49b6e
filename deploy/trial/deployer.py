"""Who deploys the stack of a trial: the Pulumi CLI on AWS, the in-process engine on the embedded AWS."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from clients.deployment import Deployment
from topology.errors import ExplainedError


class DeployFailedError(ExplainedError):
    """The stack could not be deployed, or removed; the message has the last of what Pulumi said."""


@dataclass(frozen=True)
class Changes:
    """What an `up` did, in resources."""

    created: int = 0
    updated: int = 0
    replaced: int = 0
    deleted: int = 0

    @property
    def none(self) -> bool:
        """Whether it changed nothing."""
        return self == Changes()

    def __str__(self) -> str:
        """As a person reads it."""
        counts = ", ".join(f"{count} {name}" for name, count in vars(self).items() if count)
        return counts or "no change"


def protected_types(resources: Iterable[Mapping[str, Any]]) -> Mapping[str, bool]:
    """Whether every resource of a type is protected, by the entries of a state."""
    protected: dict[str, bool] = {}
    for resource in resources:
        type_ = str(resource["type"])
        protected[type_] = protected.get(type_, True) and bool(resource.get("protect"))
    return protected


class Deployer(Protocol):
    """Deploys one stack. `config` goes before the stack's own; each call has at most `within_s` seconds."""

    embedded: bool
    where: str

    def up(self, config: Mapping[str, str], *, within_s: float) -> Changes:
        """Deploy.

        Raises:
            DeployFailedError: it failed.
        """

    def deployment(self) -> Deployment:
        """The stack that was deployed."""

    def refusal(self, config: Mapping[str, str], *, within_s: float) -> str:
        """Why such a configuration is refused; empty if it would be deployed."""

    def state(self) -> str:
        """What Pulumi keeps of the stack, as text."""

    def protected(self) -> Mapping[str, bool]:
        """Whether every resource of a type, such as `aws:kms/key:Key`, is protected."""

    def remove(self, *, within_s: float) -> None:
        """Take the protection off and remove everything.

        Raises:
            DeployFailedError: something is left, which the message names.
        """
