"""What runs leave in files: receipts, one line for each alert that was answered 202, and reports as JSON.

A receipt is written before anything else happens. `responder audit` compares receipts with the ledger and
with Slack: they are the sender's own record, so a bug in the pipeline cannot make them agree by itself.

A sender that is killed, or a disk that is full, leaves a torn line: a 202 that nobody can name any more. The
lines around it are read, it is told as `Unread`, and a sender that goes on with the file begins a new line.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from clients.lines import LinesFile, TornLines, read_lines
from topology.errors import ExplainedError


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
    """Appends receipts, each one whole in the file before the next post is counted."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending, with its folder made.

        Raises:
            ReceiptsError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._out = LinesFile(path)
        except OSError as error:
            raise ReceiptsError(f"{path} cannot be written: {error.strerror}; name another file") from error
        self._path = path

    def add(self, receipt: Receipt) -> None:
        """Append one receipt.

        Raises:
            ReceiptsError: it is not, or not whole, in the file.
        """
        try:
            self._out.add(receipt)
        except OSError as error:
            raise ReceiptsError(
                f"{self._path} cannot be written: {error.strerror}; the receipt of {receipt.alert_id} "
                "is lost: make room and send again"
            ) from error

    def close(self) -> None:
        """Put everything on disk."""
        self._out.sync()
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
    """The receipts of a file, in order, and what between them is torn; see `clients.lines.read_lines`.

    What is torn was accepted between the receipts before and after it.

    Raises:
        ReceiptsError: the file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ReceiptsError(f"{path} cannot be read: {error.strerror}; name the sender's file") from error
    since_ms, torn = 0, None
    with file:
        for part in read_lines(file, msgspec.json.Decoder(Receipt)):
            if isinstance(part, TornLines):
                torn = part
                continue
            if torn is not None:
                yield _unread(path, torn, since_ms, part.accepted_at_ms)
                torn = None
            since_ms = part.accepted_at_ms
            yield part
    if torn is not None:
        yield _unread(path, torn, since_ms, Unread.until_ms)


def _unread(path: Path, torn: TornLines, *between_ms: int) -> Unread:
    return Unread(
        where=f"{path} {torn}",
        why=f"no whole receipt ({torn.start}), so what was answered 202 is unknown",
        since_ms=min(between_ms),
        until_ms=max(between_ms),
    )


def write_report(path: Path, content: object) -> None:
    """Write `content` as JSON, whole or not at all, with its folder; what JSON has no form for as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    unfinished.replace(path)
