"""The figures of the stack's dashboard, read from CloudWatch: both regions at once, a lost one unknown."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.metrics import Metric, Point, read_metrics
from topology.dashboard import Panel, panels_of

SINCE_MAX_S: Final = 15 * 86_400
"""CloudWatch keeps minutes for so long.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html"""

_POINTS: Final = 40
_MINUTE_S: Final = 60
_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Figures:
    """The points of each series by region and `_key`; `unread` says why a region has none."""

    panels: tuple[Panel, ...]
    starts: tuple[datetime, ...]
    points: Mapping[str, Mapping[str, Sequence[Point]]]
    unread: Mapping[str, str]

    def of(self, region: str, panel: Panel, label: str) -> Sequence[Point]:
        """The points of a series, the oldest first; none where the region was not read."""
        return self.points.get(region, {}).get(_key(panel, label), ())

    def last(self, region: str, panel: Panel, label: str) -> float | None:
        """The newest value; None without data, or where the region was not read."""
        points = self.of(region, panel, label)
        return points[-1].value if points else None

    def bars(self, region: str, panel: Panel, label: str) -> str:
        """A bar for each period, none where it has no data; the highest is full."""
        values = {point.at: point.value for point in self.of(region, panel, label)}
        top = max(values.values(), default=0.0)
        return "".join(_bar(values.get(start), top) for start in self.starts)


def read_figures(deployment: Deployment, *, until: datetime, since_s: int) -> Figures:
    """Read every figure of the last `since_s` seconds, in some forty periods of whole minutes."""
    panels = panels_of(deployment.names)
    metrics = {
        _key(panel, series.label): Metric(
            namespace=series.namespace,
            name=series.name,
            statistic=series.statistic,
            dimensions=series.dimensions,
        )
        for panel in panels
        for series in panel.series
    }
    period_s = -(-since_s // (_POINTS * _MINUTE_S)) * _MINUTE_S
    first = datetime.fromtimestamp((until.timestamp() - since_s) // period_s * period_s, UTC)
    periods = int((until - first).total_seconds() // period_s) + 1

    def read(region: str) -> Mapping[str, Sequence[Point]] | str:
        try:
            cloudwatch = deployment.clients.client("cloudwatch", region)
            return read_metrics(cloudwatch, metrics, since=first, until=until, period_s=period_s)
        except (BotoCoreError, ClientError) as error:
            return str(error)

    regions = [endpoints.region for endpoints in deployment.regions]
    with ThreadPoolExecutor(len(regions)) as both:
        answers = dict(zip(regions, both.map(read, regions), strict=True))
    return Figures(
        panels=panels,
        starts=tuple(first + timedelta(seconds=number * period_s) for number in range(periods)),
        points={region: answer for region, answer in answers.items() if not isinstance(answer, str)},
        unread={region: answer for region, answer in answers.items() if isinstance(answer, str)},
    )


def _key(panel: Panel, label: str) -> str:
    return f"{panel.title}/{label}"


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return " "
    return _BARS[round(value / top * (len(_BARS) - 1))] if top > 0 else _BARS[0]
