"""Heartbeats at reception: noted, not alerted; whatever else there is in the body goes its way."""

import json
from typing import Any

import pytest

from handlers.domain.intake.alarms import AlarmMessage
from handlers.domain.limits import HEARTBEAT_NOTE_S
from handlers.domain.ports import MALFORMED, LedgerUnavailableError, Record
from tests.fakes.ledger import FakeCoordination
from tests.unit.handlers.builders import REGION, TOPIC, World, body, post
from topology.alerts import Severity
from topology.heartbeats import HeartbeatSpec
from topology.matchers import Matcher
from topology.records import heartbeat_record

WATCHDOG = HeartbeatSpec(
    name="watchdog",
    match=Matcher(source="alertmanager", labels={"alertname": "Watchdog"}),
    every_s=120,
    severity="HIGH",
)
RECORD = heartbeat_record(REGION, "watchdog")


def group(*names: str, status: str = "firing", severity: str = "none") -> bytes:
    """An Alertmanager group of these alerts."""
    members = [
        {
            "status": status,
            "labels": {"alertname": name, "severity": severity},
            "annotations": {},
            "startsAt": "2026-11-23T08:00:00Z",
            "endsAt": "2026-11-23T08:01:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
            "fingerprint": name,
        }
        for name in names
    ]
    whole = {"version": "4", "status": status, "receiver": "responder", "groupKey": "{}", "alerts": members}
    return json.dumps(whole | {"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}).encode()


def world(**fields: Any) -> World:
    """A region that knows the Watchdog."""
    return World(heartbeats=(WATCHDOG,), **fields)


def test_a_heartbeat_is_noted_and_is_no_alert() -> None:
    """It is answered as what is ignored, so that its sender sees what was made of it."""
    one = world()
    answer = one.answer(post(group("Watchdog")))
    assert (answer.status, answer.body["format"]) == (200, "alertmanager")
    assert answer.body["ignored"] == "it is the heartbeat 'watchdog', which is noted"
    assert one.coordination.records[RECORD].values == {"seen_ms": one.clock.ms}
    assert one.ledger.rows == {}


def test_alerts_beside_a_heartbeat_are_alerts() -> None:
    """The answer names the heartbeat by its place in the body."""
    one = world()
    answer = one.answer(post(group("DiskFull", "Watchdog")))
    assert answer.status == 202
    assert [alert["index"] for alert in answer.body["alerts"]] == [0]
    assert answer.body["ignored_members"] == [
        {"index": 1, "reason": "it is the heartbeat 'watchdog', which is noted"}
    ]
    assert [row.title for row in one.ledger.rows.values()] == ["DiskFull"]
    assert RECORD in one.coordination.records


def test_a_resolution_is_no_heartbeat() -> None:
    """A Watchdog that is resolved says that the sender's rules are broken: that is an alert."""
    one = world()
    answer = one.answer(post(group("Watchdog", status="resolved")))
    assert answer.status == 202
    assert RECORD not in one.coordination.records
    (row,) = one.ledger.rows.values()
    assert row.title == "[RESOLVED] Watchdog"


def test_the_alert_about_refused_members_is_no_heartbeat() -> None:
    """Its source is the format's name, by which a matcher may go; what was refused has to be seen."""
    about = HeartbeatSpec(
        name="greedy", match=Matcher(title="*could not be taken"), every_s=60, severity="HIGH"
    )
    one = World(heartbeats=(about,))
    whole = json.loads(group("DiskFull"))
    whole["alerts"].append("no object")
    answer = one.answer(post(json.dumps(whole).encode()))
    assert (answer.status, answer.body["refused_count"], len(one.ledger.rows)) == (202, 1, 2)


def test_a_fast_heartbeat_is_written_now_and_then() -> None:
    """One that comes each second is no hot item, in one process and in others of the region."""
    one = world()
    for _ in range(2 * HEARTBEAT_NOTE_S):
        one.answer(post(group("Watchdog")))
        one.clock.advance(1)
    assert one.coordination.records[RECORD].version == 2


def test_one_process_remembers_what_it_has_noted() -> None:
    """So a fast heartbeat does not even read."""
    heartbeats = world().noted
    heartbeats.note(["watchdog"])
    coordination = heartbeats.coordination
    assert isinstance(coordination, FakeCoordination)
    coordination.down = True
    heartbeats.note(["watchdog"])


def test_a_heartbeat_that_cannot_be_noted_is_asked_for_again() -> None:
    """The next may be a day away, so it is a promise like any other; alerts beside it are written before."""
    one = world()
    one.ledger.after = lambda operation: setattr(one.coordination, "down", operation == "create")
    answer = one.answer(post(group("DiskFull", "Watchdog")))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    (before,) = one.ledger.rows
    one.coordination.down = False
    answer = one.answer(post(group("DiskFull", "Watchdog")))
    assert answer.status == 202
    assert [alert["alert_id"] for alert in answer.body["alerts"]] == [before]
    assert RECORD in one.coordination.records


def test_a_malformed_record_is_written_over() -> None:
    """Else a heartbeat that comes would be missed until somebody deletes the record."""
    one = world()
    one.coordination.records[RECORD] = Record(version=MALFORMED, values={})
    assert one.answer(post(group("Watchdog"))).status == 200
    assert one.coordination.records[RECORD].values == {"seen_ms": one.clock.ms}


def test_the_alarm_topic_may_have_heartbeats_too() -> None:
    """There Lambda tries again what cannot be noted."""
    one = World(
        heartbeats=(HeartbeatSpec(name="job", match=Matcher(title="Job ran"), every_s=60, severity="HIGH"),)
    )
    message = AlarmMessage(topic_arn=TOPIC, message_id="m", text=body(title="Job ran").decode())
    one.alarms.take(message, until_ms=one.clock.ms + 4_000)
    assert one.coordination.records[heartbeat_record(REGION, "job")].values == {"seen_ms": one.clock.ms}
    assert one.ledger.rows == {}
    one.clock.advance(60)
    one.coordination.down = True
    with pytest.raises(LedgerUnavailableError):
        one.alarms.take(message, until_ms=one.clock.ms + 4_000)


def test_severity_of_the_heartbeat_decides_nothing_here() -> None:
    """A rule's own severity goes with the member, whatever it is; without a matcher's word it matches."""
    one = world()
    answer = one.answer(post(group("Watchdog", severity=Severity.CRITICAL)))
    assert answer.status == 200
