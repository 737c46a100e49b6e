"""CloudWatch log groups."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    removed_tags,
)


class LogGroup(ResourceType):
    """A log group; its id is its name."""

    type = "aws:cloudwatch/logGroup:LogGroup"
    identity = frozenset({"name"})
    updates = frozenset({"retentionInDays", "tags"})
    replaces = frozenset({"name"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the group."""
        context.client("logs").create_log_group(logGroupName=inputs["name"], tags=inputs.get("tags", {}))
        return Created(inputs["name"], {})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Set the retention and ask for the ARN, without the `:*` that the API adds to it."""
        _set_retention(context, created.id, inputs)
        groups = context.client("logs").describe_log_groups(logGroupNamePrefix=created.id)["logGroups"]
        arn = next(group["arn"] for group in groups if group["logGroupName"] == created.id)
        return {"arn": arn.removesuffix(":*")}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the retention or the tags."""
        logs = context.client("logs")
        if "retentionInDays" in changed:
            _set_retention(context, existing.id, inputs)
        if "tags" in changed:
            arn = existing.outputs["arn"]
            logs.untag_resource(resourceArn=arn, tagKeys=removed_tags(existing, inputs))
            logs.tag_resource(resourceArn=arn, tags=inputs.get("tags", {}))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the group with its logs."""
        context.client("logs").delete_log_group(logGroupName=existing.id)


RESOURCES: Final = (LogGroup(),)


def _set_retention(context: ResourceContext, name: str, inputs: Inputs) -> None:
    """Without a retention, or with 0, logs are kept for ever, as in the real provider."""
    logs = context.client("logs")
    days = inputs.get("retentionInDays", 0)
    if days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    else:
        logs.delete_retention_policy(logGroupName=name)
