"""What a rebuild keeps in its folder: how it got on, and what it is about.

A folder is for one rebuild: to the same regions, into one ledger, from one set of exports. Otherwise a second
one, of another day or to other regions, would take what the first has done, or chosen, for its own.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from clients.receipts import write_report
from dr.operations.journal import OperationRecord, OperationRefusedError, State, StepRecord

REBUILD: Final = "rebuild"
JOURNAL: Final = "rebuild.json"
RECORD: Final = "rebuild-record.json"


@dataclass(frozen=True, kw_only=True)
class RebuildRequest:
    """Where to rebuild a stack, and as of which day; empty texts leave the choice to `dr.rebuilds.plan`."""

    region: str
    failover_region: str = ""
    date: str = ""


@dataclass(frozen=True, kw_only=True)
class RebuildRecord:
    """What the rebuild of a folder is about.

    `ledger`: the table that is filled, and `roots`: of the exports that it is filled from, both empty before
    that. `compared`: it was found to be as they are.
    """

    request: RebuildRequest
    ledger: str = ""
    roots: tuple[str, ...] = ()
    compared: bool = False

    @classmethod
    def in_folder(cls, folder: Path, request: RebuildRequest) -> Self:
        """Read the record of a folder; in a new folder it is that of `request`.

        Raises:
            OperationRefusedError: the folder is of another rebuild, or does not say of which.
        """
        path = folder / RECORD
        values = _read(path)
        if values is None:
            return cls(request=request)
        try:
            record = cls(
                request=RebuildRequest(**values["request"]),
                ledger=str(values["ledger"]),
                roots=tuple(values["roots"]),
                compared=bool(values["compared"]),
            )
        except (KeyError, TypeError) as error:
            raise _unreadable(path, error) from error
        if record.request != request:
            before = ", ".join(f"{name} {value!r}" for name, value in asdict(record.request).items())
            raise OperationRefusedError(
                f"{folder} is of another rebuild ({before}); go on with the same options, or give another "
                "folder"
            )
        return record

    def write(self, folder: Path) -> None:
        """Write it into the folder."""
        write_report(folder / RECORD, asdict(self))


class FolderJournal:
    """`Journal` as a file."""

    def __init__(self, folder: Path, *, operator: str, now_ms: int) -> None:
        """Go on with the journal of an earlier run, if there is one.

        Raises:
            OperationRefusedError: there is a file that is no journal.
        """
        self._path = folder / JOURNAL
        values = _read(self._path)
        try:
            before = OperationRecord.of(values) if values is not None else None
        except (ValueError, KeyError, TypeError) as error:
            raise _unreadable(self._path, error) from error
        self.record = OperationRecord(
            operation=REBUILD,
            state=State.RUNNING,
            operator=operator,
            token=secrets.token_hex(4),
            started_ms=before.started_ms if before else now_ms,
            ended_ms=0,
            silent_until_ms=now_ms,
            steps=before.steps if before else (),
        )

    def write(self, *, step: StepRecord | None = None, **changes: Any) -> None:
        """See `dr.operations.journal.Journal`."""
        self.record = self.record.after(step=step, **changes)
        write_report(self._path, asdict(self.record))


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> OperationRefusedError:
    return OperationRefusedError(f"{path} is not of a rebuild ({error!r}); give another folder")
