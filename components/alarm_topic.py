"""The SNS topic of a region that CloudWatch alarms publish to, and the key that encrypts it."""

import pulumi
import pulumi_aws as aws

from components.policies import resource_policy
from components.region_context import RegionContext, kept
from components.stack_config import as_given

_CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}


class AlarmTopic(pulumi.ComponentResource):
    """A topic that this account's alarms in this region may publish to, and nobody else.

    The pipeline takes its alarms as alerts (`components.triggers`). Where `alarmEmail` is set they are mailed
    too, since the pipeline may be what is broken; AWS sends nothing until the address has confirmed it.

    CloudWatch cannot publish to a topic under the AWS managed key, so the topic has a key of its own.
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    """

    def __init__(self, context: RegionContext, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the key, the topic and its policy."""
        super().__init__("incident:region:AlarmTopic", context.logical("alarms"), None, opts)
        logical, child = context.logical("alarms"), pulumi.ResourceOptions(parent=self)
        only_our_alarms = {
            "StringEquals": {"aws:SourceAccount": context.account_id},
            "ArnLike": {"aws:SourceArn": context.arn("cloudwatch", "alarm:*")},
        }
        key = aws.kms.Key(
            logical,
            region=context.region,
            description=f"Encrypts the SNS topic {context.names.alarm_topic}",
            enable_key_rotation=True,
            policy=resource_policy(
                [
                    {
                        "Sid": "AccountAdministersByIam",
                        "Principal": {"AWS": f"arn:aws:iam::{context.account_id}:root"},
                        "Action": "kms:*",
                        "Resource": "*",  # in a key's own policy: this key
                    },
                    {
                        "Sid": "AlarmsEncrypt",
                        "Principal": _CLOUDWATCH,
                        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                        "Resource": "*",
                        "Condition": only_our_alarms,
                    },
                ]
            ),
            tags=context.tags,
            opts=kept(self, context.config),
        )
        topic = aws.sns.Topic(
            logical,
            region=context.region,
            name=context.names.alarm_topic,
            kms_master_key_id=key.arn,
            tags=context.tags,
            opts=child,
        )
        aws.sns.TopicPolicy(
            logical,
            region=context.region,
            arn=topic.arn,
            policy=resource_policy(
                [
                    {
                        "Sid": "AlarmsPublish",
                        "Principal": _CLOUDWATCH,
                        "Action": "sns:Publish",
                        "Resource": topic.arn,
                        "Condition": only_our_alarms,
                    }
                ]
            ),
            opts=child,
        )
        if context.config.alarm_email:
            aws.sns.TopicSubscription(
                context.logical("alarms-email"),
                region=context.region,
                topic=topic.arn,
                protocol="email",
                endpoint=as_given("alarmEmail", context.config.alarm_email),
                opts=child,
            )
        self.arn = topic.arn
        self.register_outputs({})
