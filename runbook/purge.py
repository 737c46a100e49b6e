"""Purging queues of wake-ups without losing an alert: Recovery works before it, and who came back after it.

A wake-up holds nothing but an id. What is not at rest is in the ledger, and Recovery wakes it again once its
lease has run out. A dead-letter queue may hold an alarm that no ledger has, and is never purged.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, product
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment, RegionEndpoints
from clients.failover import Failover, NoRegionAnswersError
from clients.queues import message_count
from clients.rows import LedgerUnreachableError, read_items
from clients.waiting import wait_for
from handlers.adapters.aws.items import plain_of
from topology.alerts import Severity, Status, follow_up_key, open_key
from topology.errors import ExplainedError
from topology.functions import RECOVERY
from topology.names import LIVE_ALIAS
from topology.queues import QueueSpec
from topology.tables import OPEN_INDEX

PURGE_S: Final = 60
"""SQS deletes for so long: also what is sent meanwhile may go.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html"""

FOLLOWED_MAX: Final = 10_000
"""Alerts of each owner and severity that are followed until they came back."""

_VERSION: Final = ("status", "due_at", "attempts", "lease_token")
"""What changes of a row whenever anybody has seen to it."""

_NO_RECOVERY: Final = "what is purged would not come back; nothing was purged"


class PurgeRefusedError(ExplainedError):
    """Purging would not be safe now, or SQS does not take it; the message says what to do first."""


@dataclass(frozen=True)
class Waiting:
    """An alert that somebody has to see to. `version`: its row's, to tell whether anybody did since."""

    alert_id: str
    due_at: int
    version: tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What became of the alerts that were waiting. `last_due_at`: epoch second, of those not seen to yet.

    `due_later`: how many of these are due only after the wait for them.
    """

    waiting: int
    seen_to: int
    at_rest: int
    last_due_at: int
    due_later: int = 0

    @property
    def all_back(self) -> bool:
        """Whether each has been seen to."""
        return self.seen_to == self.waiting

    @property
    def in_time(self) -> bool:
        """Whether each that is due during the wait has been seen to."""
        return self.seen_to + self.due_later == self.waiting


class Purge:
    """The purge of some queues in some regions."""

    def __init__(
        self,
        deployment: Deployment,
        regions: Sequence[RegionEndpoints],
        queues: Sequence[QueueSpec],
        *,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is asked yet."""
        self.more = False
        """Whether more was waiting than is followed."""
        self._deployment, self._regions, self._queues, self._now_s = deployment, regions, queues, now_s
        self._failover = Failover()

    def depths(self) -> dict[tuple[str, str], int]:
        """About how many messages each queue has, by its region and suffix.

        Raises:
            PurgeRefusedError: a region does not answer.
        """

        def depth(endpoints: RegionEndpoints, queue: QueueSpec) -> int:
            return message_count(self._client("sqs", endpoints), endpoints.queue_url(queue))

        return {
            (endpoints.region, queue.suffix): self._asked(endpoints, partial(depth, endpoints, queue))
            for endpoints in self._regions
            for queue in self._queues
        }

    def check_recovery(self) -> None:
        """Have Recovery run in each region, and wait for it.

        Raises:
            PurgeRefusedError: it fails, or a region does not answer.
        """

        def run(endpoints: RegionEndpoints) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = self._client("lambda", endpoints).invoke(
                FunctionName=self._deployment.names.function(RECOVERY), Qualifier=LIVE_ALIAS, Payload=b"{}"
            )
            return answer

        for endpoints in self._regions:
            if self._asked(endpoints, partial(run, endpoints)).get("FunctionError"):
                raise PurgeRefusedError(
                    f"Recovery fails in {endpoints.region}: {_NO_RECOVERY}. `responder logs tail` says why"
                )

    def waiting(self) -> list[Waiting]:
        """The alerts that are not at rest, and the follow-ups, whoever owns them.

        Raises:
            LedgerUnreachableError: no region's ledger answers.
        """
        keys = [
            key
            for endpoints in self._deployment.regions
            for key in (
                *(open_key(endpoints.region, one) for one in Severity),
                follow_up_key(endpoints.region),
            )
        ]

        def ids(endpoints: RegionEndpoints) -> list[list[str]]:
            return [[*self._ids(endpoints, key)] for key in keys]

        found: list[list[str]] = self._ask(ids)
        self.more = self.more or any(len(of_key) >= FOLLOWED_MAX for of_key in found)
        return [_waiting(row) for row in self._rows([*chain.from_iterable(found)])]

    def renewed(self, before: Sequence[Waiting]) -> list[Waiting]:
        """Those, and what waits besides by now, each as it is now.

        What was woken while SQS was still deleting may have lost its wake-up, and has to be seen to again.

        Raises:
            LedgerUnreachableError: no region's ledger answers.
        """
        return [*{one.alert_id: one for one in (*before, *self.waiting())}.values()]

    def purge(self) -> None:
        """Purge the queues.

        Raises:
            PurgeRefusedError: a region does not answer, or SQS is at it already; those before it are purged.
        """
        purged: list[str] = []
        for endpoints, queue in product(self._regions, self._queues):
            call = partial(self._client("sqs", endpoints).purge_queue, QueueUrl=endpoints.queue_url(queue))
            try:
                self._asked(endpoints, call)
            except PurgeRefusedError as error:
                so_far = f". Purged are {', '.join(purged)}: Recovery brings these back" if purged else ""
                raise PurgeRefusedError(f"{error}{so_far}") from error
            purged.append(f"{queue.suffix} in {endpoints.region}")

    def follow(
        self,
        before: Sequence[Waiting],
        *,
        within_s: float,
        lease_s: int,
        progress: Callable[[Returned], object],
    ) -> Returned:
        """Have Recovery run while any of those is due, until each was seen to or `within_s` have passed.

        What is due only after that and a lease, as a follow-up may be, is not waited for.

        Raises:
            LedgerUnreachableError: no region's ledger answers.
            botocore.exceptions.ClientError, BotoCoreError: a region does not answer any more.
        """
        until_s = self._now_s() + max(within_s, lease_s)

        def look() -> Returned:
            returned, due = self._returned(before, until_s)
            progress(returned)
            for endpoints in self._regions if due else ():
                self._deployment.run_recovery(endpoints.region)
            return returned

        return wait_for(look, lambda returned: returned.in_time, within_s=within_s)

    def _returned(self, before: Sequence[Waiting], until_s: float) -> tuple[Returned, bool]:
        """What became of them, and whether any is due."""
        rows = {row["alert_id"]: row for row in self._rows([one.alert_id for one in before])}
        found = [(one, rows.get(one.alert_id)) for one in before]
        unseen = [one for one, row in found if row is not None and _waiting(row).version == one.version]
        now_s = self._now_s()
        returned = Returned(
            waiting=len(before),
            seen_to=len(before) - len(unseen),
            at_rest=sum(1 for _, row in found if row is None or Status(row["status"]).at_rest),
            last_due_at=max((one.due_at for one in unseen), default=0),
            due_later=sum(1 for one in unseen if one.due_at > until_s),
        )
        return returned, any(one.due_at <= now_s for one in unseen)

    def _ids(self, endpoints: RegionEndpoints, key: str) -> Iterable[str]:
        pages = (
            self._client("dynamodb", endpoints)
            .get_paginator("query")
            .paginate(
                TableName=self._deployment.alerts_table,
                IndexName=OPEN_INDEX.name,
                KeyConditionExpression="open_key = :key",
                ExpressionAttributeValues={":key": {"S": key}},
                ProjectionExpression="alert_id",
                PaginationConfig={"MaxItems": FOLLOWED_MAX},
            )
        )
        return (item["alert_id"]["S"] for page in pages for item in page["Items"])

    def _rows(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        def read(endpoints: RegionEndpoints) -> list[Mapping[str, Any]]:
            client = self._client("dynamodb", endpoints)
            return read_items(client, self._deployment.alerts_table, ids, attributes=_VERSION)

        return [*map(plain_of, self._ask(read))] if ids else []

    def _ask(self, question: Callable[[RegionEndpoints], Any]) -> Any:
        """The answer of the first region's ledger that gives one."""
        try:
            return self._failover.ask(self._deployment.regions, question)
        except NoRegionAnswersError as error:
            raise LedgerUnreachableError(
                f"no region's ledger answers: {error}; bring one back, then try again"
            ) from error.last

    def _asked(self, endpoints: RegionEndpoints, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and "PurgeQueueInProgress" in error.response["Error"]["Code"]:
                raise PurgeRefusedError(
                    f"a queue of {endpoints.region} is being purged already; look again in {PURGE_S} s"
                ) from error
            raise PurgeRefusedError(
                f"{endpoints.region} does not do it: {' '.join(str(error).split())}; put that right, or "
                "purge the other region's by --region"
            ) from error

    def _client(self, service: str, endpoints: RegionEndpoints) -> Any:
        return self._deployment.clients.client(service, endpoints.region)


def _waiting(row: Mapping[str, Any]) -> Waiting:
    version = tuple(row.get(name) for name in _VERSION)
    return Waiting(str(row["alert_id"]), int(row.get("due_at") or 0), version)
