"""The figures of batches: what is counted of an alert, and the line that a batch writes."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from emulator.aws.logs.embedded_metrics import embedded
from handlers.adapters.aws.metrics import BatchMetrics
from handlers.domain.states import analyzed, follow_up_ready, notified
from tests.fakes.machine import FakeClock
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import World, row
from topology.alerts import Status
from topology.metrics import ACCEPTED_TO_SLACK, CACHE_HITS, INPUT_TOKENS, MODEL_CALLS, OUTPUT_TOKENS


@dataclass
class FakeMeter:
    """`Meter` that keeps what is added."""

    added: list[tuple[str, int]] = field(default_factory=list)

    def add(self, metric: str, value: int) -> None:
        """See `Meter`."""
        self.added.append((metric, value))


def test_the_model_is_counted_with_its_tokens_and_the_cache_with_its_hits() -> None:
    """The second alert of a signature costs nothing."""
    world, meter = World(), FakeMeter()
    work = replace(world.analysis, meter=meter)
    for alert_id in ("a1", "a2"):
        world.hold(row(alert_id=alert_id))
        work.work(alert_id, world.time())
    names = [name for name, _ in meter.added]
    assert names == [MODEL_CALLS, INPUT_TOKENS, OUTPUT_TOKENS, CACHE_HITS]
    values = dict(meter.added)
    assert (values[MODEL_CALLS], values[CACHE_HITS]) == (1, 1)
    assert values[INPUT_TOKENS] > 0 < values[OUTPUT_TOKENS]


def test_an_alert_that_slack_took_is_counted_with_its_time() -> None:
    """From its acceptance on; a follow-up is no second arrival, and no clock makes one of the past."""
    world, meter = World(), FakeMeter()
    work = replace(world.distribution, meter=meter)
    world.hold(row(status=Status.ANALYZED))
    world.clock.advance(3)
    work.work("a1", world.time())
    accepted_ms = world.ledger.rows["a1"].accepted_at_ms
    assert meter.added == [(ACCEPTED_TO_SLACK, world.clock.ms - accepted_ms)]
    world.clock.advance(60)
    later = replace(row(status=Status.ANALYZED), alert_id="a2", accepted_at_ms=world.clock.ms + 5_000)
    world.hold(later)
    work.work("a2", world.time())
    assert meter.added[1:] == [(ACCEPTED_TO_SLACK, 0)]
    rested = notified(analyzed(row("a3"), "529", due_at=0, follow_up=True), at_ms=1)
    told = follow_up_ready(rested, ANALYSIS, due_at=world.clock.s + 60)
    world.hold(told)
    world.clock.advance(60)
    work.work("a3", world.time())
    assert len(world.notifier.posted) == 3
    assert len(meter.added) == 2


def test_a_batch_writes_one_line_and_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch takes each value of it; a batch that counted nothing writes nothing."""
    metrics = BatchMetrics(stack="dev", clock=FakeClock())
    metrics.write()
    assert capsys.readouterr().out == ""
    for value in (1_200, 3_400):
        metrics.add(ACCEPTED_TO_SLACK, value)
    metrics.add(CACHE_HITS, 1)
    metrics.write()
    metrics.write()
    [line] = capsys.readouterr().out.splitlines()
    assert [(one.name, one.unit, one.value, one.dimensions) for one in embedded(line)] == [
        (ACCEPTED_TO_SLACK, "Milliseconds", 1_200, {"Stack": "dev"}),
        (ACCEPTED_TO_SLACK, "Milliseconds", 3_400, {"Stack": "dev"}),
        (CACHE_HITS, "Count", 1, {"Stack": "dev"}),
    ]


def test_a_line_has_no_more_values_than_the_format_allows(capsys: pytest.CaptureFixture[str]) -> None:
    """A storm that went out as one digest of many alerts takes several lines."""
    metrics = BatchMetrics(stack="dev", clock=FakeClock())
    for value in range(250):
        metrics.add(ACCEPTED_TO_SLACK, value)
    metrics.write()
    lines = capsys.readouterr().out.splitlines()
    counted: list[Any] = [json.loads(line)[ACCEPTED_TO_SLACK] for line in lines]
    assert [len(values) for values in counted] == [100, 100, 50]
    assert [value for values in counted for value in values] == list(range(250))
