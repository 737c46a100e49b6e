"""Upkeep of the tables: old rows go by themselves, and how much there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.checks import Check, Finding, failed, ok
from clients.deployment import Deployment
from deploy.checks.subject import Subject
from deploy.checks.tables import table_checks
from runbook.health.alerts import expired_check
from topology.config_keys import STRONG
from topology.tables import ALERTS

_SEE: Final = "docs/runbook.md#database-maintenance"


def retention_checks(subject: Subject) -> tuple[Check, ...]:
    """That rows at rest expire and are deleted, and that tables can be restored."""
    recovery = next(check for check in table_checks(subject) if check.id == "table-recovery")
    return (
        subject.check(
            "table-expiry",
            "tables",
            "every table that takes a TTL has it",
            actions=("dynamodb:DescribeTimeToLive",),
            run=_expiry,
            see=_SEE,
        ),
        expired_check(subject),
        recovery,
    )


def _expiry(subject: Subject, region: str) -> Finding:
    """A strong ledger's tables take no TTL (docs/adr/0003): Recovery deletes there; see `expired-rows`."""
    deployment, dynamodb, off = subject.deployment, subject.client("dynamodb", region), []
    strong = deployment.ledger_consistency == STRONG
    tables = (deployment.analysis_cache_table,) if strong else deployment.tables
    for table in tables:
        described = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        is_on = described.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
        if not is_on or described.get("AttributeName") != ALERTS.ttl_attribute:  # which all tables have
            off.append(table)
    if off:
        return failed(f"{', '.join(off)}: what has expired stays, and is paid for", f"run {subject.up} again")
    return ok(f"{', '.join(tables)}: what has expired is deleted")


@dataclass(frozen=True, kw_only=True)
class TableSize:
    """A table, or an index of it, in one region, by DynamoDB's own count, up to six hours old.

    None where it is unknown, for the reason in `error`.
    """

    region: str
    table: str
    index: str = ""
    items: int | None = None
    bytes: int | None = None
    error: str = ""


def table_sizes(deployment: Deployment) -> list[TableSize]:
    """The sizes of all tables and indexes, region by region."""
    return [
        size
        for endpoints in deployment.regions
        for table in deployment.tables
        for size in _sizes(deployment, endpoints.region, table)
    ]


def _sizes(deployment: Deployment, region: str, table: str) -> Sequence[TableSize]:
    try:
        described = deployment.clients.client("dynamodb", region).describe_table(TableName=table)["Table"]
    except (ClientError, BotoCoreError) as error:
        return [TableSize(region=region, table=table, error=str(error))]
    whole = TableSize(
        region=region, table=table, items=described.get("ItemCount"), bytes=described.get("TableSizeBytes")
    )
    return [
        whole,
        *(
            TableSize(
                region=region,
                table=table,
                index=index["IndexName"],
                items=index.get("ItemCount"),
                bytes=index.get("IndexSizeBytes"),
            )
            for index in described.get("GlobalSecondaryIndexes", ())
        ),
    ]
