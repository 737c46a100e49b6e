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
LOG: Final = "rebuild.json"
KEPT: Final = "kept.json"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Where to rebuild, and of which day; empty texts leave the choice to `dr.rebuilds.plan`."""

    region: str
    failover_region: str = ""
    date: str = ""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a folder's rebuild is about.

    `ledger`: the table that is filled, and `roots`: of the exports that it is filled from, both empty before
    that. `compared`: it was found to be as they are.
    """

    wanted: Wanted
    ledger: str = ""
    roots: tuple[str, ...] = ()
    compared: bool = False

    @classmethod
    def in_folder(cls, folder: Path, wanted: Wanted) -> Self:
        """As the folder has it; in a new one, what is `wanted`.

        Raises:
            OperationRefusedError: the folder is of another rebuild, or does not say of which.
        """
        path = folder / KEPT
        found = _read(path)
        if found is None:
            return cls(wanted=wanted)
        try:
            kept = cls(
                wanted=Wanted(**found["wanted"]),
                ledger=str(found["ledger"]),
                roots=tuple(found["roots"]),
                compared=bool(found["compared"]),
            )
        except (KeyError, TypeError) as error:
            raise _unreadable(path, error) from error
        if kept.wanted != wanted:
            before = ", ".join(f"{name} {value!r}" for name, value in asdict(kept.wanted).items())
            raise OperationRefusedError(
                f"{folder} is of another rebuild ({before}); go on with the same options, or give another "
                "folder"
            )
        return kept

    def write(self, folder: Path) -> None:
        """Keep it."""
        write_report(folder / KEPT, asdict(self))


class FolderLog:
    """`Written` as a file."""

    def __init__(self, folder: Path, *, operator: str, now_ms: int) -> None:
        """A run that goes on with an earlier one's log.

        Raises:
            OperationRefusedError: there is a file that is no log.
        """
        self._path = folder / LOG
        found = _read(self._path)
        try:
            before = OperationRecord.of(found) if found is not None else None
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
        """See `dr.operations.journal.Written`."""
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
