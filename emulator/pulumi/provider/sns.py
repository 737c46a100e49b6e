"""SNS topics, their policies and subscriptions."""

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


class Topic(ResourceType):
    """A topic; its id is its ARN."""

    type = "aws:sns/topic:Topic"
    identity = frozenset({"name"})
    updates = frozenset({"tags"})
    replaces = frozenset({"name"})
    ignored: ClassVar[Mapping[str, str]] = {
        "kmsMasterKeyId": "the embedded SNS records the key, encrypts nothing and asks no key policy"
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the topic."""
        attributes = {"KmsMasterKeyId": inputs["kmsMasterKeyId"]} if "kmsMasterKeyId" in inputs else {}
        arn = context.client("sns").create_topic(
            Name=inputs["name"], Attributes=attributes, Tags=tag_list(inputs)
        )["TopicArn"]
        return Created(arn, {"arn": arn})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the key or the tags."""
        sns, arn = context.client("sns"), existing.id
        if "kmsMasterKeyId" in changed:
            sns.set_topic_attributes(
                TopicArn=arn,
                AttributeName="KmsMasterKeyId",
                AttributeValue=inputs.get("kmsMasterKeyId", ""),
            )
        if "tags" in changed:
            sns.untag_resource(ResourceArn=arn, TagKeys=removed_tags(existing, inputs))
            sns.tag_resource(ResourceArn=arn, Tags=tag_list(inputs))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the topic with its subscriptions."""
        context.client("sns").delete_topic(TopicArn=existing.id)


class TopicPolicy(ResourceType):
    """Who may publish to a topic; its id is the topic's ARN. It is deleted with its topic."""

    type = "aws:sns/topicPolicy:TopicPolicy"
    identity = frozenset({"arn"})
    updates = frozenset({"policy"})
    replaces = frozenset({"arn"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Set the policy on its topic."""
        _set_policy(context, inputs)
        return Created(inputs["arn"], {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the policy again."""
        del existing, changed
        _set_policy(context, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Leave the topic a policy that allows nobody but its owner by IAM."""
        context.client("sns").set_topic_attributes(
            TopicArn=existing.id, AttributeName="Policy", AttributeValue=_NOBODY
        )


class TopicSubscription(ResourceType):
    """A subscription to a topic; its id is its ARN."""

    type = "aws:sns/topicSubscription:TopicSubscription"
    identity = frozenset({"topic", "protocol", "endpoint"})
    replaces = frozenset({"topic", "protocol", "endpoint"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Subscribe; a Lambda function needs no confirmation."""
        arn = context.client("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Created(arn, {"arn": arn})

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Unsubscribe."""
        context.client("sns").unsubscribe(SubscriptionArn=existing.id)


RESOURCES: Final = (Topic(), TopicPolicy(), TopicSubscription())

_NOBODY: Final = '{"Version": "2012-10-17", "Statement": []}'


def _set_policy(context: ResourceContext, inputs: Inputs) -> None:
    context.client("sns").set_topic_attributes(
        TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=inputs["policy"]
    )
