"""Measures what alerts use, on a local stack: the embedded AWS counts what AWS bills by use.

Units, requests, log bytes and tokens of a prompt are what AWS and Anthropic would count of the same work.
Durations are this machine's, and how long a model takes is the stand-in's.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from clients.alert_source import AlertSource, in_turn
from clients.deployment import Deployment
from clients.load import Arrival, Load
from clients.rows import read_items
from clients.schedules import Stage, Stages
from clients.sender import POST_TIMEOUT_S, Webhook
from clients.waiting import wait_for
from costs.usage import FunctionUsage, MeasurementError, Units, Usage
from emulator.claude_latency import HONEST, QUICK
from emulator.client import Emulator
from topology.functions import FUNCTIONS, RECOVERY, FunctionSpec
from topology.tables import ALERTS, TABLES, IndexSpec

CONFIG: Final = {"leaseS": "120"}
"""Unlike a local stack's own: with its short lease Recovery would work on alerts that are under way."""

PER_S: Final = 1.0
"""Slack takes one message a second: above that, digests make alerts cheaper than those of a quiet day."""

IDLE_RUNS: Final = 3
SETTLES_S: Final = 75.0
"""Recovery looks at each repeat once more, a minute after it came."""

_RUNS_WITHIN_S: Final = 30.0
_AT_ONCE: Final = 32
_ITEM_BYTES: Final = 100
"""Billed for each item stored, and each entry of an index, besides what is in it.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""

SOURCE: Final = AlertSource(
    source="cost",
    causes=24,
    critical_percent=10.0,
    repeats_percent=20.0,
    flapping=True,
    formats=("generic", "alertmanager"),
)
MIX: Final = (
    "10 % CRITICAL, 20 % repeats, 10 % of faults that come and go, 24 causes; generic and Alertmanager's "
    "formats, to both regions in turn"
)


_SENDS: Final = "sends"
_LOGS: Final = "log bytes"
_RUNS: Final = "idle recovery runs"
_RECOVERY_MS: Final = "idle recovery ms"

Counts = Mapping[str, float]


def measure(
    emulator: Emulator,
    deployment: Deployment,
    webhooks: tuple[Webhook, ...],
    *,
    seconds: float,
    receipts: Path,
    progress: Callable[[str], None] = lambda _: None,
    pause: Callable[[float], object] = time.sleep,
) -> Usage:
    """Send alerts for so many seconds and return what they used, and what Recovery uses without alerts.

    `pause` waits for so many seconds.

    Raises:
        MeasurementError: no alert was accepted, or Recovery does not run.
        LoadFailedError: the load died.
        EmulatorError, botocore.exceptions.ClientError, BotoCoreError: the stack does not answer.
    """
    progress("running Recovery with nothing to do")
    _idle_run(emulator, deployment, times=1)  # the first one of each region has to start
    idle = _idle_run(emulator, deployment, times=IDLE_RUNS)
    emulator.set_claude_latency(HONEST)
    try:
        begun, begun_ms = _counts(emulator, deployment), time.time_ns() // 1_000_000
        progress(f"sending alerts for {seconds:.0f} s")
        arrivals = _offer(webhooks, seconds, receipts)
        progress(f"waiting {SETTLES_S:.0f} s for what comes after")
        pause(SETTLES_S)
        used = _since(_counts(emulator, deployment), begun)
    finally:
        emulator.set_claude_latency(QUICK)
    ids = [receipt.alert_id for arrival in arrivals for receipt in arrival.outcome.alerts]
    if not ids:
        raise MeasurementError("no alert was accepted, so nothing was measured; see the hosts' logs")
    client = deployment.clients.client("dynamodb", deployment.primary.region)
    rows = read_items(client, deployment.alerts_table, sorted(set(ids)))
    calls = [one for one in emulator.claude_calls() if one.received_at_ms >= begun_ms]
    runs = used.get(_RUNS, 0.0)
    of_alerts = {name: max(0.0, count - runs * idle.get(name, 0.0)) for name, count in used.items()}
    return Usage(
        alerts=len(ids),
        api_requests=sum(arrival.outcome.tries for arrival in arrivals),
        functions=_functions(used, FUNCTIONS),
        units=_units(of_alerts),
        queue_sends=of_alerts[_SENDS],
        log_bytes=of_alerts[_LOGS],
        model_calls=len(calls),
        input_tokens=sum(call.input_tokens for call in calls),
        row_bytes=sum(map(item_bytes, rows)) / len(ids),
        index_bytes=sum(map(index_bytes, rows)) / len(ids),
        recovery=FunctionUsage(invocations=1, billed_ms=idle[_RECOVERY_MS]),
        recovery_units=_units(idle),
        recovery_log_bytes=idle[_LOGS],
    )


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The size of an item as DynamoDB bills its storage."""
    return _ITEM_BYTES + sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def index_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """What the alerts table's indexes hold of an item; a sparse one only of what has its key."""
    return sum(_entry_bytes(item, index) for index in ALERTS.indexes)


def _entry_bytes(item: Mapping[str, Mapping[str, Any]], index: IndexSpec) -> int:
    keys = {index.hash_key.name, index.range_key.name}
    if not keys <= item.keys():
        return 0
    if index.projected is None:
        return item_bytes(item)
    held = keys | {ALERTS.hash_key.name, *index.projected}
    return item_bytes({name: value for name, value in item.items() if name in held})


def _value_bytes(value: Mapping[str, Any]) -> int:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    ((kind, content),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(one) for name, one in content.items())
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in content)
    if kind == "N":
        return len(content.lstrip("-")) // 2 + 2
    return len(content.encode()) if isinstance(content, str) else 1


def _idle_run(emulator: Emulator, deployment: Deployment, *, times: int) -> Counts:
    """What one run of Recovery uses: a mean of so many in each region.

    Raises:
        MeasurementError: they did not all end in time.
    """
    before, wanted = _counts(emulator, deployment), times * len(deployment.regions)
    for endpoints in deployment.regions * times:
        deployment.run_recovery(endpoints.region)
    used = wait_for(
        lambda: _since(_counts(emulator, deployment), before),
        lambda counts: counts.get(_RUNS, 0.0) >= wanted,
        within_s=_RUNS_WITHIN_S,
    )
    runs = used.get(_RUNS, 0.0)
    if runs < wanted:
        raise MeasurementError(f"Recovery ran {runs:.0f} times of {wanted}; see the hosts' logs")
    return {name: count / runs for name, count in used.items()}


def _offer(webhooks: tuple[Webhook, ...], seconds: float, receipts: Path) -> list[Arrival]:
    orders, arrivals = in_turn(webhooks), list[Arrival]()
    load = Load(
        post=lambda number: SOURCE.post(number, orders[number % len(orders)]),
        schedule=Stages((Stage(seconds, PER_S, PER_S),)),
        receipts=receipts,
        at_once=_AT_ONCE,
        ended=arrivals.append,
    )
    load.start()
    try:
        load.wait(seconds + 2 * POST_TIMEOUT_S)
    finally:
        load.stop()
    return arrivals


def _counts(emulator: Emulator, deployment: Deployment) -> Counts:
    """What all AWS processes have counted so far, by names that `_functions` and `_units` read."""
    functions = {deployment.names.function(spec): spec.key for spec in FUNCTIONS}
    tables = {deployment.names.table(spec): spec.key for spec in TABLES}
    counts: defaultdict[str, float] = defaultdict(float)
    for usage in emulator.usage().values():
        counts[_SENDS] += usage.queue_sends
        counts[_LOGS] += usage.log_bytes
        for name, use in usage.functions.items():
            counts[f"{functions[name]} runs"] += use.invocations
            counts[f"{functions[name]} ms"] += use.busy_s * 1_000
        if idle := usage.background.get(deployment.names.function(RECOVERY)):
            counts[_RUNS] += idle.invocations
            counts[_RECOVERY_MS] += idle.busy_s * 1_000
        for name, units in usage.tables.items():
            table, _, index = name.partition("/index/")
            key = f"{tables[table]}/{index}" if index else tables[table]
            counts[f"{key} reads"] += units.reads
            counts[f"{key} writes"] += units.writes
    return counts


def _since(now: Counts, before: Counts) -> Counts:
    return {name: count - before.get(name, 0.0) for name, count in now.items()}


def _functions(counts: Counts, specs: Iterable[FunctionSpec]) -> dict[str, FunctionUsage]:
    return {
        spec.key: FunctionUsage(invocations=runs, billed_ms=counts[f"{spec.key} ms"])
        for spec in specs
        if (runs := counts.get(f"{spec.key} runs", 0.0))
    }


def _units(counts: Counts) -> dict[str, Units]:
    keys = {name.rpartition(" ")[0] for name in counts if name.endswith(" writes")}
    return {
        key: Units(reads=counts[f"{key} reads"], writes=counts[f"{key} writes"])
        for key in sorted(keys)
        if counts[f"{key} reads"] or counts[f"{key} writes"]
    }
