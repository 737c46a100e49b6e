"""Metrics out of log lines in CloudWatch's embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ministack.services import cloudwatch, cloudwatch_logs

_VALUES_MAX: Final = 100
_METRICS_MAX: Final = 100
_DIMENSIONS_MAX: Final = 30
_DIMENSION_CHARS_MAX: Final = 1_024
"""Of one member, one directive, one set, one dimension's value: a line with more is no such line."""


class Datum(NamedTuple):
    """One value of a metric. `at_s`: epoch seconds."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    at_s: float
    unit: str
    value: float


def install() -> None:
    """Keep the metrics of each line that is logged."""
    append: Callable[..., None] = cloudwatch_logs._append_log_events  # noqa: SLF001 - where each line comes by

    def append_and_emit(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
        append(stream, events)
        for event in events:
            for datum in embedded(event["message"]):
                cloudwatch._store_datum(  # noqa: SLF001 - what PutMetricData calls
                    datum.namespace, datum.name, datum.dimensions, datum.at_s, datum.unit, datum.value,
                    None, None, None,
                )  # fmt: skip

    cloudwatch_logs._append_log_events = append_and_emit  # noqa: SLF001 - as above


def embedded(text: str) -> Iterator[Datum]:
    """The values that a log line carries; none if it is in no such format, or breaks its rules."""
    if '"_aws"' not in text:
        return
    try:
        line = json.loads(text)
        found = [datum for directive in line["_aws"]["CloudWatchMetrics"] for datum in _of(directive, line)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    yield from found


def _of(directive: Mapping[str, Any], line: Mapping[str, Any]) -> Iterator[Datum]:
    if len(directive["Metrics"]) > _METRICS_MAX:
        raise ValueError("too many metrics")
    for names in directive["Dimensions"]:
        if len(names) > _DIMENSIONS_MAX:
            raise ValueError("too many dimensions")
        dimensions = {name: line[name] for name in names}
        if not all(isinstance(one, str) and len(one) <= _DIMENSION_CHARS_MAX for one in dimensions.values()):
            raise ValueError("a dimension is no text, or too long")
        for metric in directive["Metrics"]:
            found = line[metric["Name"]]
            values = found if isinstance(found, list) else [found]
            if len(values) > _VALUES_MAX or not all(type(value) in (int, float) for value in values):
                raise ValueError("no numbers, or too many")
            for value in values:
                yield Datum(
                    directive["Namespace"],
                    metric["Name"],
                    dimensions,
                    line["_aws"]["Timestamp"] / 1_000,
                    metric.get("Unit", "None"),
                    value,
                )
