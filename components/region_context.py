"""Where a component builds: one region of one stack, with the names and tags that hold there."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from topology.config import StackConfig
from topology.contacts import in_one_line
from topology.names import PROJECT, Names
from topology.regions import FAILOVER, PRIMARY, Role


def tags_of(config: StackConfig) -> Mapping[str, str]:
    """The tags of every resource that takes tags."""
    return {"Project": PROJECT, "Stack": config.stack, "Owner": config.owner, "ManagedBy": "pulumi"}


def kept(parent: pulumi.Resource, config: StackConfig) -> pulumi.ResourceOptions:
    """The options of a child that cannot be made again as it was: of a type of `topology.protection`.

    With `deletionProtection`, Pulumi then neither deletes nor replaces it.
    https://www.pulumi.com/docs/iac/concepts/options/protect/
    """
    return pulumi.ResourceOptions(parent=parent, protect=config.deletion_protection)


def arn_in(arn: str, region: str) -> str:
    """The ARN of the replica in `region` of what `arn` names in its own region.

    A replica of a table or a secret differs from its original by the region only.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html
    """
    parts = arn.split(":")
    return ":".join([*parts[:3], region, *parts[4:]])


@dataclass(frozen=True)
class RegionContext:
    """One region of a stack, in the account that it is deployed to."""

    config: StackConfig
    role: Role
    account_id: str

    @property
    def region(self) -> str:
        """The region's name."""
        return {PRIMARY: self.config.primary_region, FAILOVER: self.config.failover_region}[self.role]

    @property
    def names(self) -> Names:
        """The physical names of the stack."""
        return Names(self.config.stack)

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of every resource that takes tags."""
        return tags_of(self.config)

    def logical(self, key: str) -> str:
        """The name by which Pulumi remembers the thing that is `key` in this region."""
        return f"{self.region}-{key}"

    def described(self, alarm: str) -> str:
        """An alarm's description, with whom to call on a line of its own."""
        return "\n".join(filter(None, (alarm, in_one_line(self.config.contacts))))

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"
