"""Drains the alerts that a lost region left open to the region that survives, and waits until alerts rest.

Failover, failback and rebuild use it. Nothing is moved by hand: under a strong ledger Recovery in either
region works on all alerts, under an eventual one it takes over once its region's switch is on. Recovery is
invoked out of its turn here, and what was left open is watched.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clients.coordination import CoordinationRecords
from clients.deployment import Deployment
from dr.operations.facts import DrainFacts, RestFacts
from dr.operations.operation import StepContext, StepResult
from dr.operations.rows import read_rows
from topology.alerts import Severity, open_key
from topology.config_keys import STRONG
from topology.records import ownership_record
from topology.tables import OPEN_INDEX

MAX_WATCHED: Final = 10_000
"""Alerts of one region that are watched; that there are more is all that is known of the rest."""

MAX_NAMED: Final = 1_000
"""Ids in a step's facts: the journal is one DynamoDB item of at most 400 KB."""

INVOKE_EACH_S: Final = 2.0
MARGIN_S: Final = 10
"""Alerts that fall due within the last seconds before the step's deadline, or later, are not waited for."""

Version = tuple[object, ...]
"""What of an open alert changes whenever somebody works on it, `due_at` first."""

_VERSION: Final = ("due_at", "status", "attempts", "lease_token")


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
    """Count the open alerts of `owner` by the index of `seen_in`.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: `seen_in` does not answer.
    """
    counts = dict.fromkeys(map(str, Severity), 0)
    overdue = read = 0
    for severity, item in _open(deployment, seen_in, owner):
        counts[severity] += 1
        overdue += int(item["due_at"]["N"]) < now_s
        read += 1
    return OpenAlerts(by_severity=counts, overdue=overdue, complete=read < MAX_WATCHED)


def drain_to_survivor(
    deployment: Deployment, context: StepContext, *, lost: str, survivor: str, since_ms: int
) -> StepResult:
    """Wait until everything that `lost` left open has been processed by `survivor`, or is at rest.

    Finds `DrainFacts`. What falls due only after the step's deadline (a backoff that the lost region had
    granted) is counted as `later`; `survivor` processes it when it is due.

    Raises:
        OperationFailedError: it is not by the step's deadline.
        botocore.exceptions.ClientError, BotoCoreError: `survivor` does not answer.
    """
    left, complete = _open_of(deployment, survivor, (lost,))
    invoke_recovery = _RecoveryInvoker(deployment, (survivor,), context)

    def taken_over() -> bool | None:
        invoke_recovery()
        return _took_over(deployment, survivor, since_ms) or None

    if deployment.ledger_consistency != STRONG:
        context.until(taken_over, f"Recovery of {survivor} has taken over the alerts of {lost}")
    later = _await_processed(
        deployment, context, left, seen_in=survivor, owners=(lost,), invoke_recovery=invoke_recovery
    )
    drained = sorted(left.keys() - later)
    return StepResult(
        f"{len(drained)} of the {_counted(left, complete)} alerts that {lost} left open are processed"
        + _rest(later, complete),
        DrainFacts(
            left=len(left),
            drained_count=len(drained),
            drained=tuple(drained[:MAX_NAMED]),
            later=len(later),
            complete=complete,
        ),
    )


def wait_until_at_rest(deployment: Deployment, context: StepContext) -> StepResult:
    """Wait until everything that is open now, in either region, has been processed or is at rest.

    Finds `RestFacts`.

    Raises:
        OperationFailedError: it is not by the step's deadline.
        botocore.exceptions.ClientError, BotoCoreError: a region does not answer.
    """
    regions = tuple(endpoints.region for endpoints in deployment.regions)
    seen_in = deployment.primary.region
    left, complete = _open_of(deployment, seen_in, regions)
    invoke_recovery = _RecoveryInvoker(deployment, regions, context)
    later = _await_processed(
        deployment, context, left, seen_in=seen_in, owners=regions, invoke_recovery=invoke_recovery
    )
    return StepResult(
        f"{len(left) - len(later)} of {_counted(left, complete)} open alerts are processed"
        + _rest(later, complete),
        RestFacts(open=len(left), later=len(later), complete=complete),
    )


def _await_processed(
    deployment: Deployment,
    context: StepContext,
    left: Mapping[str, Version],
    *,
    seen_in: str,
    owners: Sequence[str],
    invoke_recovery: "_RecoveryInvoker",
) -> set[str]:
    """Wait until each of the alerts that were `left` has changed; return those that are due too late for it.

    What comes in meanwhile is not waited for: under a steady load something is always open.
    """
    waiting = dict(left)
    late_s = context.deadline_ms // 1_000 - MARGIN_S

    def all_processed() -> bool | None:
        now, complete = _open_of(deployment, seen_in, owners)
        if not complete:
            # Newer ones of a higher severity push others out of what is read.
            now |= _of_rows(deployment, seen_in, waiting.keys() - now.keys())
        for alert_id in [alert_id for alert_id, version in waiting.items() if now.get(alert_id) != version]:
            del waiting[alert_id]
        due = sum(_due_at(version) <= late_s for version in waiting.values())
        if due == 0:
            return True
        context.say(f"{len(left) - len(waiting)} of {len(left)} alerts processed, waiting for {due}")
        invoke_recovery()
        return None

    invoke_recovery()
    context.until(all_processed, f"every alert that {' or '.join(owners)} left open is processed")
    return set(waiting)


class _RecoveryInvoker:
    """Invokes Recovery in some regions, at most every `INVOKE_EACH_S`."""

    def __init__(self, deployment: Deployment, regions: Sequence[str], context: StepContext) -> None:
        self._deployment, self._regions, self._clock = deployment, regions, context.clock
        self._last_ms = 0

    def __call__(self) -> None:
        if self._clock.now_ms() - self._last_ms >= INVOKE_EACH_S * 1_000:
            for region in self._regions:
                self._deployment.run_recovery(region)
            self._last_ms = self._clock.now_ms()


def _took_over(deployment: Deployment, region: str, since_ms: int) -> bool:
    """Whether Recovery there has acted on its switch; `handlers.domain.regions.ownership` has the record."""
    record = CoordinationRecords(deployment, region).read(ownership_record(region))
    return record is not None and int(record.values.get("switched_ms", 0)) >= since_ms


def _open_of(deployment: Deployment, seen_in: str, owners: Sequence[str]) -> tuple[dict[str, Version], bool]:
    """Read the open alerts of the owners by the index, and whether these are all."""
    versions: dict[str, Version] = {}
    complete = True
    for owner in owners:
        items = [item for _, item in _open(deployment, seen_in, owner)]
        complete = complete and len(items) < MAX_WATCHED
        versions |= {item["alert_id"]["S"]: _version_of(item) for item in items}
    return versions, complete


def _of_rows(deployment: Deployment, seen_in: str, ids: Iterable[str]) -> dict[str, Version]:
    """Read those of `ids` that are still open by their own rows, not by the index."""
    rows = read_rows(deployment, seen_in, ids, attributes=["open_key", *_VERSION])
    return {alert_id: _version_of(row) for alert_id, row in rows.items() if "open_key" in row}


def _version_of(item: Mapping[str, Any]) -> Version:
    return (int(item["due_at"]["N"]), *(item.get(name) for name in _VERSION[1:]))


def _counted(left: Mapping[str, Version], complete: bool) -> str:  # noqa: FBT001 - one word beside its number
    return str(len(left)) if complete else f"at least {len(left)}"


def _rest(later: Collection[str], complete: bool) -> str:  # noqa: FBT001 - as above
    """The end of a step's detail: what was not waited for."""
    text = f", {len(later)} will be when they are due" if later else ""
    return text if complete else f"{text}; more are open than were watched: see `responder dr status`"


def _due_at(version: Version) -> int:
    return int(str(version[0]))


def _open(deployment: Deployment, seen_in: str, owner: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The items of the open index under the owner's key with their severity, at most `MAX_WATCHED`."""
    paginator = deployment.clients.client("dynamodb", seen_in).get_paginator("query")
    left = MAX_WATCHED
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
