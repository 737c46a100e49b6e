"""Moto in process for the tests of clients."""

import pytest

from clients.deployment import Deployment
from tests.fakes.deployment import deployment_on_moto


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with a strong ledger and nothing in it."""
    return deployment_on_moto()
