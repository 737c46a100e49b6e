"""The entry points as Lambda loads them: settings from the environment, real adapters on moto."""

import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest

from handlers.adapters import logs
from handlers.settings import (
    AnalysisSettings,
    DistributionSettings,
    ReceptionSettings,
    RecoverySettings,
    Settings,
    SettingsError,
    variable,
)
from tests.fakes.http_server import Answer, ScriptedServer
from tests.unit.handlers.builders import PEER, REGION, fixture
from tests.unit.handlers.test_claude import message
from tests.unit.handlers.test_events import hint, proxy_event, sqs_event

TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
SETTINGS: dict[str, type[Settings]] = {
    "reception": ReceptionSettings,
    "analysis": AnalysisSettings,
    "distribution": DistributionSettings,
    "recovery": RecoverySettings,
}


class Context:
    """An invocation with plenty of time."""

    def get_remaining_time_in_millis(self) -> int:
        """Ten seconds."""
        return 10_000


@pytest.fixture
def load(
    tables: dict[str, str], serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ModuleType]]:
    """Loads an entry point at a cold start of its own, against moto, a Claude and a Slack."""
    sqs = boto3.client("sqs", region_name=REGION)
    urls = {
        f"{name.replace('-', '_')}_queue_url": sqs.create_queue(QueueName=name)["QueueUrl"]
        for name in ("processing", "distribution", "distribution-critical")
    }
    slack, claude = serve(Answer()), serve(message())
    secrets = boto3.client("secretsmanager", region_name=REGION)
    secrets.create_secret(Name="slack", SecretString=slack.url + "/services/verysecret")
    secrets.create_secret(Name="anthropic", SecretString="sk-verysecret")
    environment = {
        "stack": "dev",
        "peer_region": PEER,
        "alerts_table": tables["alerts"],
        "analysis_cache_table": tables["analysis-cache"],
        "ledger_consistency": "strong",
        "lease_s": "120",
        "dedupe_event_window_s": "3600",
        "dedupe_content_window_s": "300",
        "alarm_topic_arn": TOPIC,
        "anthropic_key_secret": "anthropic",
        "claude_model": "claude-test",
        "cache_ttl_s": "86400",
        "slack_webhook_secret": "slack",
        "slack_webhook_origin": slack.url + "/",
        "aws_region": REGION,
    } | urls
    for name, value in environment.items():
        monkeypatch.setenv(variable(name), value)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.url)
    handlers_of_root = list(logging.getLogger().handlers)

    def cold_start(name: str) -> ModuleType:
        sys.modules.pop(f"handlers.{name}", None)
        return importlib.import_module(f"handlers.{name}")

    yield cold_start
    logging.getLogger().handlers[:] = handlers_of_root
    for name in SETTINGS:
        sys.modules.pop(f"handlers.{name}", None)


def in_queue(name: str) -> list[str]:
    """The ids of the hints in a queue."""
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(entry["Body"])["alert_id"] for entry in got]


def row_of(alert_id: str) -> dict[str, Any]:
    """The raw item."""
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    return dynamodb.get_item(TableName="alerts", Key={"alert_id": {"S": alert_id}})["Item"]


def test_alert_goes_through_all_entry_points(
    load: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    """From API Gateway's event to Slack's message, each function loaded and invoked as Lambda does."""
    answer = load("reception").handler(proxy_event(), Context())
    (receipt,) = json.loads(answer["body"])["alerts"]
    alert_id = receipt["alert_id"]
    assert answer["statusCode"] == 202
    assert in_queue("processing") == [alert_id]
    assert load("analysis").handler(sqs_event(hint(alert_id)), Context()) == {"batchItemFailures": []}
    assert in_queue("distribution") == [alert_id]
    assert load("distribution").handler(sqs_event(hint(alert_id)), Context()) == {"batchItemFailures": []}
    item = row_of(alert_id)
    assert item["status"] == {"S": "NOTIFIED"}
    assert item["analysis"]["M"]["summary"] == {"S": "s"}
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    by_message = {line["message"]: line for line in lines}
    assert by_message["Claude analysis"]["alert_id"] == alert_id
    assert by_message["Claude analysis"]["input_tokens"] == 321
    assert by_message["Notified"]["function"] == "distribution"
    assert by_message["Notified"]["level"] == "INFO"
    assert by_message["Notified"]["region"] == REGION
    assert "verysecret" not in json.dumps(lines)
    assert "depth 1200" not in json.dumps(lines)


def test_recovery_entry_point_answers_its_counts(load: Callable[[str], ModuleType]) -> None:
    """The event's content does not matter."""
    counts = load("recovery").handler({"any": "thing"}, Context())
    assert counts == {"recovered": 0, "parked": 0, "passed_over": 0, "left_over": False}


def test_alarm_event_goes_through_reception(load: Callable[[str], ModuleType]) -> None:
    """SNS invokes the same function."""
    record = {"TopicArn": TOPIC, "MessageId": "m", "Message": fixture("cloudwatch_alarm").decode()}
    load("reception").handler({"Records": [{"EventSource": "aws:sns", "Sns": record}]}, Context())
    (alert_id,) = in_queue("processing")
    assert row_of(alert_id)["source"] == {"S": "cloudwatch"}


def test_lost_ledger_is_answered_503_within_the_timeout(load: Callable[[str], ModuleType]) -> None:
    """Through the whole stack: a table that is gone, for alerts and for the health check."""
    reception = load("reception")
    boto3.client("dynamodb", region_name=REGION).delete_table(TableName="alerts")
    posted = reception.handler(proxy_event(), Context())
    health = reception.handler(proxy_event(resource="/health", httpMethod="GET", body=None), Context())
    assert (posted["statusCode"], health["statusCode"]) == (503, 503)
    assert posted["headers"]["Retry-After"] == "5"
    assert "Traceback" not in posted["body"]


def test_missing_slack_secret_parks(load: Callable[[str], ModuleType]) -> None:
    """The alert is kept, and the reason names the secret."""
    boto3.client("secretsmanager", region_name=REGION).delete_secret(
        SecretId="slack", ForceDeleteWithoutRecovery=True
    )
    answer = load("reception").handler(proxy_event(), Context())
    alert_id = json.loads(answer["body"])["alerts"][0]["alert_id"]
    load("analysis").handler(sqs_event(hint(alert_id)), Context())
    load("distribution").handler(sqs_event(hint(alert_id)), Context())
    item = row_of(alert_id)
    assert item["status"] == {"S": "PARKED"}
    assert "the secret slack does not exist" in item["parked_reason"]["S"]


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_incomplete_environment_fails_the_cold_start(
    load: Callable[[str], ModuleType], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that is deployed wrongly says which variable, before it takes any alert."""
    monkeypatch.delenv(variable("alerts_table"))
    with pytest.raises(SettingsError, match="ALERTS_TABLE is missing"):
        load(name)


def test_only_analysis_loads_anthropic() -> None:
    """Its import costs more than a second of cold start."""
    users = [
        name
        for name in SETTINGS
        if "claude" in (importlib.util.find_spec(f"handlers.{name}").loader.get_source(f"handlers.{name}"))  # type: ignore[union-attr]  # they exist
    ]
    assert users == ["analysis"]


def test_logs_are_json_with_the_exception_inside(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a record, also for a traceback; other people's chatter stays out."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    try:
        logs.configure(function="f", region=REGION)
        logging.getLogger("botocore").info("chatter")
        try:
            int("a defect")
        except ValueError:
            logging.getLogger("handlers.x").exception("It failed", extra={"alert_id": "a1"})
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["message"], record["alert_id"], record["level"]) == ("It failed", "a1", "ERROR")
    assert "ValueError: invalid literal" in record["exc_info"]
