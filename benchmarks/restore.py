"""Measures checking and comparing at scale, as `make bench-restore` does.

It writes two exports of the ledger in DynamoDB's layout, plants a changed attribute, a missing and an extra
item and a flipped bit, checks and compares them, and prints times, throughput and peak memory. Exits 1 unless
exactly what was planted is named and the goals below are met. It leaves out S3 and DynamoDB.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clients.receipts import write_report
from dr.comparison.items import Comparison, compare, read_and_parse
from dr.comparison.states import Side
from dr.exports.check import Checked, Expected, check_export
from dr.exports.objects import FolderObjects
from dr.exports.synthesis import BUCKET, TABLE_ARN, Recipe, alert_id, synthesize
from topology.tables import ALERTS

PEAK_MB_GOAL: Final = 1_073
"""Goal for the peak memory of this process: 1 GiB."""

RATIO_GOAL: Final = 0.7
"""Goal for the time in which DuckDB only reads and parses these files, divided by the comparison's."""

FILES: Final = 48
"""Files of each export: 21,000 items a file at a million. DynamoDB writes more and smaller ones."""

PROCESSES_FROM: Final = 50_000
"""Items from which making them takes longer than starting processes for it."""

ROUNDS: Final = 3
"""Rounds of reading and comparing, in turn. The fastest count: other load on the machine is left out."""

_CHANGED, _MISSING, _OTHERWISE = 7, 5, 9


@dataclass
class Figures:
    """What was measured. Times in seconds, by the clock and of the processors; `problems`: goals missed."""

    items: int
    compressed_mb: float = 0
    seconds: dict[str, float] = field(default_factory=dict)
    processor_s: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The comparison's throughput relative to that of reading and parsing; the fastest run of each."""
        return self.seconds["read"] / self.seconds["compare"]

    @property
    def processor_ratio(self) -> float:
        """The same by processor time, which is less disturbed by what else the machine does."""
        return self.processor_s["read"] / self.processor_s["compare"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the exports, check and compare them, and print the figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="of each export")
    parser.add_argument("--folder", type=Path, help="where the files go for the time of the run")
    parser.add_argument("--report", type=Path, help="write the figures there as JSON")
    parser.add_argument("--any-speed", action="store_true", help="do not hold the throughput to its goal")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dr-bench-", dir=given.folder) as folder:
        figures = measure(Path(folder), given.items, any_speed=given.any_speed)
    sys.stdout.write(_text(figures))
    if given.report:
        write_report(
            given.report,
            {**vars(figures), "ratio": figures.ratio, "processor_ratio": figures.processor_ratio},
        )
    return 1 if figures.problems else 0


def measure(folder: Path, items: int, *, any_speed: bool = False) -> Figures:
    """Make, check and compare the exports in a folder, in which the files stay."""
    figures, objects = Figures(items), FolderObjects(folder)
    planted = Recipe(
        items=items + 1,
        files=FILES,
        variant=1,
        left_out=frozenset({_MISSING}),
        retitled=((_CHANGED, "planted"),),
        written_otherwise=_OTHERWISE,
    )
    workers = 1 if items < PROCESSES_FROM else 2
    with _timed(figures, "synthesise"):
        roots = [synthesize(folder, r, workers=workers) for r in (Recipe(items=items, files=FILES), planted)]
    damaged = min((folder / roots[1] / "data").iterdir())
    flip_bit(damaged)
    with _timed(figures, "check"):
        good, bad = (
            check_export(objects, root, expected=Expected(table_arns=(TABLE_ARN,), buckets=(BUCKET,)))
            for root in roots
        )
    flip_bit(damaged)
    figures.compressed_mb = (good.compressed_bytes + bad.compressed_bytes) / 1e6
    sides = [_side(folder, checked) for checked in (good, bad)]
    paths = [path for side in sides for path in side.items]
    for _ in range(ROUNDS):
        with _timed(figures, "read"):
            read_and_parse(paths)
        with _timed(figures, "compare"):
            comparison = compare(*sides, key=ALERTS.hash_key, scratch=folder)
    figures.peak_mb = _peak_mb()
    figures.problems += _wrong_check(good, bad, damaged.name) + _wrong_comparison(comparison, items)
    if figures.peak_mb > PEAK_MB_GOAL:
        figures.problems.append(f"peak memory is {figures.peak_mb:.0f} MB, the goal {PEAK_MB_GOAL} MB")
    if figures.ratio < RATIO_GOAL and not any_speed:
        figures.problems.append(f"the comparison has {figures.ratio:.2f} of the read's throughput")
    return figures


def flip_bit(path: Path) -> None:
    """Invert one bit in the middle of a file; a second call restores it."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


def _side(folder: Path, checked: Checked) -> Side:
    keys = checked.export.data_keys if checked.export else ()
    return Side(checked.root, tuple(folder / key for key in keys))


def _wrong_check(good: Checked, bad: Checked, damaged: str) -> list[str]:
    named = {(finding.code, finding.subject.rpartition("/")[2]) for finding in bad.findings}
    problems = [f"a good export has {finding}" for finding in good.findings]
    if ("file-md5", damaged) not in named:
        problems.append("the flipped bit was not named")
    return problems + [f"a good file has {code}: {name}" for code, name in named if name != damaged]


def _wrong_comparison(comparison: Comparison, items: int) -> list[str]:
    named = {
        (difference.kind, difference.key, *difference.attributes) for difference in comparison.differences
    }
    planted = {
        ("changed", alert_id(_CHANGED), "title"),
        ("missing", alert_id(_MISSING)),
        ("extra", alert_id(items)),
    }
    problems = [f"not named: {item}" for item in planted - named]
    problems += [f"named: {item}" for item in named - planted]
    if comparison.written_otherwise != 1:
        problems.append(f"{comparison.written_otherwise} items are only written otherwise, not 1")
    return problems


@contextmanager
def _timed(figures: Figures, what: str) -> Iterator[None]:
    begun, begun_cpu = time.monotonic(), time.process_time()
    yield
    took_s, took_cpu_s = time.monotonic() - begun, time.process_time() - begun_cpu
    figures.seconds[what] = min(took_s, figures.seconds.get(what, took_s))
    figures.processor_s[what] = min(took_cpu_s, figures.processor_s.get(what, took_cpu_s))


def _text(figures: Figures) -> str:
    took, both = figures.seconds, 2 * figures.items
    lines = [
        f"2 exports of {figures.items:,} items in {FILES} files, {figures.compressed_mb:,.0f} MB compressed",
        f"synthesise        {took['synthesise']:6.1f} s",
        f"check             {took['check']:6.1f} s  {both / took['check']:>9,.0f} items/s",
        f"compare           {took['compare']:6.1f} s  {both / took['compare']:>9,.0f} items/s",
        f"read and parse    {took['read']:6.1f} s  {both / took['read']:>9,.0f} items/s (the same files)",
        f"throughput        {figures.ratio:6.2f} of mere reading by the clock (goal {RATIO_GOAL})",
        f"                  {figures.processor_ratio:6.2f} by processor time",
        f"peak memory       {figures.peak_mb:6.0f} MB (goal {PEAK_MB_GOAL})",
        "planted: 1 changed attribute, 1 missing, 1 extra, 1 flipped bit, 1 item only written otherwise",
        *(f"WRONG: {problem}" for problem in figures.problems),
    ]
    return "\n".join(lines) + ("" if figures.problems else "\nall of them named, and nothing else") + "\n"


def _peak_mb() -> float:
    """Peak memory of this process so far. Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
