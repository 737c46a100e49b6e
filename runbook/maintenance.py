"""Upkeep of the tables: old rows go by themselves, and how much there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.checks import Check, Finding, failed, ok, unknown
from clients.deployment import Deployment
from clients.metrics import Metric, read_metrics
from deploy.checks.subject import Subject
from deploy.checks.tables import table_checks
from topology.metrics import NAMESPACE, OLDEST_EXPIRED, PERIOD_S, STACK_DIMENSION
from topology.tables import ALERTS

DELETED_WITHIN_S: Final = 3 * 86_400
"""DynamoDB deletes "within a few days" of the expiry.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html"""

_COUNTED_SINCE: Final = timedelta(minutes=15)
"""Recovery says each minute how old the oldest is; CloudWatch may be minutes late."""

_SEE: Final = "docs/runbook.md#database-maintenance"


def retention_checks(subject: Subject) -> tuple[Check, ...]:
    """That rows at rest expire and are deleted, and that tables can be restored."""
    recovery = next(check for check in table_checks(subject) if check.id == "table-recovery")
    return (
        subject.check(
            "table-expiry",
            "tables",
            "every table deletes what has expired",
            actions=("dynamodb:DescribeTimeToLive",),
            run=_expiry,
            see=_SEE,
        ),
        subject.check(
            "expired-rows",
            "tables",
            "no row is there long after it expired",
            actions=("cloudwatch:GetMetricData",),
            run=expired_rows,
            see=_SEE,
        ),
        recovery,
    )


def expired_rows(subject: Subject, region: str) -> Finding:
    """For how long the oldest row of the ledger that should be gone has been expired."""
    now = datetime.now(UTC)
    metric = Metric(
        namespace=NAMESPACE,
        name=OLDEST_EXPIRED,
        statistic="Maximum",
        dimensions={STACK_DIMENSION: subject.deployment.names.stack},
    )
    points = read_metrics(
        subject.client("cloudwatch", region),
        {"oldest": metric},
        since=now - _COUNTED_SINCE,
        until=now,
        period_s=PERIOD_S,
    )["oldest"]
    if not points:
        return unknown(
            "Recovery has counted none lately", "run `responder diagnose`; Recovery runs each minute"
        )
    if (oldest_s := points[-1].value) > DELETED_WITHIN_S:
        return failed(
            f"a row has been expired for {timedelta(seconds=oldest_s)}",
            "DynamoDB is behind, or the table's TTL is off: `responder maintenance retention`",
        )
    return ok(f"expired for {timedelta(seconds=oldest_s)} at most")


def _expiry(subject: Subject, region: str) -> Finding:
    dynamodb, off = subject.client("dynamodb", region), []
    for table in subject.deployment.tables:
        described = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        is_on = described.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
        if not is_on or described.get("AttributeName") != ALERTS.ttl_attribute:  # which all tables have
            off.append(table)
    if off:
        return failed(f"{', '.join(off)}: what has expired stays, and is paid for", f"run {subject.up} again")
    return ok(f"{len(subject.deployment.tables)} tables delete what has expired")


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
