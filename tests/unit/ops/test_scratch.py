"""What killed demos, experiments and drills leave in `.local/` is removed by the next run."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.supervisor import runfile
from lambda_packages import ROOT
from ops.scratch import at_rest, ending, keep, scratch_folder

RUN = """
import sys
from pathlib import Path
from ops.scratch import scratch_folder
with scratch_folder("demo", parent=Path(sys.argv[1])) as folder:
    (folder / "emulator.lock").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""

HOLD = """
import sys
from pathlib import Path
from emulator.supervisor.runfile import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def started(program: str, folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A process that runs the program, and its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another run of a demo, and its folder."""
    process, folder = started(RUN, tmp_path)
    with process:
        yield process, Path(folder)
        process.kill()


def test_a_folder_goes_with_its_command(tmp_path: Path) -> None:
    """However the command ends."""

    def interrupted() -> None:
        with scratch_folder("demo", parent=tmp_path) as folder:
            assert folder.is_dir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.glob("demo-*"))


def test_what_a_killed_run_left_is_removed_by_the_next_of_any_kind(
    tmp_path: Path, other: tuple[subprocess.Popen[str], Path]
) -> None:
    """And what runs is left alone."""
    process, folder = other
    with scratch_folder("chaos", parent=tmp_path):
        assert folder.is_dir(), "another run's, which is under way"
    process.kill()
    process.wait()
    with scratch_folder("chaos", parent=tmp_path):
        assert not folder.exists()


def test_what_a_killed_run_left_stays_while_its_supervisor_lives(
    tmp_path: Path, other: tuple[subprocess.Popen[str], Path]
) -> None:
    """It ends a moment after its parent."""
    process, folder = other
    supervisor, _ = started(HOLD, folder)
    with supervisor:
        process.kill()
        process.wait()
        with scratch_folder("load", parent=tmp_path):
            assert folder.is_dir()
        supervisor.kill()
        supervisor.wait()
    with scratch_folder("load", parent=tmp_path):
        assert not folder.exists()


def test_logs_that_somebody_was_told_to_look_into_are_kept(tmp_path: Path) -> None:
    """Of a demo that failed; so is what is no run's."""
    other = tmp_path / "stack"
    other.mkdir()
    with scratch_folder("demo", parent=tmp_path) as folder:
        keep(folder)
    with scratch_folder("demo", parent=tmp_path):
        assert folder.is_dir()
        assert other.is_dir()


def test_nothing_is_said_to_be_left_running_only_where_it_is_so(tmp_path: Path) -> None:
    """What takes longer to end is said, and left to the next run."""
    assert ending(tmp_path) == "nothing is left running"
    supervisor, _ = started(HOLD, tmp_path)
    with supervisor:
        assert not at_rest(tmp_path, within_s=0.2)
        assert (tmp_path / runfile.LOCK).exists()
        supervisor.kill()
        supervisor.wait()
    assert at_rest(tmp_path, within_s=5)
