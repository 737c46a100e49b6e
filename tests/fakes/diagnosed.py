"""A stack whose AWS answers as a healthy one does, to be diagnosed with one answer changed at a time."""

import dataclasses
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deploy.checks.subject import Subject
from dr.operations.environment import Answer
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from runbook.diagnosis.evidence import Scene
from tests.fakes.recorded_aws import Answers, RecordedAws, recorded_deployment
from topology.queues import WORK_QUEUES

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1_000)
PREFIX = "mcp-incident-responder-prod"
VERSION = "00000001-0000-4000-8000-000000000000"


@dataclasses.dataclass
class FakeWeb:
    """`Web` whose regions are healthy, but for those in `answers`; None: it does not answer."""

    answers: dict[str, Answer | None]

    def get(self, url: str) -> Answer | None:
        """See `Web`."""
        region = url.split("/")[2]
        return self.answers.get(region, Answer(200, {"region": region, "status": "ok"}))

    def post(self, url: str, body: Mapping[str, object], *, api_key: str) -> Answer | None:
        """No diagnosis posts."""
        raise AssertionError((url, body, api_key))


def mapping(queue: str, state: str = "Enabled") -> dict[str, Any]:
    """An event source mapping as Lambda lists it."""
    return {"UUID": f"uuid-{queue}", "EventSourceArn": f"arn:aws:sqs:us-east-1:1:{queue}", "State": state}


def schedule(state: str) -> dict[str, Any]:
    """Recovery's schedule as EventBridge Scheduler describes it."""
    return {
        "Name": f"{PREFIX}-recovery",
        "ScheduleExpression": "rate(1 minute)",
        "State": state,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:us-east-1:1:function:f:live", "RoleArn": "arn:aws:iam::1:role/r"},
    }


def healthy() -> Answers:
    """What AWS answers where nothing is wrong."""
    return {
        "apigateway.get_api_keys": {"items": [{"id": "k1", "name": f"{PREFIX}-sources", "enabled": True}]},
        "lambda.get_function_concurrency": {},
        "lambda.list_event_source_mappings": {
            "EventSourceMappings": [mapping(f"{PREFIX}-{spec.suffix}") for spec in WORK_QUEUES]
        },
        "lambda.invoke": {"StatusCode": 200, "Payload": io.BytesIO(b"{}")},
        "sqs.get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": "0"}},
        "secretsmanager.describe_secret": {"VersionIdsToStages": {VERSION: ["AWSCURRENT"]}},
        "dynamodb.describe_table": {
            "Table": {"TableStatus": "ACTIVE", "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}]}
        },
        "dynamodb.get_item": {},
        "dynamodb.query": {"Items": []},
        "scheduler.get_schedule": schedule("ENABLED"),
        "cloudwatch.get_metric_data": {"MetricDataResults": []},
        "logs.filter_log_events": {"events": []},
        "cloudtrail.lookup_events": {"Events": []},
    }


def scene(aws: RecordedAws, *, web: Mapping[str, Answer | None] | None = None, **config: Any) -> Scene:
    """The stack prod as its file has it, of which the last ten minutes count."""
    subject = Subject(
        recorded_deployment(aws),
        dataclasses.replace(stack_config(ROOT, "prod"), **config),
        web=FakeWeb(dict(web or {})),
        now=lambda: NOW,
    )
    return Scene(subject, NOW_MS - 600_000)
