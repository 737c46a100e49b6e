"""What the functions of a stack log, read from CloudWatch Logs: for the audit, for questions, for a tail."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from clients.aws import is_absent
from clients.deployment import Deployment
from topology.errors import ExplainedError
from topology.functions import FunctionSpec

EVENTS_MAX: Final = 10_000
"""Of one page. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""

PAGES_MAX: Final = 10_000
"""Of one log: at most 10 GB are searched, about a third of an hour at the quota of calls."""

SAME_TOKEN_MAX: Final = 100
"""How often in a row a log may hand out a token that it gave before. Each call searches on."""


class LogCutOffError(ExplainedError):
    """A log ends before its end: CloudWatch Logs gives no way to the rest."""


@dataclass(frozen=True)
class LogLine:
    """One line of a function's log; `fields` are a JSON line's, None of a line of Lambda's own or a torn one.

    `at_ms`: epoch milliseconds. `function`: the suffix of its name, as `AnalysisFunction`.
    """

    at_ms: int
    region: str
    function: str
    fields: Mapping[str, Any] | None
    text: str


def read_events(
    deployment: Deployment,
    function: FunctionSpec,
    region: str,
    *,
    since_ms: int,
    until_ms: int | None = None,
    pattern: str = "",
    limit: int = EVENTS_MAX,
) -> list[LogLine]:
    """The first `limit` lines that a function logged in a region, in time order; none where it never ran.

    `pattern`: a filter pattern of CloudWatch Logs, such as `"Refused"` or `{ $.alert_id = "..." }`, as
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html. Text of alerts is
    hostile: print none of it as it is.

    Raises:
        LogCutOffError: CloudWatch Logs did not give the rest.
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    request: dict[str, Any] = {
        "logGroupName": deployment.names.log_group(function),
        "startTime": max(since_ms, 0),
    }
    if until_ms is not None:
        request["endTime"] = until_ms
    if pattern:
        request["filterPattern"] = pattern
    lines: list[LogLine] = []
    try:
        for events in event_pages(deployment.clients.client("logs", region), request):
            for event in events:
                text = str(event.get("message", "")).rstrip("\n")
                at_ms = int(event.get("timestamp", 0))
                lines.append(LogLine(at_ms, region, function.suffix, json_fields(text), text))
            if len(lines) >= limit:
                break
    except ClientError as error:
        if not is_absent(error):
            raise
    return sorted(lines, key=lambda line: line.at_ms)[:limit]


def event_pages(logs: Any, request: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    """Every page of FilterLogEvents, until one has no token: an empty page or a known token is no end.

    FilterLogEvents may hand a token out twice, where it only searched and found nothing, and botocore's
    paginator takes that for an endless loop (https://github.com/boto/boto3/issues/1584). Of GetLogEvents,
    which this does not call, it would be the end.

    Raises:
        LogCutOffError: saying what stood where the next page should be.
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    token, repeats = "", 0
    for _ in range(PAGES_MAX):
        page = logs.filter_log_events(**{**request, "nextToken": token} if token else request)
        events = page.get("events", [])
        yield events
        next_token = page.get("nextToken", "")
        if not next_token:
            if len(events) >= EVENTS_MAX:
                raise LogCutOffError("a full page and no way to the next")
            return
        token, repeats = next_token, repeats + 1 if next_token == token else 0
        if repeats > SAME_TOKEN_MAX:
            raise LogCutOffError(f"the same token {repeats + 1} times in a row")
    raise LogCutOffError(f"{PAGES_MAX:,} pages and still another")


def json_fields(text: str) -> Mapping[str, Any] | None:
    """The fields of a line that is a JSON object; None of any other."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None
