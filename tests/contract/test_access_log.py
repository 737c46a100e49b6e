"""The audit reads two logs that others write: the names that they share are compared here."""

import io
import json
import logging

import pytest
from pythonjsonlogger.json import JsonFormatter

from audit import access_log
from components.webhook import ACCESS_LOG_FORMAT, ROUTES
from handlers.adapters.lambda_events.requests import request_of
from tests.unit.handlers.builders import World, body


def test_reception_logs_each_alert_with_the_id_that_the_api_logs_the_request_under(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`requestContext.requestId` of the event is `$context.requestId` of the access log."""
    caplog.set_level(logging.INFO, logger="handlers")
    event = {
        "httpMethod": "POST",
        "resource": "/alerts",
        "path": "/alerts",
        "headers": {"content-type": "application/json"},
        "body": body().decode(),
        "requestContext": {"requestId": "r1"},
    }
    answer = World().answer(request_of(event))
    stream = logging.StreamHandler(io.StringIO())
    stream.setFormatter(JsonFormatter("%(levelname)s %(name)s %(message)s", timestamp=True))
    lines = [json.loads(stream.format(record)) for record in caplog.records]
    [line] = [line for line in lines if line["message"] == access_log.ACCEPTED]
    [alert] = answer.body["alerts"]
    assert (line["request_id"], line["alert_id"], line["status"]) == ("r1", alert["alert_id"], "RECEIVED")
    assert access_log.NAMED.keys() <= line.keys()


def test_the_access_log_has_what_the_audit_reads() -> None:
    """The format is the deployment's; the audit knows its names."""
    assert ACCESS_LOG_FORMAT["request_id"] == "$context.requestId"
    assert ACCESS_LOG_FORMAT.keys() == set(access_log.LOGGED)
    assert ROUTES["alerts"] == "POST"
