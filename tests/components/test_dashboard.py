"""The stack's dashboard: what it shows is what the stack has."""

import json
from typing import Any

import pytest

from tests.components.recorder import Run
from topology.dashboard import panels_of
from topology.names import Names

DASHBOARD = "cloudwatch/dashboard:Dashboard"


@pytest.fixture
def widgets(run: Run) -> list[dict[str, Any]]:
    """The widgets of the one dashboard."""
    [dashboard] = run.of(DASHBOARD)
    assert dashboard.inputs["dashboardName"] == f"mcp-incident-responder-{run.outputs['Stack']}"
    found: list[dict[str, Any]] = json.loads(dashboard.inputs["dashboardBody"])["widgets"]
    return found


def test_each_panel_stands_once_for_each_region_side_by_side(run: Run, widgets: list[dict[str, Any]]) -> None:
    """No widget lies on another, and the grid of 24 columns holds them."""
    panels = panels_of(Names(run.outputs["Stack"]))
    for column, region in ((0, "us-east-1"), (12, "us-west-2")):
        shown = [widget for widget in widgets if widget["properties"]["region"] == region]
        assert [widget["properties"]["title"] for widget in shown] == [
            f"{panel.title} ({panel.unit}), {region}" for panel in panels
        ]
        assert {(widget["x"], widget["width"]) for widget in shown} == {(column, 12)}
        assert len({widget["y"] // widget["height"] for widget in shown}) == len(panels)


def test_every_metric_is_of_a_thing_that_the_stack_has(run: Run, widgets: list[dict[str, Any]]) -> None:
    """A name that is not deployed would be a figure that stays empty for ever."""
    names = {
        "FunctionName": {one.inputs["name"] for one in run.of("lambda/function:Function")},
        "QueueName": {one.inputs["name"] for one in run.of("sqs/queue:Queue")},
        "TableName": {one.inputs["name"] for one in run.of("dynamodb/table:Table")},
        "Stack": {run.outputs["Stack"]},
    }
    watched: dict[str, set[str]] = {dimension: set() for dimension in names}
    for widget in widgets:
        for _, _, dimension, value, options in widget["properties"]["metrics"]:
            watched[dimension].add(value)
            assert options["stat"] in {"Sum", "Maximum", "p50", "p95"}
    assert watched == names
