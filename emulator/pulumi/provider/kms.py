"""KMS keys."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    removed_tags,
    tag_list,
)

DELETION_WINDOW_DAYS: Final = 30
"""The real provider's default.
https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""


class Key(ResourceType):
    """A symmetric key. AWS deletes keys after a waiting time only; so does the emulator."""

    type = "aws:kms/key:Key"
    identity = frozenset()
    updates = frozenset({"description", "policy", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {
        "enableKeyRotation": "the embedded KMS records the setting and never rotates a key"
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the key with its policy."""
        key = context.client("kms").create_key(
            Description=inputs.get("description", ""),
            Policy=inputs["policy"],
            Tags=tag_list(inputs, key="TagKey", value="TagValue"),
        )["KeyMetadata"]
        return Created(key["KeyId"], {"arn": key["Arn"], "keyId": key["KeyId"]})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Turn rotation on."""
        if inputs.get("enableKeyRotation"):
            context.client("kms").enable_key_rotation(KeyId=created.id)
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed."""
        kms, key_id = context.client("kms"), existing.id
        if "description" in changed:
            kms.update_key_description(KeyId=key_id, Description=inputs.get("description", ""))
        if "policy" in changed:
            kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=inputs["policy"])
        if "enableKeyRotation" in changed:
            rotate = inputs.get("enableKeyRotation")
            (kms.enable_key_rotation if rotate else kms.disable_key_rotation)(KeyId=key_id)
        if "tags" in changed:
            kms.untag_resource(KeyId=key_id, TagKeys=removed_tags(existing, inputs))
            kms.tag_resource(KeyId=key_id, Tags=tag_list(inputs, key="TagKey", value="TagValue"))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Schedule the deletion."""
        context.client("kms").schedule_key_deletion(
            KeyId=existing.id, PendingWindowInDays=DELETION_WINDOW_DAYS
        )


RESOURCES: Final = (Key(),)
