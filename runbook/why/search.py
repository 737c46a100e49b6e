"""Which events a person means: by an id, by what a source calls it, by a piece of its text, or by a time.

What has an index is found by it, however old it is. Any other text is looked for in the rows of a span of
time, the newest first, up to a number of them, and in what reception logged of bodies that became no alert.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from clients.deployment import Deployment
from clients.ledger import ParkedAlerts, Row
from clients.logs import LogLine
from clients.rows import read_items
from handlers.adapters.aws.items import plain_of
from handlers.domain.alert import IncomingAlert
from handlers.domain.identity import fault_key_of
from handlers.domain.limits import MAX_INCIDENT_ROWS
from runbook.history.listing import Listing, Wanted, list_alerts
from runbook.why.explanation import rows_of_fault
from runbook.why.logged import alert_ids_in, is_of_none, lines_of_alert, lines_of_none, read_logs, text_of
from topology.alerts import Severity
from topology.functions import RECEPTION

ALERT_IDS: Final = re.compile(r"(?<![0-9a-z])a[0-9a-f]{32}(?:\.[0-9a-f]{1,16})?(?![0-9a-f])")
"""Alerts' ids in whatever a person pastes: Slack's `alert:<id>`, a receipt, an answer."""

NO_ROW: Final = (
    "the ledger has no row of it: it is another stack's, older than what is kept, or lost (`responder audit`)"
)
_INCIDENT_ID: Final = re.compile(r"i[0-9a-f]{32}")
_FAULT_KEY: Final = re.compile(r"[0-9a-f]{32}")
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WORD: Final = re.compile(r"\w+")

Fits = Callable[[str], bool]
"""Whether a text is what is looked for."""

SOURCES: Final = (
    "alertmanager", "aws.guardduty", "aws.health", "azure", "cloudwatch", "datadog", "gcp", "github",
    "grafana", "kubernetes", "newrelic", "opsgenie", "pagerduty", "sentry", "sns",
)  # fmt: skip
"""What the formats of known senders call their source, whose event ids are looked for."""


@dataclass
class Found:
    """What was found. `looked_at`: where it was looked for; `unknown`: where it was not, and why.

    `rows_read` of the ledger, for those that were found; `read_units`: DynamoDB's, of what lists took.
    """

    rows: list[Row] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    rows_read: int = 0
    read_units: float = 0.0


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
        found, query = Found(), query.strip()
        alert_ids = [*dict.fromkeys(ALERT_IDS.findall(query))]
        if alert_ids:
            self._by_alert_ids(alert_ids, found)
        elif _INCIDENT_ID.fullmatch(query):
            found.looked_at.append("the ledger, by the incident's id")
            members = self._alerts.by_handlers_ledger(
                self.deployment.primary.region, lambda ledger: ledger.incident(query, limit=MAX_INCIDENT_ROWS)
            )
            found.rows += self._rows([member.alert_id for member in members][-self.limit :], found)
            self._say_more(found, len(members))
        elif _REQUEST_ID.fullmatch(query):
            self._by_request(query, found)
        if not found.rows and not found.lines and not alert_ids:
            self._by_event_id(query, found)
        if not found.rows and not found.lines:
            self._by_text(query, found)
        return found

    def around(self, at_ms: int) -> Found:
        """What was accepted, refused or ignored in the span, the nearest to a moment first."""
        found = Found()
        listing = self._list(found, fits=None, limit=self.read_max)
        nearest = sorted(listing.alerts, key=lambda row: abs(_accepted_ms(row) - at_ms))
        found.rows += nearest[: self.limit]
        lines = sorted(self._none(lambda _: True, found), key=lambda line: abs(line.at_ms - at_ms))
        found.lines += lines[: self.limit]
        self._say_more(found, max(len(nearest), len(lines)))
        return found

    @cached_property
    def _alerts(self) -> ParkedAlerts:
        return ParkedAlerts(self.deployment)

    def _by_alert_ids(self, alert_ids: Sequence[str], found: Found) -> None:
        """By the ledger; one that has no row there may be in the functions' logs."""
        looked_for = alert_ids[: self.limit]
        found.looked_at.append("the ledger, by the alert's id")
        found.rows += self._rows(looked_for, found)
        for alert_id in sorted(set(looked_for) - {row["alert_id"] for row in found.rows}):
            logged = lines_of_alert(self.deployment, alert_id, since_ms=self.since_ms, until_ms=self.until_ms)
            found.looked_at.append(f"the functions' logs, for {alert_id}")
            found.lines += logged.lines
            found.unknown += logged.unknown
            found.unknown.append(f"{alert_id}: {NO_ROW}")
        self._say_more(found, len(alert_ids))

    def _by_event_id(self, query: str, found: Found) -> None:
        """By the fault that a source's event id or a fault's key names; and what was refused with it."""
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
        found.rows_read += len(rows)
        found.rows += sorted(rows, key=_accepted_ms, reverse=True)[: self.limit]
        if rows:
            found.lines += self._none(_phrase(query), found)[-self.limit :]
            self._say_more(found, len(rows))

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
        found.rows += self._rows(ids[: self.limit], found)
        named = [line for line in logged.lines if alert_ids_in([line])]
        found.lines += [
            line for line in logged.lines if is_of_none(line) or not (found.rows or line in named)
        ]
        self._say_more(found, len(ids))

    def _by_text(self, query: str, found: Found) -> None:
        """As a piece of the text; where nothing has that, by its words, as a group's title has them."""
        phrase, words = _phrase(query), _words(query)
        with_words: dict[str, Row] = {}  # a listing that breaks off starts over in the other region

        def fits(row: Row) -> bool:
            text = "\n".join(map(str, row.values()))
            if phrase(text):
                return True
            if len(with_words) <= self.limit and words(text):
                with_words[row["alert_id"]] = row
            return False

        listing = self._list(found, fits=fits, limit=self.limit)
        logged = self._none(lambda text: phrase(text) or words(text), found)
        lines = [line for line in logged if phrase(text_of(line))]
        rows, more = (
            (listing.alerts, listing.more) if listing.alerts or lines else ([*with_words.values()], False)
        )
        lines = lines if listing.alerts or lines else logged
        found.rows += rows[: self.limit]
        found.lines += lines[-self.limit :]
        self._say_more(found, max(len(rows) + more, len(lines)))

    def _list(self, found: Found, *, fits: Callable[[Row], bool] | None, limit: int) -> Listing:
        listing = list_alerts(
            self.deployment,
            Wanted(
                since_s=self.since_ms // 1_000,
                until_s=self.until_ms // 1_000,
                fits=fits,
                limit=limit,
                read_max=self.read_max,
            ),
        )
        found.rows_read += listing.rows_read
        found.read_units += listing.read_units
        found.looked_at.append(f"the text of {listing.rows_read} rows of the ledger")
        if listing.unread_from is not None or len(listing.alerts) == self.read_max:
            self._say(found, "older rows were not looked at: see --read-max, --until")
        return listing

    def _none(self, fits: Fits, found: Found) -> list[LogLine]:
        logged = lines_of_none(self.deployment, fits, since_ms=self.since_ms, until_ms=self.until_ms)
        self._say(found, *logged.unknown)
        where = "what reception's log says was refused or ignored"
        found.looked_at += [where] if where not in found.looked_at else []
        return logged.lines

    def _say_more(self, found: Found, count: int) -> None:
        if count > self.limit:
            found.unknown.append(f"there may be more than these {self.limit}: see --limit, --since, --until")

    def _say(self, found: Found, *unknown: str) -> None:
        found.unknown += [text for text in unknown if text not in found.unknown]

    def _rows(self, alert_ids: Sequence[str], found: Found) -> list[Row]:
        table = self.deployment.alerts_table
        rows = self._alerts.ask_dynamodb(lambda dynamodb: read_items(dynamodb, table, alert_ids))
        found.rows_read += len(rows)
        return sorted(map(plain_of, rows), key=_accepted_ms, reverse=True)


def _phrase(query: str) -> Fits:
    needle = _folded(query)
    return lambda text: needle in _folded(text)


def _words(query: str) -> Fits:
    words = set(_WORD.findall(_folded(query)))
    return lambda text: bool(words) and words <= set(_WORD.findall(_folded(text)))


def _folded(text: str) -> str:
    """A text as it is compared: whatever case, and however its letters are put together."""
    return unicodedata.normalize("NFKC", text).casefold()


def _accepted_ms(row: Row) -> int:
    return int(row["accepted_at_ms"])
