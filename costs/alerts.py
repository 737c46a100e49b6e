"""What alerts cost: a measured usage, priced with a stack's memory sizes, replicas, model and backups.

Who compares memory sizes prices the same usage twice, with other `Usage.functions` and another
`StackConfig.memory_mb`.
"""

import math
from typing import Final

from costs.cost import Cost, Known, Line, cost_of
from costs.usage import FunctionUsage, Units, Usage
from handlers.domain.limits import REST_RETENTION_S
from topology import prices
from topology.config import StackConfig
from topology.config_keys import STRONG
from topology.functions import FUNCTIONS
from topology.limits import DYNAMODB_WRITE_UNIT_BYTES
from topology.prices import DAYS_PER_MONTH, ModelPrice, Price, check_regions, gb_seconds, model_price
from topology.queues import WORK_QUEUES
from topology.tables import ALERTS, TIMESTAMP_INDEX

PER: Final = 1_000
"""Alerts that a cost is told of."""

GB: Final = 1e9
_MS_PER_S: Final = 1_000
_DAY_S: Final = 86_400
_WEEK_DAYS: Final = 7
_CALLS_A_BATCH: Final = 2
"""A receive and a delete by the event source mapping; each send is a call of its own, and counted."""

ANSWER_TOKENS: Final = 400
"""Assumed of an analysis, as in `emulator.claude_latency`: a stand-in's answers are shorter."""

BUCKETS_OF_EXPORTS: Final = 3
"""What the primary exports lies in its bucket and as a copy in the failover's; the failover exports too."""


def per_thousand_alerts(usage: Usage, config: StackConfig) -> Cost:
    """What 1,000 alerts cost, with their rows and backups for as long as these are kept.

    Raises:
        UnpricedError: no price is known of a region or of the model.
    """
    check_regions(config.regions)
    model = model_price(config.claude_model)
    each = PER / usage.alerts
    lines = [
        _line("API Gateway", "requests", usage.api_requests * each, prices.API_REQUEST),
        *lambda_lines(usage.functions, config, each=each),
        _line("SQS", "sends", usage.queue_sends * each, prices.SQS_REQUEST),
        _line("SQS", "receives and deletes", _batches(usage) * _CALLS_A_BATCH * each, prices.SQS_REQUEST),
        *unit_lines(usage.units, each=each, replicas=len(config.regions)),
        *_stored(usage, config),
        *model_lines(usage, model, calls=usage.model_calls * each),
        *log_lines(usage.log_bytes * each, config),
    ]
    return cost_of(lines)


def lambda_lines(
    functions: dict[str, FunctionUsage],
    config: StackConfig,
    *,
    each: float,
    known: Known = Known.MEASURED,
) -> list[Line]:
    """Requests and GB-seconds of `each` of a usage, a function after the other."""
    lines = []
    for spec in FUNCTIONS:
        if used := functions.get(spec.key):
            gb_s = gb_seconds(used.billed_ms / _MS_PER_S, config.memory_mb[spec])
            name = f"{spec.key}, {config.memory_mb[spec]} MB"
            requests = used.invocations * each
            lines += [
                _line("Lambda", f"{name}: requests", requests, prices.LAMBDA_REQUEST, known),
                _line("Lambda", f"{name}: duration", gb_s * each, prices.LAMBDA_GB_S, known),
            ]
    return lines


def unit_lines(
    units: dict[str, Units], *, each: float, replicas: int, known: Known = Known.MEASURED
) -> list[Line]:
    """Reads where they are made; writes in each region that has a replica, those of indexes as plain ones."""
    reads = sum(used.reads for used in units.values()) * each
    rows = sum(used.writes for name, used in units.items() if "/" not in name) * each * replicas
    indexes = sum(used.writes for name, used in units.items() if "/" in name) * each * replicas
    replicated = prices.DYNAMODB_REPLICATED_WRITE if replicas > 1 else prices.DYNAMODB_WRITE
    return [
        _line("DynamoDB", "reads", reads, prices.DYNAMODB_READ, known),
        _line("DynamoDB", f"writes of rows, {replicas} replicas", rows, replicated, known),
        _line("DynamoDB", f"writes of indexes, {replicas} replicas", indexes, prices.DYNAMODB_WRITE, known),
    ]


def model_lines(usage: Usage, model: ModelPrice, *, calls: float) -> list[Line]:
    """So many analyses by the model, with prompts as they were measured: four characters are a token."""
    prompt = usage.input_tokens / usage.model_calls if usage.model_calls else 0.0
    return [
        _line("Claude", "tokens in", calls * prompt, model.input),
        _line("Claude", "tokens out", calls * ANSWER_TOKENS, model.output, Known.ASSUMED),
    ]


def log_lines(log_bytes: float, config: StackConfig, *, known: Known = Known.MEASURED) -> list[Line]:
    """What logs cost, and keeping them; how far AWS compresses them is not counted."""
    gb, months = log_bytes / GB, config.log_retention_days / DAYS_PER_MONTH
    return [
        _line("Logs", "ingested", gb, prices.LOGS, known),
        _line("Logs", f"stored {config.log_retention_days} days", gb * months, prices.LOGS_STORED, known),
    ]


def _stored(usage: Usage, config: StackConfig) -> list[Line]:
    """Keeping 1,000 rows until they expire, in each replica, and what is exported and backed up of them.

    Each day there is a full export in each region, and a recovery point in both vaults; a row is in as many
    as the days that it is kept. Each hourly export holds so many hours that a row comes into several.
    """
    days, replicas = REST_RETENTION_S / _DAY_S, len(config.regions)
    months, kept_months = days / DAYS_PER_MONTH, config.backup_retention_days / DAYS_PER_MONTH
    rows_gb = usage.row_bytes * PER / GB
    all_gb = rows_gb + usage.index_bytes * PER / GB
    exported_gb = rows_gb * (days + config.export_max_age_h)
    return [
        _line(
            "Storage", f"{ALERTS.key}, {days:.0f} days", all_gb * months * replicas, prices.DYNAMODB_STORED
        ),
        *_deletes(usage, config),
        _line("Backups", "point-in-time recovery", rows_gb * months * replicas, prices.DYNAMODB_RECOVERY),
        _line("Backups", "exports", exported_gb * replicas, prices.DYNAMODB_EXPORT),
        _line("Backups", "exports kept", exported_gb * kept_months * BUCKETS_OF_EXPORTS, prices.S3_STORED),
        _line("Backups", "recovery points", rows_gb * days * kept_months * replicas, prices.BACKUP_STORED),
        _line("Backups", "weekly restore test", rows_gb * days / _WEEK_DAYS, prices.DYNAMODB_RESTORED),
        _line("Backups", "copies to the other region", exported_gb + rows_gb * days, prices.TRANSFER),
        _line("DynamoDB", "replication", rows_gb * (replicas - 1), prices.TRANSFER),
    ]


def _deletes(usage: Usage, config: StackConfig) -> list[Line]:
    """Recovery deletes the expired rows of a strong ledger, which has no TTL; what TTL deletes costs nothing.

    Assumed is one write of the row and one of its entry in the history index, which has all of it.
    """
    if config.ledger_consistency != STRONG:
        return []
    units = Units(writes=math.ceil(usage.row_bytes / DYNAMODB_WRITE_UNIT_BYTES))
    expired = {ALERTS.key: units, f"{ALERTS.key}/{TIMESTAMP_INDEX.name}": units}
    return unit_lines(expired, each=PER, replicas=len(config.regions), known=Known.ASSUMED)


def _batches(usage: Usage) -> float:
    consumers = {spec.consumer.key for spec in WORK_QUEUES if spec.consumer}
    return sum(used.invocations for key, used in usage.functions.items() if key in consumers)


def _line(group: str, name: str, quantity: float, price: Price, known: Known = Known.MEASURED) -> Line:
    return Line(group=group, name=name, quantity=quantity, price=price, known=known)
