"""Receipts from the APIs' own logs, where no sender keeps any: what was answered 202, and for which alerts.

API Gateway's access log says which requests were answered 202, and reception's log which alerts each was
about; the request id joins them. Neither is the ledger. Logs arrive minutes late, so audit a window that ends
before that (`--until 15m`).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from audit.comparison import EVER, Window
from audit.database import Database
from audit.queries import UNNAMED
from clients.deployment import Deployment
from clients.lines import SHOWN_CHARS
from clients.logs import LogCutOffError, event_pages, json_fields
from clients.receipts import Receipt, Unread
from topology.errors import ExplainedError
from topology.functions import RECEPTION

LOGGED: Final = ("request_id", "time_ms", "method", "path", "status")
"""Of each answer in the access log; every value is text."""

ACCEPTED: Final = "Accepted an alert"
"""What reception logs for each alert of a request, with `request_id`, `alert_id` and `status`."""

_MARGIN_MS: Final = 60_000
"""A request is logged up to its timeout after API Gateway took it, and by other clocks."""

_NO_LOG: Final = "ResourceNotFoundException"
_IS_TIME: Final = re.compile(r"[0-9]{1,15}").fullmatch
"""Epoch milliseconds as API Gateway writes them."""

_ANSWERS: Final = {"request_id": "VARCHAR", "region": "VARCHAR", "at_ms": "BIGINT"}
NAMED: Final = {"request_id": "VARCHAR", "alert_id": "VARCHAR", "status": "VARCHAR"}
_JOIN: Final = """
    SELECT coalesce(alert_id, $unnamed || answers.request_id), coalesce(status, 'RECEIVED'), region, at_ms
    FROM answers LEFT JOIN named USING (request_id)
"""


class AccessLogError(ExplainedError):
    """A log cannot be read at all, so nobody can say what was answered."""


def access_receipts(deployment: Deployment, window: Window) -> Iterator[Receipt | Unread]:
    """A receipt for each alert of each request that was answered 202 in `window`, by either region.

    A request that reception's log does not name gets one under `UNNAMED` and its id, which no ledger has.
    What of a log cannot be read comes last, as `Unread`.

    Raises:
        AccessLogError: a region or its log does not answer, or the stack writes no access log.
    """
    unread: list[Unread] = []
    with Database() as joined:
        joined.load("answers", _ANSWERS, _answers(deployment, window, unread))
        joined.load("named", NAMED, _named(deployment, window, unread))
        joined.values = {"unnamed": UNNAMED}
        for alert_id, status, region, at_ms in joined.rows(_JOIN):
            yield Receipt(alert_id, status, region, at_ms, at_ms)
    yield from unread


def _answers(deployment: Deployment, window: Window, unread: list[Unread]) -> Iterator[Mapping[str, Any]]:
    for endpoints in deployment.regions:
        log = _Log(deployment, endpoints.region, deployment.names.api_log_group, unread)
        for at_ms, line in log.lines('"202"', window):
            request_id, time_ms, method, path, status = (str(line.get(name, "")) for name in LOGGED)
            if (method, path, status) != ("POST", "/alerts", "202"):
                continue
            if not _IS_TIME(time_ms):
                log.miss(at_ms, f"a 202 at the time {time_ms!r}, which is none")
                continue
            yield {"request_id": request_id, "region": endpoints.region, "at_ms": int(time_ms)}


def _named(deployment: Deployment, window: Window, unread: list[Unread]) -> Iterator[Mapping[str, Any]]:
    for endpoints in deployment.regions:
        log = _Log(deployment, endpoints.region, deployment.names.log_group(RECEPTION), unread)
        for _, line in log.lines(f'"{ACCEPTED}"', window):
            if line.get("message") == ACCEPTED:
                yield {name: line.get(name) for name in NAMED}


class _Log:
    """A log group of a region, read to its end; where that cannot be, it is in `unread`."""

    def __init__(self, deployment: Deployment, region: str, group: str, unread: list[Unread]) -> None:
        self._clients, self._region = deployment.clients, region
        self._group = group
        self._name = f"{group} of {region}"
        self._unread = unread

    def lines(self, pattern: str, window: Window) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The JSON lines that have `pattern` in them, and when each was logged; Lambda's own are no JSON."""
        request: dict[str, Any] = {"logGroupName": self._group, "filterPattern": pattern}
        request["startTime"] = max(window.since_ms - _MARGIN_MS, 0)
        if window.until_ms != EVER.until_ms:
            request["endTime"] = window.until_ms + _MARGIN_MS
        for events in self._pages(request):
            for event in events:
                text, at_ms = event.get("message", ""), event.get("timestamp", 0)
                if (line := json_fields(text)) is not None:
                    yield at_ms, line
                elif text.lstrip().startswith("{"):
                    self.miss(at_ms, f"a line that does not end ({text[:SHOWN_CHARS]!a})")

    def miss(self, at_ms: int, why: str) -> None:
        """Note a line that cannot be read; what it is about came at most a margin earlier or later."""
        self._unread.append(
            Unread(
                where=f"{self._name} at {datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()}",
                why=why,
                since_ms=at_ms - _MARGIN_MS,
                until_ms=at_ms + _MARGIN_MS,
            )
        )

    def _pages(self, request: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
        read, at_ms = 0, request["startTime"]
        try:
            for events in event_pages(self._clients.client("logs", self._region), request):
                yield events
                read += len(events)
                at_ms = events[-1].get("timestamp", at_ms) if events else at_ms
        except LogCutOffError as error:
            self._cut_off(read, at_ms, str(error))
        except (BotoCoreError, ClientError) as error:
            lacking = isinstance(error, ClientError) and error.response["Error"]["Code"] == _NO_LOG
            step = "configure apiAccessLog and deploy" if lacking else "see to that, then audit again"
            raise AccessLogError(f"the log {self._name} cannot be read ({error}); {step}") from error

    def _cut_off(self, read: int, at_ms: int, what: str) -> None:
        self._unread.append(
            Unread(
                where=f"{self._name} after {read:,} lines",
                why=f"CloudWatch Logs gave {what}; audit a shorter time with --since and --until",
                since_ms=at_ms - _MARGIN_MS,
            )
        )
