"""What a command has found is not lost with the file, pipe or disk that it was to be written to."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from clients.output_files import UnwritableError, check_file, written_at_end
from lambda_packages import ROOT
from ops.cli import main
from ops.options import UnprintedError, verdict_kept

FULL = Path("/dev/full")
"""https://man7.org/linux/man-pages/man4/full.4.html"""


def disk_full() -> None:
    """Write to a disk that is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_such_folder() -> None:
    """Use a path that is not there."""
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/nowhere/report")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (disk_full, "error: the output: No space left on device; it is needed to go on\n"),
        (no_such_folder, "error: /nowhere/report: No such file or directory; it is needed to go on\n"),
    ],
)
def test_what_the_system_refuses_is_one_line_with_exit_1(
    command: Callable[[], None], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a traceback."""
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 1
    assert capsys.readouterr().err == says


def test_a_mistake_of_the_program_is_not_hidden() -> None:
    """An error of the system's that names no file and is no full disk is looked into."""

    def refused() -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    with pytest.raises(ConnectionRefusedError):
        main(refused)


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, which Linux has")
def test_a_full_pipe_is_one_line_and_no_traceback() -> None:
    """Also not at the interpreter's end, where standard output is flushed once more."""
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from ops.cli import main; main()", "chaos", "list"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        "error: the output: No space left on device; it is needed to go on\n",
    )


def test_the_verdict_is_said_where_what_was_found_cannot_be_printed() -> None:
    """In short, on stderr."""
    with pytest.raises(UnprintedError, match="in short: unaccounted 7"), verdict_kept("unaccounted 7"):
        disk_full()


def test_a_reader_that_has_gone_is_no_error() -> None:
    """As `| head -1`: typer ends quietly."""
    with pytest.raises(BrokenPipeError), verdict_kept("unaccounted 7"):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def test_a_file_is_written_once_all_is_said(tmp_path: Path) -> None:
    """An earlier one stays as it is until then."""
    file = tmp_path / "problems.jsonl"
    file.write_text("before")
    with written_at_end(file) as draft:
        assert draft is not None
        draft.write_text("now")
        assert file.read_text() == "before"
    assert file.read_text() == "now"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, which Linux has")
def test_a_file_that_takes_nothing_fails_after_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """As a disk that has filled up meanwhile."""

    def audit() -> None:
        with written_at_end(FULL) as draft:
            assert draft is not None
            draft.write_text("x" * 100_000)
            typer.echo("unaccounted 0")

    with pytest.raises(SystemExit) as ended:
        main(audit)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (1, "unaccounted 0\n")
    assert said.err == "error: /dev/full cannot be written (No space left on device); name another file\n"


@pytest.mark.parametrize("path", ["", "file/under/it", "/proc/nope/x"])
def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path, path: str) -> None:
    """A folder, what is under a file, and a folder that takes nothing."""
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableError, match=r"name another f|name a file"):
        check_file(tmp_path / path)


def test_a_check_leaves_a_file_as_it_is(tmp_path: Path) -> None:
    """And makes none."""
    file = tmp_path / "problems.jsonl"
    check_file(file)
    assert not file.exists()
    file.write_text("before")
    check_file(file)
    assert file.read_text() == "before"
