"""Which events a person means: by an id, by what a source calls it, by a piece of its text, or by a time.

What has an index is found by it, however old it is. Any other text is looked for in the rows of a span of
time, the newest first, up to a number of them, and in what reception logged of bodies that became no alert.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from clients.deployment import Deployment
from clients.ledger import ParkedAlerts, Row
from clients.logs import LogLine
from clients.rows import read_items
from handlers.adapters.aws.items import plain_of
from handlers.domain.alert import IncomingAlert
from handlers.domain.identity import fault_key_of
from handlers.domain.limits import MAX_INCIDENT_ROWS
from runbook.history.listing import Wanted, list_alerts
from runbook.why.explanation import rows_of_fault
from runbook.why.logged import alert_ids_in, lines_of_none, read_logs
from topology.alerts import Severity
from topology.functions import RECEPTION

_ALERT_ID: Final = re.compile(r"a[0-9a-f]{32}(\.[0-9a-f]{1,16})?")
_INCIDENT_ID: Final = re.compile(r"i[0-9a-f]{32}")
_FAULT_KEY: Final = re.compile(r"[0-9a-f]{32}")
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SOURCES: Final = (
    "alertmanager", "aws.guardduty", "aws.health", "azure", "cloudwatch", "datadog", "gcp", "github",
    "grafana", "kubernetes", "newrelic", "opsgenie", "pagerduty", "sentry", "sns",
)  # fmt: skip
"""What the formats of known senders call their source, whose event ids are looked for."""


@dataclass
class Found:
    """What was found. `looked_at`: where it was looked for; `unknown`: where it was not, and why."""

    rows: list[Row] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Search:
    """Where a query is looked for. Times in epoch milliseconds; `source`: whose event id it is."""

    deployment: Deployment
    since_ms: int
    until_ms: int
    source: str = ""
    limit: int = 5
    read_max: int = 5_000

    def find(self, query: str) -> Found:
        """The events that the query means, the newest first.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        found = Found()
        if _ALERT_ID.fullmatch(query):
            found.looked_at.append("the ledger, by the alert's id")
            row = self._alerts.get(query)
            found.rows += [] if row is None else [row]
        elif _INCIDENT_ID.fullmatch(query):
            found.looked_at.append("the ledger, by the incident's id")
            members = self._alerts.by_handlers_ledger(
                self.deployment.primary.region, lambda ledger: ledger.incident(query, limit=MAX_INCIDENT_ROWS)
            )
            found.rows += self._rows([member.alert_id for member in members][-self.limit :])
        elif _REQUEST_ID.fullmatch(query):
            self._by_request(query, found)
        if not found.rows and not found.lines and not _ALERT_ID.fullmatch(query):
            self._by_event_id(query, found)
        if not found.rows and not found.lines:
            self._by_text(query, found)
        return found

    def around(self) -> Found:
        """Whatever was accepted, refused or ignored in the span."""
        found = Found()
        self._by_text("", found)
        return found

    @property
    def _alerts(self) -> ParkedAlerts:
        return ParkedAlerts(self.deployment)

    def _by_event_id(self, query: str, found: Found) -> None:
        """By the fault that a source's event id, or a fault's own key, names."""
        sources = [self.source] if self.source else SOURCES
        keys = [query] if _FAULT_KEY.fullmatch(query) else []
        keys += [
            fault_key_of(
                IncomingAlert(source=source, title="", severity=Severity.INFO, part="", event_id=query)
            )
            for source in sources
        ]
        found.looked_at.append(f"the ledger, as an event id of {self.source or 'the known sources'}")
        rows = self._alerts.ask_dynamodb(
            lambda dynamodb: [row for key in keys for row in rows_of_fault(dynamodb, self.deployment, key)]
        )
        found.rows += sorted(rows, key=_accepted_ms, reverse=True)[: self.limit]

    def _by_request(self, query: str, found: Found) -> None:
        """By the API's id of a request: what was answered to it."""
        logged = read_logs(
            self.deployment,
            [f'"{query}"'],
            since_ms=self.since_ms,
            until_ms=self.until_ms,
            functions=[RECEPTION],
        )
        found.looked_at.append("reception's log, by the request's id")
        found.unknown += logged.unknown
        ids = alert_ids_in(logged.lines)
        found.rows += self._rows(ids[: self.limit])
        found.lines += [line for line in logged.lines if not alert_ids_in([line])]

    def _by_text(self, query: str, found: Found) -> None:
        needle = query.casefold()

        def has_it(row: Row) -> bool:
            return needle in "\n".join(map(str, row.values())).casefold()

        listing = list_alerts(
            self.deployment,
            Wanted(
                since_s=self.since_ms // 1_000,
                until_s=self.until_ms // 1_000,
                fits=has_it if needle else None,
                limit=self.limit,
                read_max=self.read_max,
            ),
        )
        found.rows += listing.alerts
        found.looked_at.append(f"the text of {listing.rows_read} rows of the ledger")
        if listing.unread_from is not None:
            found.unknown.append("older rows were not looked at: see --read-max, --until")
        logged = lines_of_none(self.deployment, query, since_ms=self.since_ms, until_ms=self.until_ms)
        found.looked_at.append("what reception's log says was refused or ignored")
        found.lines += logged.lines[-self.limit :]
        found.unknown += logged.unknown
        if listing.more or len(logged.lines) > self.limit:
            found.unknown.append(f"there may be more than these {self.limit}: see --limit, --since, --until")

    def _rows(self, alert_ids: Sequence[str]) -> list[Row]:
        table = self.deployment.alerts_table
        rows = self._alerts.ask_dynamodb(lambda dynamodb: read_items(dynamodb, table, alert_ids))
        return sorted(map(plain_of, rows), key=_accepted_ms, reverse=True)


def _accepted_ms(row: Row) -> int:
    return int(row["accepted_at_ms"])
