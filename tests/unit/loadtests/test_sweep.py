"""The sweep: settings are changed one after another and put back, and each is priced."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from loadtests.throughput.event_sources import EventSources, MappingSettings, concurrency_of
from loadtests.throughput.measures import Measures
from loadtests.throughput.stack_probe import ProbeResult
from loadtests.throughput.sweep import Variant, sweep, usd_per_month, variants
from loadtests.throughput.telemetry import FunctionFigures, Telemetry
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION
from topology.names import Names
from topology.queues import WORK_QUEUES, Queue

NAMES = Names("local")
MEASURES = Measures(
    error_percent=0.0, http_p95_s=0.1, critical_p95_s=0.5, ordinary_p95_s=3.0, untold_percent=0.0,
    growth_percent=0.0, alone_percent=50.0, analysed_percent=100.0, slack_refused_percent=0.0,
)  # fmt: skip
CONFIG = SimpleNamespace(memory_mb=dict.fromkeys(FUNCTIONS, 1_024))


@dataclass
class Lambda:
    """AWS Lambda's settings of a region. `said`: every change, in order."""

    mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    reserved: dict[str, int] = field(default_factory=dict)
    said: list[tuple[str, Any]] = field(default_factory=list)

    def get_paginator(self, _: str) -> Any:
        """Two pages."""
        listed = list(self.mappings.values())
        pages = [{"EventSourceMappings": listed[:1]}, {"EventSourceMappings": listed[1:]}]
        return SimpleNamespace(paginate=lambda: pages)

    def update_event_source_mapping(self, *, UUID: str, **changes: Any) -> None:  # noqa: N803 - AWS's word
        """Set what is named; an empty object ends a setting."""
        self.said.append((UUID, changes))
        mapping = self.mappings[UUID]
        mapping.update(changes)
        for name in ("ScalingConfig", "ProvisionedPollerConfig"):
            if not mapping.get(name):
                mapping.pop(name, None)
        assert not ("ScalingConfig" in mapping and "ProvisionedPollerConfig" in mapping)

    def get_function_concurrency(self, *, FunctionName: str) -> dict[str, int]:  # noqa: N803 - AWS's word
        """What is reserved."""
        reserved = self.reserved.get(FunctionName)
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def put_function_concurrency(self, *, FunctionName: str, ReservedConcurrentExecutions: int) -> None:  # noqa: N803 - AWS's words
        """Reserve."""
        self.said.append((FunctionName, ReservedConcurrentExecutions))
        self.reserved[FunctionName] = ReservedConcurrentExecutions

    def delete_function_concurrency(self, *, FunctionName: str) -> None:  # noqa: N803 - AWS's word
        """Reserve nothing."""
        self.said.append((FunctionName, None))
        self.reserved.pop(FunctionName, None)


@pytest.fixture
def aws() -> Lambda:
    """A region as the local stack deploys it, beside somebody else's mapping."""
    mappings = {
        spec.key: {
            "UUID": spec.key,
            "EventSourceArn": f"arn:aws:sqs:us-east-1:0:{NAMES.queue(spec)}",
            "BatchSize": spec.batch_size,
            "ScalingConfig": {"MaximumConcurrency": 2},
        }
        for spec in WORK_QUEUES
    }
    other = {"UUID": "other", "EventSourceArn": "arn:aws:sqs:us-east-1:0:other", "BatchSize": 3}
    return Lambda({"other": other, **mappings}, {NAMES.function(spec): 4 for spec in FUNCTIONS})


@pytest.fixture
def sources(aws: Lambda) -> EventSources:
    """The settings of that region."""
    clients = SimpleNamespace(client=lambda *_: aws)
    return EventSources(SimpleNamespace(names=NAMES, clients=clients), "us-east-1")  # type: ignore[arg-type]  # as far as it is used


def test_settings_are_read_as_they_are(sources: EventSources) -> None:
    """Of the work queues; what else is mapped is nobody's business."""
    settings = sources.read()
    assert settings.mappings[Queue.PROCESSING] == MappingSettings(batch_size=5, maximum_concurrency=2)
    assert set(settings.mappings) == set(Queue)
    assert settings.reserved[ANALYSIS] == 4


@pytest.mark.parametrize("ending", [None, KeyboardInterrupt, ValueError])
def test_a_sweep_puts_back_what_it_changed_however_it_ends(
    sources: EventSources, aws: Lambda, ending: type[BaseException] | None
) -> None:
    """Ctrl-C in its middle too: a stack must not keep what was tried."""
    before, seen = sources.read(), []

    def probe(per_s: float, seconds: float) -> ProbeResult:
        seen.append(sources.read())
        if ending is not None and len(seen) == 8:
            raise ending
        return ProbeResult(per_s, seconds, MEASURES, per_s, (), Telemetry(seconds=seconds, posts=120))

    tried = variants(before)
    if ending is None:
        rows = sweep(probe, sources, CONFIG, per_s=4.0, seconds=30.0)  # type: ignore[arg-type]  # as far as it is used
        assert [row.variant for row in rows] == [variant.name for variant in tried]
    else:
        with pytest.raises(ending):
            sweep(probe, sources, CONFIG, per_s=4.0, seconds=30.0)  # type: ignore[arg-type]  # as far as it is used
    assert seen == [variant.settings for variant in tried[: len(seen)]]
    assert sources.read() == before
    assert "other" not in dict(aws.said)


def test_critical_alerts_never_wait_for_a_batch(sources: EventSources) -> None:
    """No variant gives their queues batches or a window."""
    for variant in variants(sources.read()):
        for queue in (Queue.PROCESSING_CRITICAL, Queue.DISTRIBUTION_CRITICAL):
            mapping = variant.settings.mappings[queue]
            assert (mapping.batch_size, mapping.window_s) == (1, 0), variant.name


def test_pollers_and_a_cap_are_never_asked_for_together(sources: EventSources) -> None:
    """AWS refuses a mapping with both, and a function has room for what its mappings may do."""
    for variant in variants(sources.read()):
        for spec in WORK_QUEUES:
            mapping = variant.settings.mappings[Queue(spec.key)]
            assert not (mapping.pollers and mapping.maximum_concurrency), variant.name
            reserved = variant.settings.reserved[spec.consumer] if spec.consumer else None
            assert reserved is None or 2 * concurrency_of(mapping) <= reserved, variant.name


def test_concurrency_grows_before_the_mappings_that_use_it_and_shrinks_after(
    sources: EventSources, aws: Lambda
) -> None:
    """In between no mapping has more than its function, whose invocations would be throttled."""
    before = sources.read()
    mappings = {queue: replace(one, maximum_concurrency=4) for queue, one in before.mappings.items()}
    wider = replace(before, mappings=mappings, reserved={**before.reserved, ANALYSIS: 8, DISTRIBUTION: None})
    sources.apply(wider)
    assert [name for name, _ in aws.said[:2]] == [NAMES.function(ANALYSIS), NAMES.function(DISTRIBUTION)]
    aws.said.clear()
    sources.apply(before)
    assert [value for _, value in aws.said[-2:]] == [4, 4]
    assert sources.read() == before


def test_what_holds_already_is_left_alone(sources: EventSources, aws: Lambda) -> None:
    """A mapping that is updated stops polling for a while on AWS."""
    sources.apply(sources.read())
    assert aws.said == []


FIGURES = Telemetry(
    seconds=100.0,
    posts=100,
    functions={
        RECEPTION.key: FunctionFigures(invocations=100, busy_s=20.0),
        ANALYSIS.key: FunctionFigures(invocations=50, busy_s=10.0),
        DISTRIBUTION.key: FunctionFigures(invocations=50, busy_s=10.0),
    },
)


def test_a_month_costs_what_is_used_and_what_is_provisioned(sources: EventSources) -> None:
    """By hand: 2 invocations, 0.4 GB-s and 4 calls of SQS a second; then two pollers a queue."""
    now = sources.read()
    a_second = 2 * 0.2e-6 + 0.4 * 1.33334e-5 + (2 * 1.0 + 2 * 1.0) * 0.4e-6
    used = usd_per_month(FIGURES, now, CONFIG)  # type: ignore[arg-type]  # as far as it is used
    assert used == pytest.approx(a_second * 730 * 3_600)
    provisioned = next(v for v in variants(now) if "provisioned" in v.name).settings
    assert usd_per_month(FIGURES, provisioned, CONFIG) - used == pytest.approx(8 * 730 * 0.00925)  # type: ignore[arg-type]  # as far as it is used


def test_a_variant_is_named_once(sources: EventSources) -> None:
    """A row of the report is found by its name."""
    tried: tuple[Variant, ...] = variants(sources.read())
    assert len({variant.name for variant in tried}) == len(tried)
