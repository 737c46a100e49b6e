"""What is refused is counted by format and reason, and a part of it is logged."""

import ast
import json
import logging
from pathlib import Path
from typing import Any

import pytest

import handlers
from handlers.domain.intake.alarms import AlarmMessage
from handlers.domain.intake.webhook import Request
from handlers.domain.limits import MAX_SAMPLE_BYTES
from tests.fakes.ledger import ledger_down
from tests.unit.handlers.builders import TOPIC, World, body, fixture, post

EVENT = '{"Event Source": "db-instance", "Event ID": "e"}'


def group(*members: Any) -> bytes:
    """A group of Alertmanager's with these members behind a good one."""
    document = json.loads(fixture("alertmanager"))
    members_only = {"alerts": [document["alerts"][0], *members], "commonLabels": {}, "commonAnnotations": {}}
    return json.dumps(document | members_only).encode()


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The log's lines about refusals, as their fields."""
    return [vars(record) for record in caplog.records if record.msg.startswith("Refused")]


@pytest.mark.parametrize(
    ("request_", "counted"),
    [
        (post(b"{"), ("unknown", "not_json")),
        (post(b'{"a": 1}'), ("unknown", "unknown_format")),
        (post(body(), content_type="text/plain"), ("unknown", "unsupported_media_type")),
        (post(body(), idempotency_key="a b"), ("unknown", "bad_idempotency_key")),
        (post(b'{"alerts": [], "orgId": 1}'), ("grafana_alerting", "no_alerts")),
        (post(b'{"version": "4", "alerts": []}'), ("alertmanager", "no_alerts")),
        (post(b'{"version": "4", "alerts": 5}'), ("alertmanager", "invalid_field")),
        (post(b'{"version": "4", "alerts": [5, 6]}'), ("alertmanager", "invalid_field")),
    ],
)
def test_refused_request_counts_once_by_format_and_reason(
    request_: Request, counted: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is refused for; what it was known as is said where it was known."""
    world = World()
    assert world.answer(request_).status >= 400
    assert world.refusal_meter.counts == {counted: 1}
    (line,) = lines(caplog)
    assert (line["format"], line["error"], line["refused"]) == (*counted, 1)
    assert line["sample"]


def test_key_that_is_used_for_another_body_counts() -> None:
    """Its alerts were not taken, though nothing is wrong with them."""
    world = World()
    world.answer(post(body(), idempotency_key="k"))
    world.answer(post(body(title="other"), idempotency_key="k"))
    assert world.refusal_meter.counts == {("generic", "idempotency_key_reused"): 1}


@pytest.mark.parametrize(("method", "path"), [("GET", "/alerts"), ("POST", "/health"), ("POST", "/other")])
def test_wrong_route_is_no_refusal_of_an_alert(method: str, path: str) -> None:
    """Any scanner takes one, and it would set off the alarm."""
    world = World()
    world.answer(Request(method=method, path=path, headers={}, body=body()))
    assert world.refusal_meter.counts == {}


def test_refused_members_count_each_and_are_logged_by_their_own_part(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The good neighbours of a bad member are nobody's business; each reason has one line, however many."""
    world = World()
    response = world.answer(post(group(7, *range(8, 20))))
    assert response.status == 202
    assert world.refusal_meter.counts == {
        ("alertmanager", "invalid_field"): 13,
    }
    assert [(line["error"], line["refused"], line["sample"]) for line in lines(caplog)] == [
        ("invalid_field", 13, "7"),
    ]


def test_group_that_the_ledger_fails_is_not_counted_yet() -> None:
    """Nothing is refused by a 503: the sender comes again."""
    world = World()
    world.ledger.before = ledger_down()
    assert world.answer(post(group(7))).status == 503
    assert world.refusal_meter.counts == {}


@pytest.mark.parametrize(
    ("text", "counts", "sample"),
    [
        ("Costs, by joe@example.com", {("sns_text", "not_json"): 1}, "Costs, by [redacted: e-mail]"),
        (EVENT, {("sns_text", "unknown_format"): 1}, EVENT),
        (group(7).decode(), {("alertmanager", "invalid_field"): 1}, "7"),
    ],
)
def test_what_is_no_alarm_on_the_alarm_topic_counts(
    text: str, counts: dict[tuple[str, str], int], sample: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It becomes an alert, of a severity that is a guess: somebody has to mend what publishes it."""
    world = World()
    message = AlarmMessage(topic_arn=TOPIC, message_id="m-1", text=text)
    world.alarms.take(message, until_ms=world.clock.ms + 4_000)
    assert world.refusal_meter.counts == counts
    (line,) = lines(caplog)
    assert (line["request_id"], line["sample"]) == ("m-1", sample)


def test_alarm_counts_nothing() -> None:
    """Nothing is wrong with it."""
    world = World()
    message = AlarmMessage(topic_arn=TOPIC, message_id="m", text=fixture("cloudwatch_alarm").decode())
    world.alarms.take(message, until_ms=world.clock.ms + 4_000)
    assert world.refusal_meter.counts == {}


def test_log_holds_the_beginning_of_a_body_only(caplog: pytest.LogCaptureFixture) -> None:
    """However much was refused."""
    caplog.set_level(logging.DEBUG)
    World().answer(post(b'{"no": "' + b"x" * 100_000 + b'"}'))
    (line,) = lines(caplog)
    assert len(line["sample"]) == MAX_SAMPLE_BYTES
    assert sum(len(str(vars(record))) for record in caplog.records) < 3 * MAX_SAMPLE_BYTES


def test_reasons_are_a_closed_set() -> None:
    """Each pair of format and reason is a metric that costs money; none is made of what a sender wrote."""
    calls = [
        node
        for path in Path(handlers.__path__[0]).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RefusedError"
    ]
    literal = [node for node in calls if isinstance(node.args[1], ast.Constant)]
    computed = [ast.unparse(node) for node in calls if node not in literal]
    assert len(literal) > 10
    assert computed == ["RefusedError(status, code, hint=_HINT)"]  # a wrong route, which is never counted
