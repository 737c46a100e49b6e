"""Moto in process for the tests that read a ledger."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from clients.deployment import Deployment
from tests.fakes.deployment import deployment_on_moto


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A stack with a strong ledger and nothing in it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield deployment_on_moto()
