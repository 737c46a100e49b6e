"""What saturates is named from telemetry alone."""

from dataclasses import replace

import pytest

from loadtests.throughput.saturation import Resource, saturation
from loadtests.throughput.telemetry import FunctionFigures, QueueFigures, Telemetry
from topology.queues import Queue

EASY = Telemetry(
    seconds=40.0,
    posts=160,
    functions={
        "reception": FunctionFigures(invocations=160, busy_s=16.0, reserved=4),
        "analysis": FunctionFigures(invocations=160, busy_s=24.0, reserved=4),
        "distribution": FunctionFigures(invocations=160, busy_s=24.0, reserved=4),
    },
    queues={
        Queue.PROCESSING: QueueFigures(waiting=0, concurrency=2, function="analysis"),
        Queue.PROCESSING_CRITICAL: QueueFigures(waiting=0, concurrency=4, function="analysis"),
        Queue.DISTRIBUTION_CRITICAL: QueueFigures(waiting=1, concurrency=2, function="distribution"),
    },
    model_calls=160,
    slack_posts=160,
    slack_interval_s=0.1,
    own_processor=0.3,
    machine_processor=0.5,
)
"""A stack at ease: one message is on its way."""

BUSY_RECEPTION = FunctionFigures(invocations=160, busy_s=150.0, reserved=4)
THROTTLED_RECEPTION = FunctionFigures(invocations=120, throttles=40, busy_s=60.0, reserved=4)
BUSY_ANALYSIS = FunctionFigures(invocations=130, busy_s=156.0, reserved=4)
WAITING = QueueFigures(waiting=8, concurrency=4, function="analysis")


@pytest.mark.parametrize(
    ("changes", "resource", "says"),
    [
        ({"late_posts": 3}, Resource.GENERATOR, "3 of 160"),
        ({"functions": {"reception": FunctionFigures(invocations=140)}}, Resource.API, "20 of 160"),
        ({"index_throttles": {"t/index/i CRITICAL": 9, "t/index/i LOW": 1}}, Resource.LEDGER, "i CRITICAL"),
        ({"model_refused": 4}, Resource.MODEL, "4 of 160"),
        ({"slack_refused": 2}, Resource.SLACK, "2 of 162"),
        ({"own_processor": 0.9}, Resource.MACHINE, "90%"),
        (
            {"processes": {"durable": 0.96, "us-east-1": 0.4}},
            Resource.MACHINE,
            "durable of the embedded AWS used 96%",
        ),
        ({"functions": {"reception": BUSY_RECEPTION}}, Resource.RECEPTION, "94% of its 4"),
        ({"functions": {"reception": THROTTLED_RECEPTION}}, Resource.RECEPTION, "40 were throttled"),
        (
            {
                "functions": {**EASY.functions, "analysis": BUSY_ANALYSIS},
                "queues": {**EASY.queues, Queue.PROCESSING_CRITICAL: WAITING},
            },
            Resource.POLLERS,
            "8 messages wait in processing-critical, 98% of whose 4",
        ),
        ({"slack_posts": 38, "slack_interval_s": 1.0}, Resource.PACE, "38 messages went to Slack in 40 s"),
        ({"machine_processor": 0.97}, Resource.MACHINE, "other work too"),
    ],
)
def test_what_saturates_is_named_with_its_figures(
    changes: dict[str, object], resource: Resource, says: str
) -> None:
    """Each from a stack that was at ease but for that."""
    found = saturation(replace(EASY, **changes))
    assert found.resource is resource
    assert says in found.evidence


def test_a_stack_at_ease_saturates_nothing() -> None:
    """Then nobody is blamed."""
    assert saturation(EASY).resource is Resource.UNKNOWN


def test_who_refuses_is_named_before_who_waits_for_it() -> None:
    """A function that waits for a throttled table is busy too, and so is the queue before it."""
    busy = {"analysis": BUSY_ANALYSIS, "reception": replace(BUSY_RECEPTION)}
    waiting = replace(EASY, functions=busy, queues={Queue.PROCESSING_CRITICAL: WAITING})
    assert saturation(waiting).resource is Resource.RECEPTION
    assert saturation(replace(waiting, model_refused=9)).resource is Resource.MODEL
    assert saturation(replace(waiting, index_throttles={"i": 9}, model_refused=9)).resource is Resource.LEDGER


def test_a_few_refusals_are_no_limit() -> None:
    """One 429 in a while is answered by a retry."""
    assert saturation(replace(EASY, slack_refused=1, model_refused=1)).resource is Resource.UNKNOWN


@pytest.mark.parametrize(
    ("waiting", "busy_s"),
    [(0, 156.0), (8, 100.0)],
)
def test_pollers_are_named_only_where_messages_wait_and_all_invocations_are_used(
    waiting: int, busy_s: float
) -> None:
    """A backlog behind free invocations has another cause, and busy ones without a backlog keep up."""
    telemetry = replace(
        EASY,
        functions={**EASY.functions, "analysis": replace(BUSY_ANALYSIS, busy_s=busy_s)},
        queues={Queue.PROCESSING_CRITICAL: replace(WAITING, waiting=waiting)},
    )
    assert saturation(telemetry).resource is Resource.UNKNOWN


def test_without_a_machine_of_its_own_nothing_is_said_of_it() -> None:
    """On AWS there is no machine to look at."""
    on_aws = replace(EASY, own_processor=None, machine_processor=None)
    assert saturation(on_aws).resource is Resource.UNKNOWN
