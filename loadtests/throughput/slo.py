"""The objectives that a rate has to meet, and what a probe measures of each."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from topology.errors import ExplainedError


class SloFileError(ExplainedError):
    """The file of objectives cannot be used; the message says why."""


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


_LEAST: Final = frozenset({"alone_percent", "analysed_percent"})
"""Measures that an objective wants at least so high; the others at most."""


@dataclass(frozen=True)
class Slo:
    """The objectives, by measure: at most, or at least for `alone_percent` and `analysed_percent`."""

    objectives: Mapping[str, float]

    def breaches(self, measures: Measures) -> tuple[str, ...]:
        """Each objective that was missed, in words; what was not measured misses its objective."""
        return tuple(self._breaches(measures))

    def _breaches(self, measures: Measures) -> Iterator[str]:
        for name, bound in self.objectives.items():
            value: float | None = getattr(measures, name)
            word = "at least" if name in _LEAST else "at most"
            if value is None:
                yield f"{name} is unknown, wanted {word} {bound:g}"
            elif (value < bound) if name in _LEAST else (value > bound):
                yield f"{name} {value:.3g}, wanted {word} {bound:g}"


DEFAULT_SLO: Final = Slo(
    {
        "error_percent": 1.0,
        "critical_p95_s": 5.0,
        "untold_percent": 1.0,
        "growth_percent": 2.5,
        "analysed_percent": 95.0,
        "slack_refused_percent": 1.0,
    }
)
"""Each breaks sharply at some limit: errors where the API, reception or the ledger refuses, growth where
pollers or the machine cannot follow, analyses at the model's, 429s at Slack's. How many alerts go out in
digests is no objective here, since above Slack's pace digests are what is wanted."""


def read_slo(file: Path) -> Slo:
    """Read objectives from a TOML file: a table `slo` of measures and bounds.

    Raises:
        SloFileError: it cannot be read, names no or an unknown measure, or a bound is no number.
    """
    known = [one.name for one in fields(Measures)]
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("slo")
    except (OSError, ValueError) as error:
        raise SloFileError(f"{file} cannot be read as TOML ({error})") from error
    if not isinstance(table, dict) or not table:
        raise SloFileError(f"{file} has no table [slo] of objectives; give it one of {', '.join(known)}")
    if unknown := sorted(table.keys() - set(known)):
        raise SloFileError(f"{file}: {', '.join(unknown)}: unknown; known are {', '.join(known)}")
    for name, bound in table.items():
        if isinstance(bound, bool) or not isinstance(bound, int | float) or bound < 0:
            raise SloFileError(f"{file}: {name} = {bound!r} is no bound; give a number from 0 on")
    return Slo({name: float(bound) for name, bound in table.items()})
