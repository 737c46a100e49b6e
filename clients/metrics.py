"""Figures of a stack from CloudWatch: a region's metrics by one call; no data is no figure, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from topology.metrics import NAMESPACE, STACK_DIMENSION

QUERIES_MAX: Final = 500
"""Of one call. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of a stack. `statistic` as CloudWatch names it: Sum, Maximum, Average, SampleCount, p95."""

    namespace: str
    name: str
    statistic: str
    dimensions: Mapping[str, str] = field(default_factory=dict)


def own_metric(stack: str, name: str, statistic: str = "Sum") -> Metric:
    """One of the pipeline's own metrics (`topology.metrics`), for the whole of a region."""
    return Metric(namespace=NAMESPACE, name=name, statistic=statistic, dimensions={STACK_DIMENSION: stack})


def function_metric(function: str, name: str) -> Metric:
    """The sum of one of Lambda's metrics of a function, by its name.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    return Metric(namespace="AWS/Lambda", name=name, statistic="Sum", dimensions={"FunctionName": function})


@dataclass(frozen=True)
class Point:
    """A metric's value in the period that begins at `at`."""

    at: datetime
    value: float


def read_metrics(
    cloudwatch: Any, metrics: Mapping[str, Metric], *, since: datetime, until: datetime, period_s: int
) -> dict[str, list[Point]]:
    """The points of each metric by its name in `metrics`, the oldest first; none where there is no data.

    `cloudwatch` is boto3's client in the region. `period_s`: a multiple of 60. The first period may begin
    before `since`, as CloudWatch rounds.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    names = list(metrics)
    points: dict[str, list[Point]] = {name: [] for name in names}
    for start in range(0, len(names), QUERIES_MAX):
        asked = {f"m{n}": name for n, name in enumerate(names[start : start + QUERIES_MAX])}
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_query(key, metrics[name], period_s) for key, name in asked.items()],
            StartTime=since,
            EndTime=until,
            ScanBy="TimestampAscending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                read = zip(result["Timestamps"], result["Values"], strict=True)
                points[asked[result["Id"]]] += [Point(at, value) for at, value in read]
    return points


def total(points: list[Point]) -> float | None:
    """The sum of the points' values; None without data."""
    return sum(point.value for point in points) if points else None


def _query(key: str, metric: Metric, period_s: int) -> dict[str, Any]:
    return {
        "Id": key,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
            },
            "Period": period_s,
            "Stat": metric.statistic,
        },
    }
