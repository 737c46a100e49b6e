"""The stack's CloudWatch dashboard: the figures of both regions side by side."""

import json
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from topology.config import StackConfig
from topology.dashboard import PERIOD_S, panels_of
from topology.names import Names

_COLUMNS: Final = 24
_HEIGHT: Final = 5
"""Of a widget, in the grid of a dashboard's body, which has 24 columns.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""


class Dashboard(pulumi.ComponentResource):
    """One dashboard a stack, a row for each panel of `topology.dashboard`, with the primary on the left.

    `responder dashboard` draws the same figures where the console is of no use.
    """

    def __init__(self, config: StackConfig, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the dashboard."""
        super().__init__("incident:global:Dashboard", "dashboard", None, opts)
        aws.cloudwatch.Dashboard(
            "dashboard",
            region=config.primary_region,
            dashboard_name=Names(config.stack).dashboard,
            dashboard_body=json.dumps({"widgets": _widgets(config)}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _widgets(config: StackConfig) -> list[dict[str, Any]]:
    regions = (config.primary_region, config.failover_region)
    width = _COLUMNS // len(regions)
    return [
        {
            "type": "metric",
            "x": column * width,
            "y": row * _HEIGHT,
            "width": width,
            "height": _HEIGHT,
            "properties": {
                "title": f"{panel.title} ({panel.unit}), {region}",
                "region": region,
                "view": "timeSeries",
                "period": PERIOD_S,
                "yAxis": {"left": {"min": 0}},
                "metrics": [
                    [
                        series.namespace,
                        series.name,
                        *(part for dimension in series.dimensions.items() for part in dimension),
                        {"stat": series.statistic, "label": series.label},
                    ]
                    for series in panel.series
                ],
            },
        }
        for row, panel in enumerate(panels_of(Names(config.stack)))
        for column, region in enumerate(regions)
    ]
