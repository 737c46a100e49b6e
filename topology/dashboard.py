"""The figures of a stack that its dashboard shows, in CloudWatch and in the terminal: one catalogue."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from topology.functions import FUNCTIONS
from topology.metrics import (
    ACCEPTED_TO_SLACK,
    CACHE_HITS,
    INPUT_TOKENS,
    MODEL_CALLS,
    NAMESPACE,
    OUTPUT_TOKENS,
    PARKED_ALERTS,
    REFUSALS,
    STACK_DIMENSION,
)
from topology.names import Names
from topology.queues import DEAD_LETTER_QUEUES, WORK_QUEUES
from topology.tables import TABLES

PERIOD_S: Final = 300


class Series(NamedTuple):
    """One metric in one region. `statistic` as CloudWatch names it: Sum, Maximum, p95."""

    label: str
    namespace: str
    name: str
    statistic: str
    dimensions: Mapping[str, str]


class Panel(NamedTuple):
    """Figures that are looked at together, all of one `unit`."""

    title: str
    unit: str
    series: tuple[Series, ...]


def panels_of(names: Names) -> tuple[Panel, ...]:
    """Every panel of the stack's dashboard, the same in each region.

    Names and statistics of AWS's own metrics are as it documents them:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    """
    ours = {STACK_DIMENSION: names.stack}
    by_function = [(spec.key, {"FunctionName": names.function(spec)}) for spec in FUNCTIONS]
    by_queue = [(spec.key, {"QueueName": names.queue(spec)}) for spec in (*WORK_QUEUES, *DEAD_LETTER_QUEUES)]
    by_table = [(spec.key, {"TableName": names.table(spec)}) for spec in TABLES]

    def each(
        title: str, unit: str, whose: list[tuple[str, dict[str, str]]], namespace: str, name: str, stat: str
    ) -> Panel:
        series = (Series(label, namespace, name, stat, dimensions) for label, dimensions in whose)
        return Panel(title, unit, tuple(series))

    def own(*wanted: tuple[str, str, str]) -> tuple[Series, ...]:
        return tuple(Series(label, NAMESPACE, name, stat, ours) for label, name, stat in wanted)

    return (
        each("Invocations", "count", by_function, "AWS/Lambda", "Invocations", "Sum"),
        each("Errors", "count", by_function, "AWS/Lambda", "Errors", "Sum"),
        each("Throttles", "count", by_function, "AWS/Lambda", "Throttles", "Sum"),
        each("Duration, p95", "ms", by_function, "AWS/Lambda", "Duration", "p95"),
        each(
            "Messages waiting", "count", by_queue, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"
        ),
        each("Oldest message", "s", by_queue, "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum"),
        each("Read units", "count", by_table, "AWS/DynamoDB", "ConsumedReadCapacityUnits", "Sum"),
        each("Write units", "count", by_table, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", "Sum"),
        Panel(
            "Analyses", "count", own(("cache hits", CACHE_HITS, "Sum"), ("model calls", MODEL_CALLS, "Sum"))
        ),
        Panel("Model tokens", "count", own(("input", INPUT_TOKENS, "Sum"), ("output", OUTPUT_TOKENS, "Sum"))),
        Panel(
            "Accepted → Slack",
            "ms",
            own(("median", ACCEPTED_TO_SLACK, "p50"), ("p95", ACCEPTED_TO_SLACK, "p95")),
        ),
        Panel("Alerts", "count", own(("parked", PARKED_ALERTS, "Maximum"), ("refused", REFUSALS, "Sum"))),
    )
