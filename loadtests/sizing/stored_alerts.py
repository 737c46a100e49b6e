"""What a sweep stores in a stack's tables, so that functions find the alerts that they are invoked with.

All of it is of one source and INFO, so the stack's own index finds it again, whoever stored it. Rows are due
in an hour, which Recovery waits for. No queue has a message about one until Analysis sends it.
"""

import json
import secrets
import string
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from clients.deployment import Deployment
from clients.waiting import wait_for
from handlers.adapters.aws.dynamodb import DynamoAnalysisCache, DynamoLedger, attributes_of
from handlers.adapters.aws.items import item_of, plain_of
from handlers.domain.alert import Alert
from handlers.domain.formats import parse
from handlers.domain.ports import CacheUnavailableError, LedgerUnavailableError
from handlers.domain.signature import signature_of
from handlers.domain.states import analyzed, received
from loadtests.isolated.canned_aws import ALERTS_OF, ANALYSIS, ANALYZED, NEW
from loadtests.isolated.events import Event
from topology.alerts import Severity, open_key
from topology.errors import ExplainedError
from topology.tables import TIMESTAMP_INDEX

SOURCE: Final = "responder-tune-memory"
DUE_AFTER_S: Final = 3_600
CACHED_FOR_S: Final = 86_400
"""Longer than any sweep: the model is not asked for what it was not to be asked."""

_WORD_LETTERS: Final = 16
_SOUGHT_S: Final = 30 * 86_400
"""How old a row may be that is still found."""

AT_REST_WITHIN_S: Final = 60.0


class StoredAlertsError(ExplainedError):
    """A table does not take alerts, or not give them back."""


class StoredAlerts:
    """The alerts and cached analyses of sweeps in one region's tables."""

    def __init__(self, deployment: Deployment, region: str) -> None:
        """Nothing is stored yet."""
        dynamodb: Any = deployment.clients.client("dynamodb", region)
        self._dynamodb, self._region, self._table = dynamodb, region, deployment.alerts_table
        self._ledger = DynamoLedger(dynamodb, deployment.alerts_table)
        self._owners = [endpoints.region for endpoints in deployment.regions]
        self._cache_table = deployment.analysis_cache_table
        self._cache = DynamoAnalysisCache(dynamodb, self._cache_table)
        self._ids: set[str] = set()
        self._signatures: set[str] = set()

    def prepare(self, event: Event) -> Event:
        """Store what the functions will look for, with its analysis unless its fault is to be a new one.

        Returns the event with ids that nobody else has.

        Raises:
            StoredAlertsError: the cache did not take an analysis.
            botocore.exceptions.ClientError, BotoCoreError: the ledger did not take an alert.
        """
        if "body" in event:
            for incoming in parse(event["body"].encode(), {}).alerts:
                alert = replace(
                    ALERTS_OF[NEW],
                    source=incoming.source,
                    component=incoming.component,
                    title=incoming.title,
                    message=incoming.message,
                )
                self._keep_analysis(alert)
        if "Records" not in event:
            return event
        return {"Records": [{**record, "body": self._stored(record["body"])} for record in event["Records"]]}

    def wait_until_told(self) -> None:
        """Wait until no alert waits for Slack, a minute at most: one that is posted then goes at once, alone.

        Raises:
            StoredAlertsError: the ledger does not answer.
        """
        keys = [open_key(owner, severity) for owner in self._owners for severity in Severity]
        soon_s = int(time.time()) + DUE_AFTER_S // 2
        try:
            wait_for(
                lambda: [key for key in keys if self._ledger.overdue(key, now_s=soon_s, limit=1)],
                lambda waiting: not waiting,
                within_s=AT_REST_WITHIN_S,
            )
        except LedgerUnavailableError as error:
            raise StoredAlertsError(f"{self._table} does not answer ({error}); try again") from error

    def told_alone(self, event: Event) -> bool:
        """Whether each alert of the event was posted by itself: none waited, and none took others along."""
        rows = [self._row(json.loads(record["body"])["alert_id"]) for record in event["Records"]]
        return all("notified_at_ms" in row and "digest_id" not in row for row in rows)

    def delete(self) -> int:
        """Delete all rows and analyses of sweeps, but for rows that somebody is at work on after a minute.

        Those go out and expire like any alert; returns how many. A wake-up for a row that is gone would end
        in a dead-letter queue. Analyses for what reception took in expire, as they may be needed still.

        Raises:
            StoredAlertsError: the table does not answer.
        """
        try:
            rows = wait_for(self._rows, self._all_deletable, within_s=AT_REST_WITHIN_S)
            done = [row for row in rows if _is_deletable(row)]
            needed = {signature_of(row) for row in rows if row not in done}
            for row in done:
                self._dynamodb.delete_item(TableName=self._table, Key={"alert_id": {"S": row.alert_id}})
            for signature in {signature_of(row) for row in done} - needed:
                key = {"error_signature": {"S": signature}}
                self._dynamodb.delete_item(TableName=self._cache_table, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise StoredAlertsError(
                f"alerts from {SOURCE} may be left in {self._table} ({error}); they go out, and expire"
            ) from error
        self._ids.clear()
        self._signatures.clear()
        return len(rows) - len(done)

    def _all_deletable(self, rows: Sequence[Alert]) -> bool:
        """The index may be some time behind the table."""
        return self._ids <= {row.alert_id for row in rows} and all(map(_is_deletable, rows))

    def _stored(self, body: str) -> str:
        """The body of a wake-up for a new row of the kind that the given one is about."""
        kind = json.loads(body)["alert_id"].partition("-")[0]
        now_ms = time.time_ns() // 1_000_000
        alert = replace(
            ALERTS_OF[kind],
            alert_id=f"{kind}-{secrets.token_hex(16)}",
            severity=Severity.INFO,
            source=SOURCE,
            region=self._region,
            owner=self._region,
            timestamp=now_ms // 1000,
            accepted_at_ms=now_ms,
            changed_at_ms=now_ms,
            created_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
            fault_key=secrets.token_hex(16),
        )
        if kind == NEW:
            word = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_WORD_LETTERS))
            alert = replace(alert, title=f"{alert.title}: {word}")
        else:
            self._keep_analysis(alert)
        due_at = alert.timestamp + DUE_AFTER_S
        if kind == ANALYZED:
            alert = analyzed(alert, ANALYSIS, due_at=due_at)
        else:
            alert = received(alert, due_at=due_at)
        self._ids.add(alert.alert_id)
        self._dynamodb.put_item(TableName=self._table, Item=item_of(attributes_of(alert)))
        return json.dumps({"alert_id": alert.alert_id})

    def _keep_analysis(self, alert: Alert) -> None:
        signature = signature_of(alert)
        if signature not in self._signatures:
            try:
                self._cache.put(
                    signature,
                    ANALYSIS,
                    asked_ms=time.time_ns() // 1_000_000,
                    expires_at=int(time.time()) + CACHED_FOR_S,
                )
            except CacheUnavailableError as error:
                raise StoredAlertsError(f"{self._cache_table} takes nothing ({error}); try again") from error
            self._signatures.add(signature)

    def _row(self, alert_id: str) -> dict[str, Any]:
        key = {"alert_id": {"S": alert_id}}
        found = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        row: dict[str, Any] = found.get("Item", {})
        return row

    def _rows(self) -> list[Alert]:
        return [msgspec.convert(plain_of(item), Alert) for item in self._items()]

    def _items(self) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=TIMESTAMP_INDEX.name,
            KeyConditionExpression="severity = :severity AND #timestamp > :since",
            FilterExpression="#source = :source",
            ExpressionAttributeNames={"#timestamp": "timestamp", "#source": "source"},
            ExpressionAttributeValues={
                ":severity": {"S": Severity.INFO},
                ":since": {"N": str(int(time.time()) - _SOUGHT_S)},
                ":source": {"S": SOURCE},
            },
        )
        for page in pages:
            yield from page["Items"]


def _is_deletable(row: Alert) -> bool:
    """Whether nobody is at work on it, or may be told to: it is at rest, or as it was stored."""
    return (row.status.at_rest and row.follow_up is None) or row.due_at == row.timestamp + DUE_AFTER_S
