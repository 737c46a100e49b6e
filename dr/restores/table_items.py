"""Items between tables and files: a table's rows as a state to compare, and a state's items into a table.

Restores, rebuilds and repairs use it. Copying exists because neither a restore nor an import can make a
strongly consistent table: such a one must be empty when it is made.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

import base64
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from clients.receipts import write_report
from dr.comparison.canonical import NotAnItemError, digest, item_of
from dr.comparison.states import Side, TableUnreadableError, create, database, load_changes, rows
from dr.exports.row_schema import OtherSchemaError, other_schema, refusal
from topology.errors import ExplainedError
from topology.tables import KeySpec

SEGMENTS: Final = 4
"""Of a scan, and writers of a copy, at once."""

BATCH: Final = 50
"""Items of a copy between two notes of its progress."""

TRIES: Final = 5
_GZIP: Final = 31
_CONFLICT: Final = "ReplicatedWriteConflictException"
_BUSY: Final = frozenset({"ThrottlingException", "ProvisionedThroughputExceededException", _CONFLICT})

Progress = Callable[[int, int], None]
"""Called with the items done and all items."""


class TableUnwritableError(ExplainedError):
    """A table refuses an item or does not answer; a copy can be gone on with from its progress file."""


@dataclass(frozen=True)
class Copied:
    """What a copy did. `already`: items that were there as they should be; `conflicting`: keys of others."""

    written: int
    already: int
    conflicting: tuple[str, ...]


def spool_table(dynamodb: Any, table: str, folder: Path, *, any_schema: bool = False) -> Side:
    """Write a table's rows to files in `folder`, by a consistent scan in parallel segments, a page in memory.

    `any_schema`: rows of another schema are taken too, as a bad writer may have changed the number.

    Raises:
        TableUnreadableError: the table is not there, or does not answer.
        OtherSchemaError: it has rows that this release does not read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{table}-{segment}.json.gz" for segment in range(SEGMENTS)]
    try:
        with ThreadPoolExecutor(SEGMENTS) as pool:
            schemas = list(pool.map(lambda n: _spool_segment(dynamodb, table, n, paths[n]), range(SEGMENTS)))
    except (BotoCoreError, ClientError) as error:
        raise TableUnreadableError(f"the table {table} cannot be read: {error}") from error
    numbers = sorted({number for number in schemas if number is not None})
    if numbers and not any_schema:
        raise OtherSchemaError(f"{table}: {refusal(' and '.join(numbers))}")
    return Side(f"table {table}", tuple(paths))


def copy_items(
    side: Side,
    *,
    dynamodb: Any,
    table: str,
    key: KeySpec,
    progress_file: Path,
    progress: Progress = lambda _done, _all: None,
) -> Copied:
    """Put every item of a state into a table, each only where its key is free.

    Items go in the order of their keys, and `progress_file` holds how far they are; a run after an
    interrupted one goes on there. An item that is there already is compared: the same one is counted, another
    one is named and left alone. So running twice changes nothing.

    Raises:
        TableUnwritableError: DynamoDB refuses an item, or does not answer; or `progress_file` is of a copy of
            another state, which would make a mixture of the two.
        NotAnItemError: an item or a change has no key.
    """
    done = _Progress.read(progress_file, table, side.label)
    with tempfile.TemporaryDirectory(prefix="dr-copy-") as folder, database(Path(folder)) as connection:
        load_changes(connection, "changes", side, key)
        total = create(connection, "items", "id, line", side=side, changes="changes", key=key)
        if connection.execute("SELECT 1 FROM items WHERE id IS NULL").fetchone():
            raise NotAnItemError(f"{side.label} has an item without the key {key.name}; check the exports")
        ordered = rows(connection, "SELECT id, line FROM items ORDER BY id")
        pending = ((item_id, line) for item_id, line in ordered if not done.last or item_id > done.last)
        progress(done.count, total)
        with ThreadPoolExecutor(SEGMENTS) as pool:
            writer = _Writer(dynamodb, table, key)
            while batch := list(islice(pending, BATCH)):
                try:
                    outcomes = list(pool.map(writer.put, (line for _, line in batch)))
                except (BotoCoreError, ClientError) as error:
                    raise TableUnwritableError(
                        f"{table} does not take items ({error}); run it again to go on after {done.count:,}"
                    ) from error
                done.add(batch, outcomes)
                done.write(progress_file)
                progress(done.count, total)
    return Copied(done.written, done.already, tuple(done.conflicting))


def check_progress(progress_file: Path, table: str, side: Side) -> None:
    """Refuse to go on with the copy of another state.

    Raises:
        TableUnwritableError: `progress_file` is there, and is of another copy.
    """
    _Progress.read(progress_file, table, side.label)


class _Progress(msgspec.Struct, kw_only=True):
    """How far a copy is; what the progress file holds."""

    table: str
    source: str
    last: str = ""
    written: int = 0
    already: int = 0
    conflicting: list[str] = []

    @classmethod
    def read(cls, path: Path, table: str, source: str) -> "_Progress":
        """As an earlier run left it, or at the start; a file about another copy is refused."""
        try:
            progress = msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return cls(table=table, source=source)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise TableUnwritableError(f"{path} is no progress of a copy ({error}); remove it") from error
        if (progress.table, progress.source) != (table, source):
            raise TableUnwritableError(
                f"{path} is the progress of a copy of {progress.source} into {progress.table}, not of "
                f"{source} into {table}; go on with that one, or remove the file and copy into another table"
            )
        return progress

    @property
    def count(self) -> int:
        """Items that are done."""
        return self.written + self.already + len(self.conflicting)

    def add(self, batch: Sequence[tuple[str, str]], outcomes: Sequence[str]) -> None:
        """Take note of a batch."""
        self.last = batch[-1][0]
        self.written += outcomes.count("written")
        self.already += outcomes.count("already")
        results = zip(batch, outcomes, strict=True)
        self.conflicting += [item_id for (item_id, _), outcome in results if outcome == "conflicting"]

    def write(self, path: Path) -> None:
        """Keep it, whole or not at all."""
        write_report(path, msgspec.to_builtins(self))


@dataclass(frozen=True)
class _Writer:
    """Puts single items into a table, from many threads."""

    dynamodb: Any
    table: str
    key: KeySpec

    def put(self, line: str) -> str:
        """Put an item where its key is free: written, already there, or conflicting with another one."""
        item = item_of(line)
        for attempt in range(1, TRIES + 1):
            try:
                self.dynamodb.put_item(
                    TableName=self.table,
                    Item=wire(item),
                    ConditionExpression="attribute_not_exists(#key)",
                    ExpressionAttributeNames={"#key": self.key.name},
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    return self._compared(item)
                if code not in _BUSY or attempt == TRIES:
                    raise
                time.sleep(0.05 * 2**attempt)
            else:
                return "written"
        raise AssertionError

    def _compared(self, item: dict[str, Any]) -> str:
        answer = self.dynamodb.get_item(
            TableName=self.table, Key=wire({self.key.name: item[self.key.name]}), ConsistentRead=True
        )
        there = answer.get("Item")
        return "already" if there and digest(exported(there)) == digest(item) else "conflicting"


def wire(item: Any) -> Any:
    """An item of an export as boto3 takes it: binary values as bytes, which exports have in base64."""
    return _mapped(item, lambda text: base64.b64decode(text) if isinstance(text, str) else text)


def exported(item: Any) -> Any:
    """An item of boto3's as an export has it."""
    return _mapped(
        item, lambda value: base64.b64encode(value).decode() if isinstance(value, bytes) else value
    )


def _mapped(item: Any, of_binary: Callable[[Any], Any]) -> dict[str, Any]:
    return {name: _mapped_value(value, of_binary) for name, value in item.items()}


def _mapped_value(value: Any, of_binary: Callable[[Any], Any]) -> Any:
    match value:
        case {"B": content}:
            return {"B": of_binary(content)}
        case {"BS": contents}:
            return {"BS": [of_binary(content) for content in contents]}
        case {"M": members}:
            return {"M": _mapped(members, of_binary)}
        case {"L": members}:
            return {"L": [_mapped_value(member, of_binary) for member in members]}
    return value


def _spool_segment(dynamodb: Any, table: str, segment: int, path: Path) -> str | None:
    """Write a segment's rows; return the first number of a row's form that is not this release's."""
    number: str | None = None
    gzip = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as out:
        for page in dynamodb.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True, Segment=segment, TotalSegments=SEGMENTS
        ):
            number = next(filter(None, map(other_schema, page["Items"])), None) if number is None else number
            lines = b"".join(encode({"Item": exported(item)}) + b"\n" for item in page["Items"])
            out.write(gzip.compress(lines))
        out.write(gzip.flush())
    return number
