"""One embedded AWS in this process for each test."""

from collections.abc import Iterator

import pytest
from ministack.services import dynamodb, s3

from tests.fakes.in_process_aws import InProcessAws


@pytest.fixture
def aws() -> Iterator[InProcessAws]:
    """An empty one; ministack is as it was after the test."""
    before = {module: dict(vars(module)) for module in (dynamodb, s3)}
    yield InProcessAws()
    for module, names in before.items():
        vars(module).update(names)
        module.reset()
