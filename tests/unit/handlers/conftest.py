"""What the handler tests share: moto in process with this stack's tables, and local HTTP servers."""

from collections.abc import Callable, Iterator

import pytest

from tests.fakes.aws_tables import create_tables
from tests.fakes.http_server import Answer, ScriptedServer
from tests.unit.handlers.builders import REGION


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
