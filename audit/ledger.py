"""The ledger as an audit reads it: every row, page by page, from one region."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from audit.outcome import CAUSES, IN_DOUBT
from clients.deployment import Deployment
from topology.errors import ExplainedError


class LedgerUnreadableError(ExplainedError):
    """A region's ledger did not answer, so its alerts are unknown, which is not accounted for."""


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert as one region's ledger has it; times in epoch milliseconds.

    Three count possible duplicates, `state_uncertain` what people were told in doubt. `due_at` (epoch
    seconds) is when somebody has to see to it. `changed_at_ms` is when the fault came into `state` ("firing"
    or "resolved") by its source, else when that was accepted; a row that `folds` stands for all below it.
    `silenced_until`, `acknowledged_at` and `escalated_at` (when it went a second way) are epoch seconds too.
    """

    alert_id: str
    status: str
    region: str
    owner: str = ""
    parent_id: str | None = None
    accepted_at_ms: int | None = None
    notified_at_ms: int | None = None
    digest_id: str | None = None
    outcome_unknown: int = 0
    lease_expired: int = 0
    ownership_transferred: int = 0
    fault_key: str | None = None
    state: str | None = None
    changed_at_ms: int | None = None
    state_uncertain: int = 0
    due_at: int | None = None
    folds: bool | None = None
    format: str | None = None
    silence_id: str | None = None
    silenced_until: int | None = None
    acknowledged_at: int | None = None
    escalated_at: int | None = None


_ATTRIBUTES: Final = (
    "alert_id",
    "status",
    "region",
    "owner",
    "parent_id",
    "accepted_at_ms",
    "notified_at_ms",
    "digest_id",
    "possible_duplicates",
    "fault_key",
    "state",
    "changed_at_ms",
    "due_at",
    "folds",
    "format",
    "silence_id",
    "silenced_until",
    "acknowledged_at",
    "escalated_at",
)


def scan_ledger(deployment: Deployment, region: str) -> Iterator[LedgerRow]:
    """Every row of the alerts table as `region` has it, one page of the scan in memory at a time.

    A whole scan on purpose: it must also find what no index shows.

    Raises:
        LedgerUnreadableError: the region or its table cannot be reached.
    """
    return map(_row, scan_items(deployment, region, _ATTRIBUTES))


def scan_items(
    deployment: Deployment, region: str, attributes: Sequence[str]
) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """These attributes of every row, as DynamoDB has them. Raises as `scan_ledger` does."""
    names = {f"#{i}": name for i, name in enumerate(attributes)}
    try:
        pages = deployment.clients.client("dynamodb", region).get_paginator("scan")
        for page in pages.paginate(
            TableName=deployment.alerts_table,
            ConsistentRead=True,
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
        ):
            yield from page["Items"]
    except (BotoCoreError, ClientError) as error:
        raise LedgerUnreadableError(
            f"the ledger of {region} cannot be read ({error}); bring the region back, then audit again"
        ) from error


def read_ledger(deployment: Deployment, region: str) -> dict[str, LedgerRow]:
    """Every row by id, for stacks whose ledger fits into memory. Raises as `scan_ledger` does."""
    return {row.alert_id: row for row in scan_ledger(deployment, region)}


def _row(item: Mapping[str, Mapping[str, Any]]) -> LedgerRow:
    """A row of DynamoDB's form. One without a status or a region is kept, and is not at rest anywhere."""
    values: dict[str, Any] = {"status": "", "region": ""}
    for name, value in item.items():
        if name == "possible_duplicates":
            counts = {cause: int(float(n["N"])) for cause, n in value.get("M", {}).items()}
            values |= {cause: count for cause, count in counts.items() if cause in (*CAUSES, IN_DOUBT)}
        elif "N" in value:
            values[name] = int(float(value["N"]))
        elif "S" in value:
            values[name] = value["S"]
        elif "BOOL" in value:
            values[name] = value["BOOL"]
    return LedgerRow(**values)
