"""The analysis cache as operators see it: its entries, and eviction that older answers under way lose to.

An evicted entry stays for a while without an analysis: what the model was asked for before, and answers
after, is not cached (`handlers.adapters.aws.dynamodb.DynamoAnalysisCache`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from clients.deployment import Deployment
from handlers.adapters.aws.dynamodb import NOT_ASKED_LATER
from handlers.adapters.aws.items import item_of, plain_of
from topology.alerts import CLOCK_ERROR_S
from topology.tables import ANALYSIS_CACHE

KEPT_S: Final = 3_600
"""For how long an eviction is remembered; a function runs for a quarter of an hour at most.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_SIGNATURE: Final = ANALYSIS_CACHE.hash_key.name


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """One analysis. `asked_ms`: when the model was asked; None of an entry that an older release made."""

    signature: str
    expires_at: int
    model: str
    asked_ms: int | None


class CachedAnalyses:
    """The entries of a stack's cache. Each region has all of them, within a second.

    All methods raise botocore's `ClientError` and `BotoCoreError`.
    """

    def __init__(self, deployment: Deployment) -> None:
        """Nothing is read yet."""
        self._deployment = deployment
        self.read_units = 0.0
        """What DynamoDB has billed for reading."""

    def get(self, region: str, signature: str) -> CacheEntry | None:
        """The entry of a signature, if it has an analysis."""
        answer = self._dynamodb(region).get_item(
            TableName=self._deployment.analysis_cache_table, Key={_SIGNATURE: {"S": signature}}
        )
        return _entry(plain_of(answer["Item"])) if "Item" in answer else None

    def entries(self, region: str) -> Iterator[CacheEntry]:
        """Every entry that has an analysis, those that are expired and not deleted yet among them."""
        pages = (
            self._dynamodb(region)
            .get_paginator("scan")
            .paginate(
                TableName=self._deployment.analysis_cache_table,
                ProjectionExpression=f"{_SIGNATURE}, expires_at, asked_ms, analysis.model",
                ReturnConsumedCapacity="TOTAL",
            )
        )
        for page in pages:
            self.read_units += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
            yield from filter(None, (_entry(plain_of(item)) for item in page["Items"]))

    def evict(self, region: str, signature: str, *, at_ms: int) -> bool:
        """Evict what was asked for up to `at_ms`; False if the entry is of a later question."""
        item = item_of(evicted(signature, at_ms=at_ms))
        try:
            self._dynamodb(region).put_item(
                TableName=self._deployment.analysis_cache_table,
                Item=item,
                ConditionExpression=NOT_ASKED_LATER,
                ExpressionAttributeValues={":asked_ms": item["asked_ms"]},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _dynamodb(self, region: str) -> Any:
        return self._deployment.clients.client("dynamodb", region)


def evicted(signature: str, *, at_ms: int) -> dict[str, Any]:
    """The attributes of an entry that was evicted at `at_ms`, by a clock that may be behind."""
    return {
        _SIGNATURE: signature,
        "asked_ms": at_ms + CLOCK_ERROR_S * 1000,
        "expires_at": at_ms // 1000 + KEPT_S,
    }


def _entry(item: Mapping[str, Any]) -> CacheEntry | None:
    analysis = item.get("analysis")
    if not isinstance(analysis, dict):
        return None
    return CacheEntry(
        signature=str(item[_SIGNATURE]),
        expires_at=int(item.get("expires_at", 0)),
        model=str(analysis.get("model", "")),
        asked_ms=int(item["asked_ms"]) if "asked_ms" in item else None,
    )
