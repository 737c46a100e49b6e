"""Lists of alerts, the newest first, with what reading them took.

Severity, time and status at work are read by an index, so that nothing is read which is not shown; any other
condition is looked at row by row, up to a number of rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from math import ceil
from types import MappingProxyType
from typing import Any, Final, cast

from clients.deployment import Deployment
from clients.ledger import ParkedAlerts, Row
from clients.rows import read_items
from handlers.adapters.aws.items import plain_of
from topology.alerts import Severity, Status, open_key, parked_key
from topology.matchers import Described, Matcher
from topology.tables import OPEN_INDEX, TIMESTAMP_INDEX

LEAST_PAGE: Final = 10
"""Rows that are read of each severity at once, where several are merged."""

FILTERED_PAGE: Final = 200
AT_WORK: Final = (Status.RECEIVED, Status.ANALYZED)
_INDEXED: Final = (*AT_WORK, Status.PARKED)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which alerts are listed: accepted from `since_s` to `until_s` (epoch seconds), both included.

    No `statuses` are all of them. `limit` of them are shown, and `read_max` rows read at most where `fits` or
    a status makes some of them unwanted.
    """

    since_s: int
    until_s: int
    severities: Sequence[Severity] = tuple(Severity)
    statuses: Sequence[Status] = ()
    fits: Callable[[Row], bool] | None = None
    limit: int = 50
    read_max: int = 5_000

    @property
    def by_status(self) -> bool:
        """Whether an index has just the alerts of these statuses."""
        return bool(self.statuses) and set(self.statuses) <= set(_INDEXED)

    @property
    def filtered(self) -> bool:
        """Whether rows are read that may not be wanted."""
        return self.fits is not None or bool(self.statuses)

    def takes(self, row: Row) -> bool:
        """Whether the row is wanted."""
        return (
            self.since_s <= row["timestamp"] <= self.until_s
            and row["severity"] in self.severities
            and (not self.statuses or row["status"] in self.statuses)
            and (self.fits is None or self.fits(row))
        )


@dataclass
class Listing:
    """What was found, and what it took.

    `read_units`: DynamoDB's read capacity units. `more`: there may be others, behind the limit.
    `unread_from`: where the end of what may be read was met, the acceptance (epoch seconds) of the oldest
    row that was.
    """

    alerts: list[Row] = field(default_factory=list)
    rows_read: int = 0
    read_units: float = 0.0
    more: bool = False
    unread_from: int | None = None

    def consume(self, units: float) -> None:
        """Add what a call took."""
        self.read_units += units


@dataclass(frozen=True, kw_only=True)
class RowAsDescribed:
    """A row as a matcher looks at it."""

    row: Row

    def __getattr__(self, name: str) -> Any:
        """The attribute of the row; a row leaves out what is empty."""
        return self.row.get(name, MappingProxyType({}) if name == "labels" else None)


def fits_matcher(matcher: Matcher) -> Callable[[Row], bool]:
    """Whether a row is what a route or a silence with this matcher is about."""
    return lambda row: matcher.matches(cast("Described", RowAsDescribed(row=row)))


def list_alerts(deployment: Deployment, wanted: Wanted) -> Listing:
    """The alerts of the first region that answers.

    Raises:
        LedgerUnreachableError: no region answers.
    """
    read = _by_status if wanted.by_status else _by_time
    return ParkedAlerts(deployment).ask_dynamodb(lambda dynamodb: read(dynamodb, deployment, wanted))


def _by_time(dynamodb: Any, deployment: Deployment, wanted: Wanted) -> Listing:
    """By severity and time: as many rows as are shown, of one severity; a few more of several."""
    listing = Listing()
    share = max(ceil(wanted.limit / len(wanted.severities)), min(LEAST_PAGE, wanted.limit))
    page = FILTERED_PAGE if wanted.filtered else share

    def rows_of(severity: Severity) -> Iterator[Row]:
        """A page ends at a megabyte too, so the next one is asked for what is missing only."""
        missing = page
        start: dict[str, Any] | None = {}
        while start is not None:
            answer = dynamodb.query(
                TableName=deployment.alerts_table,
                IndexName=TIMESTAMP_INDEX.name,
                KeyConditionExpression="severity = :severity AND #at BETWEEN :since AND :until",
                ExpressionAttributeNames={"#at": TIMESTAMP_INDEX.range_key.name},
                ExpressionAttributeValues={
                    ":severity": {"S": severity},
                    ":since": {"N": str(wanted.since_s)},
                    ":until": {"N": str(wanted.until_s)},
                },
                ScanIndexForward=False,
                Limit=missing,
                ReturnConsumedCapacity="TOTAL",
                **start,
            )
            _count(listing, answer)
            yield from map(plain_of, answer["Items"])
            missing = missing - len(answer["Items"]) or page
            last = answer.get("LastEvaluatedKey")
            start = {"ExclusiveStartKey": last} if last else None

    by_severity = map(rows_of, wanted.severities)
    newest_first = merge(*by_severity, key=lambda row: int(row["timestamp"]), reverse=True)
    looked_at = 0
    for row in islice(newest_first, wanted.read_max if wanted.filtered else wanted.limit):
        looked_at += 1
        if wanted.takes(row):
            listing.alerts.append(row)
        if len(listing.alerts) == wanted.limit:
            break
        listing.unread_from = row["timestamp"]
    listing.more = len(listing.alerts) == wanted.limit
    if listing.more or looked_at < wanted.read_max:
        listing.unread_from = None
    listing.alerts.sort(key=_newest_first)
    return listing


def _by_status(dynamodb: Any, deployment: Deployment, wanted: Wanted) -> Listing:
    """By the sparse index of what somebody has to see to, and a read of each: the index lags behind.

    The index is ordered by when somebody has to; of a key that has more than the limit the others are not
    seen.
    """
    listing, ids = Listing(), []
    for key in _keys(deployment, wanted):
        answer = dynamodb.query(
            TableName=deployment.alerts_table,
            IndexName=OPEN_INDEX.name,
            KeyConditionExpression="open_key = :key",
            ExpressionAttributeValues={":key": {"S": key}},
            ScanIndexForward=False,
            Limit=wanted.limit,
            ReturnConsumedCapacity="TOTAL",
        )
        _count(listing, answer)
        ids += [item["alert_id"]["S"] for item in answer["Items"]]
        listing.more |= "LastEvaluatedKey" in answer
    items = read_items(dynamodb, deployment.alerts_table, ids, consumed=listing.consume)
    found: list[Row] = sorted(filter(wanted.takes, map(plain_of, items)), key=_newest_first)
    listing.alerts, listing.more = found[: wanted.limit], listing.more or len(found) > wanted.limit
    return listing


def _keys(deployment: Deployment, wanted: Wanted) -> list[str]:
    owners = [endpoints.region for endpoints in deployment.regions]
    keys = [parked_key(owner) for owner in owners] if Status.PARKED in wanted.statuses else []
    if set(wanted.statuses) & set(AT_WORK):
        keys += [open_key(owner, severity) for owner in owners for severity in wanted.severities]
    return keys


def _count(listing: Listing, answer: Any) -> None:
    listing.rows_read += answer["ScannedCount"]
    listing.consume(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))


def _newest_first(row: Row) -> tuple[int, str]:
    return -int(row["accepted_at_ms"]), str(row["alert_id"])
