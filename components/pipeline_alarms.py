"""The alarms of a region's pipeline: somebody has to look at what it could not do by itself."""

from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.region_context import RegionContext
from topology.functions import DISTRIBUTION, RECEPTION
from topology.health import ERRORS_OVER, ERRORS_PERIOD_S
from topology.metrics import (
    NAMESPACE,
    PARKED_ALERTS,
    PERIOD_S,
    REFUSALS,
    STACK_DIMENSION,
    UNUSABLE_ROUTES,
)
from topology.queues import DEAD_LETTER_QUEUES

_SILENT_MIN: Final = 5
"""Runs of Recovery in a row that have to be missing: CloudWatch may be minutes late with a log's metric."""


_REFUSALS_PERIOD_S: Final = 300
"""Alertmanager sends a group that was refused again at its next `group_interval`, 5 minutes by default.
https://github.com/prometheus/alertmanager/issues/2071"""

_REFUSALS_PERIODS: Final = 5
_REFUSALS_OVER: Final = 3
"""Of the periods. Whoever tries a body out is done sooner; a sender may miss a period by a few seconds."""


class PipelineAlarms(pulumi.ComponentResource):
    """Each goes off once, and becomes an alert itself by way of `topic`, which can be mailed too.

    - PARKED alerts: at the first. That cannot go round in circles: an alarm acts once when its state changes,
      so an alarm's own alert that is PARKED as well only adds to a count that is above the threshold already.
      Without data it is INSUFFICIENT_DATA, never OK.
    - Recovery's silence: it counts PARKED alerts each minute, so a missing count is a run that did not come
      to its end, whether the schedule, its permissions, the function or the ledger failed.
    - Refusals that go on: some sender's alerts reach nobody. None at all is no data, and well.
    - A route by whose address Slack takes nothing: at the first message that it should have taken. None is
      counted while there is nothing to post, so no data is well.
    - Errors of a function, by the runbook's thresholds: no cron job has to ask for them. A function that is
      not invoked has no errors and no data, and is well.
    - Messages in a dead-letter queue: none of them is an alert of ours, since the ledger holds those.

    Nothing is sent when one ends. Under a strong ledger both regions see every PARKED alert, so both go off:
    either may be the one lost.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """

    def __init__(
        self, context: RegionContext, *, topic: AlarmTopic, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Register the alarms."""
        super().__init__("incident:region:PipelineAlarms", context.logical("alarms"), None, opts)
        self._context, self._topic = context, topic
        parked = {"namespace": NAMESPACE, "metric_name": PARKED_ALERTS, "period": PERIOD_S}
        of_stack = {STACK_DIMENSION: context.config.stack}
        self._alarm(
            "parked",
            name=context.names.parked_alarm,
            alarm_description="Alerts are PARKED: responder parked list --outputs FILE shows them and why",
            **parked,
            dimensions=of_stack,
            statistic="Maximum",
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="missing",
        )
        self._alarm(
            "recovery-silent",
            name=context.names.recovery_alarm,
            alarm_description=(
                f"Recovery has not come to the end of a run for {_SILENT_MIN} minutes: what gets stuck stays "
                "stuck. Look at its log and its schedule"
            ),
            **parked,
            dimensions=of_stack,
            statistic="SampleCount",
            evaluation_periods=_SILENT_MIN,
            threshold=1,
            comparison_operator="LessThanThreshold",
            treat_missing_data="breaching",
        )
        self._alarm(
            "refusals",
            name=context.names.refusals_alarm,
            alarm_description=(
                "A sender's alerts are refused again and again, and reach nobody: the log of "
                f"{context.names.function(RECEPTION)} has what it sends (docs/architecture.md, Refusals)"
            ),
            namespace=NAMESPACE,
            metric_name=REFUSALS,
            period=_REFUSALS_PERIOD_S,
            dimensions=of_stack,
            statistic="Sum",
            evaluation_periods=_REFUSALS_PERIODS,
            datapoints_to_alarm=_REFUSALS_OVER,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
        )
        self._alarm(
            "unusable-routes",
            name=context.names.routes_alarm,
            alarm_description=(
                "A route's secret has no value, or its webhook or channel is gone: what it should take goes "
                f"to the default channel. The log of {context.names.function(DISTRIBUTION)} names the route; "
                "put a webhook into its secret (docs/routes.md)"
            ),
            namespace=NAMESPACE,
            metric_name=UNUSABLE_ROUTES,
            period=PERIOD_S,
            dimensions=of_stack,
            statistic="Sum",
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
        )
        self._of_errors(context)
        self._of_dead_letters(context)
        self.register_outputs({})

    def _of_errors(self, context: RegionContext) -> None:
        for spec, over in ERRORS_OVER.items():
            name = context.names.function(spec)
            self._alarm(
                f"{spec.key}-errors",
                name=context.names.errors_alarm(spec),
                alarm_description=(
                    f"{name} failed more than {over} times in {ERRORS_PERIOD_S // 60} minutes: its "
                    "log says why (docs/runbook.md, Automated health check)"
                ),
                namespace="AWS/Lambda",
                metric_name="Errors",
                period=ERRORS_PERIOD_S,
                dimensions={"FunctionName": name},
                statistic="Sum",
                evaluation_periods=1,
                threshold=over,
                comparison_operator="GreaterThanThreshold",
                treat_missing_data="notBreaching",
            )

    def _of_dead_letters(self, context: RegionContext) -> None:
        for queue in DEAD_LETTER_QUEUES:
            name = context.names.queue(queue)
            self._alarm(
                queue.key,
                name=context.names.dead_letter_alarm(queue),
                alarm_description=(
                    f"{name} holds messages that no worker could read. No alert is lost by that. See what "
                    "sent them, then delete them"
                ),
                namespace="AWS/SQS",
                metric_name="ApproximateNumberOfMessagesVisible",
                period=PERIOD_S,
                dimensions={"QueueName": name},
                statistic="Maximum",
                evaluation_periods=1,
                threshold=1,
                comparison_operator="GreaterThanOrEqualToThreshold",
                treat_missing_data="notBreaching",  # SQS sends none of an idle queue
            )

    def _alarm(self, key: str, *, alarm_description: str, **settings: Any) -> None:
        aws.cloudwatch.MetricAlarm(
            self._context.logical(key),
            region=self._context.region,
            alarm_description=self._context.described(alarm_description),
            alarm_actions=[self._topic.arn],
            tags=self._context.tags,
            opts=pulumi.ResourceOptions(parent=self),
            **settings,
        )
