"""The alarm of a region that goes off while alerts are PARKED: somebody has to look at them."""

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.site import Site
from topology.metrics import NAMESPACE, PARKED_ALERTS, PERIOD_S, STACK_DIMENSION


class ParkedAlarm(pulumi.ComponentResource):
    """Goes off at the first PARKED alert, and becomes an alert itself by way of `topic`.

    That cannot go round in circles: an alarm acts once when its state changes, so an alarm's own alert that
    is PARKED as well only adds to a count that is above the threshold already. Nothing is sent when it ends.
    Without data it is INSUFFICIENT_DATA, never OK: Recovery, which counts, has stopped.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html

    Under a strong ledger both regions see every PARKED alert, so both go off: either may be the one lost.
    """

    def __init__(self, site: Site, *, topic: AlarmTopic, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the alarm."""
        super().__init__("incident:region:ParkedAlarm", site.logical("parked"), None, opts)
        aws.cloudwatch.MetricAlarm(
            site.logical("parked"),
            region=site.region,
            name=site.names.parked_alarm,
            alarm_description="Alerts are PARKED: responder parked list shows them and why",
            namespace=NAMESPACE,
            metric_name=PARKED_ALERTS,
            dimensions={STACK_DIMENSION: site.config.stack},
            statistic="Maximum",
            period=PERIOD_S,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="missing",
            alarm_actions=[topic.arn],
            tags=site.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
