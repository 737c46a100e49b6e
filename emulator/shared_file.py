"""A value that the supervisor sets and every AWS process reads, through one file in the run folder.

So what is set is in force when the call that sets it returns, also for a region that is started later, and no
message has to reach a process that is frozen.
"""

import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class SharedFile(Generic[T]):
    """One file with one value in it; `unset` while there is none."""

    def __init__(self, path: Path, kind: type[T], *, unset: T) -> None:
        """Nothing is read or written yet. `kind`: what msgspec decodes the file as."""
        self._path = path
        self._kind = kind
        self._unset = self._value = unset
        self._version: tuple[int, int] | None = None

    def write(self, value: T) -> None:
        """Put `value` in the place of the one before."""
        draft = self._path.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.encode(value))
        draft.replace(self._path)

    def read(self) -> T:
        """Return the value; the file is read again only if it was replaced."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - asked before every call: a Path's stat costs thrice
        except FileNotFoundError:
            return self._unset
        if (version := (stat.st_ino, stat.st_mtime_ns)) != self._version:
            self._value = msgspec.json.decode(self._path.read_bytes(), type=self._kind)
            self._version = version
        return self._value
