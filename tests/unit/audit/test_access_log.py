"""Receipts from the APIs' access log and reception's own, on CloudWatch Logs by moto."""

import json
from typing import Any

import boto3
import pytest

from audit.access_log import AccessLogError, access_receipts
from audit.comparison import EVER, Window
from audit.stack import audit_stack
from clients.deployment import Deployment
from clients.receipts import Receipt
from tests.fakes.deployment import FAILOVER, PRIMARY

API_GROUP = "/aws/apigateway/mcp-incident-responder-dev-api"
RECEPTION_GROUP = "/aws/lambda/mcp-incident-responder-dev-AlertReceptionFunction"
AT_MS = 1_795_420_800_000


@pytest.fixture
def logged(deployment: Deployment) -> Deployment:
    """The stack with its log groups, empty."""
    for region in (PRIMARY, FAILOVER):
        logs = boto3.client("logs", region_name=region)
        for group in (API_GROUP, RECEPTION_GROUP):
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName="s")
    return deployment


def write(group: str, *lines: str, region: str = PRIMARY, at_ms: int = AT_MS) -> None:
    """Put lines into a log."""
    boto3.client("logs", region_name=region).put_log_events(
        logGroupName=group,
        logStreamName="s",
        logEvents=[{"timestamp": at_ms, "message": line} for line in lines],
    )


def answer(request_id: str, *, at_ms: int = AT_MS, **values: str) -> str:
    """A line of the access log."""
    usual = {
        "request_id": request_id, "time_ms": str(at_ms), "method": "POST", "path": "/alerts", "status": "202",
    }  # fmt: skip
    return json.dumps(usual | values)


def accepted(request_id: str, alert_id: str, status: str = "RECEIVED", **values: Any) -> str:
    """A line of reception's log."""
    line = {"level": "INFO", "message": "Accepted an alert", "request_id": request_id, "alert_id": alert_id}
    return json.dumps({**line, "status": status, **values})


def test_each_alert_of_an_accepted_request_has_a_receipt(logged: Deployment) -> None:
    """Of both regions, with the time by API Gateway's clock; Lambda's own lines are passed over."""
    write(API_GROUP, answer("r1"))
    write(
        RECEPTION_GROUP,
        "START RequestId: 1 Version: 7",
        accepted("r1", "a1"),
        accepted("r1", "a1.b", "SUPPRESSED"),
    )
    write(API_GROUP, answer("r2"), region=FAILOVER)
    write(RECEPTION_GROUP, accepted("r2", "a2"), region=FAILOVER)
    assert sorted(access_receipts(logged, EVER), key=lambda receipt: receipt.alert_id) == [
        Receipt("a1", "RECEIVED", PRIMARY, AT_MS, AT_MS),
        Receipt("a1.b", "SUPPRESSED", PRIMARY, AT_MS, AT_MS),
        Receipt("a2", "RECEIVED", FAILOVER, AT_MS, AT_MS),
    ]


@pytest.mark.parametrize("values", [{"status": "503"}, {"path": "/health"}, {"method": "GET"}])
def test_what_was_not_answered_202_was_not_promised(logged: Deployment, values: dict[str, str]) -> None:
    """Though reception took it: its answer may have been too late for API Gateway."""
    write(API_GROUP, answer("r1 202", **values))
    write(RECEPTION_GROUP, accepted("r1 202", "a1"))
    assert list(access_receipts(logged, EVER)) == []


def test_a_202_that_reception_does_not_name_is_unaccounted(logged: Deployment) -> None:
    """Its alerts are unknown, so the audit fails and says which request it was."""
    write(API_GROUP, answer("r1"))
    found = audit_stack(logged, receipts=access_receipts(logged, EVER), slack=None)
    assert found.problems == {
        "request:r1": "answered 202, and the log of reception does not say for which alerts"
    }


def test_only_the_window_is_read_with_a_margin_for_late_lines(logged: Deployment) -> None:
    """A request of the window's last moment is logged after it."""
    write(API_GROUP, answer("r1", at_ms=AT_MS - 1), at_ms=AT_MS + 9_000)
    write(RECEPTION_GROUP, accepted("r1", "a1"), at_ms=AT_MS + 8_000)
    write(API_GROUP, answer("r0", at_ms=AT_MS - 300_000), at_ms=AT_MS - 300_000)
    window = Window(since_ms=AT_MS - 10_000, until_ms=AT_MS)
    assert [receipt.alert_id for receipt in access_receipts(logged, window)] == ["a1"]


def test_a_stack_without_an_access_log_says_how_to_get_one(deployment: Deployment) -> None:
    """No log is not the same as nothing accepted."""
    with pytest.raises(AccessLogError, match="configure apiAccessLog and deploy"):
        list(access_receipts(deployment, EVER))
