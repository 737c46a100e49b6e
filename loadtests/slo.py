"""Thresholds (SLOs) from a file, and which of them a report breaches.

A file maps `every` and shapes to metrics, and these to bounds, as in `loadtests/slo.yaml`, the default one.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from topology.errors import ExplainedError

EVERY: Final = "every"
SAMPLES_NEEDED: Final[Mapping[str, int]] = {"p50": 2, "p95": 20, "p99": 100}
"""So many samples has a percentile at least, so that one of them is beyond it."""

_BOUND: Final = re.compile(r"(<=|>=)\s*(\d+(?:\.\d+)?)")


class SloError(ExplainedError):
    """A file of thresholds cannot be read, or names what no report has."""


@dataclass(frozen=True)
class Threshold:
    """A metric by its path in the report, and the bound that it is to keep."""

    metric: str
    at_most: bool
    bound: float

    def __str__(self) -> str:
        """The text of the file."""
        return f"{self.metric} {'<=' if self.at_most else '>='} {self.bound:g}"

    def breach(self, figures: Mapping[str, Any]) -> str | None:
        """Say how the figures miss it, if they do. What is unknown, or rests on too little, does."""
        group, _, percentile = self.metric.partition(".")
        value = figures[group][percentile] if percentile else figures[group]
        needed = SAMPLES_NEEDED.get(percentile, 0)
        if percentile and figures[group]["count"] < needed:
            return (
                f"too short to decide {self}: it rests on {figures[group]['count']} samples, and "
                f"{needed} are needed; run longer or faster"
            )
        if value is None:
            return f"{self.metric} is unknown, and is to be {'<=' if self.at_most else '>='} {self.bound:g}"
        kept = value <= self.bound if self.at_most else value >= self.bound
        return (
            None
            if kept
            else f"{self.metric} is {value:g}, not {'<=' if self.at_most else '>='} {self.bound:g}"
        )


def read_thresholds(path: Path, shape: str, metrics: Sequence[str]) -> tuple[Threshold, ...]:
    """The thresholds of a shape, which are to be among `metrics`.

    Raises:
        SloError: the file cannot be read, is none, or names an unknown metric; one line.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SloError(f"the thresholds {path} cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise SloError(f"{path} maps no shapes to metrics; see loadtests/slo.yaml")
    bounds = {**content.get(EVERY, {}), **content.get(shape, {})}
    if unknown := [str(metric) for metric in bounds if metric not in metrics]:
        raise SloError(f"{path}: no metric {', '.join(unknown)}; there are {', '.join(sorted(metrics))}")
    return tuple(
        _threshold(path, metric, str(bound)) for metric, bound in bounds.items() if bound is not None
    )


def _threshold(path: Path, metric: str, bound: str) -> Threshold:
    found = _BOUND.fullmatch(bound.strip())
    if found is None or not math.isfinite(float(found[2])):
        raise SloError(f"{path}: {metric}: {bound!r} is no bound; write <= or >= and a number")
    return Threshold(metric, found[1] == "<=", float(found[2]))
