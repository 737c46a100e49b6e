"""A bad writer: changes and deletes alerts at rest in one region, which the global table replicates at once.

The drill of a corrupted table plants it, and looks afterwards whether every row is as it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from audit.ledger import scan_ledger
from clients.deployment import Deployment
from clients.receipts import Receipt
from dr.drill.record import Damage
from topology.alerts import Status

CHANGED: Final = 12
BROKEN: Final = 4
DELETED: Final = 8
GARBAGE: Final = "\ufffd overwritten by a bad writer"
BROKEN_STATUS: Final = "BROKEN"

Item = Mapping[str, Any]


def choose(deployment: Deployment, receipts: Sequence[Receipt]) -> Damage | None:
    """Alerts of these receipts that people have been told of; None while there are too few."""
    ours = {receipt.alert_id for receipt in receipts}
    rows = scan_ledger(deployment, deployment.primary.region)
    rested = sorted(row.alert_id for row in rows if row.status == Status.NOTIFIED and row.alert_id in ours)
    if len(rested) < CHANGED + BROKEN + DELETED:
        return None
    rest = rested[CHANGED:]
    return Damage(
        changed=tuple(rested[:CHANGED]),
        broken=tuple(rest[:BROKEN]),
        deleted=tuple(rest[BROKEN : BROKEN + DELETED]),
    )


def write(deployment: Deployment, damage: Damage) -> None:
    """Do the damage, in the primary region; doing it again changes nothing more."""
    client = deployment.clients.client("dynamodb", deployment.primary.region)
    for alert_id in damage.changed:
        client.update_item(
            TableName=deployment.alerts_table,
            Key={"alert_id": {"S": alert_id}},
            UpdateExpression="SET #title = :garbage, #message = :garbage REMOVE analysis",
            ExpressionAttributeNames={"#title": "title", "#message": "message"},
            ExpressionAttributeValues={":garbage": {"S": GARBAGE}},
        )
    for alert_id in damage.broken:
        client.update_item(
            TableName=deployment.alerts_table,
            Key={"alert_id": {"S": alert_id}},
            UpdateExpression="SET #status = :broken",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":broken": {"S": BROKEN_STATUS}},
        )
    for alert_id in damage.deleted:
        client.delete_item(TableName=deployment.alerts_table, Key={"alert_id": {"S": alert_id}})


def seen_everywhere(deployment: Deployment, damage: Damage) -> bool:
    """Whether every region shows the damage."""
    for endpoints in deployment.regions:
        rows = read_items(deployment, endpoints.region, deployment.alerts_table, damage.ids)
        if any(alert_id in rows for alert_id in damage.deleted):
            return False
        if any(rows[alert_id]["status"]["S"] != BROKEN_STATUS for alert_id in damage.broken):
            return False
    return True


def missing(deployment: Deployment, receipts: Sequence[Receipt]) -> list[str]:
    """Alerts that were answered 202 and have no row: what an audit names first, whatever else is going on."""
    rows = {row.alert_id for row in scan_ledger(deployment, deployment.failover.region)}
    return sorted({receipt.alert_id for receipt in receipts} - rows)


def read_items(deployment: Deployment, region: str, table: str, ids: Sequence[str]) -> Mapping[str, Item]:
    """The items of these ids, in DynamoDB's form; one that is not there is left out."""
    client = deployment.clients.client("dynamodb", region)
    answers = (
        client.get_item(TableName=table, Key={"alert_id": {"S": alert_id}}, ConsistentRead=True)
        for alert_id in ids
    )
    return {answer["Item"]["alert_id"]["S"]: answer["Item"] for answer in answers if "Item" in answer}
