"""Gives the alerts that a lost stack left open to the region that it was rebuilt in.

An alert lies under a key of the open index that is named for its owner, and Recovery looks at the keys of its
own stack's regions only. What was open in regions that are no more would never be seen to.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from clients.deployment import Deployment
from dr.operations.facts import OwnershipFacts
from dr.operations.journal import OperationFailedError
from dr.operations.operation import StepContext, StepResult
from topology.alerts import DuplicateCause, Severity, follow_up_key, open_key, parked_key, repeat_key
from topology.tables import OPEN_INDEX

_PAGE: Final = 500
_LOST: Final = "ConditionalCheckFailedException"


def reown(deployment: Deployment, context: StepContext, *, former: Sequence[str]) -> StepResult:
    """Give every alert under a key of the `former` owners to the primary region. Finds `OwnershipFacts`.

    What has not come to rest may have gone out after the moment that the backup shows: it carries a possible
    duplicate for it, `ownership_transferred`, by which an audit knows the cause of a duplicate.

    Raises:
        OperationFailedError: some are left at the step's deadline.
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer.
    """
    to, moved = deployment.primary.region, 0

    def none_left() -> bool | None:
        nonlocal moved
        left = False
        for owner in former:
            for former_key, key in zip(_keys(owner), _keys(to), strict=True):
                for alert_id in _ids(deployment, former_key):
                    if context.left_s() <= 0:
                        raise OperationFailedError(f"{moved} alerts are moved and not all; run it again")
                    moved += _move(deployment, alert_id, former_key=former_key, key=key)
                    left = True
        if left:
            context.say(f"{moved} alerts moved to {to}")
        return None if left else True

    context.until(none_left, f"no alert belongs to {' or '.join(former)} any more")
    return StepResult(
        f"{moved} open, PARKED or half-done alerts belong to {to} now", OwnershipFacts(moved=moved)
    )


def _keys(owner: str) -> tuple[str, ...]:
    """The keys of the open index under which an owner's alerts lie."""
    return (*_keys_at_work(owner), follow_up_key(owner), repeat_key(owner), parked_key(owner))


def _keys_at_work(owner: str) -> tuple[str, ...]:
    return tuple(open_key(owner, severity) for severity in Severity)


def _ids(deployment: Deployment, key: str) -> Iterator[str]:
    answer: dict[str, Any] = deployment.clients.client("dynamodb", deployment.primary.region).query(
        TableName=deployment.alerts_table,
        IndexName=OPEN_INDEX.name,
        KeyConditionExpression="open_key = :key",
        ExpressionAttributeValues={":key": {"S": key}},
        Limit=_PAGE,
    )
    for item in answer["Items"]:
        yield item["alert_id"]["S"]


def _move(deployment: Deployment, alert_id: str, *, former_key: str, key: str) -> int:
    """Move one; 0 where it lies there no more, as the index lags behind."""
    to = deployment.primary.region
    client = deployment.clients.client("dynamodb", to)
    where: dict[str, Any] = {"TableName": deployment.alerts_table, "Key": {"alert_id": {"S": alert_id}}}
    sets = ["#owner = :to", "open_key = :key", "epoch = :zero"]
    values: dict[str, Any] = {
        ":to": {"S": to},
        ":key": {"S": key},
        ":was": {"S": former_key},
        ":zero": {"N": "0"},
    }
    try:
        if key in _keys_at_work(to):
            client.update_item(
                **where,
                UpdateExpression="SET possible_duplicates = if_not_exists(possible_duplicates, :none)",
                ConditionExpression="open_key = :was",
                ExpressionAttributeValues={":none": {"M": {}}, ":was": values[":was"]},
            )
            counter = f"possible_duplicates.{DuplicateCause.OWNERSHIP_TRANSFERRED}"
            sets.append(f"{counter} = if_not_exists({counter}, :zero) + :one")
            values[":one"] = {"N": "1"}
        client.update_item(
            **where,
            UpdateExpression="SET " + ", ".join(sets),
            ConditionExpression="open_key = :was",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == _LOST:
            return 0
        raise
    return 1
