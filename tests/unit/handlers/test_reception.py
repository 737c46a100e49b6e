"""What reception writes, what it promises, and what it recognises as a repeat."""

import json
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.limits import (
    CUT_MARK,
    LATER_ATTRIBUTES_BYTES,
    MAX_ITEM_BYTES,
    MAX_LABELS,
    MAX_MESSAGE_CHARS,
)
from handlers.domain.moves import Actor
from handlers.domain.ports import LedgerUnavailableError
from handlers.domain.states import parked
from tests.fakes.ledger import ledger_down
from tests.fakes.machine import START_MS
from tests.unit.handlers.builders import (
    CONTENT_WINDOW_S,
    EVENT_WINDOW_S,
    LEASE_S,
    PEER,
    REGION,
    World,
    body,
    fixture,
)
from topology.alerts import Severity, Status
from topology.queues import Queue


def test_accepted_alert_is_stored_and_its_wake_up_sent() -> None:
    """The row has every attribute of the contract, and the wake-up follows."""
    world = World()
    (alert,) = world.accept(body(component="c", link="https://grafana.example/d/1"))
    assert world.ledger.rows == {alert.alert_id: alert}
    assert (alert.status, alert.severity, alert.region, alert.owner) == ("RECEIVED", "HIGH", REGION, REGION)
    assert (alert.timestamp, alert.created_at) == (START_MS // 1000, "2026-11-23T08:00:00.000Z")
    assert (alert.open_key, alert.due_at) == (f"{REGION}#HIGH", START_MS // 1000 + LEASE_S)
    assert (alert.lease_token, alert.expires_at, alert.attempts) == (None, None, 0)
    assert (alert.component, alert.link) == ("c", "https://grafana.example/d/1")
    assert alert.alert_id[0] == "a"
    assert len(alert.alert_id) == 33
    assert world.queue_sender.sent == [(Queue.PROCESSING, alert.alert_id, 0)]


def test_failing_queue_does_not_take_the_promise_back() -> None:
    """The ledger decides; Recovery sends the wake-up."""
    world = World()
    world.queue_sender.down = True
    (alert,) = world.accept(body())
    assert alert.alert_id in world.ledger.rows


@pytest.mark.parametrize("operation", ["get_many", "create"])
def test_failing_ledger_promises_nothing(operation: str) -> None:
    """Neither a read nor a write that fails may end in a promise."""
    world = World()
    world.ledger.before = ledger_down(operation)
    with pytest.raises(LedgerUnavailableError):
        world.accept(body())
    assert world.ledger.rows == {}
    assert world.queue_sender.sent == []


def test_slow_ledger_stops_before_the_time_is_over() -> None:
    """Rows are not written into a timeout: the rest of the body is refused as unavailable."""
    world = World()
    world.ledger.after = lambda _operation: world.clock.advance(5)
    with pytest.raises(LedgerUnavailableError, match="too slow"):
        world.accept(fixture("alertmanager"))
    (row,) = world.ledger.rows.values()
    assert row.severity is Severity.CRITICAL


def test_retry_after_half_a_body_adds_what_is_missing() -> None:
    """A body refused with 503 has written some rows: its retry is answered with them, and repeats nothing."""
    world = World()

    def second_create_fails(operation: str) -> None:
        if operation == "create" and world.ledger.rows:
            raise LedgerUnavailableError("on purpose")

    world.ledger.before = second_create_fails
    with pytest.raises(LedgerUnavailableError):
        world.accept(fixture("alertmanager"))
    (first,) = world.ledger.rows.values()
    assert [alert_id for _, alert_id, _ in world.queue_sender.sent] == [first.alert_id]
    world.ledger = type(world.ledger)(rows=world.ledger.rows)
    again, other = world.accept(fixture("alertmanager"))
    assert again == first
    assert other.status is Status.RECEIVED
    assert set(world.ledger.rows) == {first.alert_id, other.alert_id}
    assert {alert_id for _, alert_id, _ in world.queue_sender.sent} == {first.alert_id, other.alert_id}


def test_own_write_whose_answer_was_lost_is_worked_on() -> None:
    """A put that the client tries again finds its own row, which answers for it and is woken up."""
    world = World()
    create = world.ledger.create

    def answers_wrongly(alert: Alert, *, actor: Actor) -> bool:
        return create(alert, actor=actor) and alert.status is not Status.RECEIVED

    world.ledger.create = answers_wrongly  # type: ignore[method-assign]  # a fault of this one test
    (alert,) = world.accept(body())
    assert world.ledger.rows == {alert.alert_id: alert}
    assert world.queue_sender.sent == [(Queue.PROCESSING, alert.alert_id, 0)]


def test_repeat_is_suppressed_and_linked() -> None:
    """A repeat within the window is stored as a child of the first, and not sent on."""
    world = World()
    (first,) = world.accept(body())
    world.hold(replace(first, lease_token="someone"))
    world.queue_sender.sent.clear()
    world.clock.advance(10)
    (repeat,) = world.accept(body(timestamp="2026-11-23T08:00:10Z"))
    assert (repeat.status, repeat.parent_id) == (Status.SUPPRESSED, first.alert_id)
    assert repeat.alert_id.startswith(first.alert_id + ".")
    assert len(repeat.alert_id) == len(first.alert_id) + 9
    assert (repeat.open_key, repeat.due_at) == (f"{REGION}#SUPPRESSED", world.clock.s + 60)
    assert repeat.expires_at == world.clock.s + 90 * 86_400
    assert world.ledger.rows[repeat.alert_id] == repeat
    assert world.queue_sender.sent == []


def test_retry_to_the_other_region_is_the_same_alert() -> None:
    """Both regions compute one id, so the shared ledger shows the row, and a repeat of it in other words."""
    world = World()
    (first,) = world.accept(body())
    other = World(ledger=world.ledger, clock=world.clock, region=PEER)
    assert other.accept(body()) == [first]
    (repeat,) = other.accept(body(timestamp="2026-11-23T08:00:30Z"))
    assert (repeat.parent_id, repeat.region) == (first.alert_id, PEER)


@pytest.mark.parametrize(
    ("fields", "window_s"),
    [({}, CONTENT_WINDOW_S), ({"event_id": "e"}, EVENT_WINDOW_S)],
    ids=["content", "event"],
)
def test_window_ends_to_the_second(fields: dict[str, Any], window_s: int) -> None:
    """Repeats are recognised across the bucket's edge until the window is over, and not after."""
    world = World()
    world.clock.advance(window_s - 1)
    (first,) = world.accept(body(**fields))
    world.clock.advance(window_s - 1)
    (repeat,) = world.accept(body(**fields, timestamp="2026-11-23T08:00:30Z"))
    assert repeat.parent_id == first.alert_id
    assert world.accept(body(**fields)) == [first]
    world.clock.advance(1)
    (new,) = world.accept(body(**fields))
    assert (new.status, new.parent_id) == (Status.RECEIVED, None)
    assert new.alert_id != first.alert_id


@pytest.mark.parametrize(
    "change",
    [
        {"source": "x"},
        {"title": "x"},
        {"message": "x"},
        {"severity": "INFO"},
        {"component": "x"},
        {"host": "x"},
        {"status": "resolved"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_content_is_another_alert(change: dict[str, str]) -> None:
    """Each part of the content counts."""
    world = World()
    world.accept(body())
    (other,) = world.accept(body(**change))
    assert other.status is Status.RECEIVED


@pytest.mark.parametrize(
    "change", [{"event_id": "f"}, {"status": "resolved"}, {"source": "x"}, {"severity": "critical"}]
)
def test_other_event_is_another_alert(change: dict[str, str]) -> None:
    """With an event id, its source, status and severity count: what escalates is no repeat."""
    world = World()
    world.accept(body(event_id="e"))
    (other,) = world.accept(body(**({"event_id": "e"} | change)))
    assert other.status is Status.RECEIVED


def test_event_that_is_stamped_anew_is_the_same() -> None:
    """The generic `timestamp` is when it was sent."""
    world = World()
    (first,) = world.accept(body(event_id="e"))
    (repeat,) = world.accept(body(event_id="e", timestamp="2026-11-23T08:00:30Z"))
    assert repeat.parent_id == first.alert_id


def test_next_episode_of_a_fault_is_another_alert() -> None:
    """Alertmanager keeps the fingerprint of an alert and starts it anew."""
    document = json.loads(fixture("alertmanager"))
    document["alerts"] = document["alerts"][:1]
    world = World()
    world.accept(json.dumps(document).encode())
    document["alerts"][0]["startsAt"] = "2026-11-23T08:30:00Z"
    (other,) = world.accept(json.dumps(document).encode())
    assert other.status is Status.RECEIVED


def test_labels_tell_alerts_without_an_event_id_apart() -> None:
    """Two volumes of one host differ by nothing else; the order of labels means nothing."""
    world = World()
    (first,) = world.accept(body(labels={"volume": "/", "team": "pay"}))
    (other,) = world.accept(body(labels={"volume": "/var", "team": "pay"}))
    (repeat,) = world.accept(body(labels={"team": "pay", "volume": "/"}))
    assert other.status is Status.RECEIVED
    assert repeat.parent_id == first.alert_id


def test_row_says_what_was_mended_and_left_out() -> None:
    """So that whoever looks at it knows what the sender sent."""
    document = json.loads(fixture("alertmanager")) | {"truncatedAlerts": 42}
    document["alerts"] = [{"labels": {"job": "node"}}]
    (alert,) = World().accept(json.dumps(document).encode())
    assert (alert.mended, alert.left_out) == (("its status is the group's",), 42)


def test_event_id_outweighs_content() -> None:
    """A source that words the same event anew repeats itself."""
    world = World()
    (first,) = world.accept(body(event_id="e"))
    (repeat,) = world.accept(body(event_id="e", message="depth 1300"))
    assert repeat.parent_id == first.alert_id


def test_equal_alerts_in_one_body_are_parent_and_child() -> None:
    """The second of two equal alerts is suppressed, in the order of the body."""
    document = json.loads(fixture("alertmanager"))
    document["alerts"] = [document["alerts"][0]] * 3 + [document["alerts"][1]]
    world = World()
    first, second, third, other = world.accept(json.dumps(document).encode())
    assert [first.status, second.status, third.status, other.status] == [
        Status.RECEIVED,
        Status.SUPPRESSED,
        Status.SUPPRESSED,
        Status.RECEIVED,
    ]
    assert second.parent_id == third.parent_id == first.alert_id
    assert len(world.ledger.rows) == 4


def test_equal_alerts_of_a_known_alert_share_its_parent() -> None:
    """When the first of two equal alerts is itself a repeat, both hang on the one parent."""
    document = json.loads(fixture("alertmanager"))
    document["alerts"] = [document["alerts"][0]]
    world = World()
    (parent,) = world.accept(json.dumps(document).encode())
    document["alerts"] *= 2
    first, second = world.accept(json.dumps(document).encode())
    assert first.parent_id == second.parent_id == parent.alert_id
    assert first.status is second.status is Status.SUPPRESSED


def test_repeat_of_a_parked_alert_is_worked_on() -> None:
    """Nobody has seen the parent, so its repeat must not vanish behind it."""
    world = World()
    (first,) = world.accept(body())
    world.hold(parked(first, reason="no webhook", due_at=1))
    (repeat,) = world.accept(body())
    assert (repeat.status, repeat.parent_id) == (Status.RECEIVED, first.alert_id)
    assert repeat.open_key == f"{REGION}#HIGH"
    assert (Queue.PROCESSING, repeat.alert_id, 0) in world.queue_sender.sent


def test_repeat_whose_parent_is_parked_meanwhile_is_worked_on() -> None:
    """The parent was open when it was read, and PARKED when the repeat was written: nobody else sees it."""
    world = World()
    (first,) = world.accept(body())
    world.queue_sender.sent.clear()

    def parks_meanwhile(operation: str) -> None:
        if operation == "create":
            world.hold(parked(first, reason="no webhook", due_at=1))

    world.ledger.after = parks_meanwhile
    (repeat,) = world.accept(body(timestamp="2026-11-23T08:00:30Z"))
    stored = world.ledger.rows[repeat.alert_id]
    assert (repeat, stored.status, stored.parent_id) == (stored, Status.RECEIVED, first.alert_id)
    assert (Queue.PROCESSING, repeat.alert_id, 0) in world.queue_sender.sent


def test_critical_alert_takes_its_own_key_from_the_start() -> None:
    """A backlog of others delays neither its analysis nor its message."""
    world = World()
    world.accept(body(severity="CRITICAL"))
    assert [queue for queue, _, _ in world.queue_sender.sent] == [Queue.PROCESSING_CRITICAL]


def test_taken_child_id_is_drawn_again() -> None:
    """A repeat whose suffix is another's is kept beside it."""
    world = World()
    (first,) = world.accept(body())
    again = body(timestamp="2026-11-23T08:00:30Z")
    (one,) = world.accept(again)
    world.hold(replace(one, body_hash="of another"))
    (two,) = world.accept(again)
    assert one.alert_id != two.alert_id
    assert two.parent_id == first.alert_id
    assert len(world.ledger.rows) == 3


def test_long_fields_are_cut_with_a_mark() -> None:
    """Length alone is no reason to refuse an alert."""
    world = World()
    labels = {f"l{n}": "v" for n in range(MAX_LABELS + 5)}
    (alert,) = world.accept(body(message="m" * 20_000, title="t" * 1_000, labels=labels))
    assert len(alert.message) == MAX_MESSAGE_CHARS
    assert alert.message.endswith(CUT_MARK)
    assert alert.title.endswith(CUT_MARK)
    assert len(alert.labels) == MAX_LABELS


def padded(pad: int) -> bytes:
    """A body whose row is large already, and a field beside it that only the raw part holds."""
    labels = {f"{n:03}" + "é" * 250: "é" * 250 for n in range(64)}
    fields = {"source": "s", "title": "t", "message": "é" * 16_000, "labels": labels, "pad": "x" * pad}
    return json.dumps(fields, ensure_ascii=False).encode()


def test_raw_part_is_kept_whole_when_it_fits() -> None:
    """Nothing is cut without need."""
    (alert,) = World().accept(padded(10))
    assert not alert.raw_truncated
    assert json.loads(alert.raw)["pad"] == "x" * 10


def test_raw_part_is_cut_and_marked_when_the_item_would_be_too_large() -> None:
    """The row leaves room below its limit for what later steps add."""
    (alert,) = World().accept(padded(130_000))
    size = len(
        json.dumps(
            {name: str(value) for name, value in structs.asdict(alert).items()}, ensure_ascii=False
        ).encode()
    )
    assert alert.raw_truncated
    assert alert.raw.startswith('{"source":"s"')
    assert size < MAX_ITEM_BYTES - LATER_ATTRIBUTES_BYTES + 2_000


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://",
        "https://user@evil.example/",
        "http://[::",
        "https://a b",
        "ftp://a",
        "x" * 3_000,
        "http://prometheus:${PORT}/graph",
        "http://prometheus:99999/graph",
        "http://prometheus:0/graph",
        "http://{{.ExternalURL}}/alerts",
        "https://%zz/",
        "http://-/",
        "http://.../x",
        "http://1.2.3.999/",
        "http://[1.2.3.4]/",
        "/explore?left=1",
        "http:javascript:alert(1)",
    ],
)
def test_unusable_link_is_dropped(link: str) -> None:
    """A link that Slack would refuse, or that hides where it leads, is not kept, and the row says so."""
    (alert,) = World().accept(body(link=link))
    assert alert.link is None
    assert alert.mended == (
        "its link of kind source is left out: it is no web address of at most 2000 characters",
    )
    assert json.loads(alert.raw)["link"] == link


@pytest.mark.parametrize(
    "link",
    [
        "https://grafana.example/d/1",
        "http://alertmanager_0.local:9093/",
        "http://10.0.0.1:9090/",
        "http://[::1]:9090/x",
    ],
)
def test_usable_link_is_kept(link: str) -> None:
    """Names inside a company's network have underscores and no dots."""
    (alert,) = World().accept(body(link=link))
    assert alert.link == link


def test_links_are_kept_by_kind_and_each_is_judged_for_itself() -> None:
    """`link` is the source's, which the release before this one shows."""
    kinds = {
        "runbook": "https://wiki.example/disk",
        "dashboard": "javascript:alert(1)",
        "silence": "https://-/",
    }
    (alert,) = World().accept(body(link="https://prom.example/g", **kinds))
    assert alert.links == {"source": "https://prom.example/g", "runbook": "https://wiki.example/disk"}
    assert alert.link == "https://prom.example/g"
    (alert,) = World().accept(body(dashboard="https://dash.example/d/1"))
    assert (alert.links, alert.link) == ({"dashboard": "https://dash.example/d/1"}, None)
