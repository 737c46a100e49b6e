"""The webhook's answers, over the real domain and a ledger in memory."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.domain.intake.alarms import AlarmMessage
from handlers.domain.intake.webhook import Request
from handlers.domain.ports import LedgerUnavailableError, Record
from handlers.domain.refusal import RefusedError
from tests.fakes.ledger import ledger_down
from tests.unit.handlers.builders import EVENT_WINDOW_S, PEER, REGION, TOPIC, World, body, fixture, post
from topology.alerts import Status
from topology.records import switch_record


def test_accepted_body_is_answered_202_with_every_id() -> None:
    """The receipt has one entry an alert, by its place in the body, with the parent of a repeat."""
    world = World()
    first = world.answer(post(body()))
    again = world.answer(post(body(timestamp="2026-11-23T08:00:30Z")))
    (receipt,) = first.body["alerts"]
    (child,) = again.body["alerts"]
    assert (first.status, again.status) == (202, 202)
    (row, _) = world.ledger.rows.values()
    assert receipt == {
        "index": 0,
        "alert_id": row.alert_id,
        "status": "RECEIVED",
        "fault_key": row.fault_key,
        "state": "firing",
    }
    assert child["status"] == "SUPPRESSED"
    assert child["parent_id"] == receipt["alert_id"]


def test_unreachable_ledger_is_answered_503_with_retry_after() -> None:
    """A source that retries 5xx comes again; nothing was promised."""
    world = World()
    world.ledger.before = ledger_down()
    response = world.answer(post(body()))
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert set(response.body) == {"error", "field", "hint"}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"content_type": "text/plain"}, 415, "unsupported_media_type"),
        ({"content_type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"content_type": "application/json; charset=latin-1"}, 415, "unsupported_media_type"),
        ({"content_type": ""}, 415, "unsupported_media_type"),
        ({"content_encoding": "gzip"}, 415, "unsupported_encoding"),
        ({"idempotency_key": ""}, 400, "bad_idempotency_key"),
        ({"idempotency_key": "a b"}, 400, "bad_idempotency_key"),
        ({"idempotency_key": "k" * 256}, 400, "bad_idempotency_key"),
    ],
)
def test_bad_header_is_refused_and_nothing_written(headers: dict[str, str], status: int, code: str) -> None:
    """Wrong content types and keys are the sender's to correct."""
    world = World()
    response = world.answer(post(body(), **headers))
    assert (response.status, response.body["error"]) == (status, code)
    assert set(response.body) == {"error", "field", "hint"}
    assert world.ledger.rows == {}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_json_content_types_are_taken(content_type: str) -> None:
    """Case and a UTF-8 charset make no difference."""
    assert World().answer(post(body(), content_type=content_type)).status == 202


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/alerts", 405), ("POST", "/health", 405), ("POST", "/other", 404), ("POST", "/", 404)],
)
def test_wrong_route_is_refused(method: str, path: str, status: int) -> None:
    """Unknown paths are 404, wrong methods 405."""
    response = World().answer(Request(method=method, path=path, headers={}, body=b""))
    assert response.status == status
    assert "/alerts" in response.body["hint"]


def test_health_follows_the_ledger() -> None:
    """200 while a consistent read works, 503 when it does not."""
    world = World()
    ask = Request(method="GET", path="/health", headers={}, body=b"")
    healthy = world.answer(ask)
    world.ledger.before = ledger_down("probe")
    ill = world.answer(ask)
    assert (healthy.status, healthy.body) == (200, {"status": "ok", "region": REGION})
    assert (ill.status, ill.body["status"]) == (503, "ledger_unavailable")


def test_switch_is_shown_as_on_only_while_it_is_on() -> None:
    """Routing takes anything but 200 for off, so a record that cannot be read changes nothing."""
    world = World()
    ask = Request(method="GET", path="/switch", headers={}, body=b"")
    untouched = world.answer(ask)
    world.coordination.records[switch_record(PEER)] = Record(version=1, values={"since_ms": 5})
    of_the_other = world.answer(ask)
    world.coordination.records[switch_record(REGION)] = Record(version=1, values={"since_ms": 5})
    on = world.answer(ask)
    world.coordination.records[switch_record(REGION)] = Record(version=2, values={"since_ms": 0})
    off = world.answer(ask)
    world.coordination.down = True
    unknown = world.answer(ask)
    answers = [one.status for one in (untouched, of_the_other, on, off, unknown)]
    assert answers == [404, 404, 200, 404, 503]
    assert on.body == {"switch": "on", "region": REGION, "since_ms": 5}


def test_same_key_and_body_answers_the_same_ids_without_a_new_row() -> None:
    """An Idempotency-Key makes a retry safe, also across a bucket's edge and after work has begun."""
    world = World()
    world.clock.advance(EVENT_WINDOW_S - 1)
    first = world.answer(post(fixture("alertmanager"), idempotency_key="k"))
    ids = [alert["alert_id"] for alert in first.body["alerts"]]
    world.hold(replace(world.ledger.rows[ids[0]], status=Status.ANALYZED))
    world.clock.advance(2)
    again = world.answer(post(fixture("alertmanager"), idempotency_key="k"))
    assert [alert["alert_id"] for alert in again.body["alerts"]] == ids
    assert again.body["alerts"][0]["status"] == "ANALYZED"
    assert len(world.ledger.rows) == 2


def test_same_key_with_another_body_is_409_and_nothing_written() -> None:
    """A key stands for one body."""
    world = World()
    world.answer(post(body(), idempotency_key="k"))
    before = dict(world.ledger.rows)
    response = world.answer(post(fixture("alertmanager"), idempotency_key="k"))
    assert (response.status, response.body["error"]) == (409, "idempotency_key_reused")
    assert response.body["field"] == "Idempotency-Key"
    assert world.ledger.rows == before


def test_row_of_a_key_that_cannot_be_read_costs_nobody_an_alert() -> None:
    """Nobody is told of it, so its alert goes out anew, and the others of its body are answered as ever."""
    world = World()
    first, second = world.accept(fixture("alertmanager"), key="k")
    world.ledger.malformed.add(first.alert_id)
    for _ in range(2):
        again = world.answer(post(fixture("alertmanager"), idempotency_key="k"))
        new, known = again.body["alerts"]
        assert (new["status"], new["parent_id"], known["alert_id"]) == (
            "RECEIVED",
            first.alert_id,
            second.alert_id,
        )
    assert len(world.ledger.rows) == 3


def test_key_is_free_again_after_the_window() -> None:
    """A key is remembered for the window of event ids."""
    world = World()
    first = world.answer(post(body(), idempotency_key="k"))
    world.clock.advance(EVENT_WINDOW_S)
    second = world.answer(post(body(title="other"), idempotency_key="k"))
    assert second.status == 202
    assert first.body["alerts"][0]["alert_id"] != second.body["alerts"][0]["alert_id"]


def test_half_written_keyed_body_is_completed_by_its_retry() -> None:
    """After a 503 the same key and body give the rows of the first try and write the missing ones."""
    world = World()

    def second_create_fails(operation: str) -> None:
        if operation == "create" and world.ledger.rows:
            raise LedgerUnavailableError("on purpose")

    world.ledger.before = second_create_fails
    assert world.answer(post(fixture("alertmanager"), idempotency_key="k")).status == 503
    (written,) = world.ledger.rows
    world.ledger.before = lambda _operation: None
    response = world.answer(post(fixture("alertmanager"), idempotency_key="k"))
    assert response.body["alerts"][0]["alert_id"] == written
    assert [alert["status"] for alert in response.body["alerts"]] == ["RECEIVED", "RECEIVED"]
    assert len(world.ledger.rows) == 2
    assert {alert_id for _, alert_id, _ in world.queue_sender.sent} == set(world.ledger.rows)


_header = st.dictionaries(
    st.sampled_from(["content-type", "content-encoding", "idempotency-key", "x-api-key"]),
    st.text(max_size=20),
    max_size=3,
)


@given(
    content=st.binary(max_size=200), headers=_header, method=st.text(max_size=6), path=st.text(max_size=10)
)
def test_any_request_is_answered_below_500_and_refusals_write_nothing(
    content: bytes, headers: dict[str, str], method: str, path: str
) -> None:
    """Hostile requests get a 4xx with the three fields, or are taken; never a 5xx, never half."""
    world = World()
    for request in (
        Request(method=method, path=path, headers=headers, body=content),
        post(content),
        Request(method="POST", path="/alerts", headers=headers, body=body()),
    ):
        written = len(world.ledger.rows)
        response = world.answer(request)
        json.dumps(response.body)
        assert response.status < 500
        if response.status >= 400:
            assert set(response.body) == {"error", "field", "hint"}
            assert len(world.ledger.rows) == written


def alarm_message(**changes: Any) -> AlarmMessage:
    """What SNS delivers for the sample alarm."""
    fields: dict[str, Any] = {
        "topic_arn": TOPIC,
        "message_id": "m",
        "text": fixture("cloudwatch_alarm").decode(),
    }
    return AlarmMessage(**(fields | changes))


def test_alarm_from_the_allowed_topic_is_accepted_once() -> None:
    """An alarm becomes an alert, and SNS delivering it twice changes nothing."""
    world = World()
    for _ in range(2):
        world.alarms.take(alarm_message(), until_ms=world.clock.ms + 4_000)
    (alarm,) = world.ledger.rows.values()
    assert (alarm.format, alarm.source, alarm.title) == ("cloudwatch_sns", "cloudwatch", "orders-5xx")
    assert alarm.status is Status.RECEIVED


def test_message_of_another_topic_is_raised_and_not_written() -> None:
    """There is nobody to answer, so the invocation must fail and be counted."""
    world = World()
    with pytest.raises(RefusedError) as refused:
        world.alarms.take(alarm_message(topic_arn=TOPIC + "-other"), until_ms=world.clock.ms + 4_000)
    assert refused.value.code == "topic_not_allowed"
    assert world.ledger.rows == {}


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Budget exceeded\nYour account has spent $120", "Budget exceeded"),
        ("\ud800", "?"),
        ("{}", "{}"),
        (
            '{"Event Source": "db-instance"}',
            '{"Event Source": "db-instance"}',
        ),
        (" ", "An empty message on the alarm topic"),
        ("\u200b\u2060\nrest", "An empty message on the alarm topic"),
    ],
)
def test_text_on_the_alarm_topic_becomes_an_alert(text: str, title: str) -> None:
    """Somebody sent it to be seen, and nobody would read the failure of an invocation instead."""
    world = World()
    world.alarms.take(alarm_message(text=text), until_ms=world.clock.ms + 4_000)
    (alert,) = world.ledger.rows.values()
    assert (alert.format, alert.source, alert.title) == ("sns_text", "sns", title)
    assert alert.status is Status.RECEIVED


def test_member_that_is_refused_is_named_beside_those_that_are_taken() -> None:
    """202 for what was written, and by its index what was not."""
    world = World()
    document = json.loads(fixture("alertmanager"))
    document["alerts"].insert(1, 5)
    response = world.answer(post(json.dumps(document).encode()))
    assert response.status == 202
    assert len(response.body["alerts"]) == 3
    (refused,) = response.body["refused"]
    assert (refused["index"], refused["error"], refused["field"]) == (1, "invalid_field", "alerts[1]")
    assert "1 of 3 alerts of one body could not be taken" in [row.title for row in world.ledger.rows.values()]


def test_body_of_nothing_but_what_is_no_alert_is_answered_200_and_not_written() -> None:
    """The sender is content, and nobody is woken; it is counted by its format."""
    world = World()
    response = world.answer(post(fixture("sns_subscription")))
    assert (response.status, response.body["format"]) == (200, "cloudwatch_sns")
    assert "AlarmTopicArn" in response.body["ignored"]
    assert world.ledger.rows == {}
    assert world.refusal_meter.ignored == {"cloudwatch_sns": 1}
