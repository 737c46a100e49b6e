"""Whether the two regions' tables agree: what has to be so before traffic goes back.

Two looks. A marker that is written in each region has to turn up in the other, which measures the lag now.
And the alerts that one region took in last have to be in the other as well, with the same end where they are
at rest: a replication that stands still for old writes while new ones pass would lose them.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clients.coordination import CoordinationRecords
from clients.deployment import Deployment
from dr.operations.facts import ReplicationFacts
from dr.operations.journal import OperationFailedError, OperationRefusedError
from dr.operations.operation import StepContext, StepResult
from dr.operations.rows import read_rows
from topology.alerts import Severity, Status
from topology.tables import TIMESTAMP_INDEX

MARKER_WITHIN_S: Final = 20.0
"""A global table replicates in about a second; much above it something is wrong."""

RECENT_MAX: Final = 2_000
"""Alerts of each severity that are compared, the newest of each region; older ones are not looked at, as the
step says."""

AGE_LEAST_S: Final = 5
"""Alerts younger than this may be on their way."""

NAMED: Final = 10

_AT_REST: Final = frozenset(status for status in Status if status.at_rest)


@dataclass(frozen=True, kw_only=True)
class ReplicationLag:
    """How long a marker took from one region to the other."""

    written_in: str
    seen_in: str
    took_ms: int


def measure_lag(
    deployment: Deployment, context: StepContext, *, within_s: float = MARKER_WITHIN_S
) -> list[ReplicationLag]:
    """Write a marker in each region, and wait until the other has it.

    Raises:
        OperationRefusedError: one has not arrived in time.
        CoordinationUnreachableError: a region does not answer.
    """
    regions = [endpoints.region for endpoints in deployment.regions]
    return [
        measure_way(deployment, context, written_in=source, seen_in=target, within_s=within_s)
        for source, target in (regions, regions[::-1])
    ]


def check_replication(deployment: Deployment, context: StepContext) -> StepResult:
    """Measure the lag, and wait until each region has the alerts that the other took in last.

    Finds `ReplicationFacts`. Compared are the newest `RECENT_MAX` alerts of each severity.

    Raises:
        OperationRefusedError: a marker has not arrived in time, or alerts are still missing at the step's
            deadline; the first are named.
        CoordinationUnreachableError, botocore's errors: a region does not answer.
    """
    lags = measure_lag(deployment, context)
    compared: set[str] = set()
    for have, lack in (deployment.regions, deployment.regions[::-1]):
        ids = _recent(deployment, have.region, context.clock.now_ms() // 1_000 - AGE_LEAST_S)
        compared |= ids
        while ids := _behind(deployment, lack.region, have.region, ids):
            if context.left_s() <= 0:
                names = ", ".join(sorted(ids)[:NAMED])
                raise OperationRefusedError(
                    f"replication lags: {lack.region} lacks {len(ids)} of the alerts that {have.region} "
                    f"has ({names}); going back now would lose them. Wait, then run it again"
                )
            context.say(f"{lack.region} lacks {len(ids)} alerts of {have.region}")
            context.clock.sleep(1)
    lag_ms = {f"{lag.written_in} to {lag.seen_in}": lag.took_ms for lag in lags}
    return StepResult(
        ", ".join(f"{way} {took_ms} ms" for way, took_ms in lag_ms.items())
        + f"; {len(compared)} alerts, the newest {RECENT_MAX} of each severity, are in both regions",
        ReplicationFacts(lag_ms=lag_ms, compared=len(compared)),
    )


def measure_way(
    deployment: Deployment, context: StepContext, *, written_in: str, seen_in: str, within_s: float
) -> ReplicationLag:
    """Write a marker in one region, and wait until the other has it; raises as `measure_lag`."""
    name = f"dr-marker#{written_in}"
    source = CoordinationRecords(deployment, written_in)
    target = CoordinationRecords(deployment, seen_in)
    begun_ms = context.clock.now_ms()
    mark = {"mark": secrets.token_hex(8), "at_ms": begun_ms}

    def written() -> int | None:
        before = source.read(name)
        return (before.version + 1 if before else 1) if source.write(name, before, mark) else None

    def seen() -> bool | None:
        # Only `written_in` writes it, so what somebody else has written since is later than ours.
        record = target.read(name)
        return True if record is not None and record.version >= version else None

    version = context.until(written, f"{written_in} takes a marker", within_s=within_s)
    try:
        context.until(seen, f"{seen_in} sees a marker of {written_in}", within_s=within_s)
    except OperationFailedError as error:
        raise OperationRefusedError(
            f"replication lags: {error}; going back now would lose what is on its way. Wait, then try again"
        ) from error
    return ReplicationLag(written_in=written_in, seen_in=seen_in, took_ms=context.clock.now_ms() - begun_ms)


def _recent(deployment: Deployment, region: str, until_s: int) -> set[str]:
    """The ids of the alerts that were accepted last, up to a time in epoch seconds."""
    paginator = deployment.clients.client("dynamodb", region).get_paginator("query")
    ids: set[str] = set()
    for severity in Severity:
        pages = paginator.paginate(
            TableName=deployment.alerts_table,
            IndexName=TIMESTAMP_INDEX.name,
            KeyConditionExpression="severity = :severity AND #timestamp <= :until",
            ExpressionAttributeNames={"#timestamp": "timestamp"},
            ExpressionAttributeValues={":severity": {"S": severity}, ":until": {"N": str(until_s)}},
            ScanIndexForward=False,
            PaginationConfig={"MaxItems": RECENT_MAX},
        )
        ids |= {item["alert_id"]["S"] for page in pages for item in page["Items"]}
    return ids


def _behind(deployment: Deployment, lack: str, have: str, ids: Iterable[str]) -> set[str]:
    """Those that `lack` lacks, or has in another state although they are at rest where `have` is.

    The region that has them is read last: what has come to another end, or expired, between the two reads is
    looked at again.
    """
    there, here = _states(deployment, lack, ids), _states(deployment, have, ids)
    return {
        alert_id
        for alert_id, status in here.items()
        if alert_id not in there or (status in _AT_REST and there[alert_id] != status)
    }


def _states(deployment: Deployment, region: str, ids: Iterable[str]) -> dict[str, str]:
    """Each alert's status by the region's own row."""
    rows = read_rows(deployment, region, ids, attributes=["status"])
    return {alert_id: row.get("status", {}).get("S", "") for alert_id, row in rows.items()}
