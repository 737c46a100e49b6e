"""Metrics in log lines of the embedded CloudWatch."""

import json
from typing import Any

import pytest
from ministack.services import cloudwatch, cloudwatch_logs

from emulator.aws.logs import embedded_metrics
from emulator.aws.logs.embedded_metrics import embedded


def line(**changed: Any) -> str:
    """A line with a metric of two values, in all and by route."""
    directive = {
        "Namespace": "N",
        "Dimensions": [["Stack"], ["Stack", "Route"]],
        "Metrics": [{"Name": "Ms", "Unit": "Milliseconds"}],
    }
    aws = {"Timestamp": 1_795_420_800_500, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": aws, "Stack": "dev", "Route": "db", "Ms": [3, 4.5]} | changed)


def test_each_value_is_kept_for_each_set_of_dimensions() -> None:
    """At the line's own time, whenever it was logged."""
    data = list(embedded(line()))
    assert [(one.dimensions, one.value) for one in data] == [
        ({"Stack": "dev"}, 3),
        ({"Stack": "dev"}, 4.5),
        ({"Stack": "dev", "Route": "db"}, 3),
        ({"Stack": "dev", "Route": "db"}, 4.5),
    ]
    assert {(one.namespace, one.name, one.unit, one.at_s) for one in data} == {
        ("N", "Ms", "Milliseconds", 1_795_420_800.5)
    }


@pytest.mark.parametrize(
    "text",
    ['{"_aws"', '"_aws"', '{"_aws": 1}', line(Ms="3"), line(Ms=[True]), line(Ms=list(range(101))),
     line(Route=7), line(Route="x" * 1_025), line(_aws={"CloudWatchMetrics": [{}], "Timestamp": 1}), "START"],
)  # fmt: skip
def test_a_line_that_breaks_the_format_has_no_metric(text: str) -> None:
    """Not one of its values, and nothing fails."""
    assert list(embedded(text)) == []


def test_what_is_logged_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a metric that was put."""
    monkeypatch.setattr(cloudwatch_logs, "_append_log_events", cloudwatch_logs._append_log_events)  # noqa: SLF001 - to have it back
    monkeypatch.setattr(cloudwatch, "_metrics", type(cloudwatch._metrics)())  # noqa: SLF001 - as below
    embedded_metrics.install()
    stream: dict[str, Any] = {"events": [], "firstEventTimestamp": None, "lastEventTimestamp": None}
    event = {"timestamp": 1, "ingestionTime": 1, "message": line()}
    cloudwatch_logs._append_log_events(stream, [event])  # noqa: SLF001 - what Lambda's output goes through
    [kept, by_route] = cloudwatch._metrics.values()  # noqa: SLF001 - where a query looks
    assert [point["Value"] for point in kept] == [point["Value"] for point in by_route] == [3.0, 4.5]
