"""Lambda's event shapes, and how a batch is worked through."""

import base64
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from handlers.adapters.lambda_events.requests import alarm_messages, proxy_answer, request_of
from handlers.adapters.lambda_events.sqs_batch import work_batch
from handlers.adapters.system import ThreadExecutor
from handlers.domain.delivery.leases import Deadline, PoisonMessageError
from handlers.domain.intake.alarms import AlarmMessage
from handlers.domain.intake.webhook import Response
from tests.fakes.machine import FakeClock, SerialExecutor
from tests.unit.handlers.builders import World, body


def proxy_event(**changes: Any) -> dict[str, Any]:
    """An API Gateway REST proxy event of a POST."""
    event: dict[str, Any] = {
        "resource": "/alerts",
        "path": "/alerts",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "X-Api-Key": "k"},
        "body": body().decode(),
        "isBase64Encoded": False,
    }
    return event | changes


def test_request_is_read_from_the_event() -> None:
    """Header names lose their case; the resource counts, not the stage's path."""
    request = request_of(proxy_event(path="/v1/alerts"))
    assert (request.method, request.path) == ("POST", "/alerts")
    assert request.headers["content-type"] == "application/json"
    assert request.body == body()


def test_base64_body_is_decoded() -> None:
    """API Gateway encodes what it takes for binary."""
    encoded = base64.b64encode(body()).decode()
    assert request_of(proxy_event(body=encoded, isBase64Encoded=True)).body == body()


@pytest.mark.parametrize(
    "changes",
    [
        {"body": None},
        {"body": "\ud800"},
        {"body": "not base64!", "isBase64Encoded": True},
        {"body": "é", "isBase64Encoded": True},
        {"headers": None},
        {"headers": {}},
    ],
)
def test_odd_event_is_answered_with_4xx(changes: dict[str, Any]) -> None:
    """What API Gateway may hand over for a hostile request is refused like any other."""
    world = World()
    response = world.answer(request_of(proxy_event(**changes)))
    assert 400 <= response.status < 500
    assert world.ledger.rows == {}


def test_answer_is_what_api_gateway_expects() -> None:
    """A status, string headers, and JSON text."""
    answer = proxy_answer(Response(status=503, body={"error": "e"}, headers={"Retry-After": "5"}))
    assert answer["statusCode"] == 503
    assert answer["headers"] == {"Content-Type": "application/json", "Retry-After": "5"}
    assert json.loads(answer["body"]) == {"error": "e"}


def test_sns_event_is_told_from_a_request() -> None:
    """Only records of SNS are alarms."""
    sns = {"TopicArn": "t", "MessageId": "m", "Message": "text", "Subject": None}
    assert alarm_messages({"Records": [{"EventSource": "aws:sns", "Sns": sns}]}) == [
        AlarmMessage(topic_arn="t", message_id="m", text="text")
    ]
    assert alarm_messages(proxy_event()) is None
    assert alarm_messages({"Records": [{"eventSource": "aws:sqs"}]}) is None


class FixedContext:
    """An invocation with so much time left at its start."""

    def __init__(self, clock: FakeClock, total_ms: int) -> None:
        """The end is fixed now."""
        self._clock, self._end_ms = clock, clock.ms + total_ms

    def get_remaining_time_in_millis(self) -> int:
        """Until the end."""
        return self._end_ms - self._clock.ms


def sqs_event(*bodies: str) -> dict[str, Any]:
    """An SQS event; message ids are m0, m1, ..."""
    return {"Records": [{"messageId": f"m{number}", "body": text} for number, text in enumerate(bodies)]}


def one_after_another(told: list[str] | None = None) -> Callable[[Sequence[str]], list[list[str]]]:
    """All in one chain; `told` gets the alerts' ids."""

    def chains(alert_ids: Sequence[str]) -> list[list[str]]:
        if told is not None:
            told.extend(alert_ids)
        return [list(alert_ids)]

    return chains


def wake_up(alert_id: str) -> str:
    """A message about an alert."""
    return json.dumps({"alert_id": alert_id})


@pytest.mark.parametrize(
    "poison",
    ["", "x", "[]", "{}", '{"alert_id": 1}', '{"alert_id": null}', "[" * 100_000, '{"alert_id": "\\ud800"}'],
)
def test_poison_is_kept_for_the_dead_letter_queue_and_the_rest_is_done(poison: str) -> None:
    """A body that is no wake-up never takes its batch along."""
    clock, done = FakeClock(), []
    expected: list[str] = []
    answer = work_batch(
        sqs_event(wake_up("a0"), poison, wake_up("a2")),
        lambda alert_id, _deadline: done.append(alert_id),
        chains=one_after_another(expected),
        executor=SerialExecutor(),
        context=FixedContext(clock, 30_000),
        clock=clock,
    )
    assert done == expected == ["a0", "a2"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


@pytest.mark.parametrize("error", [PoisonMessageError("no such alert"), ValueError("a defect")])
def test_one_failing_alert_does_not_take_the_batch_along(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect is logged with its alert and reported; the others are done."""
    clock, done = FakeClock(), []

    def work(alert_id: str, _deadline: Deadline) -> None:
        if alert_id == "a0":
            raise error
        done.append(alert_id)

    answer = work_batch(
        sqs_event(wake_up("a0"), wake_up("a1")),
        work,
        chains=one_after_another(),
        executor=SerialExecutor(),
        context=FixedContext(clock, 30_000),
        clock=clock,
    )
    assert done == ["a1"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert caplog.records[0].__dict__["message_id"] == "m0"


def test_time_is_shared_and_the_late_are_put_off() -> None:
    """A message may take half of the invocation; in the last quarter nothing is begun."""
    clock, given = FakeClock(), []

    def work(_alert_id: str, deadline: Deadline) -> None:
        given.append((deadline.soft_ms - clock.ms, deadline.hard_ms - clock.ms, deadline.expired))
        clock.advance(16)

    work_batch(
        sqs_event(*(wake_up(f"a{n}") for n in range(4))),
        work,
        chains=one_after_another(),
        executor=SerialExecutor(),
        context=FixedContext(clock, 60_000),
        clock=clock,
    )
    assert given == [
        (30_000, 60_000, False),
        (30_000, 44_000, False),
        (28_000, 28_000, False),
        (12_000, 12_000, True),
    ]


def test_invocation_that_was_frozen_past_its_end_leaves_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    """The rest stays in the queue; what was under way has its claim to tell it that it is too late."""
    clock, done = FakeClock(), []

    def work(alert_id: str, _deadline: Deadline) -> None:
        done.append(alert_id)
        if alert_id == "a1":
            clock.advance(60)

    answer = work_batch(
        sqs_event(*(wake_up(f"a{n}") for n in range(4))),
        work,
        chains=one_after_another(),
        executor=SerialExecutor(),
        context=FixedContext(clock, 60_000),
        clock=clock,
    )
    assert done == ["a0", "a1"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m3"}]}
    assert caplog.records[0].__dict__["messages"] == 2


def test_message_alone_may_take_the_whole_invocation() -> None:
    """Nobody waits behind it."""
    clock, given = FakeClock(), []
    work_batch(
        sqs_event(wake_up("a0")),
        lambda _alert_id, deadline: given.append(deadline),
        chains=one_after_another(),
        executor=SerialExecutor(),
        context=FixedContext(clock, 60_000),
        clock=clock,
    )
    assert given == [Deadline(soft_ms=clock.ms + 60_000, hard_ms=clock.ms + 60_000)]


def test_chains_are_worked_side_by_side_and_each_in_its_order() -> None:
    """Who waits for the model keeps nobody else waiting; the alerts behind it come after it."""
    clock, done, others_done = FakeClock(), [], threading.Barrier(2)

    def work(alert_id: str, _deadline: Deadline) -> None:
        if alert_id in {"a0", "a1"}:
            others_done.wait(10)
        done.append(alert_id)
        if alert_id == "a2":
            raise PoisonMessageError

    answer = work_batch(
        sqs_event(*(wake_up(f"a{n}") for n in range(4))),
        work,
        chains=lambda _ids: [["a0", "a2"], ["a1", "a3"]],
        executor=ThreadExecutor(),
        context=FixedContext(clock, 60_000),
        clock=clock,
    )
    assert done.index("a0") < done.index("a2")
    assert done.index("a1") < done.index("a3")
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}]}


def test_alert_with_two_messages_in_a_batch_is_done_once_for_both() -> None:
    """Recovery's wake-up beside the first one: both are taken off the queue, or stay in it."""
    clock, done = FakeClock(), []

    def work(alert_id: str, _deadline: Deadline) -> None:
        done.append(alert_id)
        raise ValueError

    answer = work_batch(
        sqs_event(wake_up("a0"), wake_up("a0")),
        work,
        chains=one_after_another(),
        executor=SerialExecutor(),
        context=FixedContext(clock, 60_000),
        clock=clock,
    )
    assert done == ["a0"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
