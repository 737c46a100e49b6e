"""The pipeline as the runbook had it, priced by the same table, to compare with.

One region, three functions, two tables, no repeats told apart ("implement alert throttling" is on its list).
What the runbook says of itself is marked so; what it does not say is assumed, where it can be as ours. It
has no second region, no dead-letter alarms, no keys of its own and no backup out of its region, so it costs
less and promises less.
"""

import math
from dataclasses import replace
from typing import Final

from costs.alerts import GB, PER, lambda_lines, log_lines, unit_lines
from costs.cost import Cost, Known, Line, cost_of
from costs.usage import FunctionUsage, Units, Usage
from topology import prices
from topology.config import StackConfig
from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION
from topology.limits import DYNAMODB_READ_UNIT_BYTES, DYNAMODB_WRITE_UNIT_BYTES
from topology.prices import DAYS_PER_MONTH, Price, Source
from topology.tables import ALERTS, ANALYSIS_CACHE, TIMESTAMP_INDEX

RUNBOOK: Final = Source("Operations Runbook - MCP Incident Response System", "2025-10-22", first_hand=True)
ANALYSIS_PRICE: Final = Price(0.03, 1, "analysis", RUNBOOK)
"""`ANTHROPIC_COST=$(echo "$ANALYSIS_COUNT * 0.03" | bc)`, under "Monthly Cost Report"."""

HIT_RATE: Final = 0.60
"""The least that its "Cost Optimization Checklist" wants of the cache."""

RETENTION_DAYS: Final = 90
"""Of alerts, by the same list; 30 of logs."""

LOG_DAYS: Final = 30
MEMORY_MB: Final = 1_024
"""Assumed: one of the four sizes that its loop tries."""

SECRETS: Final = 2
DASHBOARD: Final = Price(
    3.00, 1, "dashboard-month", Source(f"{prices.INFRACOST.url}/cloudwatch_dashboard_test", "2024-07-01")
)
_WRITES_AN_ALERT: Final = 3
"""Assumed: received, analysed, told."""

_SCAN_UNIT_BYTES: Final = 2 * DYNAMODB_READ_UNIT_BYTES
"""Of an eventually consistent scan, the default."""

_WORKERS: Final = (RECEPTION, ANALYSIS, DISTRIBUTION)


def runbook_per_thousand(usage: Usage, config: StackConfig) -> Cost:
    """What 1,000 alerts cost it, with rows and logs as long as ours and durations as ours were measured."""
    its_own = replace(config, memory_mb=dict.fromkeys(_WORKERS, MEMORY_MB), log_retention_days=LOG_DAYS)
    misses = 1 - HIT_RATE
    stored_gb = usage.row_bytes * PER / GB
    row_units = math.ceil(usage.row_bytes / DYNAMODB_WRITE_UNIT_BYTES) * _WRITES_AN_ALERT
    units = {
        ALERTS.key: Units(writes=row_units),
        f"{ALERTS.key}/{TIMESTAMP_INDEX.name}": Units(writes=row_units),
        ANALYSIS_CACHE.key: Units(reads=0.5, writes=misses),
    }
    months = RETENTION_DAYS / DAYS_PER_MONTH
    scanned = RETENTION_DAYS * usage.row_bytes / _SCAN_UNIT_BYTES * PER
    lines = [
        _line("API Gateway", "requests", PER, prices.API_REQUEST),
        *lambda_lines(_functions(usage, misses), its_own, each=PER, known=Known.ASSUMED),
        _line("SQS", "two queues: send, receive, delete", 6 * PER, prices.SQS_REQUEST),
        *unit_lines(units, each=PER, replicas=1, known=Known.ASSUMED),
        _line("DynamoDB", "a scan of all alerts each morning", scanned, prices.DYNAMODB_READ, Known.SAID),
        _line(
            "Storage",
            f"alerts and index, {RETENTION_DAYS} days",
            2 * stored_gb * months,
            prices.DYNAMODB_STORED,
        ),
        _line("Backups", "point-in-time recovery", stored_gb * months, prices.DYNAMODB_RECOVERY, Known.SAID),
        _line(
            "Backups",
            "a full export each day",
            stored_gb * RETENTION_DAYS,
            prices.DYNAMODB_EXPORT,
            Known.SAID,
        ),
        _line("Claude", f"analyses, {HIT_RATE:.0%} from the cache", misses * PER, ANALYSIS_PRICE, Known.SAID),
        *log_lines(usage.log_bytes / usage.alerts * PER, its_own, known=Known.ASSUMED),
    ]
    return cost_of(lines)


def runbook_month() -> Cost:
    """What a month costs it before the first alert."""
    return cost_of(
        [
            _line("Secrets", "secrets", SECRETS, prices.SECRET, Known.SAID),
            _line("Alarms", "its dashboard", 1, DASHBOARD, Known.SAID),
        ]
    )


def _functions(usage: Usage, misses: float) -> dict[str, FunctionUsage]:
    """An invocation of each function for each alert; an analysis as long as ours with a call of the model."""
    used = {}
    for spec in _WORKERS:
        ours = usage.functions.get(spec.key, FunctionUsage(invocations=0, billed_ms=0))
        calls = usage.model_calls if spec is ANALYSIS else ours.invocations
        billed_ms = ours.billed_ms / calls if calls else 0.0
        used[spec.key] = FunctionUsage(
            invocations=1, billed_ms=billed_ms * (misses if spec is ANALYSIS else 1)
        )
    return used


def _line(group: str, name: str, quantity: float, price: Price, known: Known = Known.ASSUMED) -> Line:
    return Line(group=group, name=name, quantity=quantity, price=price, known=known)
