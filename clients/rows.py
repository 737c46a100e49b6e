"""Alerts by id as one table has them, read with an end: for `clients.ledger` and for disaster recovery."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from topology.errors import ExplainedError
from topology.limits import DYNAMODB_BATCH_GET_MAX
from topology.tables import ALERTS

_TRIES: Final = 8
_FIRST_PAUSE_S: Final = 0.05
"""Doubling: some six seconds in all, for one batch."""


class LedgerUnreachableError(ExplainedError):
    """The ledger that was asked, or that has to be, does not do it; nothing is known of what was asked."""


def read_items(
    client: Any,
    table: str,
    ids: Sequence[str],
    *,
    attributes: Iterable[str] = (),
    consumed: Callable[[float], object] = lambda _: None,
    pause: Callable[[float], object] = time.sleep,
) -> list[Mapping[str, Any]]:
    """The items (DynamoDB JSON) of those alerts that there are, in no order, by consistent reads.

    `attributes`: only these, beside the id; all where none is named. `consumed` is told the read units of
    each call. `pause` waits for so many seconds.

    Raises:
        LedgerUnreachableError: the table kept leaving rows unread.
        botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    key = ALERTS.hash_key.name
    names = {f"#{n}": name for n, name in enumerate((key, *attributes))}
    wanted: dict[str, Any] = {"ConsistentRead": True}
    if len(names) > 1:
        wanted |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(ids), DYNAMODB_BATCH_GET_MAX):
        keys = [{key: {"S": one}} for one in ids[start : start + DYNAMODB_BATCH_GET_MAX]]
        found += _read_batch(client, table, {**wanted, "Keys": keys}, consumed, pause)
    return found


def _read_batch(
    client: Any,
    table: str,
    wanted: Mapping[str, Any],
    consumed: Callable[[float], object],
    pause: Callable[[float], object],
) -> list[Mapping[str, Any]]:
    request: Mapping[str, Any] = {table: wanted}
    found: list[Mapping[str, Any]] = []
    for attempt in range(_TRIES):
        if attempt:
            pause(_FIRST_PAUSE_S * 2 ** (attempt - 1))
        answer = client.batch_get_item(RequestItems=request, ReturnConsumedCapacity="TOTAL")
        consumed(sum(one["CapacityUnits"] for one in answer.get("ConsumedCapacity", ())))
        found += answer["Responses"].get(table, [])
        request = answer.get("UnprocessedKeys") or {}
        if not request:
            return found
    raise LedgerUnreachableError(
        f"{table} in {client.meta.region_name} left {len(request[table]['Keys'])} rows unread after "
        f"{_TRIES} tries: it is throttled; try again when it is less busy"
    )
