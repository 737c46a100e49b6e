"""What an operator does about PARKED alerts: find them, look at one with its family, send it out again.

`responder parked` uses it. The handlers' state machine allows one move to an operator, PARKED to RECEIVED:
`redrive` makes it by the handlers' own ledger.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from clients.deployment import Deployment, RegionEndpoints
from clients.failover import Failover, NoRegionAnswersError
from clients.rows import LedgerUnreachableError, read_items
from handlers.adapters.aws.dynamodb import DynamoLedger
from handlers.adapters.aws.items import plain_of
from handlers.adapters.aws.sqs import SqsQueueSender
from handlers.domain.limits import MAX_INCIDENT_ROWS
from handlers.domain.moves import Actor
from handlers.domain.ports import LedgerUnavailableError, MalformedRowError, QueueSendError
from handlers.domain.states import redriven
from topology.alerts import Status, parked_key
from topology.config_keys import STRONG
from topology.queues import Queue
from topology.tables import CHILDREN_INDEX, OPEN_INDEX

REDRIVE_GRACE_S: Final = 60
"""A redriven alert whose wake-up is lost is found by Recovery after this."""

MAX_FAMILY: Final = 100
_SHOWN: Final = (
    "alert_id",
    "status",
    "severity",
    "owner",
    "region",
    "title",
    "parked_reason",
    "accepted_at_ms",
    "successor_id",
)

ALERT_ID: Final = re.compile(r"[0-9a-z]{1,64}(\.[0-9a-f]{1,16})?")
"""Nothing else can be an id, and DynamoDB would refuse some of it with an error."""

_SILENT: Final = (NoConnectionError, HTTPClientError)
"""How botocore says that nobody answered. Its other errors are of the caller: no credentials, for one."""

Row = Mapping[str, Any]
"""A row's attributes as plain values: text, whole numbers, lists and maps."""

T = TypeVar("T")


@dataclass(frozen=True)
class ParkedAlert:
    """One PARKED alert. `successor_id`: the repeat that went out in its place."""

    alert_id: str
    severity: str
    owner: str
    region: str
    title: str
    reason: str
    accepted_at_ms: int
    successor_id: str | None


class Redrive(StrEnum):
    """What came of one redrive."""

    DONE = "redriven"
    DONE_WITHOUT_WAKE_UP = "redriven; its wake-up was not sent, so Recovery takes it up in a minute or two"
    MISSING = "there is no such alert"
    NOT_PARKED = "it is not PARKED"
    MALFORMED = "its row cannot be read, by no handler either; correct or delete it"
    CHANGED = "somebody else moved it at the same time; look at it again"

    @property
    def done(self) -> bool:
        """Whether the alert is on its way."""
        return self in (Redrive.DONE, Redrive.DONE_WITHOUT_WAKE_UP)


class ParkedAlerts:
    """The PARKED alerts of a stack, whoever owns them.

    A region reads and writes what it owns. When it does not answer, the other region is asked; for a write
    only under a strong ledger, since under an eventual one only the owner may move an alert.
    """

    def __init__(self, deployment: Deployment) -> None:
        """Nothing is read yet."""
        self._deployment = deployment
        self.failover: Final = Failover()

    def read(self, *, limit: int) -> list[ParkedAlert]:
        """The PARKED alerts, those accepted last at the end; at most `limit` of each owner.

        By a query of the sparse index and a read of each alert, never by a scan.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        found: list[ParkedAlert] = []
        for owner, regions in self._owners():
            ids = self._ask(regions, partial(self._ids, key=parked_key(owner), limit=limit))
            found += self._ask(regions, partial(self._still_parked, ids=ids))
        return sorted(found, key=lambda alert: (alert.accepted_at_ms, alert.alert_id))

    def get(self, alert_id: str) -> Row | None:
        """The whole row, or None.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        return self._ask(self._regions(), lambda region: self._get(region, alert_id))

    def family(self, row: Row) -> Sequence[tuple[str, str]]:
        """Ids and states of the alert that the row repeats and of its repeats, at most `MAX_FAMILY`.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        root_id = row.get("parent_id") or row["alert_id"]
        root = row if root_id == row["alert_id"] else self.get(root_id)
        members = [(root_id, "no row" if root is None else str(root["status"]))]
        return members + self._ask(self._regions(), lambda region: self._repeats(region, root_id))

    def analysed(self, row: Row) -> Row:
        """The row with whose analysis people are told of it: itself, what it repeats, a lead of its incident.

        The row itself if none of them has one.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        known = (row, *map(self.get, filter(None, [row.get("parent_id")])))
        incident_id = next((str(one["incident_id"]) for one in known if one and "incident_id" in one), "")
        if not incident_id or any(one and one.get("analysis") for one in known):
            return next((one for one in known if one and one.get("analysis")), row)
        members = self.by_handlers_ledger(
            str(row.get("owner")), lambda ledger: ledger.incident(incident_id, limit=MAX_INCIDENT_ROWS)
        )
        leads = (self.get(member.alert_id) for member in members if member.lead)
        return next((lead for lead in islice(leads, MAX_FAMILY) if lead and lead.get("analysis")), row)

    def redrive(self, alert_id: str, *, now_s: int) -> Redrive:
        """Have a PARKED alert tried again from the start, with a full count of attempts.

        Raises:
            LedgerUnreachableError: the region that has to write it does not answer.
        """
        row = self.get(alert_id)
        if row is None:
            return Redrive.MISSING
        return self._ask(
            self._writers(row["owner"]),
            lambda region: self._unpark(region, alert_id, now_s + REDRIVE_GRACE_S),
        )

    def by_handlers_ledger(self, owner: str, question: Callable[[DynamoLedger], T]) -> T:
        """What `question` answers of the handlers' ledger in the owner's region, or else in the other.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        table = self._deployment.alerts_table
        return self._ask(
            self._regions(owner), lambda region: question(DynamoLedger(self._dynamodb(region), table))
        )

    def ask_dynamodb(self, question: Callable[[Any], T]) -> T:
        """What `question` answers of boto3's DynamoDB client in one region, or else in the other.

        Raises:
            LedgerUnreachableError: no region answers.
        """
        return self._ask(self._regions(), lambda endpoints: question(self._dynamodb(endpoints)))

    def _unpark(self, endpoints: RegionEndpoints, alert_id: str, due_at: int) -> Redrive:
        """Write it if nobody has moved it since it was read, and send its wake-up."""
        ledger = DynamoLedger(self._dynamodb(endpoints), self._deployment.alerts_table)
        try:
            alert = ledger.get(alert_id)
        except MalformedRowError:
            return Redrive.MALFORMED
        if alert is None:
            return Redrive.MISSING
        if alert.status is not Status.PARKED:
            return Redrive.NOT_PARKED
        after = redriven(alert, due_at=due_at)
        if not ledger.replace(alert, after, actor=Actor.OPERATOR):
            return Redrive.CHANGED
        queue_sender = SqsQueueSender(
            self._deployment.clients.client("sqs", endpoints.region),
            {
                Queue.PROCESSING: endpoints.processing_queue_url,
                Queue.PROCESSING_CRITICAL: endpoints.processing_critical_queue_url,
            },
        )
        try:
            queue_sender.send(after.queue, [after])
        except QueueSendError:
            return Redrive.DONE_WITHOUT_WAKE_UP
        return Redrive.DONE

    def _ids(self, endpoints: RegionEndpoints, *, key: str, limit: int) -> list[str]:
        pages = (
            self._dynamodb(endpoints)
            .get_paginator("query")
            .paginate(
                TableName=self._deployment.alerts_table,
                IndexName=OPEN_INDEX.name,
                KeyConditionExpression="open_key = :key",
                ExpressionAttributeValues={":key": {"S": key}},
                ProjectionExpression="alert_id",
                PaginationConfig={"MaxItems": limit},
            )
        )
        return [item["alert_id"]["S"] for page in pages for item in page["Items"]]

    def _still_parked(self, endpoints: RegionEndpoints, *, ids: Sequence[str]) -> list[ParkedAlert]:
        """Those that are PARKED by a consistent read; the index lags behind."""
        items = read_items(
            self._dynamodb(endpoints), self._deployment.alerts_table, ids, attributes=_SHOWN[1:]
        )
        return [_parked_alert(row) for row in map(plain_of, items) if row["status"] == Status.PARKED]

    def _get(self, endpoints: RegionEndpoints, alert_id: str) -> Row | None:
        if not ALERT_ID.fullmatch(alert_id):
            return None
        answer = self._dynamodb(endpoints).get_item(
            TableName=self._deployment.alerts_table, Key={"alert_id": {"S": alert_id}}, ConsistentRead=True
        )
        return plain_of(answer["Item"]) if "Item" in answer else None

    def _repeats(self, endpoints: RegionEndpoints, parent_id: str) -> list[tuple[str, str]]:
        pages = (
            self._dynamodb(endpoints)
            .get_paginator("query")
            .paginate(
                TableName=self._deployment.alerts_table,
                IndexName=CHILDREN_INDEX.name,
                KeyConditionExpression="parent_id = :parent",
                ExpressionAttributeValues={":parent": {"S": parent_id}},
                PaginationConfig={"MaxItems": MAX_FAMILY},
            )
        )
        return [(item["alert_id"]["S"], item["status"]["S"]) for page in pages for item in page["Items"]]

    def _ask(self, regions: Sequence[RegionEndpoints], question: Callable[[RegionEndpoints], T]) -> T:
        """The answer of the first region that gives one."""
        try:
            return self.failover.ask(regions, question)
        except NoRegionAnswersError as error:
            failed = {
                region: one.__cause__
                if isinstance(one, LedgerUnavailableError) and isinstance(one.__cause__, Exception)
                else one
                for region, one in error.failed.items()
            }
            said = "; ".join(f"the ledger of {region} {_failure(one)}" for region, one in failed.items())
            silent = all(isinstance(one, _SILENT) for one in failed.values())
            todo = "bring the region back" if silent else "put right what it says"
            raise LedgerUnreachableError(f"{said}; {todo}, then try again") from [*failed.values()][-1]

    def _regions(self, first: str | None = None) -> list[RegionEndpoints]:
        """Both regions, the primary before the other unless `first` says otherwise."""
        return sorted(self._deployment.regions, key=lambda endpoints: endpoints.region != first)

    def _owners(self) -> Iterator[tuple[str, list[RegionEndpoints]]]:
        for endpoints in self._deployment.regions:
            yield endpoints.region, self._regions(endpoints.region)

    def _writers(self, owner: str) -> list[RegionEndpoints]:
        regions = self._regions(owner)
        return regions if self._deployment.ledger_consistency == STRONG else regions[:1]

    def _dynamodb(self, endpoints: RegionEndpoints) -> Any:
        return self._deployment.clients.client("dynamodb", endpoints.region)


def _failure(error: Exception) -> str:
    """What became of a request, in one line; botocore's text of an answer names AWS's code."""
    text = " ".join(str(error).split())
    if isinstance(error, ClientError):
        return f"refuses ({text})"
    return f"does not answer ({text})" if isinstance(error, _SILENT) else f"was not asked ({text})"


def _parked_alert(row: Row) -> ParkedAlert:
    return ParkedAlert(
        alert_id=row["alert_id"],
        severity=row.get("severity", ""),
        owner=row.get("owner", ""),
        region=row.get("region", ""),
        title=row.get("title", ""),
        reason=row.get("parked_reason", ""),
        accepted_at_ms=row.get("accepted_at_ms", 0),
        successor_id=row.get("successor_id"),
    )
