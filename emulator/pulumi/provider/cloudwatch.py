"""CloudWatch alarms on one metric, and dashboards."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    pick,
    removed_tags,
    tag_list,
)

_ARGUMENTS: Final = {
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluationPeriods": "EvaluationPeriods",
    "metricName": "MetricName",
    "namespace": "Namespace",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "treatMissingData": "TreatMissingData",
}


class MetricAlarm(ResourceType):
    """An alarm; its id is its name. The embedded CloudWatch evaluates it when alarms are described."""

    type = "aws:cloudwatch/metricAlarm:MetricAlarm"
    identity = frozenset({"name"})
    updates = frozenset({*_ARGUMENTS, "dimensions", "tags"})
    replaces = frozenset({"name"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the alarm with its tags."""
        context.client("cloudwatch").put_metric_alarm(**_alarm(inputs), Tags=tag_list(inputs))
        return Created(inputs["name"], {})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Ask for the ARN."""
        del inputs
        [alarm] = context.client("cloudwatch").describe_alarms(AlarmNames=[created.id])["MetricAlarms"]
        return {"arn": alarm["AlarmArn"]}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the whole alarm again, as the API does, and the tags, which it keeps as they were made."""
        cloudwatch, arn = context.client("cloudwatch"), existing.outputs["arn"]
        cloudwatch.put_metric_alarm(**_alarm(inputs))
        if "tags" in changed:
            cloudwatch.untag_resource(ResourceARN=arn, TagKeys=removed_tags(existing, inputs))
            cloudwatch.tag_resource(ResourceARN=arn, Tags=tag_list(inputs))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the alarm."""
        context.client("cloudwatch").delete_alarms(AlarmNames=[existing.id])


class Dashboard(ResourceType):
    """A dashboard; its id is its name."""

    type = "aws:cloudwatch/dashboard:Dashboard"
    identity = frozenset({"dashboardName"})
    updates = frozenset({"dashboardBody"})
    replaces = frozenset({"dashboardName"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the dashboard."""
        _put(context, inputs)
        return Created(inputs["dashboardName"], {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the whole of it again, as the API does."""
        del existing, changed
        _put(context, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the dashboard."""
        context.client("cloudwatch").delete_dashboards(DashboardNames=[existing.id])


RESOURCES: Final = (MetricAlarm(), Dashboard())


def _put(context: ResourceContext, inputs: Inputs) -> None:
    context.client("cloudwatch").put_dashboard(
        DashboardName=inputs["dashboardName"], DashboardBody=inputs["dashboardBody"]
    )


def _alarm(inputs: Inputs) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in inputs.get("dimensions", {}).items()]
    return {"AlarmName": inputs["name"], "Dimensions": dimensions, **pick(inputs, _ARGUMENTS)}
