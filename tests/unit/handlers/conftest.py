"""What the handler tests share: moto in process with this stack's tables, and local HTTP servers."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.unit.handlers.builders import REGION
from topology.tables import TABLES, TableSpec


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
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    for spec in TABLES:
        dynamodb.create_table(**_definition(spec))
    return {spec.key: spec.suffix for spec in TABLES}


def _definition(spec: TableSpec) -> dict[str, Any]:
    keys = {spec.hash_key} | {key for index in spec.indexes for key in (index.hash_key, index.range_key)}
    definition: dict[str, Any] = {
        "TableName": spec.suffix,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": spec.hash_key.name, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": k.name, "AttributeType": k.type} for k in keys],
    }
    if spec.indexes:
        definition["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": [
                    {"AttributeName": index.hash_key.name, "KeyType": "HASH"},
                    {"AttributeName": index.range_key.name, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projected)}
                if index.projected
                else {"ProjectionType": "ALL"},
            }
            for index in spec.indexes
        ]
    return definition


@dataclass
class Answer:
    """What the server says next. `hang` says nothing until the test is over."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    reset: bool = False


@dataclass
class Heard:
    """One request that the server got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """A real HTTP server on the loopback that answers POSTs by a script; the last answer repeats."""

    url: str
    script: list[Answer]
    heard: list[Heard]


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Starts servers and stops them at the end."""
    running: list[ThreadingHTTPServer] = []
    over = threading.Event()

    def start(*answers: Answer) -> ScriptedServer:
        server = ScriptedServer(url="", script=list(answers or [Answer()]), heard=[])

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                content = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.heard.append(Heard(self.path, headers, content))
                answer = server.script.pop(0) if len(server.script) > 1 else server.script[0]
                if answer.hang:
                    over.wait(10)
                    return
                if answer.reset:
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST  # noqa: N815 - a redirect that is followed would come as GET

            def log_message(self, *_: object) -> None:
                """The test's output stays clean."""

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running.append(http)
        server.url = f"http://127.0.0.1:{http.server_port}"
        return server

    yield start
    over.set()
    for http in running:
        http.shutdown()
        http.server_close()
