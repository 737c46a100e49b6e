"""A stack on moto for what asks it for history: rows as the handlers write them, and lines as they log."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from clients.deployment import Deployment
from handlers.adapters.aws.coordination import DynamoCoordination
from handlers.adapters.aws.dynamodb import DynamoLedger, attributes_of
from handlers.adapters.aws.items import item_of
from tests.fakes.deployment import PRIMARY, LossyClients, deployment_on_moto
from tests.fakes.moto_clients import moto_client
from tests.unit.handlers.builders import (
    CACHE_TTL_S,
    CONTENT_WINDOW_S,
    CRITICAL_PATIENCE_S,
    EVENT_WINDOW_S,
    INCIDENT_WINDOW_S,
    LEASE_S,
    World,
    row,
)
from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION

Put = Callable[..., str]


@dataclass
class FakeLogs:
    """CloudWatch Logs of one region with quoted terms for patterns. `down`: no call is answered."""

    events: list[tuple[str, int, str]] = field(default_factory=list)

    def filter_log_events(
        self,
        *,
        logGroupName: str,  # noqa: N803 - AWS's names
        startTime: int,  # noqa: N803
        endTime: int = 2**63,  # noqa: N803
        filterPattern: str,  # noqa: N803
    ) -> dict[str, Any]:
        """See AWS."""
        found = [
            {"timestamp": at_ms, "message": text}
            for group, at_ms, text in self.events
            if group == logGroupName and startTime <= at_ms < endTime and filterPattern.strip('"') in text
        ]
        return {"events": found}


class LoggingClients(LossyClients):
    """`LossyClients` with logs of their own."""

    def __init__(self) -> None:
        """Nothing is logged."""
        super().__init__()
        self.logs = {region: FakeLogs() for region in (PRIMARY, "us-west-2")}

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`."""
        client = super().client(service, region)
        return self.logs[region] if service == "logs" else client


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with a strong ledger and nothing in it, configured as `World` is."""
    clients = LoggingClients()
    deployment = replace(deployment_on_moto(), clients=clients)
    unused = (
        "STACK", "PEER_REGION", "ALERTS_TABLE", "COORDINATION_TABLE", "ALARM_TOPIC_ARN", "CLAUDE_MODEL",
        "ANALYSIS_CACHE_TABLE", "ANTHROPIC_KEY_SECRET", "PROCESSING_QUEUE_URL",
        "PROCESSING_CRITICAL_QUEUE_URL", "DISTRIBUTION_QUEUE_URL", "DISTRIBUTION_CRITICAL_QUEUE_URL",
    )  # fmt: skip
    environment = dict.fromkeys(unused, "unused") | {
        "LEDGER_CONSISTENCY": "strong",
        "LEASE_S": str(LEASE_S),
        "TAKEOVER_AFTER_S": "600",
        "DEDUPE_EVENT_WINDOW_S": str(EVENT_WINDOW_S),
        "DEDUPE_CONTENT_WINDOW_S": str(CONTENT_WINDOW_S),
        "SOURCE_QUOTA_PER_MINUTE": "2",
        "HOLD_BACK_S": "20",
        "CACHE_TTL_S": str(CACHE_TTL_S),
        "CRITICAL_PATIENCE_S": str(CRITICAL_PATIENCE_S),
        "INCIDENT_WINDOW_S": str(INCIDENT_WINDOW_S),
    }
    names = deployment.names
    clients.environments = {names.function(function): dict(environment) for function in (RECEPTION, ANALYSIS)}
    return deployment


@pytest.fixture
def put(deployment: Deployment) -> Put:
    """`put(alert_id, attribute=value, ...)`: store a row, such as reception makes it; None leaves one out."""

    def store(alert_id: str, *, region: str = PRIMARY, at_s: int = 1_800_000_000, **values: Any) -> str:
        given = {
            **attributes_of(row(at_ms=at_s * 1_000)),
            "alert_id": alert_id,
            "region": region,
            "owner": region,
            **values,
        }
        item = item_of({name: value for name, value in given.items() if value is not None})
        moto_client("dynamodb", region).put_item(TableName=deployment.alerts_table, Item=item)
        return alert_id

    return store


class _Recorder(logging.Handler):
    def __init__(self, deployment: Deployment, world: World) -> None:
        super().__init__()
        self._deployment, self._world = deployment, world

    def emit(self, record: logging.LogRecord) -> None:
        """A line as `handlers.adapters.logs` has it, in the log of the function that the logger is of."""
        usual = logging.makeLogRecord({}).__dict__.keys() | {"message"}
        extra = {name: value for name, value in record.__dict__.items() if name not in usual}
        function = {"intake": RECEPTION, "analysis": ANALYSIS}.get(
            next((part for part in record.name.split(".") if part in ("intake", "analysis")), ""),
            DISTRIBUTION,
        )
        text = json.dumps({"level": record.levelname, "message": record.getMessage(), **extra}, default=str)
        clients = self._deployment.clients
        assert isinstance(clients, LoggingClients)
        group = self._deployment.names.log_group(function)
        clients.logs[PRIMARY].events.append((group, self._world.clock.ms, text))


@pytest.fixture
def world(deployment: Deployment) -> Iterator[World]:
    """The handlers of the primary region over that stack's tables and logs; their clock is the test's."""
    client = moto_client("dynamodb", PRIMARY)
    world = World(quota=2)
    world.ledger = DynamoLedger(client, deployment.alerts_table)  # type: ignore[assignment]  # the real one
    world.coordination = DynamoCoordination(client, deployment.coordination_table)  # type: ignore[assignment]
    recorder, logger = _Recorder(deployment, world), logging.getLogger("handlers")
    level = logger.level
    logger.addHandler(recorder)
    logger.setLevel(logging.INFO)
    yield world
    logger.removeHandler(recorder)
    logger.setLevel(level)
