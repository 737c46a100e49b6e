"""What a stack costs a month before the first alert: counted from what its program registers.

What costs by use (a table, a queue, a function) is in `costs.alerts`, but for what works without alerts:
schedules, Recovery, health checks, polls. A type that nobody has thought of here is refused, not free.
"""

import json
from dataclasses import replace
from typing import Final

from costs.alerts import PER, lambda_lines, log_lines, per_thousand_alerts, unit_lines
from costs.cost import Cost, Known, Line, cost_of
from costs.program import Resource, Resources
from costs.usage import FunctionUsage, Units, Usage
from topology import prices
from topology.backups import COPY_SCHEDULE, FULL_EXPORT_SCHEDULE, INCREMENTAL_EXPORT_SCHEDULE
from topology.config import StackConfig
from topology.errors import ExplainedError
from topology.functions import RECEPTION, RECOVERY
from topology.metrics import NAMESPACE, UNWATCHED
from topology.prices import DAYS_PER_MONTH, HOURS_PER_MONTH, SECONDS_PER_MONTH, Price, check_regions
from topology.tables import COORDINATION

CHECKERS: Final = 15
"""Of Route 53 all over the world, each at the check's own interval.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html"""

POLLS_AT_ONCE: Final = 5
"""A mapping of a standard queue begins with so many.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""

POLL_S: Final = 20
"""Assumed: the longest poll of SQS; AWS does not say how long a mapping's are."""

EXPORT_LOOKS: Final = 10
"""Assumed of a state machine that waits for an export, five minutes; each look is three transitions."""

HEALTH_INTERVAL_S: Final = 30
"""Of a health check, unless it pays for the shorter one."""

HEALTH_MS: Final = 20
"""Assumed of a warm reception that answers a health check."""

SECRET_READ_EACH_S: Final = 300
"""By each execution environment. Assumed is one that is always warm for each secret and region."""

SYNTHETIC: Final = "Synthetic alerts"
_NOT_OF_SYNTHETIC: Final = frozenset({"API Gateway", "Claude"})
"""Groups of what alerts cost that synthetic ones do without."""

WATCHED: Final = Units(reads=5, writes=1)
"""Assumed of a run of Recovery with no heartbeats: two records of each region's alerts, and its own. Each
heartbeat adds three reads."""

RUNS_A_MONTH: Final = {
    "rate(1 minute)": 60 * HOURS_PER_MONTH,
    INCREMENTAL_EXPORT_SCHEDULE: HOURS_PER_MONTH,
    FULL_EXPORT_SCHEDULE: DAYS_PER_MONTH,
    COPY_SCHEDULE: DAYS_PER_MONTH,
}

KEY: Final = "kms/key:Key"
SECRET: Final = "secretsmanager/secret:Secret"  # noqa: S105 - a type of resources
CHECK: Final = "route53/healthCheck:HealthCheck"
ALARM: Final = "cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD: Final = "cloudwatch/dashboard:Dashboard"
MAPPING: Final = "lambda/eventSourceMapping:EventSourceMapping"
SCHEDULE: Final = "scheduler/schedule:Schedule"
MACHINE: Final = "sfn/stateMachine:StateMachine"
PRICED: Final = frozenset({KEY, SECRET, CHECK, ALARM, DASHBOARD, MAPPING, SCHEDULE, MACHINE})

FREE: Final = frozenset({"acm", "apigateway", "backup", "dynamodb", "iam", "s3", "sns", "sqs"})
"""Services none of whose resources that may be here costs by the month: by use, if at all."""

FREE_TYPES: Final = frozenset(
    {
        "cloudwatch/logGroup:LogGroup", "lambda/alias:Alias", "lambda/function:Function",
        "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", "lambda/permission:Permission",
        "route53/record:Record", "pulumi:index:Stash",
    }
)  # fmt: skip


class UncountableError(ExplainedError):
    """The program has something whose cost this model does not know to count."""


def a_month(resources: Resources, usage: Usage, config: StackConfig) -> Cost:
    """What a month costs before the first alert.

    Raises:
        UnpricedError: no price is known of a region.
        UncountableError: a resource's type or a schedule's expression is not known here.
    """
    check_regions(config.regions)
    _check_types(resources)
    runs = sum(_runs(one) for one in resources.of(SCHEDULE) if one.name.endswith(f"-{RECOVERY.key}"))
    looks = resources.total(CHECK, _looks)
    health = {RECEPTION.key: FunctionUsage(invocations=looks, billed_ms=looks * HEALTH_MS)}
    return cost_of(
        [
            *_kept(resources),
            *_scheduled(resources),
            *lambda_lines({RECOVERY.key: usage.recovery}, config, each=runs),
            *unit_lines(usage.recovery_units, each=runs, replicas=len(config.regions)),
            *log_lines(usage.recovery_log_bytes * runs, config),
            *_synthetic(usage, config, runs=runs),
            _line("Health checks", "looks at the APIs", looks, prices.API_REQUEST, Known.ASSUMED),
            *lambda_lines(health, config, each=1, known=Known.ASSUMED),
            _line("SQS", "polls", resources.total(MAPPING, _polls), prices.SQS_REQUEST, Known.ASSUMED),
        ]
    )


def _synthetic(usage: Usage, config: StackConfig, *, runs: float) -> list[Line]:
    """Those of both regions, as others' cost but for what they do without, and looking for them."""
    if not config.synthetic_interval_s:
        return []
    thousands = len(config.regions) * SECONDS_PER_MONTH / config.synthetic_interval_s / PER
    lines = [line for line in per_thousand_alerts(usage, config).lines if line.group not in _NOT_OF_SYNTHETIC]
    watch = unit_lines({COORDINATION.key: WATCHED}, each=runs, replicas=len(config.regions))
    return [
        replace(
            line, group=SYNTHETIC, name=f"{line.group}: {line.name}", quantity=quantity, known=Known.ASSUMED
        )
        for line, quantity in [
            *((line, line.quantity * thousands) for line in lines),
            *((line, line.quantity) for line in watch),
        ]
    ]


def _kept(resources: Resources) -> list[Line]:
    """What costs because it is there."""
    secrets = resources.total(SECRET, lambda one: 1 + len(one.inputs.get("replicas") or ()))
    reads = secrets * SECONDS_PER_MONTH / SECRET_READ_EACH_S
    poller_hours = resources.total(MAPPING, _pollers) * HOURS_PER_MONTH
    return [
        _line("Keys", "KMS keys", resources.total(KEY), prices.KMS_KEY),
        _line("Secrets", "secrets and replicas", secrets, prices.SECRET),
        _line("Secrets", "calls", reads, prices.SECRET_CALL, Known.ASSUMED),
        _line("Health checks", "checks", resources.total(CHECK), prices.HEALTH_CHECK),
        _line("Health checks", "options", resources.total(CHECK, _options), prices.HEALTH_CHECK_OPTION),
        _line("Alarms", "alarms", resources.total(ALARM, _alarm_metrics), prices.ALARM),
        _line("Dashboards", "dashboards", resources.total(DASHBOARD), prices.DASHBOARD),
        _line("Alarms", "custom metrics", _custom_metrics(resources), prices.METRIC),
        _line("Pollers", "provisioned", poller_hours, prices.LAMBDA_SQS_POLLER_HOUR),
    ]


def _scheduled(resources: Resources) -> list[Line]:
    """Schedules, and the state machines that those of the same name start."""
    machines = {(one.inputs["name"], one.inputs["region"]): one for one in resources.of(MACHINE)}
    transitions = 0.0
    for schedule in resources.of(SCHEDULE):
        if machine := machines.get((schedule.inputs["name"], schedule.inputs["region"])):
            transitions += _runs(schedule) * _transitions(machine)
    return [
        _line("Schedules", "invocations", resources.total(SCHEDULE, _runs), prices.SCHEDULED),
        _line("Schedules", "state transitions", transitions, prices.STATE_TRANSITION, Known.ASSUMED),
    ]


def _check_types(resources: Resources) -> None:
    known = PRICED | FREE_TYPES
    unknown = {one.type for one in resources.all if one.type not in known}
    if unknown := {type_ for type_ in unknown if type_.partition("/")[0] not in FREE}:
        raise UncountableError(
            f"nothing here says what {', '.join(sorted(unknown))} costs a month; add it to costs/fixed.py"
        )


def _runs(schedule: Resource) -> float:
    expression = schedule.inputs["scheduleExpression"]
    if expression not in RUNS_A_MONTH:
        raise UncountableError(
            f"nothing here says how often {expression!r} of {schedule.name} runs; add it to costs/fixed.py"
        )
    return RUNS_A_MONTH[expression]


def _transitions(machine: Resource) -> float:
    states = json.loads(machine.inputs["definition"])["States"].values()
    waits = sum(state["Type"] == "Wait" for state in states)
    return float(len(states) + 3 * EXPORT_LOOKS * waits)


def _options(check: Resource) -> float:
    """HTTPS is one, ten seconds another; a calculated check has neither."""
    inputs = check.inputs
    fast = float(inputs.get("requestInterval") or HEALTH_INTERVAL_S) < HEALTH_INTERVAL_S
    return 0.0 if inputs["type"] == "CALCULATED" else float(inputs["type"] == "HTTPS") + fast


def _looks(check: Resource) -> float:
    """Requests a month, from all checkers; a calculated check makes none."""
    if check.inputs["type"] == "CALCULATED":
        return 0.0
    return CHECKERS * SECONDS_PER_MONTH / float(check.inputs.get("requestInterval") or HEALTH_INTERVAL_S)


def _alarm_metrics(alarm: Resource) -> float:
    """An alarm on an expression costs as many as it has metrics."""
    queries = alarm.inputs.get("metricQueries") or ()
    return sum("metric" in query for query in queries) or 1


def _custom_metrics(resources: Resources) -> float:
    """Those of our own that alarms watch, and those of each region that none does."""
    watched = {
        (one.inputs["region"], one.inputs["metricName"], str(one.inputs.get("dimensions")))
        for one in resources.of(ALARM)
        if one.inputs.get("namespace") == NAMESPACE
    }
    return len(watched) + len(UNWATCHED) * len({region for region, *_ in watched})


def _pollers(mapping: Resource) -> float:
    return float((mapping.inputs.get("provisionedPollerConfig") or {}).get("minimumPollers", 0))


def _polls(mapping: Resource) -> float:
    return (_pollers(mapping) or POLLS_AT_ONCE) * SECONDS_PER_MONTH / POLL_S


def _line(group: str, name: str, quantity: float, price: Price, known: Known = Known.COUNTED) -> Line:
    return Line(group=group, name=name, quantity=quantity, price=price, known=known)
