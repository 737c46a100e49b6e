"""What a probe measures, and the thresholds that it is held to.

A file of thresholds has the form of `loadtests.slo`, under `throughput`; `slo.yaml` is the default one.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from loadtests.slo import Threshold, read_thresholds

Slo = tuple[Threshold, ...]

SHAPE: Final = "throughput"
SLO_FILE: Final = Path(__file__).with_name("slo.yaml")


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What a probe measured of its alerts; None where nothing was to be measured, so nobody knows.

    Shares are percent. Those of what was accepted leave out what was refused.
    """

    error_percent: float
    """Of the posts: not answered 202."""

    http_p95_s: float | None
    """From when a post was due to its answer."""

    critical_p95_s: float | None
    """From a CRITICAL alert's acceptance to Slack."""

    ordinary_p95_s: float | None
    """From any other alert's acceptance to Slack."""

    untold_percent: float | None
    """Of the accepted: not in Slack when the probe ended, and some seconds of grace."""

    growth_percent: float | None
    """By how much later each second's alerts are told than those of the second before, from when they were
    due: 5 is a backlog that grows by a twentieth of what comes in."""

    alone_percent: float | None
    """Of those told: in a message of their own, not in a digest."""

    analysed_percent: float | None
    """Of those told: with their analysis."""

    slack_refused_percent: float
    """Of the posts to Slack: answered 429."""


def read_slo(file: Path = SLO_FILE) -> Slo:
    """The thresholds of a file.

    Raises:
        SloError: it cannot be read, or names an unknown measure; one line.
    """
    return read_thresholds(file, SHAPE, [one.name for one in fields(Measures)])


def breaches(slo: Slo, measures: Measures) -> tuple[str, ...]:
    """Each threshold that was missed, in words; what was not measured misses its own."""
    return tuple(breach for one in slo if (breach := one.breach(vars(measures))))
