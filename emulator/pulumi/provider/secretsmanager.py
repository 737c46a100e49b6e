"""Secrets Manager secrets, with replicas. Their values are put by operators and never pass through here."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.errors import UnknownArgumentError
from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    removed_tags,
    tag_list,
)

RECOVERY_WINDOW_DAYS: Final = 30
"""The real provider's default, and Secrets Manager's own.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"""


class Secret(ResourceType):
    """A secret and the regions it is replicated to; its id is its ARN.

    The embedded Secrets Manager ignores `AddReplicaRegions` when a secret is created, so replicas are
    added by a second call. It has none that takes one away, so that is refused.
    """

    type = "aws:secretsmanager/secret:Secret"
    identity = frozenset({"name"})
    updates = frozenset({"recoveryWindowInDays", "replicas.region", "tags"})
    replaces = frozenset({"name"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the secret without a value."""
        arn = context.client("secretsmanager").create_secret(Name=inputs["name"], Tags=tag_list(inputs))[
            "ARN"
        ]
        return Created(arn, {"arn": arn})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Add the replicas."""
        _replicate(context, created.id, _regions(inputs))
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Add replicas, or set the tags. How long a deletion can be undone matters only when it comes.

        Raises:
            UnknownArgumentError: a replica is to go.
        """
        before, wanted = _regions(existing.inputs), _regions(inputs)
        if gone := set(before) - set(wanted):
            raise UnknownArgumentError(
                f"the embedded Secrets Manager cannot take the replica in {', '.join(sorted(gone))} away; "
                "take the stack down and bring it up again"
            )
        _replicate(context, existing.id, [region for region in wanted if region not in before])
        if "tags" in changed:
            secrets = context.client("secretsmanager")
            secrets.untag_resource(SecretId=existing.id, TagKeys=removed_tags(existing, inputs))
            secrets.tag_resource(SecretId=existing.id, Tags=tag_list(inputs))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete with the replicas, at once where no recovery window is asked for."""
        days = existing.inputs.get("recoveryWindowInDays", RECOVERY_WINDOW_DAYS)
        window = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        context.client("secretsmanager").delete_secret(SecretId=existing.id, **window)


RESOURCES: Final = (Secret(),)


def _regions(inputs: Inputs) -> list[str]:
    return [replica["region"] for replica in inputs.get("replicas", [])]


def _replicate(context: ResourceContext, arn: str, regions: list[str]) -> None:
    if regions:
        context.client("secretsmanager").replicate_secret_to_regions(
            SecretId=arn, AddReplicaRegions=[{"Region": region} for region in regions]
        )
