"""What stands beside a table and names it: autoscaling and alarms on its metrics. A restore drops both.

`dr.restores.settings` reads them of one table and makes them for another. botocore's errors pass.
"""

from collections.abc import Mapping
from typing import Any, Final

from clients.aws import AwsClients

NAME: Final = "{table}"
"""Stands for the table's name where an alarm or a scaling policy names it."""

_OF_SCALING: Final = "TargetTracking-"
"""Begins the names of alarms that a scaling policy makes for itself.
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html"""


def autoscaling_of(clients: AwsClients, region: str, table: str) -> dict[str, dict[str, Any]]:
    """By dimension: the scalable target of the table and its policies. Indexes have targets of their own."""
    scaling = clients.client("application-autoscaling", region)
    ids = {"ServiceNamespace": "dynamodb"}
    targets = scaling.describe_scalable_targets(**ids, ResourceIds=[f"table/{table}"])["ScalableTargets"]
    settings: dict[str, dict[str, Any]] = {}
    for target in targets:
        policies = scaling.describe_scaling_policies(
            **ids, ResourceId=f"table/{table}", ScalableDimension=target["ScalableDimension"]
        )["ScalingPolicies"]
        settings[target["ScalableDimension"]] = {
            "MinCapacity": target["MinCapacity"],
            "MaxCapacity": target["MaxCapacity"],
            "Policies": {
                policy["PolicyName"]: policy.get("TargetTrackingScalingPolicyConfiguration")
                for policy in policies
            },
            "ScalableDimension": target["ScalableDimension"],
        }
    return settings


def scale(clients: AwsClients, region: str, table: str, wanted: Mapping[str, Any]) -> None:
    """Set a table's autoscaling up as another one has it."""
    scaling = clients.client("application-autoscaling", region)
    ids = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": f"table/{table}",
        "ScalableDimension": wanted["ScalableDimension"],
    }
    scaling.register_scalable_target(
        **ids, MinCapacity=wanted["MinCapacity"], MaxCapacity=wanted["MaxCapacity"]
    )
    for name, policy in wanted["Policies"].items():
        scaling.put_scaling_policy(
            **ids,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=policy,
        )


_ALARM_FIELDS: Final = (
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
)
"""What DescribeAlarms gives and PutMetricAlarm takes.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


def alarms_of(clients: AwsClients, region: str, table: str) -> dict[str, dict[str, Any]]:
    """The alarms on the table's own metrics, by name."""
    pages = clients.client("cloudwatch", region).get_paginator("describe_alarms").paginate()
    settings: dict[str, dict[str, Any]] = {}
    for page in pages:
        for alarm in page.get("MetricAlarms", []):
            dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", [])}
            if dimensions.get("TableName") == table and not alarm["AlarmName"].startswith(_OF_SCALING):
                kept = {name: alarm[name] for name in _ALARM_FIELDS if name in alarm}
                general = named(kept, table, NAME)
                if NAME not in general["AlarmName"]:
                    general["AlarmName"] += f"-{NAME}"
                settings[general["AlarmName"]] = general
    return settings


def named(value: Any, old: str, new: str) -> Any:
    """The value with a name replaced, wherever a text has it."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {key: named(member, old, new) for key, member in value.items()}
    return [named(member, old, new) for member in value] if isinstance(value, list) else value
