"""`responder audit`: proves, by id, that every alert answered 202 is accounted for, or names it.

It compares three records that are made independently: the sender's receipts, each region's ledger, and
what Slack received. It is built to fail: a row that is missing, overwritten or not at rest, regions that
disagree, and a notification that Slack never saw each make an alert unaccounted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.receipts import Receipt

NOTIFIED: Final = "NOTIFIED"
SUPPRESSED: Final = "SUPPRESSED"
PARKED: Final = "PARKED"
AT_REST: Final = frozenset({NOTIFIED, SUPPRESSED, PARKED})


class LedgerUnreadableError(Exception):
    """A region's ledger did not answer, so its alerts are unknown, which is not accounted for."""


_COLUMNS: Final = ("alert_id", "status", "parent_id", "region", "accepted_at_ms", "notified_at_ms")


@dataclass(frozen=True)
class LedgerRow:
    """One alert as one region's ledger has it; times in epoch milliseconds."""

    alert_id: str
    status: str
    region: str
    parent_id: str | None = None
    accepted_at_ms: int | None = None
    notified_at_ms: int | None = None


@dataclass(frozen=True)
class Audit:
    """The outcome. `unaccounted` maps an alert's id to what is wrong with it."""

    accepted: int
    notified: int
    suppressed: int
    parked: int
    duplicates: int
    unaccounted: Mapping[str, str]
    by_region: Mapping[str, Mapping[str, int]]
    unreceipted: int
    """Rows without a receipt: the sender never saw their 202. They count for nothing but are shown."""

    @property
    def passed(self) -> bool:
        """Whether every receipt is accounted for."""
        return not self.unaccounted


def audit(
    *, receipts: Iterable[Receipt], ledgers: Mapping[str, Mapping[str, LedgerRow]], slack: Counter[str] | None
) -> Audit:
    """Compare the receipts with each region's ledger (region to rows by id) and with Slack.

    `slack` counts the messages of each alert; None where Slack cannot be read, and then a NOTIFIED row
    is believed.
    """
    ids = {receipt.alert_id for receipt in receipts}
    unaccounted: dict[str, str] = {}
    by_region: dict[str, Counter[str]] = {}
    states: Counter[str] = Counter()
    for alert_id in sorted(ids):
        problem, row = _examine(alert_id, ledgers, slack)
        if problem:
            unaccounted[alert_id] = problem
        elif row:
            states[row.status] += 1
            by_region.setdefault(row.region, Counter())[row.status] += 1
    messages = Counter() if slack is None else slack
    for alert_id in sorted(messages.keys() - ids):
        if not any(alert_id in rows for rows in ledgers.values()):
            unaccounted[alert_id] = "Slack has a message of an alert that no ledger knows"
    rows = set[str]().union(*ledgers.values())
    return Audit(
        accepted=len(ids),
        notified=states[NOTIFIED],
        suppressed=states[SUPPRESSED],
        parked=states[PARKED],
        duplicates=sum(count - 1 for count in messages.values()),
        unaccounted=unaccounted,
        by_region=by_region,
        unreceipted=len(rows - ids),
    )


def _examine(
    alert_id: str, ledgers: Mapping[str, Mapping[str, LedgerRow]], slack: Counter[str] | None
) -> tuple[str | None, LedgerRow | None]:
    """What is wrong with one alert, or None and its row."""
    rows = {region: ledger.get(alert_id) for region, ledger in ledgers.items()}
    absent = sorted(region for region, row in rows.items() if row is None)
    if absent:
        return f"no row in the ledger of {', '.join(absent)}", None
    row, *others = (row for row in rows.values() if row is not None)
    if any(other != row for other in others):
        seen = ", ".join(f"{region}: {r.status}" for region, r in sorted(rows.items()) if r)
        return f"the regions' ledgers disagree ({seen})", None
    return _problem_of(row, next(iter(ledgers.values())), slack), row


def _problem_of(row: LedgerRow, ledger: Mapping[str, LedgerRow], slack: Counter[str] | None) -> str | None:
    if row.status not in AT_REST:
        return f"not at rest: {row.status}"
    if row.status == NOTIFIED and slack is not None and not slack[row.alert_id]:
        return "NOTIFIED, but Slack has no message of it"
    if row.status == SUPPRESSED:
        parent = ledger.get(row.parent_id or "")
        if parent is None:
            return f"SUPPRESSED, but its parent {row.parent_id} has no row"
        if parent.status in {PARKED, SUPPRESSED}:
            return f"SUPPRESSED, but its parent {row.parent_id} is {parent.status}"
        if slack is not None and slack[row.alert_id]:
            return "SUPPRESSED, but Slack has a message of it"
    return None


def read_ledger(deployment: Deployment, region: str) -> dict[str, LedgerRow]:
    """Every row of the alerts table as `region` has it, by id.

    Raises:
        LedgerUnreadableError: the region or its table cannot be reached.
    """
    try:
        return {row.alert_id: row for row in _scan(deployment, region)}
    except (BotoCoreError, ClientError) as error:
        raise LedgerUnreadableError(
            f"the ledger of {region} cannot be read ({error}); bring the region back, then audit again"
        ) from error


def _scan(deployment: Deployment, region: str) -> Iterator[LedgerRow]:
    """An audit reads the whole table on purpose: it must also find what no index shows."""
    pages = deployment.clients.client("dynamodb", region).get_paginator("scan")
    names = {f"#{i}": column for i, column in enumerate(_COLUMNS)}
    for page in pages.paginate(
        TableName=deployment.alerts_table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
    ):
        for item in page["Items"]:
            yield _row(item)


def _row(item: Mapping[str, Mapping[str, str]]) -> LedgerRow:
    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    def number(name: str) -> int | None:
        return int(float(item[name]["N"])) if name in item else None

    return LedgerRow(
        alert_id=item["alert_id"]["S"],
        status=text("status") or "",
        region=text("region") or "",
        parent_id=text("parent_id"),
        accepted_at_ms=number("accepted_at_ms"),
        notified_at_ms=number("notified_at_ms"),
    )
