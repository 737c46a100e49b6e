"""What unit tests of several packages share."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from clients.deployment import Deployment
from ops.hints import act_on
from tests.fakes.deployment import deployment_on_moto


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Moto in process, with credentials that lead nowhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield


@pytest.fixture(autouse=True)
def the_stack_is_the_usual_one() -> Iterator[None]:
    """What commands tell people to type acts on the stack that a test opened, and on none after it."""
    yield
    act_on("")


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with a strong ledger and nothing in it."""
    return deployment_on_moto()
