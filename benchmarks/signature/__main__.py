"""Scores the error signature beside drain3, logfold and masks: `make bench-signature`.

GA and FGA by two labellings of each log set, lines a second of CPU, and what a cache keyed by each would do
with the stream. `LOGHUB_DIR` and `STREAM` name the data, else it is a small corpus of our own (see `corpus`).
All in one process and one run, so that speeds compare; exit 0 whatever the figures.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.signature.corpus import LogSet, StreamAlert, load_sets, load_stream
from benchmarks.signature.parsers import PARSERS, Parser
from benchmarks.signature.scores import cache_use, grouping

_ROUNDS: Final = 3
_MEAN: Final = "mean"

Figures = dict[str, Any]


def score_sets(parser: Parser, sets: Sequence[LogSet]) -> Figures:
    """`ga` and `fga` by set and labelling, and their mean over the sets."""
    scored: dict[str, Figures] = {}
    for log_set in sets:
        groups = parser(log_set.lines)
        scored[log_set.name] = {
            "original": grouping(groups, log_set.original)._asdict(),
            "corrected": grouping(groups, log_set.corrected)._asdict(),
        }
    mean = {
        labels: {name: fmean(one[labels][name] for one in scored.values()) for name in ("ga", "fga")}
        for labels in ("original", "corrected")
    }
    return {**scored, _MEAN: mean}


def score_stream(parser: Parser, stream: Sequence[StreamAlert]) -> Figures:
    """What a cache keyed by source and message does, and one keyed by the component too."""
    messages = _by_source(parser, stream, lambda alert: alert.message)
    components = _by_source(parser, stream, lambda alert: alert.component)
    both = [f"{component}\n{message}" for component, message in zip(components, messages, strict=True)]
    return {
        "message": cache_use(messages, stream)._asdict(),
        "component and message": cache_use(both, stream)._asdict(),
    }


def lines_per_s(sets: Sequence[LogSet]) -> Mapping[str, float]:
    """Of each parser over all sets: the best of some rounds, in which they take turns."""
    best = dict.fromkeys(PARSERS, 0.0)
    lines = sum(len(log_set.lines) for log_set in sets)
    for _ in range(_ROUNDS):
        for name, parser in PARSERS.items():
            started_s = time.process_time()
            for log_set in sets:
                parser(log_set.lines)
            best[name] = max(best[name], lines / (time.process_time() - started_s))
    return best


def _by_source(parser: Parser, stream: Sequence[StreamAlert], text_of: Any) -> Sequence[str]:
    """The group of each alert, where a source's texts are grouped by themselves."""
    keys = [""] * len(stream)
    for source in sorted({alert.source for alert in stream}):
        places = [place for place, alert in enumerate(stream) if alert.source == source]
        groups = parser([text_of(stream[place]) for place in places])
        for place, group in zip(places, groups, strict=True):
            keys[place] = f"{source}\n{group}"
    return keys


def _print(figures: Mapping[str, Figures]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    names = list(figures)
    for labels in ("original", "corrected"):
        table = Table("set", *(f"{name} GA/FGA" for name in names), title=f"{labels} labels")
        for set_name in figures[names[0]]["sets"]:
            scores = (figures[name]["sets"][set_name][labels] for name in names)
            table.add_row(set_name, *(f"{score['ga']:.3f}/{score['fga']:.3f}" for score in scores))
        console.print(table)
    table = Table("", *names, title="speed, and a cache of 24 h over the stream")
    table.add_row("lines/s", *(f"{figures[name]['lines_per_s']:,.0f}" for name in names))
    for key in figures[names[0]]["stream"]:
        uses = [figures[name]["stream"][key] for name in names]
        table.add_section()
        table.add_row(f"keyed by {key}")
        table.add_row("hit rate", *(f"{use['hit_rate']:.2%}" for use in uses))
        table.add_row("wrong hits", *(f"{use['wrong']:.3%}" for use in uses))
        table.add_row(
            "calls / oracle's", *(f"{use['calls']} ({use['calls_by_oracle']:.2f}x)" for use in uses)
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    as_json = parser.parse_args(arguments).json
    sets, stream = load_sets(_named("LOGHUB_DIR")), load_stream(_named("STREAM"))
    speeds = lines_per_s(sets)
    figures = {
        name: {
            "sets": score_sets(way, sets),
            "stream": score_stream(way, stream),
            "lines_per_s": speeds[name],
        }
        for name, way in PARSERS.items()
    }
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    else:
        _print(figures)
    return 0


def _named(variable: str) -> Path | None:
    """The path that a variable of the environment names, if it does."""
    value = os.environ.get(variable)
    return Path(value) if value else None


if __name__ == "__main__":
    sys.exit(main())
