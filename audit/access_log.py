"""Receipts from the APIs' own logs, where no sender keeps any: what was answered 202, and for which alerts.

API Gateway's access log says which requests were answered 202, and reception's log which alerts each was
about; the request id joins them. Neither is the ledger. Logs arrive minutes late, so audit a window that ends
before that (`--until 15m`).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from audit.comparison import EVER, Window
from audit.database import Database
from audit.queries import UNNAMED
from clients.deployment import Deployment, RegionEndpoints
from clients.receipts import Receipt
from topology.errors import ExplainedError
from topology.functions import RECEPTION

LOGGED: Final = ("request_id", "time_ms", "method", "path", "status")
"""Of each answer in the access log; every value is text."""

ACCEPTED: Final = "Accepted an alert"
"""What reception logs for each alert of a request, with `request_id`, `alert_id` and `status`."""

_MARGIN_MS: Final = 60_000
"""A request is logged up to its timeout after API Gateway took it, and by other clocks."""

_EVENTS_MAX: Final = 10_000
"""Of one page. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""

_ANSWERS: Final = {"request_id": "VARCHAR", "region": "VARCHAR", "at_ms": "BIGINT"}
NAMED: Final = {"request_id": "VARCHAR", "alert_id": "VARCHAR", "status": "VARCHAR"}
_JOIN: Final = """
    SELECT coalesce(alert_id, $unnamed || answers.request_id), coalesce(status, 'RECEIVED'), region, at_ms
    FROM answers LEFT JOIN named USING (request_id)
"""


class AccessLogError(ExplainedError):
    """A log cannot be read, or not whole; so nobody can say what was answered."""


def access_receipts(deployment: Deployment, window: Window) -> Iterator[Receipt]:
    """A receipt for each alert of each request that was answered 202 in `window`, by either region.

    A request that reception's log does not name gets one under `UNNAMED` and its id, which no ledger has.

    Raises:
        AccessLogError: a region or its log does not answer, or the stack writes no access log.
    """
    with Database() as joined:
        joined.load("answers", _ANSWERS, _answers(deployment, window))
        joined.load("named", NAMED, _named(deployment, window))
        joined.values = {"unnamed": UNNAMED}
        for alert_id, status, region, at_ms in joined.rows(_JOIN):
            yield Receipt(alert_id, status, region, at_ms, at_ms)


def _answers(deployment: Deployment, window: Window) -> Iterator[Mapping[str, Any]]:
    group = deployment.names.api_log_group
    for endpoints in deployment.regions:
        for line in _lines(deployment, endpoints, group, '"202"', window):
            request_id, time_ms, method, path, status = (line.get(name, "") for name in LOGGED)
            if (method, path, status) == ("POST", "/alerts", "202"):
                yield {"request_id": request_id, "region": endpoints.region, "at_ms": int(time_ms)}


def _named(deployment: Deployment, window: Window) -> Iterator[Mapping[str, Any]]:
    group = deployment.names.log_group(RECEPTION)
    for endpoints in deployment.regions:
        for line in _lines(deployment, endpoints, group, f'"{ACCEPTED}"', window):
            if line.get("message") == ACCEPTED:
                yield {name: line.get(name) for name in NAMED}


def _lines(
    deployment: Deployment, endpoints: RegionEndpoints, group: str, pattern: str, window: Window
) -> Iterator[Mapping[str, Any]]:
    """The JSON lines of a log group that have `pattern` in them; Lambda's own lines are no JSON."""
    logs = deployment.clients.client("logs", endpoints.region)
    request: dict[str, Any] = {"logGroupName": group, "filterPattern": pattern}
    request["startTime"] = max(window.since_ms - _MARGIN_MS, 0)
    if window.until_ms != EVER.until_ms:
        request["endTime"] = window.until_ms + _MARGIN_MS
    try:
        for page in logs.get_paginator("filter_log_events").paginate(**request):
            if len(page["events"]) >= _EVENTS_MAX and "nextToken" not in page:
                raise AccessLogError(
                    f"{group} of {endpoints.region} gave {_EVENTS_MAX} lines and no way to the next; audit a "
                    "shorter time with --since and --until"
                )
            yield from filter(None, map(_json_object, page["events"]))
    except (BotoCoreError, ClientError) as error:
        raise AccessLogError(
            f"the log {group} of {endpoints.region} cannot be read ({error}); configure apiAccessLog and "
            "deploy, or bring the region back"
        ) from error


def _json_object(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        line = json.loads(event["message"])
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
