"""Grows groups and mutates bodies of every format, and looks for every good member (`make grown-groups`).

Prints the counts, and exits 1 if a good member is lost or any member is neither a row nor refused by its
index. A seed grows the same group each time: `--seed N --groups 1`.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Final

from clients.receipts import write_report
from tests.grown_groups.checking import Tally, check_seeds
from tests.grown_groups.growth import read_payloads

_AT_ONCE: Final = 500
"""Groups of one task: a second or two."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Grow and check the groups, and print the counts; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payloads", type=Path, required=True, help="a folder of real bodies")
    parser.add_argument("--groups", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first group")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", type=Path, help="write the counts there as JSON")
    given = parser.parse_args(arguments)
    real, began, tally = read_payloads(given.payloads), time.monotonic(), Tally()
    end = given.seed + given.groups
    parts = [range(first, min(first + _AT_ONCE, end)) for first in range(given.seed, end, _AT_ONCE)]
    with ProcessPoolExecutor(given.processes, initializer=logging.disable) as pool:
        for part in pool.map(check_seeds, repeat(real), parts):
            tally.add(part)
            sys.stderr.write(f"\r{tally.groups:,} of {given.groups:,} groups, {tally.lost} lost ")
    sys.stderr.write("\n")
    sys.stdout.write(_text(tally, time.monotonic() - began))
    if given.report:
        write_report(given.report, vars(tally))
    return 1 if tally.problems or tally.lost or tally.unaccounted else 0


def _text(tally: Tally, seconds: float) -> str:
    spoilt = "".join(f"  {name:<28}{count:>9,}\n" for name, count in sorted(tally.spoilt.items()))
    return (
        f"{tally.groups:,} groups of {tally.members:,} members in {seconds:.0f} s\n"
        f"good members           {tally.good:>9,}, lost {tally.lost}\n"
        f"refused by their index {tally.refused:>9,}\n"
        f"ignored                {tally.ignored:>9,} members and bodies\n"
        f"neither row nor named  {tally.unaccounted:>9,}\n"
        f"refused as a whole     {tally.refused_whole:>9,} groups\n"
        f"spoilt by\n{spoilt}" + "".join(f"{problem}\n" for problem in tally.problems)
    )


if __name__ == "__main__":
    sys.exit(main())
