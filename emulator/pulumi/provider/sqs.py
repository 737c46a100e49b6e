"""SQS queues and the policy that says who may redrive to one."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    removed_tags,
)

_ATTRIBUTES: Final = {
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
}
"""Arguments and the queue attributes that they set.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""

_DEFAULTS: Final = {
    "VisibilityTimeout": "30",
    "MessageRetentionPeriod": "345600",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
}
"""What an attribute goes back to when its argument is no longer given (source as above)."""


class Queue(ResourceType):
    """A standard queue; its id is its URL, as in the real provider."""

    type = "aws:sqs/queue:Queue"
    identity = frozenset({"name"})
    updates = frozenset(_ATTRIBUTES.keys() - {"sqsManagedSseEnabled"}) | {"tags"}
    replaces = frozenset({"name"})
    ignored: ClassVar[Mapping[str, str]] = {
        "sqsManagedSseEnabled": "the embedded SQS keeps messages in memory and encrypts nothing"
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the queue with its attributes and tags."""
        sqs = context.client("sqs")
        url = sqs.create_queue(
            QueueName=inputs["name"], Attributes=_attributes(inputs), tags=inputs.get("tags", {})
        )["QueueUrl"]
        return Created(url, {"url": url})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Ask for the ARN."""
        del inputs
        answer = context.client("sqs").get_queue_attributes(QueueUrl=created.id, AttributeNames=["QueueArn"])
        return {"arn": answer["Attributes"]["QueueArn"]}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed; an argument that is gone falls back to AWS's default."""
        sqs = context.client("sqs")
        names = {_ATTRIBUTES[name] for name in changed if name in _ATTRIBUTES}
        if names:
            attributes = {**_DEFAULTS, **_attributes(inputs)}
            sqs.set_queue_attributes(
                QueueUrl=existing.id, Attributes={name: attributes[name] for name in names}
            )
        if "tags" in changed:
            sqs.untag_queue(QueueUrl=existing.id, TagKeys=removed_tags(existing, inputs))
            sqs.tag_queue(QueueUrl=existing.id, Tags=inputs.get("tags", {}))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the queue and its messages."""
        context.client("sqs").delete_queue(QueueUrl=existing.id)


class RedriveAllowPolicy(ResourceType):
    """Which queues may name a queue as their dead-letter queue."""

    type = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"
    identity = frozenset({"queueUrl"})
    updates = frozenset({"redriveAllowPolicy"})
    replaces = frozenset({"queueUrl"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Set the policy on its queue."""
        _set_redrive_allow(context, inputs["queueUrl"], inputs["redriveAllowPolicy"])
        return Created(inputs["queueUrl"], {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the policy again."""
        del changed
        _set_redrive_allow(context, existing.id, inputs["redriveAllowPolicy"])
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the policy; any queue of the account may redrive then."""
        _set_redrive_allow(context, existing.id, "")


RESOURCES: Final = (Queue(), RedriveAllowPolicy())


def _attributes(inputs: Inputs) -> dict[str, str]:
    """Queue attributes, which are all text."""
    return {
        theirs: inputs[ours] if isinstance(inputs[ours], str) else str(inputs[ours]).lower()
        for ours, theirs in _ATTRIBUTES.items()
        if ours in inputs
    }


def _set_redrive_allow(context: ResourceContext, queue_url: str, policy: str) -> None:
    context.client("sqs").set_queue_attributes(QueueUrl=queue_url, Attributes={"RedriveAllowPolicy": policy})
