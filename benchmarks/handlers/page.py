"""The page of figures in docs/measurements/: written by the command that measured them, never by hand."""

import os
import platform
import time
from pathlib import Path
from typing import Final

from benchmarks.handlers.goals import GOALS, Figures, shown
from lambda_packages import ROOT

PAGE: Final = ROOT / "docs" / "measurements" / "handlers.md"

_TEXT: Final = """\
# What the handlers cost

Written by `python -m benchmarks.bench --write-docs`; `make bench` measures the same and fails where a goal
is missed. Each ratio is to a floor of the same run, taken in turns with it, so that it holds on a busy
machine too.

- **cold**: processor time (user and system, without a bare interpreter's) of importing an entry point from
  its unpacked package, to that of importing urllib3 and signing a request by hand. **On a hit**: with the
  first alert, whose analysis is cached, so that what is loaded late counts; the floor calls nothing.
- **zip**: the package for this machine. The one for Lambda differs by its compiled wheels.
- **warm**: processor time of an invocation with one alert (recovery: a run that finds nothing), to that of
  the bare boto3 calls that it must make, and of Slack's POST. **Waits**: the same by the clock, since a
  sleep takes no processor time.
- **parse**: processor time of reading the longest body that the tests have of a format, to that of
  `json.loads` of the same bytes; the worst of all formats.
- **embedded**: alerts a second through webhook, function and queue of the embedded AWS, to those of a
  function that makes the same calls and logs one line.

"""


def write_page(figures: Figures, page: Path = PAGE) -> None:
    """Write the page of these figures."""
    machine = f"Python {platform.python_version()} on {os.cpu_count()} cores ({platform.machine()})"
    lines = [
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}, {machine}.\n",
        "| figure | measured | goal |",
        "|---|---|---|",
        *(
            f"| {goal.name} | {shown(figures[goal.name], goal.unit)} | {goal.bound} |"
            for goal in GOALS
            if goal.name in figures
        ),
    ]
    others = {name: figure for name, figure in figures.items() if name not in {goal.name for goal in GOALS}}
    lines += [f"| {name} | {figure:.2f} | |" for name, figure in others.items()]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(_TEXT + "\n".join(lines) + "\n", encoding="utf-8")
