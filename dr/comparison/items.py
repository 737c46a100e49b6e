"""Two states of a table compared item by item, by DuckDB over the export's own files.

Restores, repairs, drills and `responder dr compare` use it. Most items of two states have the same text, so a
first pass compares texts: DuckDB's 64-bit hash and the length, by key. Only where these differ, the files are
read again, and what the items mean is compared (`dr.comparison.canonical`): another order of attributes or of
a set, or another form of a number, is no difference. `dr.comparison.athena` compares tables that outgrow a
machine.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, Literal

import duckdb
import msgspec

from dr.comparison.canonical import NotAnItemError, differing, item_of
from dr.comparison.states import Side, create, database, lines, load_changes, rows
from topology.errors import ExplainedError
from topology.tables import KeySpec

KEPT: Final = 1_000
"""Differences that are kept in memory and shown; all of them go to a file."""

Kind = Literal["changed", "missing", "extra", "twice", "keyless"]


class ComparisonError(ExplainedError):
    """A side cannot be read as items, so nothing is known of how they differ; check the export first."""


@dataclass(frozen=True)
class Difference:
    """One item that differs: `missing` from the right side, or `extra` there.

    `attributes`: of a changed item, what each side has, by name. `twice`: the key stands for several items.
    """

    kind: Kind
    key: str
    attributes: dict[str, tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How the right side differs from the left one, which is what should be there.

    `broken`: keys that stand for several items, and items without a key. `written_otherwise`: items whose
    texts differ and mean the same. `differences`: the first `KEPT`.
    """

    left: str
    right: str
    left_items: int
    right_items: int
    changed: int
    missing: int
    extra: int
    broken: int
    written_otherwise: int
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether both sides have the same items, and each once."""
        return not (self.changed or self.missing or self.extra or self.broken)


def compare(
    left: Side, right: Side, *, key: KeySpec, scratch: Path | None = None, all_to: Path | None = None
) -> Comparison:
    """Compare every item of both sides.

    `scratch`: a folder for what does not fit into memory. `all_to`: a file for every difference, one JSON
    object a line.

    Raises:
        ComparisonError: a file is not what an export writes.
    """
    with tempfile.TemporaryDirectory(prefix="dr-compare-", dir=scratch) as folder:
        try:
            with database(Path(folder)) as connection:
                return _compare(connection, (left, right), key, all_to)
        except (duckdb.Error, NotAnItemError) as error:
            raise ComparisonError(
                f"{left.label} and {right.label} cannot be compared: {str(error).splitlines()[0]}; "
                "check the exports first"
            ) from error


def read_and_parse(paths: Sequence[Path]) -> int:
    """Have DuckDB read files and parse every line as JSON, and no more: what a comparison is measured by.

    Returns the number of lines.
    """
    with tempfile.TemporaryDirectory(prefix="dr-read-") as folder, database(Path(folder)) as connection:
        row = connection.execute(
            f"SELECT count(*) FILTER (json_valid(line)) FROM {lines('$files')}",  # noqa: S608 - ours
            {"files": [str(path) for path in paths]},
        ).fetchone()
        return int(row[0]) if row else 0


def _compare(
    connection: duckdb.DuckDBPyConnection, sides: tuple[Side, Side], key: KeySpec, all_to: Path | None
) -> Comparison:
    counts = [_digest(connection, number, side, key) for number, side in enumerate(sides)]
    connection.execute(
        """
        CREATE TEMP TABLE suspects AS
        SELECT id FROM (SELECT *, 0 AS side FROM seen0 UNION ALL SELECT *, 1 AS side FROM seen1)
        GROUP BY id
        HAVING id IS NULL OR count(*) <> 2 OR sum(side) <> 1 OR min(digest) <> max(digest)
            OR min(size) <> max(size)
        """
    )
    counts_by_kind = dict.fromkeys(("changed", "missing", "extra", "twice", "keyless", "otherwise"), 0)
    kept: list[Difference] = []
    with (all_to or Path(os.devnull)).open("wb") as out:
        for difference in _differences(connection, sides, key):
            counts_by_kind[difference.kind if difference else "otherwise"] += 1
            if difference is not None:
                out.write(msgspec.json.encode(difference) + b"\n")
                if len(kept) < KEPT:
                    kept.append(difference)
    return Comparison(
        left=sides[0].label,
        right=sides[1].label,
        left_items=counts[0],
        right_items=counts[1],
        changed=counts_by_kind["changed"],
        missing=counts_by_kind["missing"],
        extra=counts_by_kind["extra"],
        broken=counts_by_kind["twice"] + counts_by_kind["keyless"],
        written_otherwise=counts_by_kind["otherwise"],
        differences=tuple(kept),
    )


def _digest(connection: duckdb.DuckDBPyConnection, number: int, side: Side, key: KeySpec) -> int:
    """Make `seen<number>(id, digest, size, file)` of a side; returns its items."""
    load_changes(connection, f"changes{number}", side, key)
    return create(
        connection,
        f"seen{number}",
        "id, hash(line) AS digest, strlen(line) AS size, file",
        side=side,
        changes=f"changes{number}",
        key=key,
    )


def _differences(
    connection: duckdb.DuckDBPyConnection, sides: tuple[Side, Side], key: KeySpec
) -> Iterator[Difference | None]:
    """Each suspect as what it is; None for one that is only written otherwise.

    Reads the files again that have one.
    """
    for number, side in enumerate(sides):
        files = connection.execute(
            f"SELECT DISTINCT file FROM seen{number} "  # noqa: S608 - ours
            "WHERE file IS NOT NULL AND (id IS NULL OR id IN (FROM suspects))"
        ).fetchall()
        create(
            connection,
            f"lines{number}",
            f"id, line, {number} AS side",
            side=Side(side.label, tuple(side.items[file] for [file] in files), side.changes),
            changes=f"changes{number}",
            key=key,
            where="id IS NULL OR id IN (FROM suspects)",
        )
    lines_by_key = rows(connection, "FROM lines0 UNION ALL FROM lines1 ORDER BY id, side")
    for item_key, group in groupby(lines_by_key, key=itemgetter(0)):
        if item_key is None:
            yield from (Difference("keyless", "", {}) for _ in group)
        else:
            yield _difference_of(item_key, list(group))


def _difference_of(key: str, group: list[tuple[str, str, int]]) -> Difference | None:
    """How the sides differ in one key, by its lines; None where they mean the same."""
    left, right = ([line for _, line, side in group if side == number] for number in (0, 1))
    if max(len(left), len(right)) > 1:
        return Difference("twice", key, {})
    if not left or not right:
        return Difference("extra" if right else "missing", key, {})
    attributes = differing(item_of(left[0]), item_of(right[0]))
    return Difference("changed", key, attributes) if attributes else None
