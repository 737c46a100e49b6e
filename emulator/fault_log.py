"""The log of faults that really fired: who was hit, by what, when. An experiment with none proves nothing.

The supervisor writes what the stand-ins and the regions were made to do, each AWS process what it injected
(`emulator.aws.faults`), all to one file in the run folder: so it outlives a region that is killed.
"""

import os
import time
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "logs/faults-fired.jsonl"
"""In the run folder."""
WHAT_MAX_CHARS: Final = 300


class FiredFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that hit something. `what`: a function, an operation, a queue, or what died.

    `service` is "region" for the loss of one, and "bring-back" for what ended that, so that the log
    tells how long it lasted.
    """

    at_ms: int
    service: str
    kind: str
    region: str | None
    what: str


class FaultLog:
    """Appends to the file and reads it; several processes append to it at once."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; it is made if it is not there."""
        self._path = path
        self._out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, *, service: str, kind: str, region: str | None, what: str) -> None:
        """Append one entry, in one write, which O_APPEND keeps whole beside those of other processes."""
        entry = FiredFault(
            at_ms=time.time_ns() // 1_000_000, service=service, kind=kind, region=region,
            what=what[:WHAT_MAX_CHARS],
        )  # fmt: skip
        os.write(self._out, msgspec.json.encode(entry) + b"\n")

    def entries(self) -> list[FiredFault]:
        """All of them, in the order in which they were written."""
        lines = self._path.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=FiredFault) for line in lines]

    def close(self) -> None:
        """Close the file."""
        os.close(self._out)
