"""States of a table as files of items: an export, one with later changes on top, or a live table's rows.

`dr.comparison.items` compares two of them and `dr.restores.table_items` copies one, both by DuckDB, whose
memory is bounded whatever the tables hold; it goes to disk beyond.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from dr.comparison.canonical import NotAnItemError
from dr.exports.check import LINE_BYTES_MAX
from topology.errors import ExplainedError
from topology.tables import KeySpec

MEMORY_LIMIT: Final = "448MB"
"""Of DuckDB. Lines of `LINE_BYTES_MAX` take buffers in each thread, which is the least it runs in."""

THREADS_MAX: Final = 4
"""Each has buffers of its own."""

_ROWS_AT_ONCE: Final = 1_000


class TableUnreadableError(ExplainedError):
    """A table does not answer or is not there, so nothing is known of its items."""


@dataclass(frozen=True)
class Side:
    """One state: its files of items, and files of later changes. `label` says in words what it is."""

    label: str
    items: tuple[Path, ...]
    changes: tuple[Path, ...] = ()


@contextmanager
def database(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in a folder."""
    connection = duckdb.connect(
        str(folder / "states.duckdb"),
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(folder / "spill"),
            "threads": min(os.cpu_count() or 1, THREADS_MAX),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        },
    )
    try:
        yield connection
    finally:
        connection.close()


def lines(parameter: str) -> str:
    """SQL for the lines of the files in a parameter: a table of one column, `line`.

    The CSV reader without a delimiter: it reads gzipped files in parallel, which DuckDB 2.0's JSON readers do
    not; they take two to five times as long. JSON has no raw line break inside a text, so a line is a value.
    """
    return (
        f"read_csv({parameter}, columns = {{'line': 'VARCHAR'}}, delim = '', quote = '', escape = '', "
        f"comment = '', header = false, auto_detect = false, max_line_size = {LINE_BYTES_MAX})"
    )


def item_key(key: KeySpec) -> str:
    """SQL for the key of a line `{"Item": {...}}`."""
    return f"(line->>'$.Item.\"{key.name}\".{key.type}')"


def load_changes(connection: duckdb.DuckDBPyConnection, name: str, side: Side, key: KeySpec) -> None:
    """Make a table `name(id, line)`: of each changed item its last state as a full export has it.

    NULL for a line means that it was deleted. Overlapping windows do no harm: the last change wins.

    Raises:
        NotAnItemError: a change does not say of which item it is, so nobody knows what the others make.
    """
    source = lines("$files") if side.changes else "(SELECT NULL::VARCHAR AS line WHERE false)"
    connection.execute(
        f"""
        CREATE TEMP TABLE {name} AS
        SELECT line->>'$.Keys."{key.name}".{key.type}' AS id,
               '{{"Item":' || (line->'$.NewImage')::VARCHAR || '}}' AS line
        FROM {source}
        QUALIFY row_number() OVER (
            PARTITION BY id ORDER BY (line->>'$.Metadata.WriteTimestampMicros.N')::BIGINT DESC
        ) = 1
        """,  # noqa: S608 - names and attributes of ours
        {"files": [str(path) for path in side.changes]} if side.changes else {},
    )
    if connection.execute(f"SELECT 1 FROM {name} WHERE id IS NULL").fetchone():  # noqa: S608 - ours
        raise NotAnItemError(f"{side.label} has a change without the key {key.name}; check the exports")


def create(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: str,
    *,
    side: Side,
    changes: str,
    key: KeySpec,
    where: str = "true",
) -> int:
    """Make a table of `columns` of each line of a side, with its changes applied; returns how many rows.

    `columns` and `where` know `id`, `line` and `file`: which of `side.items`, or NULL where a change was
    applied. Its name in each row would cost a fifth of the whole.
    """
    unchanged = (
        f"SELECT {item_key(key)} AS id, line, file_index AS file "  # noqa: S608 - names and attributes of ours
        f"FROM (SELECT *, file_index FROM {lines('$files')})"
        if side.items
        else "SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS line, NULL::UBIGINT AS file WHERE false"
    )
    if side.changes:
        unchanged = (
            f"SELECT * FROM ({unchanged}) ANTI JOIN {changes} USING (id) "  # noqa: S608 - as above
            f"UNION ALL SELECT id, line, NULL FROM {changes} WHERE line IS NOT NULL"
        )
    row = connection.execute(
        f"CREATE TEMP TABLE {table} AS SELECT {columns} FROM ({unchanged}) WHERE {where}",  # noqa: S608 - as above
        {"files": [str(path) for path in side.items]} if side.items else {},
    ).fetchone()
    return int(row[0]) if row else 0


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of an answer, some at a time."""
    answer = connection.execute(query)
    while chunk := answer.fetchmany(_ROWS_AT_ONCE):
        yield from chunk
