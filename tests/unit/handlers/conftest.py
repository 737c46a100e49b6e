"""What the handler tests share: moto in process with this stack's tables, and local HTTP servers."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes.http_server import Answer, ScriptedServer
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
