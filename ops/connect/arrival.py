"""What came of a sender's test alert: its row of the ledger, or what reception's log says was refused.

Rows are found by the severity index, which a region's own writes reach in milliseconds and the other's in
about a second; the log takes seconds more, and on AWS sometimes a minute.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.waiting import wait_for
from handlers.adapters.aws.items import plain_of
from handlers.domain.refusal import UNKNOWN_FORMAT
from topology.alerts import Severity, Status
from topology.functions import RECEPTION
from topology.tables import TIMESTAMP_INDEX

_MAX_SHOWN: Final = 10
_MARGIN_S: Final = 2
"""A region's clock may be behind ours."""

_LOGGED: Final = ("Refused", "Ignored")
"""How the lines begin that reception logs of a body that became no alert."""


@dataclass(frozen=True)
class Arrival:
    """What came since the waiting began. `unreadable`: why a region was not read, by region."""

    alerts: tuple[Mapping[str, Any], ...] = ()
    log_lines: tuple[Mapping[str, Any], ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for: the alerts rest, or the body became none."""
        if self.alerts:
            return all(Status(alert["status"]).at_rest for alert in self.alerts)
        return bool(self.log_lines)


def wait_for_arrival(
    deployment: Deployment,
    formats: Sequence[str],
    *,
    since_s: float,
    within_s: float,
    tell: Callable[[Arrival], object] = lambda _: None,
) -> Arrival:
    """Wait until an alert in one of `formats`, taken in since `since_s`, rests, or a body became none.

    `tell` is told of each look. At the end of `within_s` it is whatever there is.
    """

    def look() -> Arrival:
        arrival = _look(deployment, formats, since_s=since_s)
        tell(arrival)
        return arrival

    return wait_for(look, lambda arrival: arrival.over, within_s=within_s)


def _look(deployment: Deployment, formats: Sequence[str], *, since_s: float) -> Arrival:
    rows: dict[str, Mapping[str, Any]] = {}
    lines: list[Mapping[str, Any]] = []
    unreadable: dict[str, str] = {}
    for endpoints in deployment.regions:
        try:
            for row in _rows(deployment, endpoints.region, formats, since_s=since_s):
                known = rows.get(row["alert_id"])
                if known is None or not Status(known["status"]).at_rest:
                    rows[row["alert_id"]] = row
            lines += _lines(deployment, endpoints.region, formats, since_s=since_s)
        except (BotoCoreError, ClientError) as error:
            unreadable[endpoints.region] = str(error)
    alerts = sorted(rows.values(), key=lambda row: (row["accepted_at_ms"], row["alert_id"]))
    return Arrival(tuple(alerts[:_MAX_SHOWN]), tuple(lines[:_MAX_SHOWN]), unreadable)


def _rows(
    deployment: Deployment, region: str, formats: Sequence[str], *, since_s: float
) -> list[Mapping[str, Any]]:
    """The newest megabyte of each severity: at each look, more than comes between two."""
    dynamodb = deployment.clients.client("dynamodb", region)
    items: list[Mapping[str, Any]] = []
    for severity in Severity:
        items += dynamodb.query(
            TableName=deployment.alerts_table,
            IndexName=TIMESTAMP_INDEX.name,
            KeyConditionExpression="severity = :severity AND #at >= :since",
            ExpressionAttributeNames={"#at": "timestamp"},
            ExpressionAttributeValues={
                ":severity": {"S": severity},
                ":since": {"N": str(int(since_s) - _MARGIN_S)},
            },
            ScanIndexForward=False,
        )["Items"]
    rows = [plain_of(item) for item in items]
    return [row for row in rows if row.get("format") in formats]


def _lines(
    deployment: Deployment, region: str, formats: Sequence[str], *, since_s: float
) -> list[Mapping[str, Any]]:
    """Of the sender's formats and of none: what is of another's came from another sender.

    A call for each word: the embedded AWS knows no pattern of alternatives.
    """
    whose = (*formats, UNKNOWN_FORMAT)
    logs = deployment.clients.client("logs", region)
    lines: list[Mapping[str, Any]] = []
    for word in _LOGGED:
        page = logs.filter_log_events(
            logGroupName=deployment.names.log_group(RECEPTION),
            filterPattern=f'"{word}"',
            startTime=int((since_s - _MARGIN_S) * 1_000),
        )
        found = [_line(event.get("message", ""), region) for event in page.get("events", [])]
        lines += [
            line
            for line in found
            if str(line.get("message", "")).startswith(word) and line.get("format", UNKNOWN_FORMAT) in whose
        ]
    return lines


def _line(text: str, region: str) -> Mapping[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {**line, "region": region} if isinstance(line, dict) else {}
