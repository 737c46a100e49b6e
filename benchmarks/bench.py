"""Measures what the handlers cost and holds it to its goals: `make bench`, or `python -m benchmarks.bench`.

Its parts are `zips` (the packages' sizes), `cold` (importing an entry point), `warm` (an invocation against
the bare boto3 calls that it must make), `parse` (reading a body of each format) and `embedded` (alerts a
second through the embedded AWS). Each ratio is to a floor of the same run, so a busy machine changes it
little. Exit 0 and one line of figures, or exit 1 and a line for each figure that misses its goal; the goals
are in `benchmarks/handlers/goals.py`.

  python -m benchmarks.bench --only cold,zips     a minute, after a change of what is imported
  python -m benchmarks.bench --only warm --json   figures alone, as JSON, on standard output
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.handlers.cold import cold_starts
from benchmarks.handlers.embedded import embedded_throughput
from benchmarks.handlers.goals import GOALS, Figures, misses, shown
from benchmarks.handlers.page import write_page
from benchmarks.handlers.parse import parse_figures
from benchmarks.handlers.warm import warm_invocations
from clients.receipts import write_report
from lambda_packages import ROOT
from loadtests.isolated.packages import built, canned_aws, megabytes, unpack
from topology.functions import FunctionSpec

REPORT: Final = ROOT / "reports" / "bench.json"

Packages = Mapping[FunctionSpec, Path]


def _cold(packages: Packages) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, canned_aws() as endpoint_url:
        return cold_starts(unpack(packages, Path(folder)), endpoint_url=endpoint_url)


def _warm(packages: Packages) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, canned_aws() as endpoint_url:
        return warm_invocations(unpack(packages, Path(folder)), endpoint_url=endpoint_url)


def _parse(_packages: Packages) -> Figures:
    return parse_figures()


def _zips(packages: Packages) -> Figures:
    return {f"zip {spec.key}": megabytes(package) for spec, package in packages.items()}


PARTS: Final[Mapping[str, Callable[[Packages], Figures]]] = {
    "zips": _zips,
    "cold": _cold,
    "warm": _warm,
    "parse": _parse,
    "embedded": embedded_throughput,
}


def conclude(figures: Figures) -> tuple[int, str]:
    """The exit code for these figures, and the lines that the output ends with."""
    if missed := misses(figures):
        return 1, "\n".join(missed)
    told = ", ".join(
        f"{goal.name} {shown(figures[goal.name], goal.unit)}" for goal in GOALS if goal.name in figures
    )
    return 0, f"every goal is met: {told}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, report, print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", type=_parts, default=tuple(PARTS), metavar=",".join(PARTS), help="these parts"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")
    parser.add_argument("--report", type=Path, default=REPORT, help=f"default {REPORT.relative_to(ROOT)}")
    parser.add_argument("--write-docs", action="store_true", help="write docs/measurements/handlers.md too")
    given = parser.parse_args(arguments)
    if given.write_docs and set(given.only) != set(PARTS):
        parser.error("--write-docs needs every part, so leave --only out")
    packages, figures = built(), dict[str, float]()
    for part in given.only:
        measured = PARTS[part](packages)
        figures |= measured
        if not given.json:
            _say("\n".join(f"{name:<24}{figure:8.2f}" for name, figure in measured.items()))
    code, text = conclude(figures)
    write_report(given.report, {"figures": figures, "missed": misses(figures)})
    if given.write_docs:
        write_page(figures)
    _say(json.dumps(figures, indent=2) if given.json else text)
    return code


def _parts(text: str) -> Sequence[str]:
    """The parts that `--only` names, in the order in which they are measured.

    Raises:
        argparse.ArgumentTypeError: there is none of that name.
    """
    names = set(text.split(","))
    if unknown := names - PARTS.keys():
        raise argparse.ArgumentTypeError(
            f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}"
        )
    return [part for part in PARTS if part in names]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
