"""After a bad writer: rows of the live ledger rolled back as a restored table has them, and no others.

What a bad writer writes replicates at once, so no region has the old rows; point-in-time recovery has. The
ledger of a minute before is restored into a new table (`dr.restores.restore`), compared with the live one,
and what the pipeline itself cannot have done since is undone by conditional writes. The pipeline goes on
meanwhile: a row that moves after it was compared is left alone, and named.

The conditions hold in the region where the repair writes. Under an eventual ledger a change that the other
region makes in the same second may be overwritten by it, the last writer winning.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.rows import LedgerUnreachableError, read_items
from dr.comparison.items import Comparison, Difference, compare
from dr.comparison.states import TableUnreadableError
from dr.restores.decisions import RowDecider
from dr.restores.row_rules import Item
from dr.restores.table_items import exported, spool_table, wire
from topology.errors import ExplainedError
from topology.tables import ALERTS

ROWS_MAX: Final = 100_000
"""Beyond it a table is not repaired row by row: fail over to the restored one, or ask who wrote."""

TRIES: Final = 5
_BATCH: Final = 100
_NO_TABLE: Final = frozenset({"ResourceNotFoundException", "ValidationException"})
"""The latter of what is no table's name at all."""

_CONFLICT: Final = "ReplicatedWriteConflictException"


class RepairRefusedError(ExplainedError):
    """The table cannot be repaired so; the message has the reason. Nothing was written."""


@dataclass(frozen=True)
class Row:
    """One row to decide on: as it is live, or None where it is gone, and what is to be written in its place.

    `write` is None for a row that a person has to decide about.
    """

    alert_id: str
    why: str
    now: Item | None = field(repr=False)
    write: Item | None = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """What a repair would do. `rolled_back`: rows to write; `people`: rows that a person has to decide about.

    `by_themselves`: how many rows differ as the pipeline makes them differ: new alerts, moved on, expired.
    """

    restored: str
    live: str
    region: str
    comparison: Comparison
    rolled_back: tuple[Row, ...]
    people: tuple[Row, ...]
    by_themselves: int


@dataclass(frozen=True)
class Repaired:
    """What a repair did: ids that were rolled back, ids that had moved since they were compared."""

    rolled_back: tuple[str, ...]
    moved: tuple[str, ...]


def plan_repair(
    deployment: Deployment,
    region: str,
    restored: str,
    *,
    folder: Path,
    now_s: float,
    as_of: datetime | None = None,
    vouched: bool = False,
) -> Plan:
    """Compare the restored table with the live ledger and decide about each row that differs.

    `as_of`: the time that the restored table shows, by default as DynamoDB says; `folder` takes the rows of
    both tables as files. `vouched`: a person says that a table of which DynamoDB does not know where it came
    from, such as a copy or an import, was once this ledger.

    Raises:
        RepairRefusedError: more than `ROWS_MAX` rows differ, the restored table is the live one, or it was
            not restored from it, or not as of that time.
        TableUnreadableError: a table is not there, or does not answer.
        OtherSchemaError: the restored table has rows that this release does not read.
    """
    live = deployment.alerts_table
    if restored == live:
        raise RepairRefusedError(f"{restored} is the live ledger; name the table that was restored")
    dynamodb = deployment.clients.client("dynamodb", region)
    shown = _time_shown(deployment, dynamodb, restored, as_of=as_of, vouched=vouched)
    sides = [
        spool_table(dynamodb, restored, folder / "before"),
        spool_table(dynamodb, live, folder / "now", any_schema=True),
    ]
    every = folder / "differences.jsonl"
    comparison = compare(sides[0], sides[1], key=ALERTS.hash_key, scratch=folder, all_to=every)
    count = comparison.changed + comparison.missing + comparison.extra + comparison.broken
    if count > ROWS_MAX:
        raise RepairRefusedError(
            f"{count:,} rows differ, and at most {ROWS_MAX:,} are repaired one by one; "
            f"does {restored} show the time that was meant?"
        )
    rows = _with_items(dynamodb, (restored, live), _read(every))
    decider = RowDecider(
        as_of_ms=int(shown.timestamp() * 1_000),
        now_s=now_s,
        regions=tuple(endpoints.region for endpoints in deployment.regions),
    )
    rolled_back: list[Row] = []
    people: list[Row] = []
    by_themselves = 0
    for alert_id, before, now in rows:
        decision = decider.decide(before, now)
        if decision.kind == "normal":
            by_themselves += 1
        else:
            chosen = rolled_back if decision.kind == "roll back" else people
            chosen.append(Row(alert_id, decision.why, now, decision.write))
    return Plan(restored, live, region, comparison, tuple(rolled_back), tuple(people), by_themselves)


def apply_repair(
    deployment: Deployment, plan: Plan, *, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Repaired:
    """Roll rows back, each only if it is as it was when it was compared. Running it twice changes nothing.

    Raises:
        RepairRefusedError: DynamoDB does not take a write; what was rolled back stays, plan again.
    """
    dynamodb = deployment.clients.client("dynamodb", plan.region)
    rolled_back: list[str] = []
    moved: list[str] = []
    for row in plan.rolled_back:
        try:
            (rolled_back if _put(dynamodb, plan.live, row) else moved).append(row.alert_id)
        except (BotoCoreError, ClientError) as error:
            raise RepairRefusedError(
                f"{plan.live} does not take {row.alert_id} ({error}); {len(rolled_back):,} rows were rolled "
                "back, plan the rest again"
            ) from error
        progress(len(rolled_back) + len(moved), len(plan.rolled_back))
    return Repaired(tuple(rolled_back), tuple(moved))


def summary(plan: Plan) -> Mapping[str, int]:
    """How many rows are rolled back or shown to people, by reason without the attributes' names."""
    return Counter(row.why.partition(":")[0].partition(";")[0] for row in (*plan.rolled_back, *plan.people))


def _time_shown(
    deployment: Deployment, dynamodb: Any, restored: str, *, as_of: datetime | None, vouched: bool
) -> datetime:
    """The time that a restored table shows, if it was restored from the live ledger.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreSummary.html
    """
    try:
        described = dynamodb.describe_table(TableName=restored)["Table"]
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _NO_TABLE:
            raise TableUnreadableError(
                f"there is no table {restored} in {dynamodb.meta.region_name}; name the one that "
                "`dr restore` has made"
            ) from error
        raise TableUnreadableError(f"the table {restored} cannot be read: {error}") from error
    account = described["TableArn"].split(":")[4]
    origin = described.get("RestoreSummary", {})
    source = origin.get("SourceTableArn")
    ledgers = {
        f"arn:aws:dynamodb:{endpoints.region}:{account}:table/{deployment.alerts_table}"
        for endpoints in deployment.regions
    }
    if source is not None and source not in ledgers:
        raise RepairRefusedError(
            f"{restored} was restored from {source}, not from {deployment.alerts_table}; no row of it is ours"
        )
    if source is None and not vouched:
        raise RepairRefusedError(
            f"DynamoDB does not know where {restored} came from, so it may be another ledger; "
            "restore by point-in-time recovery, or vouch for it by --vouched"
        )
    at: datetime | None = origin.get("RestoreDateTime") if source is not None else None
    if at is None or "SourceBackupArn" in origin:  # of a backup it may be the time of the restore
        if as_of is None:
            raise RepairRefusedError(f"which time {restored} shows is not known; say it by --as-of")
        return as_of
    if as_of is not None and as_of.replace(microsecond=0) != at.replace(microsecond=0):
        raise RepairRefusedError(
            f"{restored} shows the ledger as of {at.astimezone(UTC).isoformat()}, "
            f"not as of {as_of.isoformat()}; leave the time out"
        )
    return at


def _put(dynamodb: Any, table: str, row: Row) -> bool:
    """Write a row, if it still is as it was compared; whether it was written."""
    assert row.write is not None  # noqa: S101 - rows for a person are never put
    names, values, conditions = dict[str, str](), dict[str, Any](), list[str]()
    if row.now is None:
        names["#k"] = ALERTS.hash_key.name
        conditions.append("attribute_not_exists(#k)")
    else:
        for number, name in enumerate(sorted(row.write.keys() | row.now.keys())):
            names[f"#a{number}"] = name
            if name in row.now:
                values[f":a{number}"] = wire(row.now)[name]
                conditions.append(f"#a{number} = :a{number}")
            else:
                conditions.append(f"attribute_not_exists(#a{number})")
    request: dict[str, Any] = {
        "TableName": table,
        "Item": wire(row.write),
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
    }
    if values:
        request["ExpressionAttributeValues"] = values
    for attempt in range(1, TRIES + 1):
        try:
            dynamodb.put_item(**request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                return False
            if code != _CONFLICT or attempt == TRIES:
                raise
            time.sleep(0.05 * 2**attempt)
        else:
            return True
    return False


def _with_items(
    dynamodb: Any, tables: tuple[str, str], differences: Iterable[Difference]
) -> Iterator[tuple[str, Item | None, Item | None]]:
    """Each row that differs, as both tables have it now."""
    pending = iter(differences)
    while batch := [difference.key for difference in islice(pending, _BATCH) if difference.kind != "keyless"]:
        before, now = (_get(dynamodb, table, batch) for table in tables)
        for alert_id in batch:
            yield alert_id, before.get(alert_id), now.get(alert_id)


def _get(dynamodb: Any, table: str, ids: Sequence[str]) -> dict[str, Item]:
    try:
        items = read_items(dynamodb, table, ids)
    except (BotoCoreError, ClientError, LedgerUnreachableError) as error:
        raise TableUnreadableError(
            f"rows of {table} cannot be read: {error}; plan the repair again"
        ) from error
    return {item[ALERTS.hash_key.name]["S"]: exported(item) for item in items}


def _read(path: Path) -> Iterator[Difference]:
    decoder = msgspec.json.Decoder(Difference)
    with path.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)
