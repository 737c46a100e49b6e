"""A stack in two regions for disaster recovery: tables on moto, Recovery and web as the test tells them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import EndpointConnectionError
from msgspec.structs import replace

from clients.coordination import CoordinationRecords
from clients.deployment import Deployment
from dr.operations.environment import Answer, Environment
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from tests.fakes.aws_tables import create_tables
from tests.fakes.machine import FakeClock
from tests.fakes.moto_clients import MotoClients, moto_client
from tests.unit.handlers.builders import row
from topology.alerts import Status
from topology.names import Names
from topology.outputs import ALL

PRIMARY, FAILOVER = "us-east-1", "us-west-2"


@dataclass
class FakeFunctions:
    """Lambda in one region: what was invoked, what an invocation does, and each function's configuration."""

    invoked: list[str] = field(default_factory=list)
    effect: Callable[[], None] = lambda: None
    configured: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def get_function_configuration(self, *, FunctionName: str, **_: Any) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """See boto3."""
        return self.configured[FunctionName]

    def invoke(self, *, FunctionName: str, **_: Any) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """See boto3."""
        self.invoked.append(FunctionName)
        self.effect()
        return {"StatusCode": 202}


class LedgerApart:
    """DynamoDB whose coordination table replicates and whose alerts table does not."""

    def __init__(self, shared: Any, own: Any) -> None:
        """`own`: the region's own tables."""
        self._shared, self._own = shared, own

    def __getattr__(self, name: str) -> Any:
        """The call, where its table is."""
        if name in {"get_paginator", "batch_get_item"}:
            return getattr(self._own, name)
        return getattr(self._shared, name)


class Silent:
    """A client of a lost region: every call raises what botocore does, and is noted as one."""

    def __init__(self, clients: "TwoRegions", region: str) -> None:
        """Nothing is called yet."""
        self._clients, self._region = clients, region

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Any call."""

        def call(*_: Any, **__: Any) -> Any:
            self._clients.called.add(self._region)
            raise EndpointConnectionError(endpoint_url=f"{name} in {self._region}")

        return call


class TwoRegions(MotoClients):
    """Clients of a stack whose tables are global and synchronous: every region has the primary's.

    `lost` regions cannot be connected to; `apart` lets each region have tables of its own, so that nothing
    replicates, and `ledger_apart` that of the failover region's alerts table only. `called` are the regions
    that anything was asked of. `refusing` is what DynamoDB is put into, of every region.
    """

    def __init__(self) -> None:
        """Every region answers."""
        super().__init__()
        self.lost: set[str] = set()
        self.apart = False
        self.ledger_apart = False
        self.called: set[str] = set()
        self.refusing: Callable[[Any], Any] = lambda dynamodb: dynamodb
        self.functions = {PRIMARY: FakeFunctions(), FAILOVER: FakeFunctions()}

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`; having a client asks nothing of its region, but these are had to be used."""
        if region in self.lost:
            return Silent(self, region)
        self.called.add(region)
        if service == "lambda":
            return self.functions[region]
        own = super().client(service, region)
        if service != "dynamodb" or self.apart:
            return own
        shared = super().client(service, PRIMARY)
        return self.refusing(LedgerApart(shared, own) if self.ledger_apart else shared)


@dataclass
class FakeWeb:
    """`Web` of both regions: `/health`, `/switch` by the tables, and a webhook whose alerts end as `ends`.

    `parent`: of which its alerts are repeats. `receipt`: another body of every 202. `refuses`: what a post
    is answered, while it is not 202.
    """

    deployment: Deployment
    apart: Callable[[], bool]
    down: set[str] = field(default_factory=set)
    unhealthy: set[str] = field(default_factory=set)
    ends: str = "NOTIFIED"
    parent: str = ""
    receipt: Mapping[str, Any] | None = None
    refuses: int = 202
    asked: list[str] = field(default_factory=list)
    posted: list[Mapping[str, object]] = field(default_factory=list)

    def get(self, url: str) -> Answer | None:
        """See `Web`."""
        region, path = self._asked(url)
        if region in self.down:
            return None
        if path == "/health":
            return Answer(503 if region in self.unhealthy else 200, {"region": region})
        on = CoordinationRecords(self.deployment, region).switched_on_ms()
        return Answer(200 if on else 404, {"region": region})

    def post(self, url: str, body: Mapping[str, object], *, api_key: str) -> Answer | None:
        """See `Web`: the alert is at rest at once."""
        region, _ = self._asked(url)
        if region in self.down:
            return None
        assert api_key == f"the api key of {region}"
        self.posted.append(body)
        if self.refuses != 202:
            return Answer(self.refuses, {"message": "Forbidden"})
        alert_id = f"probe{len(self.posted)}"
        put_alert(alert_id, status=self.ends, region=region, in_region=region if self.apart() else PRIMARY)
        receipt = {"alert_id": alert_id, "status": "RECEIVED"}
        if self.parent:
            receipt |= {"status": "SUPPRESSED", "parent_id": self.parent}
        return Answer(202, self.receipt or {"alerts": [receipt]})

    def _asked(self, url: str) -> tuple[str, str]:
        self.asked.append(url)
        parts = urlsplit(url)
        return parts.hostname or "", parts.path


@dataclass
class DrStack:
    """What a test turns and looks at."""

    deployment: Deployment
    clients: TwoRegions
    web: FakeWeb
    clock: FakeClock
    outputs: Mapping[str, object]
    answers: str | None = None

    @property
    def environment(self) -> Environment:
        """With DNS that answers `answers`."""
        return Environment(self.clock, self.web, lambda _: self.answers)

    def lose(self, region: str) -> None:
        """Neither AWS nor the webhook of the region answers."""
        self.clients.lost.add(region)
        self.web.down.add(region)

    def start(self, region: str) -> None:
        """They answer again."""
        self.clients.lost.discard(region)
        self.web.down.discard(region)

    def record(self, name: str) -> dict[str, Any]:
        """The values of a coordination record; empty if it was never written."""
        found = CoordinationRecords(self.deployment, FAILOVER).read(name)
        return json.loads(json.dumps(found.values)) if found else {}


def dr_stack(*, consistency: str = "strong", domain: str = "") -> DrStack:
    """The stack, in moto's current account."""
    outputs: dict[str, object] = dict.fromkeys(ALL, "unused")
    outputs |= {"Stack": "dev", "PrimaryRegion": PRIMARY, "FailoverRegion": FAILOVER}
    outputs |= {"LedgerConsistency": consistency, "AlertsUrl": domain}
    for region, prefix in ((PRIMARY, ""), (FAILOVER, "Failover")):
        names = create_tables(region)
        outputs |= {"AlertsTableName": names["alerts"], "CoordinationTableName": names["coordination"]}
        for key, path in (("WebhookUrl", "alerts"), ("HealthUrl", "health"), ("SwitchUrl", "switch")):
            outputs[f"{prefix}{key}"] = f"http://{region}/{path}"
        moto_client("apigateway", region).create_api_key(
            name=Names("dev").api_key, value=f"the api key of {region}", enabled=True
        )
    clients = TwoRegions()
    deployment = Deployment.from_outputs(outputs, clients)
    return DrStack(deployment, clients, FakeWeb(deployment, lambda: clients.apart), FakeClock(), outputs)


def put_alert(alert_id: str, *, status: str, region: str, due_at: int = 0, in_region: str = PRIMARY) -> None:
    """Store an alert of `region` in the tables of `in_region`; open ones are in the index."""
    at_work = status in {"RECEIVED", "ANALYZED"}
    alert = replace(
        row(),
        alert_id=alert_id,
        status=Status(status),
        timestamp=1_700_000_000,
        region=region,
        owner=region,
        open_key=f"{region}#HIGH" if at_work else None,
        due_at=due_at if at_work else None,
    )
    item = item_of(attributes_of(alert))
    moto_client("dynamodb", in_region).put_item(TableName="alerts", Item=item)
