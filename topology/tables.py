"""The global tables: keys, indexes and TTL."""

from typing import Final, Literal, NamedTuple

AttributeType = Literal["S", "N"]


class KeySpec(NamedTuple):
    """A key attribute and its DynamoDB type."""

    name: str
    type: AttributeType


class IndexSpec(NamedTuple):
    """A global secondary index. `projected`: what it holds besides the keys; None means everything."""

    name: str
    hash_key: KeySpec
    range_key: KeySpec
    projected: tuple[str, ...] | None = None


class TableSpec(NamedTuple):
    """One table. `ttl_attribute`, if it has one, holds epoch seconds.

    `shares_ledger_consistency`: strong where the ledger is; else always eventual.
    """

    key: str
    suffix: str
    hash_key: KeySpec
    indexes: tuple[IndexSpec, ...] = ()
    ttl_attribute: str | None = None
    shares_ledger_consistency: bool = False


TIMESTAMP_INDEX: Final = IndexSpec("timestamp-index", KeySpec("severity", "S"), KeySpec("timestamp", "N"))
"""The runbook's "Query Alert History": by severity, newest first."""

OPEN_INDEX: Final = IndexSpec(
    "open-index",
    KeySpec("open_key", "S"),
    KeySpec("due_at", "N"),
    projected=("status", "severity", "attempts", "lease_token", "alone"),
)
"""Sparse: only alerts that somebody still has to see to carry `open_key` (`<owner region>#` and a severity,
`PARKED`, `FOLLOW_UP` or another of `topology.alerts`), so they are found by a constant number of queries and
never by a scan."""

CHILDREN_INDEX: Final = IndexSpec(
    "children-index", KeySpec("parent_id", "S"), KeySpec("alert_id", "S"), projected=("status",)
)
"""Sparse: only repeats, and what is folded, carry `parent_id`. Recovery looks here for one to promote when
the parent is PARKED, and a fold counts here what it tells of."""

FAULT_INDEX: Final = IndexSpec(
    "fault-index", KeySpec("fault_key", "S"), KeySpec("changed_at_ms", "N"), projected=("state",)
)
"""What was accepted about a fault, in order: Recovery looks here whether a SUPPRESSED alert is a repeat
indeed."""

INCIDENT_INDEX: Final = IndexSpec(
    "incident-index",
    KeySpec("incident_id", "S"),
    KeySpec("accepted_at_ms", "N"),
    projected=(
        "status",
        "severity",
        "state",
        "fault_key",
        "changed_at_ms",
        "host",
        "lease_token",
        "alone",
        "lead",
        "slack_ref",
    ),
)
"""The alerts of an incident, in order: what waits to be told, and the counts that people are told, are taken
from here."""

ALERTS: Final = TableSpec(
    "alerts",
    "alerts",
    KeySpec("alert_id", "S"),
    (TIMESTAMP_INDEX, OPEN_INDEX, CHILDREN_INDEX, FAULT_INDEX, INCIDENT_INDEX),
    ttl_attribute="expires_at",
    shares_ledger_consistency=True,
)
ANALYSIS_CACHE: Final = TableSpec(
    "analysis-cache", "analysis-cache", KeySpec("error_signature", "S"), ttl_attribute="expires_at"
)
COORDINATION: Final = TableSpec(
    "coordination",
    "coordination",
    KeySpec("name", "S"),
    ttl_attribute="expires_at",
    shares_ledger_consistency=True,
)
"""What instances and regions agree on, one small record each: Slack's rate limit, Claude's circuit breaker,
the state of each fault that was resolved lately and what each source has sent in a minute (the records that
expire), and under an eventual ledger which region acts for which."""

TABLES: Final = (ALERTS, ANALYSIS_CACHE, COORDINATION)
