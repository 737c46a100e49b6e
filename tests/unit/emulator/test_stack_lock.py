"""Two processes never change the stack of one run folder at the same time."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.errors import EmulatorError, StackBusyError
from emulator.pulumi import deploy
from emulator.stack_lock import changing, empty
from emulator.supervisor import runfile
from lambda_packages import ROOT

HOLDER = """
import sys
from pathlib import Path
from emulator.stack_lock import changing
with changing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run folder that is yet to be made."""
    return tmp_path / "stack"


@pytest.fixture
def holder(run_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is changing the stack, until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run_dir)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_waits_with_a_word_and_goes_on_when_the_first_is_done(
    run_dir: Path, holder: subprocess.Popen[str]
) -> None:
    """The word names the process that it waits for."""
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        assert holder.stdin is not None
        holder.stdin.close()

    with changing(run_dir, say=say):
        assert told == [f"process {holder.pid} is changing the stack in {run_dir}; waiting until it is done"]


def test_one_that_is_not_done_in_time_is_a_refusal_with_the_next_step(
    run_dir: Path, holder: subprocess.Popen[str]
) -> None:
    """No wait without a deadline."""
    with pytest.raises(StackBusyError, match=rf"process {holder.pid} .* run this again when it is done"):
        changing(run_dir, within_s=0.2).__enter__()


def test_a_process_that_is_killed_holds_nothing_up(run_dir: Path, holder: subprocess.Popen[str]) -> None:
    """The kernel lets go."""
    holder.kill()
    holder.wait()
    with changing(run_dir, within_s=0):
        pass


def test_a_block_within_another_is_the_same_hold(run_dir: Path) -> None:
    """`local up` holds the folder around a deployment, which holds it too; the outer one ends it."""
    with changing(run_dir, within_s=0):
        with changing(run_dir, within_s=0):
            pass
        with pytest.raises(AssertionError):
            _in_thread(run_dir)
    _in_thread(run_dir)


def test_who_waited_holds_the_file_that_is_there_and_not_one_that_was_removed(
    run_dir: Path, holder: subprocess.Popen[str]
) -> None:
    """`local down` removes the folder while another `local up` waits."""

    def say(_: str) -> None:
        shutil.rmtree(run_dir)
        assert holder.stdin is not None
        holder.stdin.close()

    with changing(run_dir, say=say):
        assert (run_dir / runfile.STACK_LOCK).is_file()
        with pytest.raises(AssertionError):
            _in_thread(run_dir)


def test_a_folder_is_emptied_but_for_the_lock(run_dir: Path) -> None:
    """So that nobody else gets in while a drill makes room for its own stack."""
    with changing(run_dir):
        (run_dir / "hosts" / "s3").mkdir(parents=True)
        (run_dir / "state.json").touch()
        empty(run_dir)
        assert [path.name for path in run_dir.iterdir()] == [runfile.STACK_LOCK]


def test_a_folder_of_somebody_else_gets_no_lock_file(tmp_path: Path) -> None:
    """Such as a home folder, by a mistyped `--run-dir`."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(EmulatorError, match="holds other things"):
        changing(tmp_path).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_deployment_waits_for_the_one_under_way(
    run_dir: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts it: nothing is deployed over a stack that is half made."""
    monkeypatch.setattr("emulator.stack_lock.WAIT_S", 0.2)
    with pytest.raises(StackBusyError, match=str(holder.pid)):
        deploy.down(
            stack="local", edge_url="http://127.0.0.1:1", state_path=run_dir / "state.json", instance_id="i"
        )


def _in_thread(run_dir: Path) -> None:
    """Fail unless another thread can hold the folder at once."""
    failed: list[BaseException] = []

    def hold() -> None:
        try:
            with changing(run_dir, within_s=0.2):
                pass
        except StackBusyError as error:
            failed.append(error)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert not failed
