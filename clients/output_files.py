"""Files that a command writes what it found into: checked before the work, and put in place after it."""

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from topology.errors import ExplainedError

DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""What the system says when nothing more can be written, be it a file, a pipe or a terminal."""


class UnwritableError(ExplainedError):
    """A file cannot be written, or nothing into a folder: name another one."""


def check_folder(folder: Path) -> None:
    """Make the folder, and check that files can be made in it.

    Raises:
        UnwritableError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnwritableError(
            f"no report can be written into {folder} ({error.strerror}); name another folder"
        ) from error


def check_file(file: Path) -> None:
    """Check that the file can be written, with its folder made; its content is left as it is.

    Raises:
        UnwritableError: it is a folder, or cannot be written.
    """
    if file.is_dir():
        raise UnwritableError(f"{file} is a folder; name a file")
    if not file.exists():
        check_folder(file.parent)
        return
    try:
        with file.open("ab"):
            pass
    except OSError as error:
        raise unwritable(file, error) from error


def unwritable(file: Path, error: OSError) -> UnwritableError:
    """The error to raise for a file where `error` came up."""
    return UnwritableError(f"{file} cannot be written ({error.strerror}); name another file")


@contextlib.contextmanager
def written_at_end(file: Path | None) -> Iterator[Path | None]:
    """A file to write to while the block runs, which gets to `file` at its end; None where `file` is.

    So nothing that goes wrong with `file` stops the block, which is to say what it has found.

    Raises:
        UnwritableError: `file` cannot be written now.
    """
    if file is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="responder-") as folder:
        draft = Path(folder) / "draft"
        draft.touch()
        yield draft
        try:
            with draft.open("rb") as written, file.open("wb") as out:
                shutil.copyfileobj(written, out)
        except OSError as error:
            raise unwritable(file, error) from error
