"""What the tests of the engine share."""

from pathlib import Path

import pytest

from tests.fakes.provider import Shelf


@pytest.fixture
def shelf() -> Shelf:
    """A shelf where the name is the id."""
    return Shelf()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state is kept."""
    return tmp_path / "state.json"
