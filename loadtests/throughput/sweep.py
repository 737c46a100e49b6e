"""The sweep of event source mappings: CRITICAL alerts' p95 with each setting, and what it costs a month.

Settings are changed on the running stack by AWS's own API, one variant after another, and put back at the
end, however that comes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from loadtests.throughput.event_sources import EventSources, MappingSettings, StackSettings
from loadtests.throughput.stack_probe import ProbeResult
from loadtests.throughput.telemetry import Telemetry
from loadtests.throughput.tuning import ProbeOfStack
from topology.config import StackConfig
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS
from topology.limits import LAMBDA_POLLERS_MIN, SQS_BATCH_MAX
from topology.prices import (
    HOURS_PER_MONTH,
    LAMBDA_GB_S,
    LAMBDA_REQUEST,
    LAMBDA_SQS_POLLER_HOUR,
    SECONDS_PER_MONTH,
    SQS_REQUEST,
    gb_seconds,
)
from topology.queues import WORK_QUEUES, Queue

_URGENT = (Queue.PROCESSING_CRITICAL, Queue.DISTRIBUTION_CRITICAL)
_SQS_CALLS_A_BATCH = 2
"""A receive and a delete; each message is sent by a call of its own."""


@dataclass(frozen=True)
class Variant:
    """Settings to try, and what is said of them."""

    name: str
    settings: StackSettings


@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """A variant's outcome at the sweep's rate. `usd_per_month`: Lambda and SQS of the region at that rate."""

    variant: str
    critical_p95_s: float | None
    ordinary_p95_s: float | None
    usd_per_month: float
    breaches: tuple[str, ...]


def variants(now: StackSettings) -> tuple[Variant, ...]:
    """The settings as they are, and each changed alone.

    Batches and windows are those of ordinary alerts: a CRITICAL one never waits for others. Where a mapping
    may have more under way, its function reserves nothing, so that none is throttled.
    """
    free = dict.fromkeys((ANALYSIS, DISTRIBUTION))

    def ordinary(change: Callable[[MappingSettings], MappingSettings]) -> StackSettings:
        mappings = {q: one if q in _URGENT else change(one) for q, one in now.mappings.items()}
        return replace(now, mappings=mappings)

    def each(change: Callable[[MappingSettings], MappingSettings]) -> StackSettings:
        mappings = {queue: change(mapping) for queue, mapping in now.mappings.items()}
        return StackSettings(mappings, {**now.reserved, **free})

    def pollers(mapping: MappingSettings) -> MappingSettings:
        return replace(mapping, maximum_concurrency=None, pollers=(LAMBDA_POLLERS_MIN, LAMBDA_POLLERS_MIN))

    return (
        Variant("as configured", now),
        Variant("batches of 1", ordinary(lambda one: replace(one, batch_size=1))),
        Variant(f"batches of {SQS_BATCH_MAX}", ordinary(lambda one: replace(one, batch_size=SQS_BATCH_MAX))),
        Variant("window of 1 s", ordinary(lambda one: replace(one, window_s=1))),
        Variant("window of 5 s", ordinary(lambda one: replace(one, window_s=5))),
        Variant("maximum concurrency 2", each(lambda one: replace(one, maximum_concurrency=2, pollers=None))),
        Variant("maximum concurrency 8", each(lambda one: replace(one, maximum_concurrency=8, pollers=None))),
        Variant(f"{LAMBDA_POLLERS_MIN} provisioned pollers", each(pollers)),
        Variant("nothing reserved", StackSettings(now.mappings, {**now.reserved, **free})),
    )


def sweep(
    probe: ProbeOfStack,
    sources: EventSources,
    config: StackConfig,
    *,
    per_s: float,
    seconds: float,
    choose: Callable[[StackSettings], Sequence[Variant]] = variants,
) -> list[SweepRow]:
    """Probe each variant at `per_s`; the settings are put back, whatever ends it.

    Raises what the probe raises.
    """
    rows = []
    with sources.put_back() as before:
        for variant in choose(before):
            sources.apply(variant.settings)
            result: ProbeResult = probe(per_s, seconds)
            rows.append(
                SweepRow(
                    variant=variant.name,
                    critical_p95_s=result.measures.critical_p95_s,
                    ordinary_p95_s=result.measures.ordinary_p95_s,
                    usd_per_month=usd_per_month(result.telemetry, variant.settings, config),
                    breaches=result.breaches,
                )
            )
    return rows


def usd_per_month(telemetry: Telemetry, settings: StackSettings, config: StackConfig) -> float:
    """What a month of such a probe costs in its region: invocations, GB-seconds, calls of SQS, poller-hours.

    The API, the tables, the model and the logs are left out: no mapping changes them. Polls that bring
    nothing are left out too; AWS does not say how many there are.
    """
    seconds_s = max(telemetry.seconds, 1e-9)
    a_second = 0.0
    for spec in FUNCTIONS:
        if figures := telemetry.functions.get(spec.key):
            gb_s = gb_seconds(figures.busy_s, config.memory_mb[spec])
            a_second += (figures.invocations * LAMBDA_REQUEST.each + gb_s * LAMBDA_GB_S.each) / seconds_s
    consumers = {spec.consumer for spec in WORK_QUEUES if spec.consumer}
    batches = sum(telemetry.functions[c.key].invocations for c in consumers if c.key in telemetry.functions)
    sends = telemetry.posts * len(consumers)
    a_second += (batches * _SQS_CALLS_A_BATCH + sends) * SQS_REQUEST.each / seconds_s
    pollers = sum(mapping.pollers[0] for mapping in settings.mappings.values() if mapping.pollers)
    return a_second * SECONDS_PER_MONTH + pollers * LAMBDA_SQS_POLLER_HOUR.each * HOURS_PER_MONTH
