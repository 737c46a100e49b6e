"""The log of faults that really fired: who was hit, by what, when. An experiment with none proves nothing.

The supervisor writes what the stand-ins and the regions were made to do, each AWS process what it injected
(`emulator.aws.faults`), all to one file in the run folder: so it outlives a region that is killed.
"""

import time
from pathlib import Path
from typing import Final

import msgspec

from clients.lines import LinesFile, TornLines, read_lines

FILE: Final = "logs/faults-fired.jsonl"
"""In the run folder."""
WHAT_MAX_CHARS: Final = 300

TORN: Final = "fault-log"
"""The service of an entry that cannot be read."""


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
        self._out = LinesFile(path, mode=0o600)

    def add(self, *, service: str, kind: str, region: str | None, what: str) -> None:
        """Append one entry."""
        at_ms = time.time_ns() // 1_000_000
        self._out.add(
            FiredFault(at_ms=at_ms, service=service, kind=kind, region=region, what=what[:WHAT_MAX_CHARS])
        )

    def entries(self) -> list[FiredFault]:
        """All of them, in the order in which they were written.

        Torn lines are an entry of the service "fault-log" at the time of the one before: a process that was
        killed as it wrote, so something fired, and what is no longer known.
        """
        found: list[FiredFault] = []
        with self._path.open("rb") as file:
            for entry in read_lines(file, msgspec.json.Decoder(FiredFault).decode):
                if isinstance(entry, FiredFault):
                    found.append(entry)
                else:
                    found.append(_of_torn(entry, at_ms=found[-1].at_ms if found else 0))
        return found

    def close(self) -> None:
        """Close the file."""
        self._out.close()


def _of_torn(lines: TornLines, *, at_ms: int) -> FiredFault:
    what = f"{lines}: {lines.start}"[:WHAT_MAX_CHARS]
    return FiredFault(at_ms=at_ms, service=TORN, kind="torn", region=None, what=what)
