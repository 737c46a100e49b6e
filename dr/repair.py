"""After a bad writer: rows of the live ledger put back as a restored table has them, and no others.

What a bad writer writes replicates at once, so no region has the old rows; point-in-time recovery has. The
ledger of a minute before is restored into a new table (`dr.restore`), compared with the live one, and what
the pipeline itself cannot have done since is undone by conditional writes. The pipeline goes on meanwhile: a
row that moves after it was compared is left alone, and named.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from dr.canonical import canonical
from dr.comparison import Comparison, Difference, compare
from dr.table_items import exported, spool_table, wire
from topology.limits import API_INTEGRATION_TIMEOUT_MAX_S
from topology.tables import ALERTS

AT_REST: Final = frozenset({"NOTIFIED", "SUPPRESSED", "PARKED"})
STATES: Final = AT_REST | {"RECEIVED", "ANALYZED"}

LEAVES: Final = {"PARKED": frozenset({"RECEIVED", "ANALYZED", "NOTIFIED"}), "SUPPRESSED": frozenset(STATES)}
"""Out of rest by the pipeline's own moves: an operator's redrive, and the promotion of a repeat."""

FIXED: Final = (
    "alert_id", "severity", "timestamp", "created_at", "accepted_at_ms", "region", "format", "source",
    "title", "message", "component", "host", "link", "started_at", "labels", "identity", "body_hash",
    "raw", "raw_truncated",
)  # fmt: skip
"""What nothing in the pipeline changes after an alert is accepted (docs/architecture.md, The ledger)."""

ROWS_MAX: Final = 100_000
"""Beyond it a table is not repaired row by row: fail over to the restored one, or ask who wrote."""

WRITTEN_WITHIN_MS: Final = API_INTEGRATION_TIMEOUT_MAX_S * 1_000
"""A row is written at most so long after its alert was accepted: reception has no more time."""

TRIES: Final = 5
_BATCH: Final = 100
_CONFLICT: Final = "ReplicatedWriteConflictException"

Item = Mapping[str, Any]
Verdict = Literal["put back", "person", "normal"]


class RepairRefusedError(Exception):
    """The table cannot be repaired so; the message has the reason. Nothing was written."""


@dataclass(frozen=True)
class Row:
    """One row to decide on. `before` as it was restored, `now` as it is live; None where it is not there."""

    alert_id: str
    why: str
    before: Item | None = field(repr=False)
    now: Item | None = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """What a repair would do. `put_back`: rows to write; `people`: rows that a person has to judge.

    `by_themselves`: how many rows differ as the pipeline makes them differ: new alerts, moved on, expired.
    """

    restored: str
    live: str
    region: str
    comparison: Comparison
    put_back: tuple[Row, ...]
    people: tuple[Row, ...]
    by_themselves: int


@dataclass(frozen=True)
class Repaired:
    """What a repair did: ids that were put back, ids that had moved since they were compared."""

    put_back: tuple[str, ...]
    moved: tuple[str, ...]


def plan_repair(
    deployment: Deployment, region: str, restored: str, *, as_of: datetime, folder: Path, now_s: float
) -> Plan:
    """Compare the restored table with the live ledger and judge each row that differs.

    `as_of`: the time that the restored table shows; `folder` takes the rows of both tables as files.

    Raises:
        RepairRefusedError: more than `ROWS_MAX` rows differ, or the restored table is the live one.
        TableUnreadableError: a table is not there, or does not answer.
    """
    live = deployment.alerts_table
    if restored == live:
        raise RepairRefusedError(f"{restored} is the live ledger; name the table that was restored")
    dynamodb = deployment.clients.client("dynamodb", region)
    sides = [
        spool_table(dynamodb, table, folder / kind) for kind, table in (("before", restored), ("now", live))
    ]
    every = folder / "differences.jsonl"
    found = compare(sides[0], sides[1], key=ALERTS.hash_key, scratch=folder, all_to=every)
    count = found.changed + found.missing + found.extra + found.broken
    if count > ROWS_MAX:
        raise RepairRefusedError(
            f"{count:,} rows differ, and at most {ROWS_MAX:,} are repaired one by one; "
            f"does {restored} show the time that was meant?"
        )
    rows = _with_items(dynamodb, (restored, live), _read(every))
    as_of_ms = int(as_of.timestamp() * 1_000)
    put_back: list[Row] = []
    people: list[Row] = []
    by_themselves = 0
    for alert_id, before, now in rows:
        verdict, why = judge(before, now, as_of_ms=as_of_ms, now_s=now_s)
        if verdict == "normal":
            by_themselves += 1
        else:
            (put_back if verdict == "put back" else people).append(Row(alert_id, why, before, now))
    return Plan(restored, live, region, found, tuple(put_back), tuple(people), by_themselves)


def apply_repair(
    deployment: Deployment, plan: Plan, *, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Repaired:
    """Put rows back, each only if it is as it was when it was compared. Running it twice changes nothing.

    Raises:
        RepairRefusedError: DynamoDB does not take a write; what was put back stays, plan again.
    """
    dynamodb = deployment.clients.client("dynamodb", plan.region)
    put_back: list[str] = []
    moved: list[str] = []
    for row in plan.put_back:
        try:
            (put_back if _put(dynamodb, plan.live, row) else moved).append(row.alert_id)
        except (BotoCoreError, ClientError) as error:
            raise RepairRefusedError(
                f"{plan.live} does not take {row.alert_id} ({error}); {len(put_back):,} rows were put back, "
                "plan the rest again"
            ) from error
        progress(len(put_back) + len(moved), len(plan.put_back))
    return Repaired(tuple(put_back), tuple(moved))


def judge(before: Item | None, now: Item | None, *, as_of_ms: int, now_s: float) -> tuple[Verdict, str]:
    """What is to be done about a row that differs, and why; items in DynamoDB's JSON, None for no row."""
    if before is None or now is None:
        return _judge_absent(before, now, as_of_ms=as_of_ms, now_s=now_s)
    changed = sorted(
        name
        for name in before.keys() | now.keys()
        if _canonical(before.get(name)) != _canonical(now.get(name))
    )
    if not changed:
        return "normal", "it is as it was again"
    was, is_now = (str(item.get("status", {}).get("S", "")) for item in (before, now))
    if was in AT_REST:
        return _judge_at_rest(before, now, moved=(was, is_now), changed=changed)
    if is_now in STATES and not set(changed) & set(FIXED):
        return "normal", f"it moved from {was} to {is_now}"
    return "person", f"it was {was or 'in no state'}, not at rest; changed: {', '.join(changed)}"


def _judge_absent(
    before: Item | None, now: Item | None, *, as_of_ms: int, now_s: float
) -> tuple[Verdict, str]:
    """A row that is on one side only."""
    if before is None:
        accepted_ms = _number(now, "accepted_at_ms")
        if accepted_ms is not None and accepted_ms >= as_of_ms - WRITTEN_WITHIN_MS:
            return "normal", "a new alert"
        return "person", "it does not say that it was accepted since, and was not there then"
    expires_s = _number(before, "expires_at")
    if expires_s is not None and expires_s <= now_s:
        return "normal", "expired"
    return "put back", "it was deleted"


def _judge_at_rest(
    before: Item, now: Item, *, moved: tuple[str, str], changed: Sequence[str]
) -> tuple[Verdict, str]:
    """A row that was at rest, and differs now."""
    was, is_now = moved
    if fixed := [name for name in changed if name in FIXED]:
        return "put back", f"it was {was}; what never changes did: {', '.join(fixed)}"
    if was != is_now and is_now in LEAVES.get(was, ()):
        return "person", f"it was {was} and is {is_now}: a redrive or a promotion would do that too"
    if was == is_now and ("open_lane" in before or "open_lane" in now):
        return "person", f"somebody still sees to it; changed: {', '.join(changed)}"
    return "put back", f"it was {was} at rest; changed: {', '.join(changed)}"


def summary(plan: Plan) -> Mapping[str, int]:
    """How many rows are put back or shown to people, by reason without the attributes' names."""
    return Counter(row.why.partition(":")[0].partition(";")[0] for row in (*plan.put_back, *plan.people))


def _put(dynamodb: Any, table: str, row: Row) -> bool:
    """Write a row as it was, if it still is as it was compared; whether it was written."""
    assert row.before is not None  # noqa: S101 - only rows that were there are put back
    names, values, conditions = dict[str, str](), dict[str, Any](), list[str]()
    if row.now is None:
        names["#k"] = ALERTS.hash_key.name
        conditions.append("attribute_not_exists(#k)")
    else:
        for number, name in enumerate(sorted(row.before.keys() | row.now.keys())):
            names[f"#a{number}"] = name
            if name in row.now:
                values[f":a{number}"] = wire(row.now)[name]
                conditions.append(f"#a{number} = :a{number}")
            else:
                conditions.append(f"attribute_not_exists(#a{number})")
    request: dict[str, Any] = {
        "TableName": table,
        "Item": wire(row.before),
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
    while batch := [one.key for one in islice(pending, _BATCH) if one.kind != "keyless"]:
        before, now = (_get(dynamodb, table, batch) for table in tables)
        for alert_id in batch:
            yield alert_id, before.get(alert_id), now.get(alert_id)


def _get(dynamodb: Any, table: str, ids: Sequence[str]) -> dict[str, Item]:
    key = ALERTS.hash_key.name
    request: Mapping[str, Any] = {table: {"Keys": [{key: {"S": one}} for one in ids], "ConsistentRead": True}}
    found: dict[str, Item] = {}
    for _ in range(_BATCH):
        answer = dynamodb.batch_get_item(RequestItems=request)
        found |= {item[key]["S"]: exported(item) for item in answer["Responses"][table]}
        request = answer.get("UnprocessedKeys") or {}
        if not request:
            return found
    raise RepairRefusedError(f"{table} does not give all of its rows; try again when it is less busy")


def _read(path: Path) -> Iterator[Difference]:
    decoder = msgspec.json.Decoder(Difference)
    with path.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def _canonical(value: Any) -> str:
    return "" if value is None else json.dumps(canonical(value))


def _number(item: Item | None, name: str) -> int | None:
    text = (item or {}).get(name, {}).get("N")
    try:
        return int(float(text)) if text is not None else None
    except (ValueError, OverflowError):
        return None
