"""The two global tables: keys, indexes and TTL."""

from dataclasses import dataclass
from typing import Final, Literal

AttributeType = Literal["S", "N"]


@dataclass(frozen=True)
class KeySpec:
    """A key attribute and its DynamoDB type."""

    name: str
    type: AttributeType


@dataclass(frozen=True)
class IndexSpec:
    """A global secondary index. `projected` empty means every attribute (ALL)."""

    name: str
    hash_key: KeySpec
    range_key: KeySpec
    projected: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableSpec:
    """One table. `ttl_attribute` holds epoch seconds."""

    key: str
    suffix: str
    hash_key: KeySpec
    indexes: tuple[IndexSpec, ...]
    ttl_attribute: str


TIMESTAMP_INDEX: Final = IndexSpec("timestamp-index", KeySpec("severity", "S"), KeySpec("timestamp", "N"))
"""The runbook's "Query Alert History": by severity, newest first."""

OPEN_INDEX: Final = IndexSpec(
    "open-index",
    KeySpec("open_lane", "S"),
    KeySpec("due_at", "N"),
    projected=("status", "severity", "attempts"),
)
"""Sparse: only alerts not at rest carry `open_lane` (`<owner region>#<severity>`), so Recovery
finds overdue work by a constant number of queries and never by a scan."""

ALERTS: Final = TableSpec(
    "alerts", "alerts", KeySpec("alert_id", "S"), (TIMESTAMP_INDEX, OPEN_INDEX), ttl_attribute="expires_at"
)
ANALYSIS_CACHE: Final = TableSpec(
    "analysis-cache", "analysis-cache", KeySpec("error_signature", "S"), (), ttl_attribute="expires_at"
)
TABLES: Final = (ALERTS, ANALYSIS_CACHE)
