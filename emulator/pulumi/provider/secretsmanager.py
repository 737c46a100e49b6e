"""Secrets Manager secrets, with replicas. Their values are put by operators and never pass through here."""

from collections.abc import Collection, Mapping
from typing import Any, Final

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
    added by a second call. It cannot take one away, so other replicas make another secret.
    """

    type = "aws:secretsmanager/secret:Secret"
    updates = frozenset({"recoveryWindowInDays", "tags"})
    replaces = frozenset({"name", "replicas.region"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the secret without a value."""
        arn = context.client("secretsmanager").create_secret(Name=inputs["name"], Tags=tag_list(inputs))[
            "ARN"
        ]
        return Created(arn, {"arn": arn})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Add the replicas."""
        regions = [{"Region": replica["region"]} for replica in inputs.get("replicas", [])]
        if regions:
            context.client("secretsmanager").replicate_secret_to_regions(
                SecretId=created.id, AddReplicaRegions=regions
            )
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the tags. How long a deletion can be undone matters only when it comes."""
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
