"""A database on disk for records that may not fit into memory: they are streamed in, and joined there."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import msgspec

MEMORY_LIMIT: Final = "384MB"
"""Of DuckDB, which goes to disk beyond it. https://duckdb.org/docs/stable/operations_manual/limits"""

_LINES_PER_WRITE: Final = 10_000


class Database:
    """A DuckDB database in a temporary folder, gone at the end of the `with` block.

    `values` are parameters of the queries, by name; each query takes those that it mentions.
    """

    def __init__(self) -> None:
        """Make it, empty."""
        self._folder = tempfile.TemporaryDirectory(prefix="audit-")
        self._path = Path(self._folder.name)
        self._connection = duckdb.connect(
            str(self._path / "audit.duckdb"),
            config={
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": str(self._path / "spill"),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            },
        )
        self.values: Mapping[str, Any] = {}

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it and remove its folder."""
        self._connection.close()
        self._folder.cleanup()

    def load(self, table: str, columns: Mapping[str, str], lines: Iterable[object], **constants: str) -> None:
        """Add records to a table, made if need be, by way of a file: DuckDB reads rows many times slower.

        `constants` are columns that each of these records has, besides its own.
        """
        spool = self._path / f"{table}.jsonl"
        encoder, pending = msgspec.json.Encoder(), iter(lines)
        with spool.open("wb") as out:
            while chunk := list(islice(pending, _LINES_PER_WRITE)):
                out.write(encoder.encode_lines(chunk))
        added = "".join(f"${name} AS {name}, " for name in constants)
        records = f"SELECT {added}* FROM read_json($file, format => 'newline_delimited', columns => $columns)"  # noqa: S608 - our own names
        values = {"file": str(spool), "columns": dict(columns), **constants}
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS {records} LIMIT 0", values)
        self._connection.execute(f"INSERT INTO {table} {records}", values)
        spool.unlink()

    def run(self, query: str) -> duckdb.DuckDBPyConnection:
        """Run one query with the parameters that it mentions."""
        named = {name: value for name, value in self.values.items() if f"${name}" in query}
        return self._connection.execute(query, named)

    def row(self, query: str) -> tuple[Any, ...]:
        """The one row of an answer."""
        [found] = self.run(query).fetchall()
        return tuple(found)

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """The rows of an answer, a chunk in memory at a time."""
        answer = self.run(query)
        while chunk := answer.fetchmany(_LINES_PER_WRITE):
            yield from chunk
