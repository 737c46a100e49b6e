"""What the handler tests share: moto in process with this stack's tables, and local HTTP servers."""

from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws

from tests.fakes.aws_tables import create_tables
from tests.fakes.http_server import Answer, ScriptedServer
from tests.unit.handlers.builders import REGION


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Moto in process, with credentials that lead nowhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def tables(aws: None) -> dict[str, str]:  # noqa: ARG001 - moto must run
    """The tables as the topology specifies them: key to physical name."""
    return create_tables(REGION)


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Starts servers and stops them at the end."""
    running: list[ScriptedServer] = []

    def start(*answers: Answer) -> ScriptedServer:
        running.append(ScriptedServer([*answers] or [Answer()]))
        return running[-1]

    yield start
    for server in running:
        server.stop()
