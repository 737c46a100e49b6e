"""Alerts by id as one region has them, for whoever follows or compares some: adoption, proof, replication."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from clients.deployment import Deployment

_BATCH: Final = 100
"""Keys of one BatchGetItem.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


def read_rows(
    deployment: Deployment, region: str, ids: Iterable[str], *, attributes: Iterable[str]
) -> dict[str, Mapping[str, Any]]:
    """Each alert's `attributes` (DynamoDB JSON) by the region's own row, read consistently; none: no entry.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer.
    """
    client, wanted = deployment.clients.client("dynamodb", region), list(ids)
    names = {f"#{n}": name for n, name in enumerate(("alert_id", *attributes))}
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(wanted), _BATCH):
        request: Mapping[str, Any] = {
            deployment.alerts_table: {
                "Keys": [{"alert_id": {"S": one}} for one in wanted[start : start + _BATCH]],
                "ConsistentRead": True,
                "ProjectionExpression": ", ".join(names),
                "ExpressionAttributeNames": names,
            }
        }
        while request:
            answer = client.batch_get_item(RequestItems=request)
            for item in answer["Responses"][deployment.alerts_table]:
                found[item["alert_id"]["S"]] = item
            request = answer.get("UnprocessedKeys", {})
    return found
