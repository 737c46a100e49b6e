"""How many alerts a second reception takes on the embedded AWS, beside a function that makes the same calls.

Both are reached by a POST to the same API with the same key, have the same reserved concurrency, and write to
the same tables; the floor has a queue of its own. They take turns, with the same number of posts under way,
while the queues feed nobody, and the median of the turns' ratios counts. Then the queues are let go, and what
reception took in comes to rest: alerts a second end to end, which Slack's pace bounds.
"""

import io
import json
import shutil
import statistics
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3

from benchmarks.local_stack import local_stack
from clients.deployment import Deployment
from clients.waiting import wait_for
from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION, FunctionSpec
from topology.names import API_STAGE

TURNS: Final = 8
POSTS: Final = 60
"""Of a turn."""

AT_ONCE: Final = 4
"""As many as reception may run at once on the local stack."""

_REST_S: Final = 90.0
_FLOOR: Final = "bench-floor"


@dataclass(frozen=True)
class _Target:
    """Where a turn posts to; `posts` counts up over all turns, so that each alert is another one."""

    url: str
    key: str
    pool: urllib3.PoolManager

    def take(self, ids: Iterator[str]) -> float:
        """Post so many alerts; how many were taken a second.

        Raises:
            RuntimeError: one was not answered 202.
        """
        begun = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            statuses = set(threads.map(self._post, [next(ids) for _ in range(POSTS)]))
        if statuses != {202}:
            raise RuntimeError(f"{self.url} answered {statuses}, not 202 alone")
        return POSTS / (time.monotonic() - begun)

    def _post(self, alert_id: str) -> int:
        body = {"id": alert_id, "source": "bench", "title": f"Disk {alert_id} is full", "severity": "HIGH"}
        headers = {"Content-Type": "application/json", "x-api-key": self.key}
        return self.pool.request("POST", self.url, body=json.dumps(body), headers=headers).status


def embedded_throughput(packages: Mapping[FunctionSpec, Path], *, turns: int = TURNS) -> Mapping[str, float]:
    """The ratio to the floor, and alerts a second of reception, of the floor, and end to end."""
    with (
        local_stack() as (_, deployment),
        urllib3.PoolManager(maxsize=AT_ONCE, retries=False, timeout=urllib3.Timeout(total=30)) as pool,
    ):
        stack = _Stack(deployment)
        url, key = deployment.primary.webhook_url, deployment.api_key(deployment.primary)
        reception, ids = _Target(url, key, pool), _numbered("alert")
        with stack.queues_held():
            reception.take(ids)
            stack.deploy_floor(packages[RECEPTION])
            floor, floor_ids = _Target(url.replace("/alerts", "/floor"), key, pool), _numbered("floor")
            floor.take(floor_ids)
            taken = [(reception.take(ids), floor.take(floor_ids)) for _ in range(turns)]
        begun, alerts = time.monotonic(), (turns + 1) * POSTS
        wait_for(lambda: stack.resting() >= alerts, bool, within_s=_REST_S)
        rested, seconds = stack.resting(), time.monotonic() - begun
    return {
        "embedded reception": statistics.median(own / floors for own, floors in taken),
        "reception, alerts/s": statistics.median(own for own, _ in taken),
        "floor, alerts/s": statistics.median(floors for _, floors in taken),
        "end to end, alerts/s": rested / seconds,
    }


def _numbered(prefix: str) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"{prefix}-{number}"


@dataclass(frozen=True)
class _Stack:
    """The stack in its primary region, as the benchmark changes it."""

    deployment: Deployment

    def _client(self, service: str) -> Any:
        return self.deployment.clients.client(service, self.deployment.primary.region)

    @contextmanager
    def queues_held(self) -> Iterator[None]:
        """While this lasts, no queue invokes a function."""
        self._feed(enabled=False)
        yield
        self._feed(enabled=True)

    def _feed(self, *, enabled: bool) -> None:
        functions = self._client("lambda")
        names = self.deployment.names
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            if any(names.function(spec) in mapping["FunctionArn"] for spec in (ANALYSIS, DISTRIBUTION)):
                functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def resting(self) -> int:
        """How many alerts are NOTIFIED."""
        pages = (
            self._client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.deployment.alerts_table,
                Select="COUNT",
                FilterExpression="#status = :notified",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":notified": {"S": "NOTIFIED"}},
            )
        )
        return sum(page["Count"] for page in pages)

    def deploy_floor(self, package: Path) -> None:
        """Make the floor's function beside the stack's own, and a path of its API that invokes it."""
        functions, names = self._client("lambda"), self.deployment.names
        reception = functions.get_function_configuration(FunctionName=names.function(RECEPTION))
        environment = {
            "ALERTS_TABLE": self.deployment.alerts_table,
            "COORDINATION_TABLE": self.deployment.coordination_table,
            "QUEUE_URL": self._client("sqs").create_queue(QueueName=_FLOOR)["QueueUrl"],
            "ROW": json.dumps(self._row()),
        }
        made = functions.create_function(
            FunctionName=_FLOOR,
            Role=reception["Role"],
            Runtime=reception["Runtime"],
            Handler="floor_function.handler",
            Code={"ZipFile": _with_floor(package)},
            MemorySize=reception["MemorySize"],
            Timeout=reception["Timeout"],
            Environment={"Variables": environment},
        )
        functions.put_function_concurrency(FunctionName=_FLOOR, ReservedConcurrentExecutions=AT_ONCE)
        self._route(made["FunctionArn"])

    def _row(self) -> Mapping[str, Any]:
        """A row that reception wrote, without what Recovery would find it by."""
        table = self.deployment.alerts_table
        (row,) = self._client("dynamodb").scan(TableName=table, Limit=1)["Items"]
        return {name: value for name, value in row.items() if name not in {"open_key", "due_at"}}

    def _route(self, function_arn: str) -> None:
        gateway, region = self._client("apigateway"), self.deployment.primary.region
        (api,) = gateway.get_rest_apis()["items"]
        (root,) = (
            item for item in gateway.get_resources(restApiId=api["id"])["items"] if item["path"] == "/"
        )
        resource = gateway.create_resource(restApiId=api["id"], parentId=root["id"], pathPart="floor")
        method = {"restApiId": api["id"], "resourceId": resource["id"], "httpMethod": "POST"}
        gateway.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
        gateway.put_integration(
            **method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function_arn}/invocations",
        )
        gateway.create_deployment(restApiId=api["id"], stageName=API_STAGE)


def _with_floor(package: Path) -> bytes:
    """The package with the floor's function in it."""
    archive = io.BytesIO()
    with package.open("rb") as source:
        shutil.copyfileobj(source, archive)
    with zipfile.ZipFile(archive, "a") as target:
        target.writestr("floor_function.py", Path(__file__).with_name("floor_function.py").read_text())
    return archive.getvalue()
