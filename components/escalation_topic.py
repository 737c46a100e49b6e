"""The SNS topic of a region that Recovery tells of what nobody has seen in Slack: the second way."""

import pulumi
import pulumi_aws as aws

from components.region_context import RegionContext
from components.stack_config import as_given


class EscalationTopic(pulumi.ComponentResource):
    """A topic that Recovery alone may publish to, by its role; who subscribed is told.

    It mails to `alarmEmail` and posts to `escalationUrl`, each of which has to confirm once; others may
    subscribe by hand. Its publisher is of this account, so that AWS's own key of SNS is enough.
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """

    def __init__(self, context: RegionContext, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the topic and the subscriptions that the configuration names."""
        super().__init__("incident:region:EscalationTopic", context.logical("escalation"), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(
            context.logical("escalation"),
            region=context.region,
            name=context.names.escalation_topic,
            kms_master_key_id="alias/aws/sns",
            tags=context.tags,
            opts=child,
        )
        subscribers = {
            "email": ("alarmEmail", context.config.alarm_email),
            "https": ("escalationUrl", context.config.escalation_url),
        }
        for protocol, (key, address) in subscribers.items():
            if address:
                aws.sns.TopicSubscription(
                    context.logical(f"escalation-{protocol}"),
                    region=context.region,
                    topic=topic.arn,
                    protocol=protocol,
                    endpoint=as_given(key, address),
                    opts=child,
                )
        self.arn = topic.arn
        self.register_outputs({})
