"""What runs leave in files: receipts, one line for each alert that was answered 202, and reports as JSON.

A receipt is written before anything else happens. `responder audit` compares receipts with the ledger and
with Slack: they are the sender's own record, so a bug in the pipeline cannot make them agree by itself.

A sender that is killed, or a disk that is full, leaves a torn line: a 202 that nobody can name any more. The
lines around it are read, it is told as `Unread`, and a sender that goes on with the file begins a new line.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from topology.errors import ExplainedError

LINE_BYTES_MAX: Final = 64 * 1024
"""Of one receipt; what is longer is none. So a file of any other kind does not fill the memory."""

SHOWN_CHARS: Final = 100
"""Of a line that is no receipt: enough for the id of the alert, if that is still there."""

_BEGINS: Final = b'{"alert_id"'


class ReceiptsError(ExplainedError):
    """A receipts file cannot be written or cannot be read at all."""


@dataclass(frozen=True)
class Receipt:
    """One alert that was answered 202. Times in epoch milliseconds by the sender's clock."""

    alert_id: str
    status: str
    region: str
    sent_at_ms: int
    accepted_at_ms: int


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A part of a record of 202s that cannot be read, where and why: what was promised in it is unknown.

    It was accepted between `since_ms` and `until_ms`, in epoch milliseconds.
    """

    where: str
    why: str
    since_ms: int = 0
    until_ms: int = 1 << 62


class ReceiptsFile:
    """Appends receipts, each one whole on disk before the next post is counted, and on a line of its own."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending, with its folder made.

        Raises:
            ReceiptsError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._out = path.open("a+b", buffering=0)
            self._torn = _ends_torn(self._out)
        except OSError as error:
            raise ReceiptsError(f"{path} cannot be written: {error.strerror}; name another file") from error
        self._path = path

    def add(self, receipt: Receipt) -> None:
        """Append one receipt, behind the end of the line if the last one was torn off.

        Raises:
            ReceiptsError: it is not, or not whole, on disk.
        """
        line = json.dumps(asdict(receipt)).encode() + b"\n"
        rest = memoryview(b"\n" + line if self._torn else line)
        self._torn = True
        try:
            while rest:
                rest = rest[self._out.write(rest) :]
        except OSError as error:
            raise ReceiptsError(
                f"{self._path} cannot be written: {error.strerror}; the receipt of {receipt.alert_id} "
                "is lost: make room and send again"
            ) from error
        self._torn = False

    def close(self) -> None:
        """Put everything on disk."""
        os.fsync(self._out.fileno())
        self._out.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, whatever happened."""
        self.close()


def read_receipts(path: Path) -> Iterator[Receipt]:
    """The whole receipts of a file, in order; an audit, which has to name the rest, takes `scan_receipts`.

    Raises:
        ReceiptsError: the file cannot be read.
    """
    return (part for part in scan_receipts(path) if isinstance(part, Receipt))


def scan_receipts(path: Path) -> Iterator[Receipt | Unread]:
    """The receipts of a file, in order, and what between them is none: lines in a row are one `Unread`.

    A receipt is also found behind the torn one whose line it was appended to. What is torn was accepted
    between the receipts before and after it.

    Raises:
        ReceiptsError: the file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ReceiptsError(f"{path} cannot be read: {error.strerror}; name the sender's file") from error
    decoder = msgspec.json.Decoder(Receipt)
    accepted_ms, torn = 0, _Torn(path)
    with file:
        for number, line in enumerate(_lines(file), start=1):
            receipt, other = _parted(line, decoder)
            if other:
                torn.add(number, other)
            if receipt is not None:
                yield from torn.taken(since_ms=accepted_ms, until_ms=receipt.accepted_at_ms)
                accepted_ms = receipt.accepted_at_ms
                yield receipt
    yield from torn.taken(since_ms=accepted_ms)


class _Torn:
    """Lines in a row that are no receipts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: tuple[int, int] | None = None
        self._start = b""

    def add(self, number: int, line: bytes) -> None:
        if self._lines is None:
            self._start = line
        self._lines = (self._lines[0] if self._lines else number, number)

    def taken(self, *, since_ms: int, until_ms: int = Unread.until_ms) -> Iterator[Unread]:
        """What was added since, if anything."""
        if self._lines is None:
            return
        (first, last), self._lines = self._lines, None
        where = f"line {first}" if first == last else f"lines {first} to {last}"
        shown = self._start[: 4 * SHOWN_CHARS].decode(errors="replace").rstrip("\n")[:SHOWN_CHARS]
        why = f"no whole receipt ({shown!a}), so what was answered 202 is unknown"
        since_ms, until_ms = sorted((since_ms, until_ms))
        yield Unread(where=f"{self._path} {where}", why=why, since_ms=since_ms, until_ms=until_ms)


def _parted(line: bytes, decoder: msgspec.json.Decoder[Receipt]) -> tuple[Receipt | None, bytes]:
    """The receipt that a line ends with, and what is before it; a blank line is neither."""
    at = 0
    while at >= 0:
        try:
            return decoder.decode(line[at:]), line[:at]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            at = line.find(_BEGINS, at + 1)
    return None, line.strip()


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, each cut to `LINE_BYTES_MAX`."""
    begins = True
    for piece in iter(partial(file.readline, LINE_BYTES_MAX), b""):
        if begins:
            yield piece
        begins = piece.endswith(b"\n")


def _ends_torn(file: IO[bytes]) -> bool:
    """Whether the last line of a file lacks its end; a pipe has no last line."""
    if not file.seekable() or not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def write_report(path: Path, content: object) -> None:
    """Write `content` as JSON, whole or not at all, with its folder; what JSON has no form for as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    unfinished.replace(path)
