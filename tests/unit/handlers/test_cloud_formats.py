"""What is made of the bodies of AWS, Azure and Google Cloud."""

import json
from typing import Any

import pytest

from handlers.domain.alert import IncomingAlert
from handlers.domain.formats import parse
from handlers.domain.identity import fault_key_of
from handlers.domain.intake.alarms import AlarmMessage
from tests.unit.handlers.builders import TOPIC, World, fixture, post
from topology.alerts import FaultState, Severity

CONSOLE = "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-3#alarmsV2:alarm/"


def alert(name: str, **fields: Any) -> IncomingAlert:
    """The one alert of a fixture `format/name`, with `fields` replaced; its format is the folder's name."""
    parsed = parse(json.dumps(json.loads(fixture(name)) | fields).encode(), {})
    (found,) = parsed.alerts
    assert parsed.format == name.partition("/")[0]
    return found


@pytest.mark.parametrize(
    ("name", "title", "severity", "component", "host"),
    [
        ("cloudwatch_sns/composite", "shop-health", Severity.HIGH, None, None),
        ("cloudwatch_sns/anomaly_in_an_envelope", "pay-anomaly", Severity.INFO, "AWS/Lambda", None),
        ("cloudwatch_sns/text_in_an_envelope", "Backup of the stock failed", Severity.MEDIUM, None, None),
        ("cloudwatch_eventbridge/metric_math", "pay-errors", Severity.HIGH, "AWS/Lambda", None),
        ("cloudwatch_eventbridge/composite", "shop-health", Severity.HIGH, None, None),
        ("cloudwatch_lambda_action/insufficient_data", "pay-errors", Severity.MEDIUM, "AWS/Lambda", None),
        ("aws_health_eventbridge/issue", "RDS: operational issue", Severity.HIGH, "RDS", "db-7"),
        ("aws_health_eventbridge/closed", "RDS: operational issue", Severity.INFO, "RDS", "db-7"),
        ("aws_health_eventbridge/notification", "RDS: billing notification", Severity.LOW, "RDS", None),
        (
            "guardduty_eventbridge/finding",
            "i-0shop asks for a mining pool",
            Severity.HIGH,
            "Instance",
            "i-0shop",
        ),
        (
            "azure_common_alert/metric",
            "shop-cpu",
            Severity.HIGH,
            "microsoft.compute/virtualmachines",
            "shop-1",
        ),
        (
            "azure_common_alert/service_health",
            "azure-itself: Storage in France is slow",
            Severity.MEDIUM,
            "microsoft.compute/virtualmachines",
            "shop-1",
        ),
        ("azure_legacy/classic_metric", "requests", Severity.MEDIUM, "microsoft.web/sites", "shop-site"),
        ("azure_legacy/metric", "store", Severity.CRITICAL, "Microsoft.Storage/storageAccounts", "shopstore"),
        ("azure_legacy/log_search", "shop-errors", Severity.MEDIUM, None, None),
        ("gcp_monitoring/open", "Shop CPU: CPU above 90 %", Severity.HIGH, "gce_instance", "shop-vm"),
    ],
)
def test_body_becomes_one_alert_that_people_understand(
    name: str, title: str, severity: Severity, component: str | None, host: str | None
) -> None:
    """With what it is about, and nothing to be mended."""
    found = alert(name)
    assert (found.title, found.severity) == (title, severity)
    assert (found.component, found.host) == (component, host)
    assert found.mended == ()
    assert found.part


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cloudwatch_eventbridge/configuration_change", "configuration (update)"),
        ("azure_legacy/autoscale", "scaled"),
        ("gcp_monitoring/channel_test", "test"),
        ("sns_subscription", "SubscribeURL is never fetched"),
    ],
)
def test_what_is_no_alert_is_ignored_and_says_why(name: str, reason: str) -> None:
    """200 at the webhook, one count, no row; on the alarm topic it is no text for people either."""
    world = World()
    response = world.answer(post(fixture(name)))
    assert response.status == 200
    assert reason in response.body["ignored"]
    message = AlarmMessage(topic_arn=TOPIC, message_id="m", text=fixture(name).decode())
    world.alarms.take(message, until_ms=world.clock.ms + 4_000)
    assert world.ledger.rows == {}
    assert dict(world.refusal_meter.ignored) == {response.body["format"]: 2}
    assert world.refusal_meter.counts == {}


@pytest.mark.parametrize(
    ("firing", "resolved"),
    [
        ("aws_health_eventbridge/issue", "aws_health_eventbridge/closed"),
        ("azure_common_alert/metric", "azure_common_alert/metric_resolved"),
        ("azure_legacy/classic_metric", "azure_legacy/classic_metric_resolved"),
        ("gcp_monitoring/open", "gcp_monitoring/closed"),
    ],
)
def test_end_of_a_fault_is_known_for_that_of_the_same_one(firing: str, resolved: str) -> None:
    """By its identity, and later by the sender's own clock."""
    began, ended = alert(firing), alert(resolved)
    assert (began.state, ended.state) == (FaultState.FIRING, FaultState.RESOLVED)
    assert fault_key_of(began) == fault_key_of(ended)
    assert str(ended.changed_at) > str(began.changed_at)


def test_alarm_is_one_fault_whichever_way_it_comes() -> None:
    """SNS, EventBridge and the Lambda action write the same ARN."""
    names = ("cloudwatch_sns/composite", "cloudwatch_eventbridge/composite")
    assert len({fault_key_of(alert(name)) for name in names}) == 1
    names = ("cloudwatch_lambda_action/insufficient_data", "cloudwatch_eventbridge/metric_math")
    assert len({fault_key_of(alert(name)) for name in names}) == 1


@pytest.mark.parametrize(
    ("value", "severity", "state"),
    [
        ("ALARM", Severity.HIGH, FaultState.FIRING),
        ("OK", Severity.INFO, FaultState.RESOLVED),
        ("INSUFFICIENT_DATA", Severity.MEDIUM, FaultState.FIRING),
        ("ODD", Severity.MEDIUM, FaultState.FIRING),
        (None, Severity.MEDIUM, FaultState.FIRING),
    ],
)
def test_only_an_alarms_ok_resolves(value: str | None, severity: Severity, state: FaultState) -> None:
    """Missing data is unknown, never healthy, and so is a state that nobody knows."""
    for name in ("cloudwatch_eventbridge/metric_math", "cloudwatch_lambda_action/insufficient_data"):
        place = "detail" if "eventbridge" in name else "alarmData"
        inner = json.loads(fixture(name))[place]
        found = alert(name, **{place: inner | {"state": inner["state"] | {"value": value}}})
        assert (found.severity, found.state) == (severity, state)


def test_contributor_to_an_alarm_is_a_fault_of_its_own() -> None:
    """One that is well again ends neither the others nor the alarm.

    https://docs.amazonaws.cn/en_us/eventbridge/latest/ref/events-ref-cloudwatch.md
    """
    name = "cloudwatch_eventbridge/metric_math"
    detail = json.loads(fixture(name))["detail"]
    kind = {"detail-type": "CloudWatch Alarm Contributor State Change"}
    found = [alert(name, **kind, detail=detail | {"alarmContributor": {"id": one}}) for one in ("c1", "c2")]
    assert len({fault_key_of(one) for one in (alert(name), *found)}) == 3


def test_alarm_shows_what_it_watches() -> None:
    """Namespace, metrics, dimensions and expression, of either spelling; a composite one its rule."""
    by_event = alert("cloudwatch_eventbridge/metric_math").labels
    assert by_event["metric"] == "Errors, Invocations"
    assert by_event["expression"] == "100*bad/all"
    assert (by_event["namespace"], by_event["FunctionName"]) == ("AWS/Lambda", "pay")
    by_topic = alert("cloudwatch_sns/anomaly_in_an_envelope").labels
    assert (by_topic["metric"], by_topic["FunctionName"]) == ("Invocations", "pay")
    assert by_topic["expression"] == "ANOMALY_DETECTION_BAND(calls, 2)"
    composite = alert("cloudwatch_eventbridge/composite")
    assert composite.labels["rule"] == "ALARM(stock) OR ALARM(pay)"
    assert composite.labels["suppressed_by"] == "WaitPeriod"
    assert composite.links == {"source": f"{CONSOLE}shop-health"}


@pytest.mark.parametrize(
    ("number", "severity"),
    [
        (10, Severity.CRITICAL),
        (9.0, Severity.CRITICAL),
        (8.9, Severity.HIGH),
        (7, Severity.HIGH),
        (6.9, Severity.MEDIUM),
        (4.0, Severity.MEDIUM),
        (3.9, Severity.LOW),
        ("1.0", Severity.LOW),
        (0.5, Severity.INFO),
        ("odd", Severity.MEDIUM),
    ],
)
def test_number_of_a_finding_is_a_severity(number: Any, severity: Severity) -> None:
    """By the ranges that AWS documents."""
    name = "guardduty_eventbridge/finding"
    assert alert(name, detail=json.loads(fixture(name))["detail"] | {"severity": number}).severity is severity


@pytest.mark.parametrize(("status", "alerts"), [("THREATS_FOUND", 1), ("NO_THREATS_FOUND", 0)])
def test_scan_for_malware_is_an_alert_where_it_found_some(status: str, alerts: int) -> None:
    """An event of another type than a finding's, and with none of its fields."""
    detail = {"scanStatus": "COMPLETED", "scanResultDetails": {"scanResultStatus": status}}
    event = {"source": "aws.guardduty", "detail-type": "GuardDuty Malware Protection Object Scan Result"}
    parsed = parse(json.dumps(event | {"detail": detail}).encode(), {})
    assert (parsed.format, len(parsed.alerts)) == ("guardduty_eventbridge", alerts)


def test_malware_is_told_by_its_object_and_its_name() -> None:
    """Two objects are two faults; nothing that only a finding has counts as missing."""
    detail: dict[str, Any] = {
        "resourceType": "S3_OBJECT",
        "s3ObjectDetails": {"bucketName": "shop-uploads", "objectKey": "cv.pdf", "versionId": "v1"},
        "scanResultDetails": {"scanResultStatus": "THREATS_FOUND", "threats": [{"name": "EICAR"}]},
    }
    event = {"source": "aws.guardduty", "detail-type": "GuardDuty Malware Protection Object Scan Result"}
    (found,) = parse(json.dumps(event | {"detail": detail}).encode(), {}).alerts
    assert (found.title, found.message) == ("Scan for malware: THREATS_FOUND in shop-uploads/cv.pdf", "EICAR")
    assert (found.severity, found.mended) == (Severity.HIGH, ())
    other = detail | {"s3ObjectDetails": detail["s3ObjectDetails"] | {"objectKey": "b"}}
    (second,) = parse(json.dumps(event | {"detail": other}).encode(), {}).alerts
    assert fault_key_of(found) != fault_key_of(second)


@pytest.mark.parametrize(("level", "severity"), list(enumerate(Severity)))
def test_five_levels_of_azure_are_the_five_severities(level: int, severity: Severity) -> None:
    """Sev0 is the worst on both sides."""
    name = "azure_common_alert/metric"
    data = json.loads(fixture(name))["data"]
    found = alert(name, data=data | {"essentials": data["essentials"] | {"severity": f"Sev{level}"}})
    assert found.severity is severity


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("azure_common_alert/metric", "Percentage CPU 97.5 GreaterThan 90 (Average)"),
        ("azure_common_alert/log_search", "Heartbeat | count"),
        ("azure_common_alert/service_health", "We look into it"),
        ("azure_common_alert/resource_health", "UserInitiated"),
        ("azure_common_alert/smart_detection", "An abnormal rise in failed requests"),
        ("azure_legacy/log_search", "errors of the shop"),
        ("aws_health_eventbridge/issue", "Connections break\nsince 08:00"),
        ("gcp_monitoring/open", "Look at the queue first"),
    ],
)
def test_message_says_what_the_sender_says(name: str, text: str) -> None:
    """Whichever field its kind of alert has that in."""
    assert text in alert(name).message


@pytest.mark.parametrize("name", ["resource_health", "service_health"])
@pytest.mark.parametrize(
    ("level", "severity"),
    [("Critical", Severity.CRITICAL), (2, Severity.HIGH), ("Informational", Severity.INFO)],
)
def test_outage_that_azure_tells_of_has_its_own_level_and_end(
    name: str, level: Any, severity: Severity
) -> None:
    """Every alert of the activity log is Sev4 and stays Fired, and each entry has an id of its own."""
    data = json.loads(fixture(f"azure_common_alert/{name}"))["data"]
    data["essentials"]["severity"] = "Sev4"
    context = data["alertContext"] | {"level": level}
    began = alert(f"azure_common_alert/{name}", data=data | {"alertContext": context})
    assert (began.severity, began.state) == (severity, FaultState.FIRING)
    essentials = data["essentials"] | {"alertId": "a2", "originAlertId": "o2"}
    over = {"essentials": essentials, "alertContext": context | {"status": "Resolved"}}
    ended = alert(f"azure_common_alert/{name}", data=over)
    assert ended.state is FaultState.RESOLVED
    assert fault_key_of(ended) == fault_key_of(began)


def test_outage_without_the_common_schema_has_its_level_and_end_too() -> None:
    """It stays `Activated`; what was done to a resource, and succeeded, is no end of anything."""
    whole = json.loads(fixture("azure_legacy/activity_log"))
    data = whole["data"]

    def entry(**fields: Any) -> IncomingAlert:
        log = data["context"]["activityLog"] | {"properties": {"trackingId": "T1-AB"}} | fields
        return alert("azure_legacy/activity_log", data=data | {"context": {"activityLog": log}})

    began, ended = entry(level=3, status="Active"), entry(eventDataId="ev-2", status="Resolved")
    assert (began.severity, began.state) == (Severity.MEDIUM, FaultState.FIRING)
    assert ended.state is FaultState.RESOLVED
    assert fault_key_of(began) == fault_key_of(ended)
    assert entry(properties={}, status="Succeeded").state is FaultState.FIRING


def test_activity_of_azure_is_an_alert_of_its_own() -> None:
    """Each entry of the log has an id, and its level is its severity."""
    found = alert("azure_legacy/activity_log")
    assert (found.title, found.severity) == ("Microsoft.Compute/virtualMachines/delete", Severity.HIGH)
    assert (found.event_id, found.labels["operation_status"]) == ("ev-1", "Failed")


def test_links_lead_to_incident_and_runbook() -> None:
    """Each under its kind."""
    assert alert("gcp_monitoring/open").links == {
        "source": "https://console.cloud.google.com/monitoring/alerting/incidents/0.shop1?project=shop-prod",
        "runbook": "https://wiki.shop.example/cpu",
    }
    assert alert("azure_common_alert/log_search").links == {
        "dashboard": "https://portal.azure.com/#@t/blade/Logs"
    }


@pytest.mark.parametrize(
    "name",
    [
        "cloudwatch_sns/composite",
        "cloudwatch_eventbridge/metric_math",
        "cloudwatch_lambda_action/insufficient_data",
        "aws_health_eventbridge/issue",
        "guardduty_eventbridge/finding",
        "azure_common_alert/metric",
        "azure_legacy/metric",
        "gcp_monitoring/open",
    ],
)
@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [5], {"a": {}}])
def test_field_of_a_wrong_kind_costs_no_alert(name: str, odd: Any) -> None:
    """One field at a time, at the top and one level below: it is taken by its format, with a title."""
    whole = json.loads(fixture(name))
    bodies = [whole | {field: odd} for field in whole]
    for field, value in whole.items():
        if isinstance(value, dict):
            bodies += [whole | {field: value | {inner: odd}} for inner in value]
    for body in bodies:
        parsed = parse(json.dumps(body).encode(), {})
        assert parsed.format == name.partition("/")[0]
        assert [bool(found.title.strip()) for found in parsed.alerts] == [True]
