"""The entry points as Lambda loads them: settings from the environment, real adapters on moto."""

import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import msgspec
import pytest
from msgspec.structs import replace

from handlers.adapters import logs
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.limits import MAX_ATTEMPTS
from handlers.domain.regions.ownership import MovingOwnership
from handlers.domain.states import claimed, parked, suppressed
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
from tests.unit.handlers.builders import PEER, REGION, TOPIC, fixture, row
from tests.unit.handlers.test_claude import message
from tests.unit.handlers.test_events import proxy_event, sqs_event, wake_up
from topology.alerts import Status, parked_key
from topology.heartbeats import HeartbeatSpec, encoded_heartbeats
from topology.matchers import Matcher
from topology.records import watch_record
from topology.routes import RouteSpec, encoded_routes

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
        for name in ("processing", "processing-critical", "distribution", "distribution-critical")
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
        "coordination_table": tables["coordination"],
        "ledger_consistency": "strong",
        "lease_s": "120",
        "primary_region": REGION,
        "synthetic_interval_s": "0",
        "takeover_after_s": "900",
        "dedupe_event_window_s": "3600",
        "dedupe_content_window_s": "300",
        "source_quota_per_minute": "2000",
        "alarm_topic_arn": TOPIC,
        "anthropic_key_secret": "anthropic",
        "claude_model": "claude-test",
        "cache_ttl_s": "86400",
        "critical_patience_s": "2",
        "incident_window_s": "300",
        "hold_back_s": "0",
        "redact_emails": "true",
        "escalate_after_s": "900",
        "escalation_topic_arn": "arn:aws:sns:us-east-1:123456789012:escalation",
        "slack_webhook_secret": "slack",
        "slack_webhook_origin": slack.url + "/",
        "slack_interval_ms": "1000",
        "slack_channel": "",
        "slack_bot_token_secret": "",
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
    """The ids of the wake-ups in a queue."""
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
    assert load("analysis").handler(sqs_event(wake_up(alert_id)), Context()) == {"batchItemFailures": []}
    assert in_queue("distribution") == [alert_id]
    assert load("distribution").handler(sqs_event(wake_up(alert_id)), Context()) == {"batchItemFailures": []}
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


def test_recovery_entry_point_answers_its_counts_and_says_what_is_parked(
    load: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    """The event's content does not matter; standard output has the metric and nothing else."""
    counts = load("recovery").handler({"any": "thing"}, Context())
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "McpIncidentResponder",
        "Dimensions": [["Stack"]],
        "Metrics": [
            {"Name": "ParkedAlerts", "Unit": "Count"},
            {"Name": "OldestExpiredRowS", "Unit": "Seconds"},
        ],
    }
    assert (line["Stack"], line["ParkedAlerts"], line["OldestExpiredRowS"]) == ("dev", 0, 0)
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000
    assert counts == {
        "recovered": 0,
        "parked": 0,
        "promoted": 0,
        "follow_ups": 0,
        "changed": 0,
        "unsilenced": 0,
        "passed_over": 0,
        "unreadable": 0,
        "left_over": False,
        "parked_now": 0,
        "expired": 0,
        "escalated": 0,
    }


def test_recovery_entry_point_sends_synthetic_alerts_and_misses_heartbeats(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through reception's own way, with what Recovery alone is made of."""
    watchdog = HeartbeatSpec(name="watchdog", match=Matcher(title="Watchdog"), every_s=30, severity="HIGH")
    monkeypatch.setenv(variable("synthetic_interval_s"), "300")
    monkeypatch.setenv(variable("heartbeats"), encoded_heartbeats([watchdog]))
    counts = load("recovery").handler({}, Context())
    assert (counts["synthetic"], counts["missing"]) == (1, 0)
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    (row,) = dynamodb.scan(TableName="alerts")["Items"]
    assert (row["format"], row["status"], row["route"]) == (
        {"S": "synthetic"},
        {"S": "RECEIVED"},
        {"S": "synthetic"},
    )
    key = {"name": {"S": watch_record(REGION)}}
    values = dynamodb.get_item(TableName="coordination", Key=key)["Item"]["values"]["M"]
    assert values["heartbeat:watchdog"] == values["looked_ms"]
    assert values["heartbeat:watchdog#every_s"] == {"N": "30"}


@pytest.mark.parametrize(("consistency", "deleted"), [("strong", 1), ("eventual", 0)])
def test_expired_row_is_deleted_where_no_ttl_does_it(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, consistency: str, deleted: int
) -> None:
    """A strong table has none; an eventual one's TTL needs no help."""
    monkeypatch.setenv(variable("ledger_consistency"), consistency)
    old = suppressed(row(at_ms=1_700_000_000_000), due_at=1_700_000_060)
    boto3.client("dynamodb", region_name=REGION).put_item(
        TableName="alerts", Item=item_of(attributes_of(old))
    )
    assert load("recovery").handler({}, Context())["expired"] == deleted


def test_parked_alert_is_counted(
    load: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the index, in both regions' keys."""
    held = claimed(row("gone", status=Status.ANALYZED), token="t", due_at=1)
    gone = parked(held, reason="r", due_at=row().timestamp * 2)
    for owner in (REGION, PEER):
        plain = msgspec.to_builtins(replace(gone, alert_id=owner, open_key=parked_key(owner)))
        boto3.client("dynamodb", region_name=REGION).put_item(
            TableName="alerts",
            Item=item_of({name: part for name, part in plain.items() if part is not None}),
        )
    assert load("recovery").handler({}, Context())["parked_now"] == 2
    assert json.loads(capsys.readouterr().out)["ParkedAlerts"] == 2


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_eventual_ledger_is_worked_on_by_ownership(
    load: Callable[[str], ModuleType], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function of a region then asks whose an alert is."""
    monkeypatch.setenv(variable("ledger_consistency"), "eventual")
    ownership = load(name)._parts.ownership  # noqa: SLF001 - what the module was built from
    assert isinstance(ownership, MovingOwnership)
    assert (ownership.region, ownership.peer, ownership.takeover_after_s) == (REGION, PEER, 900)


def test_recovery_beats_under_an_eventual_ledger(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other region sees that this one runs."""
    monkeypatch.setenv(variable("ledger_consistency"), "eventual")
    load("recovery").handler({}, Context())
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    record = dynamodb.get_item(TableName="coordination", Key={"name": {"S": f"region#{REGION}"}})["Item"]
    assert int(record["values"]["M"]["heartbeat_ms"]["N"]) > 1_700_000_000_000


def test_bot_posts_where_a_channel_is_configured(
    load: Callable[[str], ModuleType], serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its token, to the Web API beside the webhooks' origin; the row keeps what an edit needs."""
    slack = serve(Answer(200, b'{"ok": true, "channel": "C0123456789", "ts": "1.2"}'))
    secrets = boto3.client("secretsmanager", region_name=REGION)
    secrets.create_secret(Name="bot", SecretString="xoxb-verysecret")
    monkeypatch.setenv(variable("slack_channel"), "C0123456789")
    monkeypatch.setenv(variable("slack_bot_token_secret"), "bot")
    monkeypatch.setenv(variable("slack_webhook_origin"), slack.url + "/")
    answer = load("reception").handler(proxy_event(), Context())
    alert_id = json.loads(answer["body"])["alerts"][0]["alert_id"]
    load("analysis").handler(sqs_event(wake_up(alert_id)), Context())
    load("distribution").handler(sqs_event(wake_up(alert_id)), Context())
    (heard,) = slack.heard
    assert (heard.path, heard.headers["authorization"]) == ("/api/chat.postMessage", "Bearer xoxb-verysecret")
    assert row_of(alert_id)["slack_ref"] == {"S": "C0123456789/1.2"}


def test_distribution_has_a_channel_for_each_address_of_a_route(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By webhook or bot; routes to one address share the channel, and so its pace and its digests."""
    routes = (
        RouteSpec(name="payments", match=Matcher(source="a"), secret="slack-webhook-payments"),
        RouteSpec(name="urgent", match=Matcher(source="b"), secret="slack-webhook-payments"),
        RouteSpec(name="quiet", match=Matcher(source="c"), channel="C0123456789"),
        RouteSpec(name="default-too", match=Matcher(source="d"), secret="slack-webhook"),
    )
    monkeypatch.setenv(variable("alert_routes"), encoded_routes(routes))
    monkeypatch.setenv(variable("slack_webhook_secret"), "mcp-responder-dev/slack-webhook")
    channels = load("distribution")._work.channels  # noqa: SLF001 - what the module was built from
    payments, urgent, quiet, shared = (channels.of(route.name) for route in routes)
    assert urgent is payments
    assert shared is channels.default is channels.of(None)
    assert [channel.rate_limiter.route for channel in (payments, quiet, shared)] == ["payments", "quiet", ""]
    assert [channel.edits for channel in (payments, quiet, shared)] == [False, True, False]


def test_alert_goes_to_its_routes_webhook_and_without_one_is_counted(
    load: Callable[[str], ModuleType],
    serve: Callable[..., ScriptedServer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its secret is read when there is something to post; an empty one is a metric, and parks nothing."""
    slack = serve(Answer())
    monkeypatch.setenv(variable("slack_webhook_origin"), slack.url + "/")
    monkeypatch.setenv(variable("slack_interval_ms"), "1")
    route = RouteSpec(name="payments", match=Matcher(source="a"), secret="slack-webhook-payments")
    monkeypatch.setenv(variable("alert_routes"), encoded_routes([route]))
    due = claimed(row("due", status=Status.ANALYZED), token="t", due_at=1)
    routed = replace(due, route="payments")
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    dynamodb.put_item(TableName="alerts", Item=item_of(attributes_of(routed)))
    load("distribution").handler(sqs_event(wake_up("due")), Context())
    (metric,) = map(json.loads, capsys.readouterr().out.splitlines())
    (directive,) = metric.pop("_aws")["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Stack"], ["Stack", "Route"]]
    assert directive["Metrics"] == [{"Name": "UnusableRoutes", "Unit": "Count"}]
    assert metric == {"Stack": "dev", "Route": "payments", "UnusableRoutes": 1}
    assert row_of("due")["status"] == {"S": "ANALYZED"}
    secrets = boto3.client("secretsmanager", region_name=REGION)
    secrets.create_secret(
        Name="mcp-responder-dev/slack-webhook-payments", SecretString=slack.url + "/services/payments"
    )
    dynamodb.put_item(TableName="alerts", Item=item_of(attributes_of(routed)))
    load("distribution").handler(sqs_event(wake_up("due")), Context())
    assert row_of("due")["status"] == {"S": "NOTIFIED"}
    assert [heard.path for heard in slack.heard] == ["/services/payments"]


@pytest.mark.parametrize(
    ("origin", "api"),
    [
        ("https://hooks.slack.com/", "https://slack.com/api/"),
        ("https://hooks.slack-gov.com/", "https://slack-gov.com/api/"),
        ("http://hooks.slack.test/", "http://slack.test/api/"),
    ],
)
def test_web_api_is_beside_the_webhooks(
    load: Callable[[str], ModuleType], origin: str, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each Slack has its own."""
    monkeypatch.setenv(variable("slack_webhook_origin"), origin)
    assert load("distribution")._settings.slack_api_url == api  # noqa: SLF001 - what the module was built from


def test_alarm_event_goes_through_reception(load: Callable[[str], ModuleType]) -> None:
    """SNS invokes the same function."""
    record = {"TopicArn": TOPIC, "MessageId": "m", "Message": fixture("cloudwatch_alarm").decode()}
    load("reception").handler({"Records": [{"EventSource": "aws:sns", "Sns": record}]}, Context())
    (alert_id,) = in_queue("processing")
    assert row_of(alert_id)["source"] == {"S": "cloudwatch"}


def test_refusal_is_counted_and_sampled(
    load: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    """A metric in all and by format and reason, and a line of the log without the body's secrets."""
    refused = proxy_event(body='{"origin": "billing", "severity": "page", "password": "hunter2"}')
    assert load("reception").handler(refused, Context())["statusCode"] == 422
    out, err = capsys.readouterr()
    (metric,), (line,) = (list(map(json.loads, text.splitlines())) for text in (out, err))
    (directive,) = metric.pop("_aws")["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "McpIncidentResponder",
        "Dimensions": [["Stack"], ["Stack", "Format", "Reason"]],
        "Metrics": [{"Name": "Refusals", "Unit": "Count"}],
    }
    assert metric == {"Stack": "dev", "Format": "unknown", "Reason": "unknown_format", "Refusals": 1}
    assert (line["message"], line["format"], line["error"], line["field"], line["refused"]) == (
        "Refused a request", "unknown", "unknown_format", None, 1
    )  # fmt: skip
    assert line["sample"] == '{"origin": "billing", "severity": "page", "password": "[redacted: password]"}'


def test_lost_ledger_is_answered_503_within_the_timeout(load: Callable[[str], ModuleType]) -> None:
    """Through the whole stack: a table that is gone, for alerts and for the health check."""
    reception = load("reception")
    boto3.client("dynamodb", region_name=REGION).delete_table(TableName="alerts")
    posted = reception.handler(proxy_event(), Context())
    health = reception.handler(proxy_event(resource="/health", httpMethod="GET", body=None), Context())
    assert (posted["statusCode"], health["statusCode"]) == (503, 503)
    assert posted["headers"]["Retry-After"] == "5"
    assert "Traceback" not in posted["body"]


def test_slack_secret_that_stays_missing_parks(load: Callable[[str], ModuleType]) -> None:
    """The alert is kept, and after its last attempt the reason names the secret."""
    boto3.client("secretsmanager", region_name=REGION).delete_secret(
        SecretId="slack", ForceDeleteWithoutRecovery=True
    )
    answer = load("reception").handler(proxy_event(), Context())
    alert_id = json.loads(answer["body"])["alerts"][0]["alert_id"]
    load("analysis").handler(sqs_event(wake_up(alert_id)), Context())
    boto3.client("dynamodb", region_name=REGION).update_item(
        TableName="alerts",
        Key={"alert_id": {"S": alert_id}},
        UpdateExpression="SET attempts = :spent",
        ExpressionAttributeValues={":spent": {"N": str(MAX_ATTEMPTS - 1)}},
    )
    load("distribution").handler(sqs_event(wake_up(alert_id)), Context())
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
