"""What is scored: log sets with the truth of each line, and a stream of alerts with the fault of each.

`LOGHUB_DIR` names a folder of LogHub's structured files, `STREAM` a file of alerts, one JSON object a line;
without them a corpus of our own is taken, whose lines are invented.
https://github.com/logpai/loghub describes the former.
"""

import csv
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

OWN: Final = Path(__file__).with_name("own.jsonl")
_STRUCTURED: Final = "_2k.log_structured.csv"
_CORRECTED: Final = "_2k.log_structured_corrected.csv"
_DAYS: Final = 7
_ALERTS: Final = 5_000


class LogSet(NamedTuple):
    """Lines of one system; `original` and `corrected` are their true groups by two labellings."""

    name: str
    lines: Sequence[str]
    original: Sequence[str]
    corrected: Sequence[str]


class StreamAlert(NamedTuple):
    """An alert of the stream, at `at_s` epoch seconds; `fault` is the true one."""

    at_s: float
    source: str
    component: str
    message: str
    fault: str


def load_sets(folder: Path | None) -> Sequence[LogSet]:
    """The sets of a folder, by name, or our own, one a source.

    Raises:
        FileNotFoundError: the folder has no structured file, or one of them no corrected one.
    """
    if folder is None:
        return _own_sets()
    names = sorted(path.name.removesuffix(_STRUCTURED) for path in folder.glob(f"*{_STRUCTURED}"))
    if not names:
        raise FileNotFoundError(f"no *{_STRUCTURED} in {folder}: LOGHUB_DIR names the folder of such files")
    return [_loghub_set(folder, name) for name in names]


def load_stream(file: Path | None) -> Sequence[StreamAlert]:
    """The alerts of a file without redeliveries, by time, or a stream made of our own corpus.

    A redelivery is an alert that came to the other region too, and is recognised before its analysis.
    """
    if file is None:
        return sorted(_own_stream())
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        rows = [json.loads(line) for line in lines]
    return sorted(
        StreamAlert(row["ts"], row["source"], row.get("component") or "", row["message"], row["gt"])
        for row in rows
        if not row.get("redelivery")
    )


def _loghub_set(folder: Path, name: str) -> LogSet:
    original = _rows(folder / f"{name}{_STRUCTURED}")
    corrected = _rows(folder / f"{name}{_CORRECTED}")
    return LogSet(
        name,
        [row["Content"] for row in original],
        [row["EventId"] for row in original],
        [row["EventTemplate"] for row in corrected],
    )


def _rows(file: Path) -> Sequence[Mapping[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return [*csv.DictReader(lines)]


def _own_rows() -> Iterator[tuple[str, str, str]]:
    """Source, fault and message of each line of our own."""
    for line in OWN.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for message in row["messages"]:
            yield row["source"], f"{row['source']}/{row['fault']}", message


def _own_sets() -> Sequence[LogSet]:
    sets: dict[str, list[tuple[str, str]]] = {}
    for source, fault, message in _own_rows():
        sets.setdefault(source, []).append((message, fault))
    made = []
    for name, rows in sorted(sets.items()):
        faults = [fault for _, fault in rows]
        made.append(LogSet(name, [message for message, _ in rows], faults, faults))
    return made


def _own_stream() -> Iterator[StreamAlert]:
    """Bursts of one fault each, spread over the days, the same in every run."""
    chance = random.Random(7)  # noqa: S311 - a stream that is the same in every run
    faults: dict[tuple[str, str], list[str]] = {}
    for source, fault, message in _own_rows():
        faults.setdefault((source, fault), []).append(message)
    made = 0
    while made < _ALERTS:
        (source, fault), messages = chance.choice([*faults.items()])
        at_s = chance.uniform(0, _DAYS * 86_400)
        for _ in range(min(chance.randint(1, 20), _ALERTS - made)):
            at_s += chance.uniform(0, 120)
            made += 1
            yield StreamAlert(at_s, source, "", chance.choice(messages), fault)
