"""What invokes the functions besides the webhook: queues, the alarm topic and the recovery schedule."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.functions import Function
from components.policies import Grant, identity_policy, trust_policy
from components.queues import Queues
from components.region_context import RegionContext
from topology.config import StackConfig
from topology.functions import RECEPTION, RECOVERY, FunctionSpec
from topology.limits import LAMBDA_EVENT_SOURCE_CONCURRENCY_MIN
from topology.queues import PROCESSING_DLQ, WORK_QUEUES, QueueSpec


def queue_concurrency(config: StackConfig, queue: QueueSpec) -> int:
    """The most invocations that `queue` may cause at once.

    A mapping does not know what its function has reserved: beyond it, invocations are throttled and
    each throttled batch spends a receive on its way to the dead-letter queue. So the queues of one
    function share what it has reserved, down to the smallest cap that AWS takes.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    """
    if not config.reserved_concurrency:
        return config.event_source_concurrency
    sharers = sum(1 for spec in WORK_QUEUES if spec.consumer == queue.consumer)
    share = config.reserved_concurrency // sharers
    return max(LAMBDA_EVENT_SOURCE_CONCURRENCY_MIN, min(config.event_source_concurrency, share))


class Triggers(pulumi.ComponentResource):
    """Event source mappings, the alarm subscription and the schedule, each on the alias `live`."""

    def __init__(
        self,
        context: RegionContext,
        *,
        functions: Mapping[FunctionSpec, Function],
        queues: Queues,
        topic: AlarmTopic,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register what invokes `functions`."""
        super().__init__("incident:region:Triggers", context.logical("triggers"), None, opts)
        self._context = context
        for spec in WORK_QUEUES:
            if spec.consumer is not None:
                self._consume(spec, queues.arns[spec], functions[spec.consumer])
        self._deliver_alarms(topic, functions[RECEPTION], queues)
        self._run_each_minute(functions[RECOVERY])
        self.register_outputs({})

    def _consume(self, spec: QueueSpec, queue_arn: pulumi.Output[str], function: Function) -> None:
        """In provisioned mode, or with a cap on concurrency: they exclude each other."""
        config = self._context.config
        pollers, cap = None, None
        if config.pollers_max:
            pollers = aws.lambda_.EventSourceMappingProvisionedPollerConfigArgs(
                minimum_pollers=config.pollers_min, maximum_pollers=config.pollers_max
            )
        else:
            cap = aws.lambda_.EventSourceMappingScalingConfigArgs(
                maximum_concurrency=queue_concurrency(config, spec)
            )
        aws.lambda_.EventSourceMapping(
            self._context.logical(spec.key),
            region=self._context.region,
            event_source_arn=queue_arn,
            function_name=function.alias.arn,
            batch_size=spec.batch_size,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=cap,
            provisioned_poller_config=pollers,
            tags=self._context.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _deliver_alarms(self, topic: AlarmTopic, function: Function, queues: Queues) -> None:
        """SNS cannot send an API key, so alarms reach reception by a subscription and not by the webhook.

        Nobody waits for an answer: Lambda tries an alarm three times and then keeps it in the dead-letter
        queue. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        """
        aws.lambda_.FunctionEventInvokeConfig(
            self._context.logical("alarms"),
            region=self._context.region,
            function_name=function.name,
            qualifier=function.alias.name,
            maximum_retry_attempts=2,
            destination_config=aws.lambda_.FunctionEventInvokeConfigDestinationConfigArgs(
                on_failure=aws.lambda_.FunctionEventInvokeConfigDestinationConfigOnFailureArgs(
                    destination=queues.arns[PROCESSING_DLQ]
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.lambda_.Permission(
            self._context.logical("alarms"),
            region=self._context.region,
            statement_id="alarms",
            action="lambda:InvokeFunction",
            function=function.name,
            qualifier=function.alias.name,
            principal="sns.amazonaws.com",
            source_arn=topic.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.sns.TopicSubscription(
            self._context.logical("alarms"),
            region=self._context.region,
            topic=topic.arn,
            protocol="lambda",
            endpoint=function.alias.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )

    def _run_each_minute(self, function: Function) -> None:
        """A missed minute is not made up for: the next run finds the same alerts.

        The trust policy names the schedule's group, as AWS asks for.
        https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
        """
        context, child = self._context, pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            context.logical("schedule"),
            name=context.names.service_role("schedule", context.region),
            assume_role_policy=trust_policy(
                "scheduler.amazonaws.com",
                {
                    "StringEquals": {
                        "aws:SourceAccount": context.account_id,
                        "aws:SourceArn": context.arn("scheduler", "schedule-group/default"),
                    }
                },
            ),
            tags=context.tags,
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            context.logical("schedule"),
            name="invoke",
            role=role.name,
            policy=identity_policy([Grant(("lambda:InvokeFunction",), (function.alias.arn,))]),
            opts=child,
        )
        aws.scheduler.Schedule(
            context.logical("recovery"),
            region=context.region,
            name=context.names.recovery_schedule,
            schedule_expression="rate(1 minute)",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(
                arn=function.alias.arn,
                role_arn=role.arn,
                retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_event_age_in_seconds=60, maximum_retry_attempts=0
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
