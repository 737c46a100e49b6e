"""Files of JSON lines that are appended to: receipts, faults that fired, a drill's attempts and its history.

Who writes may be killed, and a disk may be full, in the middle of a line. So a writer begins on a line of its
own whatever stands there, and a reader goes on behind what is torn, and tells of it.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final, Self, TypeVar

import msgspec

LINE_BYTES_MAX: Final = 1024 * 1024
"""Of one line that is read; what is longer is torn. So a file of any other kind does not fill the memory. The
receipt of the largest body, of 1,000 alerts, has 300 KB."""

SHOWN_CHARS: Final = 100
"""Of a torn line: enough for the id of the alert, if that is still there."""

_STARTS_MAX: Final = 1_000
"""Places in a torn line where a whole value is looked for."""

T = TypeVar("T")


@dataclass(frozen=True)
class TornLines:
    """Lines in a row that are not what they ought to be: their numbers, and how the first of them begins."""

    first: int
    last: int
    start: str

    def __str__(self) -> str:
        """The numbers, as people say them."""
        return f"line {self.first}" if self.first == self.last else f"lines {self.first} to {self.last}"


class LinesFile:
    """Appends lines to a file, each in one write, which O_APPEND keeps whole beside those of others."""

    def __init__(self, path: Path, *, mode: int = 0o666) -> None:
        """Open `path` for appending; it is made, with `mode` but for the umask, if it is not there.

        Raises:
            OSError: it cannot be opened.
        """
        self._out = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, mode)

    def add(self, value: object) -> None:
        """Append a line, behind the end of the last one if that is torn.

        Raises:
            OSError: it is not, or not whole, in the file.
        """
        line = msgspec.json.encode(value) + b"\n"
        rest = memoryview(b"\n" + line if self._ends_torn() else line)
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def close(self) -> None:
        """Close the file."""
        os.close(self._out)

    def sync(self) -> None:
        """Put everything on disk."""
        os.fsync(self._out)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close, whatever happened."""
        self.close()

    def _ends_torn(self) -> bool:
        """Whether the last line, of this process or another, lacks its end; a pipe has no last line."""
        status = os.fstat(self._out)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        return os.pread(self._out, 1, status.st_size - 1) != b"\n"


def read_lines(file: IO[bytes], decode: Callable[[bytes], T]) -> Iterator[T | TornLines]:
    """What the lines of a file hold, in order, and what between them is torn; blank lines are passed over.

    A value is also found behind the torn one whose line it was appended to.
    """
    torn: TornLines | None = None
    for number, line in enumerate(_cut_lines(file), start=1):
        before, values = _parted(line, decode)
        if before:
            torn = TornLines(torn.first if torn else number, number, torn.start if torn else _shown(before))
        if values and torn is not None:
            yield torn
            torn = None
        yield from values
    if torn is not None:
        yield torn


def _parted(line: bytes, decode: Callable[[bytes], T]) -> tuple[bytes, tuple[T, ...]]:
    """The value that the line ends with, if there is one, and what stands before it."""
    at = 0
    for _ in range(_STARTS_MAX):
        try:
            return line[:at], (decode(line[at:]),)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            at = line.find(b'{"', at + 1)
        if at < 0:
            break
    return line.strip(), ()


def _cut_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, each cut to `LINE_BYTES_MAX`."""
    begins = True
    for piece in iter(partial(file.readline, LINE_BYTES_MAX), b""):
        if begins:
            yield piece
        begins = piece.endswith(b"\n")


def _shown(line: bytes) -> str:
    return ascii(line[: 4 * SHOWN_CHARS].decode(errors="replace")[:SHOWN_CHARS])
