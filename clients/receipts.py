"""What runs leave in files: receipts, one line for each alert that was answered 202, and reports as JSON.

A receipt is written before anything else happens. `responder audit` compares receipts with the ledger and
with Slack: they are the sender's own record, so a bug in the pipeline cannot make them agree by itself.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from topology.errors import ExplainedError


class ReceiptsError(ExplainedError):
    """A receipts file cannot be written, or cannot be read: it is missing, or a line is not a receipt."""


@dataclass(frozen=True)
class Receipt:
    """One alert that was answered 202. Times in epoch milliseconds by the sender's clock."""

    alert_id: str
    status: str
    region: str
    sent_at_ms: int
    accepted_at_ms: int


class ReceiptsFile:
    """Appends receipts, each one whole on disk before the next post is counted."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending, with its folder made.

        Raises:
            ReceiptsError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._out = path.open("a", encoding="utf-8")
        except OSError as error:
            raise ReceiptsError(f"{path} cannot be written: {error.strerror}; name another file") from error

    def add(self, receipt: Receipt) -> None:
        """Append one receipt."""
        self._out.write(json.dumps(asdict(receipt)) + "\n")
        self._out.flush()

    def close(self) -> None:
        """Put everything on disk."""
        self._out.flush()
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
    """The receipts of a file, in order.

    Raises:
        ReceiptsError: the file is missing, or a line is not a receipt (the line is named).
    """
    try:
        lines = path.open("rb")
    except OSError as error:
        raise ReceiptsError(f"{path} cannot be read: {error.strerror}; name the sender's file") from error
    decoder = msgspec.json.Decoder(Receipt)
    with lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ReceiptsError(
                    f"{path} line {number} is not a receipt ({error}); every line is one JSON object with "
                    f"{', '.join(Receipt.__dataclass_fields__)}"
                ) from error


def write_report(path: Path, content: object) -> None:
    """Write `content` as JSON, whole or not at all, with its folder; what JSON has no form for as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    unfinished.replace(path)
