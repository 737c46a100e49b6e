"""What all tests share: how they are dealt out, botocore's models, and signals as from a terminal."""

import signal
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

import botocore.loaders
import botocore.session
import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/emulator/stack",
    "tests/emulator/bare",
    "tests/emulator/provider",
    "tests/components",
)
"""Folders whose tests share something that costs seconds: an emulator, runs of the program."""


class ByFolderOrFile(LoadScopeScheduling):
    """Deals a whole folder of `TOGETHER` to one worker, of the others a file at a time, in that order."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folders = {parent.as_posix() for parent in PurePosixPath(file).parents}
        return next((folder for folder in TOGETHER if folder in folders), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFolderOrFile:
    """For `-n`: see xdist."""
    config.option.loadscopereorder = False  # the longest first, as `testpaths` has it
    return ByFolderOrFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Moto drops boto3's default session at each test, and a new one would read megabytes of models again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def a_terminal_is_as_wide_as_columns_says() -> Iterator[None]:
    """Typer's own limit is set once for all tests of a process, by whichever imports it first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.rich_utils.MAX_WIDTH", None)
        yield


@pytest.fixture
def from_terminal() -> Iterator[None]:
    """Signals as in a process that a terminal started, also for a test's children, however it was started.

    With `nohup`, or in the background of a shell without job control, SIGHUP or SIGINT is ignored, and so it
    is in every process that is started from there.
    """
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
