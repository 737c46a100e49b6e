"""Whether the two regions' tables agree: what has to be so before traffic goes back.

Two looks. A marker that is written in each region has to turn up in the other, which measures the lag now.
And the alerts that one region took in last have to be in the other as well, at rest where they are at rest:
a replication that stands still for old writes while new ones pass would lose them.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.coordination import CoordinationRecords
from clients.deployment import Deployment
from dr.adoption import SEVERITIES
from dr.journal import OperationFailedError, OperationRefusedError
from dr.operation import Done, Turn
from topology.tables import TIMESTAMP_INDEX

MARKER_WITHIN_S: Final = 20.0
"""A global table replicates in about a second; much above it something is wrong."""

RECENT_MAX: Final = 500
"""Alerts of each severity that are compared, the newest of each region."""

SETTLED_S: Final = 5
"""Alerts younger than this may be on their way."""

NAMED: Final = 10
_AT_REST: Final = frozenset({"NOTIFIED", "SUPPRESSED", "PARKED"})
_BATCH: Final = 100
"""Keys of one BatchGetItem.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A marker's way from one region to the other."""

    written_in: str
    seen_in: str
    took_ms: int


def cross(deployment: Deployment, turn: Turn, *, within_s: float = MARKER_WITHIN_S) -> list[Crossing]:
    """Send a marker each way.

    Raises:
        OperationRefusedError: one has not arrived in time.
        CoordinationUnreachableError: a region does not answer.
    """
    regions = [endpoints.region for endpoints in deployment.regions]
    return [
        _cross(deployment, turn, written_in=one, seen_in=other, within_s=within_s)
        for one, other in (regions, regions[::-1])
    ]


def agree(deployment: Deployment, turn: Turn) -> Done:
    """Have markers cross, and wait until each region has what the other took in. Facts: lags and `compared`.

    Raises:
        OperationRefusedError: a marker has not arrived in time, or alerts are still missing at the step's
            deadline; the first are named.
        CoordinationUnreachableError, botocore's errors: a region does not answer.
    """
    crossings = cross(deployment, turn)
    compared = 0
    for have, lack in (deployment.regions, deployment.regions[::-1]):
        settled_s = turn.clock.now_ms() // 1_000 - SETTLED_S
        recent = dict(_recent(deployment, have.region, settled_s))
        compared += len(recent)
        while behind := _behind(deployment, lack.region, recent):
            if turn.left_s() <= 0:
                names = ", ".join(sorted(behind)[:NAMED])
                raise OperationRefusedError(
                    f"replication lags: {lack.region} lacks {len(behind)} of the alerts that {have.region} "
                    f"has ({names}); going back now would lose them. Wait, then run it again"
                )
            turn.say(f"{lack.region} lacks {len(behind)} alerts of {have.region}")
            turn.clock.sleep(1)
    lags = {f"{one.written_in} to {one.seen_in}": one.took_ms for one in crossings}
    return Done(
        ", ".join(f"{way} {took_ms} ms" for way, took_ms in lags.items())
        + f"; {compared} recent alerts are in both regions",
        {"lag_ms": lags, "compared": compared},
    )


def _cross(deployment: Deployment, turn: Turn, *, written_in: str, seen_in: str, within_s: float) -> Crossing:
    name, mark = f"dr-marker#{written_in}", secrets.token_hex(8)
    source = CoordinationRecords(deployment, written_in)
    target = CoordinationRecords(deployment, seen_in)
    begun_ms = turn.clock.now_ms()

    def written() -> bool | None:
        return source.write(name, source.read(name), {"mark": mark, "at_ms": begun_ms}) or None

    def seen() -> bool | None:
        found = target.read(name)
        return True if found is not None and found.values.get("mark") == mark else None

    turn.until(written, f"{written_in} takes a marker", within_s=within_s)
    try:
        turn.until(seen, f"{seen_in} sees a marker of {written_in}", within_s=within_s)
    except OperationFailedError as error:
        raise OperationRefusedError(
            f"replication lags: {error}; going back now would lose what is on its way. Wait, then try again"
        ) from error
    return Crossing(written_in=written_in, seen_in=seen_in, took_ms=turn.clock.now_ms() - begun_ms)


def _recent(deployment: Deployment, region: str, until_s: int) -> Iterator[tuple[str, str]]:
    """The ids and states of the alerts that were accepted last, up to a time in epoch seconds."""
    paginator = deployment.clients.client("dynamodb", region).get_paginator("query")
    ids: list[str] = []
    for severity in SEVERITIES:
        pages = paginator.paginate(
            TableName=deployment.alerts_table,
            IndexName=TIMESTAMP_INDEX.name,
            KeyConditionExpression="severity = :severity AND #timestamp <= :until",
            ExpressionAttributeNames={"#timestamp": "timestamp"},
            ExpressionAttributeValues={":severity": {"S": severity}, ":until": {"N": str(until_s)}},
            ScanIndexForward=False,
            PaginationConfig={"MaxItems": RECENT_MAX},
        )
        ids += [item["alert_id"]["S"] for page in pages for item in page["Items"]]
    yield from _states(deployment, region, ids).items()


def _behind(deployment: Deployment, region: str, states: Mapping[str, str]) -> set[str]:
    """The alerts that `region` lacks, or has as open although they are at rest elsewhere."""
    found = _states(deployment, region, states)
    return {
        alert_id
        for alert_id, status in states.items()
        if alert_id not in found or (status in _AT_REST and found[alert_id] not in _AT_REST)
    }


def _states(deployment: Deployment, region: str, ids: Iterable[str]) -> dict[str, str]:
    """Each alert's status by the region's own row, read consistently."""
    client, wanted = deployment.clients.client("dynamodb", region), list(ids)
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _BATCH):
        request: Mapping[str, Any] = {
            deployment.alerts_table: {
                "Keys": [{"alert_id": {"S": one}} for one in wanted[start : start + _BATCH]],
                "ConsistentRead": True,
                "ProjectionExpression": "alert_id, #status",
                "ExpressionAttributeNames": {"#status": "status"},
            }
        }
        while request:
            answer = client.batch_get_item(RequestItems=request)
            for item in answer["Responses"][deployment.alerts_table]:
                found[item["alert_id"]["S"]] = item.get("status", {}).get("S", "")
            request = answer.get("UnprocessedKeys", {})
    return found
