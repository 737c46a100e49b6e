"""The embedded AWS that the tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.client import Emulator
from tests.emulator.conftest import running_emulator
from tests.emulator.provider.deployer import Deployer


@pytest.fixture(scope="package")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator of two regions."""
    with running_emulator(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture
def deployer(emulator: Emulator, tmp_path: Path) -> Iterator[Deployer]:
    """A deployer with a state and a project folder of its own; it removes what it deployed."""
    (tmp_path / "project").mkdir()
    deployer = Deployer(emulator, tmp_path, tmp_path / "project")
    yield deployer
    if deployer.state_path.exists():
        deployer.down()
