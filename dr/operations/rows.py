"""Alerts by id as one region has them, for drains, test alerts and replication checks."""

from collections.abc import Iterable, Mapping
from typing import Any

from clients.deployment import Deployment
from clients.rows import read_items


def read_rows(
    deployment: Deployment, region: str, ids: Iterable[str], *, attributes: Iterable[str]
) -> dict[str, Mapping[str, Any]]:
    """Each alert's `attributes` (DynamoDB JSON) by the region's own row, read consistently; none: no entry.

    Raises:
        LedgerUnreachableError, botocore.exceptions.ClientError, BotoCoreError: the region does not answer.
    """
    client = deployment.clients.client("dynamodb", region)
    items = read_items(client, deployment.alerts_table, list(ids), attributes=attributes)
    return {item["alert_id"]["S"]: item for item in items}
