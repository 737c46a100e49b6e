"""The embedded AWS that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from emulator.client import Emulator
from tests.emulator.conftest import running_emulator


@pytest.fixture(scope="package")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator of two regions."""
    with running_emulator(tmp_path_factory.mktemp("bare")) as running:
        yield running
