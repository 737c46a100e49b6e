"""The alerts that a lost region left open, and how the region that survives comes to see to them.

Nothing is moved by hand. Under a strong ledger Recovery in either region works on all; under an eventual one
it takes over once its region's switch is on. Adoption runs it out of turn and watches what was left behind.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clients.coordination import CoordinationRecords
from clients.deployment import Deployment
from dr.operations.operation import Done, Turn
from dr.operations.rows import read_rows
from topology.alerts import Severity, open_key
from topology.config_keys import STRONG
from topology.records import ownership_record
from topology.tables import OPEN_INDEX

MAX_LEFT: Final = 10_000
"""Alerts of one region that are watched; the rest is only known to be more, and said to be."""

MAX_NAMED: Final = 1_000
"""Ids in a step's facts: the journal is one DynamoDB item of at most 400 KB."""

NUDGE_EACH_S: Final = 2.0
MARGIN_S: Final = 10
"""An alert that falls due later than this before the step's deadline is not waited for."""

Progress = tuple[object, ...]
"""What of an open alert changes whenever somebody works on it, `due_at` first."""

_MOVING: Final = ("due_at", "status", "attempts", "lease_token")


@dataclass(frozen=True, kw_only=True)
class OpenAlerts:
    """The alerts of one owner that are not at rest, as one region's index shows them.

    `complete` is False where there are more than were read.
    """

    by_severity: Mapping[str, int]
    overdue: int
    complete: bool

    @property
    def total(self) -> int:
        """Of every severity."""
        return sum(self.by_severity.values())


def open_alerts(deployment: Deployment, *, seen_in: str, owner: str, now_s: int) -> OpenAlerts:
    """What `owner` has open, as `seen_in` sees it.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: `seen_in` does not answer.
    """
    counts = dict.fromkeys(map(str, Severity), 0)
    overdue = read = 0
    for severity, item in _open(deployment, seen_in, owner):
        counts[severity] += 1
        overdue += int(item["due_at"]["N"]) < now_s
        read += 1
    return OpenAlerts(by_severity=counts, overdue=overdue, complete=read < MAX_LEFT)


def adopt(deployment: Deployment, turn: Turn, *, lost: str, by: str, since_ms: int) -> Done:
    """Wait until everything that `lost` left open has been taken up by `by`, or is at rest.

    Facts: `left`, `later` and `adopted_count` as numbers, `adopted` with at most `MAX_NAMED` ids, and
    `complete`: False where more was left than is watched. What falls due only after the step's deadline (a
    backoff that the lost region had granted) is counted as `later`; `by` sees to it when it is due.

    Raises:
        OperationFailedError: not by the step's deadline.
        botocore.exceptions.ClientError, BotoCoreError: `by` does not answer.
    """
    left, complete = _lanes(deployment, by, (lost,))
    nudge = _Nudge(deployment, (by,), turn)

    def taken_over() -> bool | None:
        nudge()
        return _took_over(deployment, by, since_ms) or None

    if deployment.ledger_consistency != STRONG:
        turn.until(taken_over, f"Recovery of {by} has taken over the alerts of {lost}")
    later = _see_to(deployment, turn, left, seen_in=by, owners=(lost,), nudge=nudge)
    adopted = sorted(left.keys() - later)
    return Done(
        f"{len(adopted)} of the {_counted(left, complete)} alerts that {lost} left open are seen to"
        + _rest(later, complete),
        {
            "left": len(left),
            "adopted_count": len(adopted),
            "adopted": adopted[:MAX_NAMED],
            "later": len(later),
            "complete": complete,
        },
    )


def settle(deployment: Deployment, turn: Turn) -> Done:
    """Wait until everything that is open now, in either region, has been taken up or is at rest.

    Facts: `open`, how many were; `later` and `complete` as in `adopt`.

    Raises:
        OperationFailedError: not by the step's deadline.
        botocore.exceptions.ClientError, BotoCoreError: a region does not answer.
    """
    regions = tuple(endpoints.region for endpoints in deployment.regions)
    seen_in = deployment.primary.region
    left, complete = _lanes(deployment, seen_in, regions)
    nudge = _Nudge(deployment, regions, turn)
    later = _see_to(deployment, turn, left, seen_in=seen_in, owners=regions, nudge=nudge)
    return Done(
        f"{len(left) - len(later)} of {_counted(left, complete)} open alerts are seen to"
        + _rest(later, complete),
        {"open": len(left), "later": len(later), "complete": complete},
    )


def _see_to(
    deployment: Deployment,
    turn: Turn,
    left: Mapping[str, Progress],
    *,
    seen_in: str,
    owners: Sequence[str],
    nudge: "_Nudge",
) -> set[str]:
    """Wait for what is `left` until somebody has worked on it; return what is not due before the deadline.

    What comes in meanwhile is not waited for: under a steady load something is always open.
    """
    waiting = dict(left)
    late_s = turn.deadline_ms // 1_000 - MARGIN_S

    def all_seen_to() -> bool | None:
        now, complete = _lanes(deployment, seen_in, owners)
        if not complete:
            # Newer ones of a higher severity push others out of what is read.
            now |= _of_rows(deployment, seen_in, waiting.keys() - now.keys())
        for alert_id in [one for one, was in waiting.items() if now.get(one) != was]:
            del waiting[alert_id]
        due = sum(_due_at(was) <= late_s for was in waiting.values())
        if due == 0:
            return True
        turn.say(f"{len(left) - len(waiting)} of {len(left)} alerts seen to, waiting for {due}")
        nudge()
        return None

    nudge()
    turn.until(all_seen_to, f"every alert that {' or '.join(owners)} left open is seen to")
    return set(waiting)


class _Nudge:
    """Runs Recovery in some regions, at most every `NUDGE_EACH_S`."""

    def __init__(self, deployment: Deployment, regions: Sequence[str], turn: Turn) -> None:
        self._deployment, self._regions, self._clock = deployment, regions, turn.clock
        self._last_ms = 0

    def __call__(self) -> None:
        if self._clock.now_ms() - self._last_ms >= NUDGE_EACH_S * 1_000:
            for region in self._regions:
                self._deployment.run_recovery(region)
            self._last_ms = self._clock.now_ms()


def _took_over(deployment: Deployment, region: str, since_ms: int) -> bool:
    """Whether Recovery there has acted on its switch; `handlers.domain.regions.ownership` has the record."""
    record = CoordinationRecords(deployment, region).read(ownership_record(region))
    return record is not None and int(record.values.get("switched_ms", 0)) >= since_ms


def _lanes(deployment: Deployment, seen_in: str, owners: Sequence[str]) -> tuple[dict[str, Progress], bool]:
    """What is open there, and whether that is all of it."""
    found: dict[str, Progress] = {}
    complete = True
    for owner in owners:
        read = [item for _, item in _open(deployment, seen_in, owner)]
        complete = complete and len(read) < MAX_LEFT
        found |= {item["alert_id"]["S"]: _progress(item) for item in read}
    return found, complete


def _of_rows(deployment: Deployment, seen_in: str, ids: Iterable[str]) -> dict[str, Progress]:
    """Those of `ids` that are open still, by their own rows."""
    rows = read_rows(deployment, seen_in, ids, attributes=["open_key", *_MOVING])
    return {alert_id: _progress(row) for alert_id, row in rows.items() if "open_key" in row}


def _progress(item: Mapping[str, Any]) -> Progress:
    return (int(item["due_at"]["N"]), *(item.get(name) for name in _MOVING[1:]))


def _counted(left: Mapping[str, Progress], complete: bool) -> str:  # noqa: FBT001 - one word beside its number
    return str(len(left)) if complete else f"at least {len(left)}"


def _rest(later: Collection[str], complete: bool) -> str:  # noqa: FBT001 - as above
    """What a step's detail has to say of what was not waited for."""
    text = f", {len(later)} will be when they are due" if later else ""
    return text if complete else f"{text}; more are open than were watched: see `responder dr status`"


def _due_at(state: Progress) -> int:
    return int(str(state[0]))


def _open(deployment: Deployment, seen_in: str, owner: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The items of the open index under the owner's key with their severity, at most `MAX_LEFT`."""
    paginator = deployment.clients.client("dynamodb", seen_in).get_paginator("query")
    left = MAX_LEFT
    for severity in Severity:
        pages = paginator.paginate(
            TableName=deployment.alerts_table,
            IndexName=OPEN_INDEX.name,
            KeyConditionExpression="open_key = :key",
            ExpressionAttributeValues={":key": {"S": open_key(owner, severity)}},
            PaginationConfig={"MaxItems": left},
        )
        for page in pages:
            for item in page["Items"]:
                yield severity, item
                left -= 1
        if left <= 0:
            return
