"""The second way: whom it is for, when, what it says, and that it is gone once."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.limits import MAX_ESCALATED_PER_RUN, MAX_RECOVERED_PER_RUN
from handlers.domain.ports import EscalationError, LedgerUnavailableError
from handlers.domain.regions.escalations import PEER_GRACE_S, Escalations
from handlers.domain.regions.ownership import SharedOwnership
from handlers.domain.states import acknowledged, deferred, notified, parked, snoozed
from tests.unit.handlers.builders import LEASE_S, PEER, REGION, World, row
from topology.alerts import FaultState, Status
from topology.limits import SNS_MESSAGE_MAX_BYTES, SNS_SUBJECT_MAX_CHARS

AFTER_S = 900


@dataclass
class FakeEscalation:
    """`Escalation` that keeps what was published as (subject, text)."""

    published: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False

    def publish(self, subject: str, text: str) -> None:
        """See `Escalation`."""
        if self.down:
            raise EscalationError("down on purpose")
        assert len(subject) <= SNS_SUBJECT_MAX_CHARS
        assert subject.isprintable()
        assert subject.isascii()
        self.published.append((subject, text))


@dataclass
class Way:
    """The second way of two regions over one ledger."""

    world: World = field(default_factory=World)
    told: FakeEscalation = field(default_factory=FakeEscalation)

    def run(self, region: str = REGION) -> int:
        """One run of a region's."""
        return Escalations(
            ledger=self.world.ledger,
            ownership=SharedOwnership(owners=(REGION, PEER)),
            escalation=self.told,
            clock=self.world.clock,
            region=region,
            after_s=AFTER_S,
        ).run()

    def hold(self, alert: Alert) -> Alert:
        """Put a row into the ledger."""
        self.world.hold(alert)
        return alert

    def critical(self, alert_id: str = "a1", **fields: Any) -> Alert:
        """A CRITICAL alert accepted now, ANALYZED."""
        at_ms = self.world.clock.ms
        new = row(alert_id, status=Status.ANALYZED, severity="CRITICAL", at_ms=at_ms, **fields)
        return self.hold(replace(new, fault_key=alert_id * 9))

    def notified(self, alert_id: str = "a1", **fields: Any) -> Alert:
        """One that Slack has just taken."""
        alert = self.critical(alert_id, **fields)
        return self.hold(notified(alert, at_ms=self.world.clock.ms, escalate_after_s=AFTER_S))


def test_alert_that_nobody_acknowledged_goes_a_second_way_once() -> None:
    """After the configured time, with what to do; it leaves the index, and stays NOTIFIED."""
    way = Way()
    way.notified(title="Database is down")
    way.world.clock.advance(AFTER_S - 1)
    assert way.run() == 0
    way.world.clock.advance(1)
    assert (way.run(), way.run()) == (1, 0)
    ((subject, text),) = way.told.published
    assert subject == "CRITICAL, not acknowledged: Database is down"
    assert "responder alerts ack a1 --by NAME" in text
    assert "Logs are not rotated." in text
    stored = way.world.ledger.rows["a1"]
    assert (stored.status, stored.escalated_at, stored.open_key) == (
        Status.NOTIFIED,
        way.world.clock.s,
        None,
    )


def test_acknowledged_alert_goes_no_second_way_and_a_snoozed_one_later() -> None:
    """Also if it went there before."""
    way = Way()
    way.hold(acknowledged(way.notified("a1"), by="ann", at=1))
    way.hold(snoozed(way.notified("a2"), by="ann", until=way.world.clock.s + 2 * AFTER_S))
    way.world.clock.advance(AFTER_S)
    assert way.run() == 0
    way.world.clock.advance(AFTER_S)
    assert way.run() == 1
    assert "a2" in way.told.published[0][1]


def test_alert_whose_fault_was_resolved_goes_no_second_way() -> None:
    """Nor does a resolution; neither is looked at again."""
    way = Way()
    fired = way.notified("a1")
    later_ms = (fired.changed_at_ms or 0) + 60_000
    resolution = replace(way.notified("r1"), state=FaultState.RESOLVED, changed_at_ms=later_ms)
    way.hold(replace(resolution, fault_key=fired.fault_key))
    way.world.clock.advance(AFTER_S)
    assert way.run() == 0
    assert [alert.open_key for alert in way.world.ledger.rows.values()] == [None, None]
    assert [alert.escalated_at for alert in way.world.ledger.rows.values()] == [None, None]


def test_what_slack_has_not_taken_goes_a_second_way_once() -> None:
    """Also while it is deferred; once Slack takes it, it goes there no more."""
    way = Way()
    alert = way.critical()
    way.world.clock.advance(AFTER_S)
    now_s = way.world.clock.s
    way.hold(deferred(alert, not_before=now_s + 600, lease_s=LEASE_S, attempts=0))
    assert (way.run(), way.run()) == (1, 0)
    assert way.told.published[0][0].startswith("CRITICAL, not in Slack: ")
    stored = way.world.ledger.rows["a1"]
    assert notified(stored, at_ms=1, escalate_after_s=AFTER_S).escalate_at is None


def test_alert_that_goes_out_again_has_the_time_that_a_worker_has() -> None:
    """After a silence of days it is old, and on its way."""
    way = Way()
    alert = way.critical()
    way.world.clock.advance(86_400)
    way.hold(replace(alert, due_at=way.world.clock.s + LEASE_S))
    assert way.run() == 0
    way.world.clock.advance(LEASE_S)
    assert way.run() == 1


def test_parked_alert_goes_a_second_way_at_once() -> None:
    """Slack will take none of it, so there is nothing to wait for."""
    way = Way()
    way.hold(parked(way.critical(), reason="refused", due_at=way.world.clock.s + LEASE_S))
    assert (way.run(), way.run()) == (1, 0)
    assert "responder parked show a1" in way.told.published[0][1]
    assert way.world.ledger.rows["a1"].status is Status.PARKED


@pytest.mark.parametrize("running", [(PEER, REGION), (PEER,)])
def test_parked_alert_is_told_whichever_recovery_looks_at_its_repeats_first(running: tuple[str, ...]) -> None:
    """By the owner's region, or the other once that has not for the configured time."""
    way = Way()
    way.hold(parked(way.critical(), reason="refused", due_at=way.world.clock.s + LEASE_S))
    told = 0
    for _ in range((AFTER_S + PEER_GRACE_S) // 60 + 2):
        for region in running:
            told += way.run(region)
            way.world.recovery.run(until_ms=way.world.clock.ms + 40_000)
        way.world.clock.advance(60)
    assert told == 1


def test_parked_alert_is_told_however_many_others_are_parked_before_it() -> None:
    """Recovery moves no more of them in a run than are looked at before it."""
    way = Way()
    due_at = way.world.clock.s
    for number in range(MAX_RECOVERED_PER_RUN - 1):
        way.hold(parked(row(f"b{number}", severity="LOW"), reason="refused", due_at=due_at))
    way.hold(parked(way.critical(), reason="refused", due_at=due_at + 1))
    assert way.run() == 1


def test_only_critical_alerts_go_a_second_way() -> None:
    """However long the others wait."""
    way = Way()
    way.hold(row("a1", status=Status.ANALYZED, severity="HIGH"))
    way.world.clock.advance(86_400)
    assert way.run() == 0


def test_storm_is_told_in_one_message() -> None:
    """A bounded one, whatever is written in it; the next run tells of the others."""
    way = Way()
    for number in range(MAX_ESCALATED_PER_RUN + 1):
        way.notified(f"a{number}", title="\U0001f525" * 500, host="\U0001f525" * 500)
    rows = way.world.ledger.rows
    for alert in list(rows.values()):
        assert alert.analysis is not None
        way.hold(replace(alert, analysis=replace(alert.analysis, probable_cause="\U0001f525" * 500)))
    way.world.clock.advance(AFTER_S)
    assert [way.run() for _ in range(3)] == [MAX_ESCALATED_PER_RUN, 1, 0]
    (subject, text), _ = way.told.published
    count = MAX_ESCALATED_PER_RUN
    assert subject == f"{count} CRITICAL alerts: {count} not acknowledged, 0 not in Slack"
    assert len(text.encode()) < SNS_MESSAGE_MAX_BYTES


def test_other_region_tells_only_of_what_the_owner_has_not() -> None:
    """So that two regions do not call people twice; a lost one is stood in for."""
    way = Way()
    way.notified("a1")
    way.hold(parked(way.critical("a2"), reason="refused", due_at=way.world.clock.s + LEASE_S))
    way.world.clock.advance(AFTER_S + PEER_GRACE_S - 1)
    assert way.run(PEER) == 0
    way.world.clock.advance(1)
    assert (way.run(PEER), way.run(REGION)) == (2, 0)


@pytest.mark.parametrize("operation", ["overdue", "get_many", "replace", ""])
def test_failure_is_left_to_the_next_run(operation: str) -> None:
    """Whatever failed: people are told at least once, and Recovery's own run goes on."""
    way = Way()
    way.notified("a1")
    way.world.clock.advance(AFTER_S)

    def fail(called: str) -> None:
        if called == operation:
            raise LedgerUnavailableError("on purpose")

    way.world.ledger.before, way.told.down = fail, not operation
    way.run()
    way.world.ledger.before, way.told.down = lambda _: None, False
    assert (way.run(), way.run()) == (1, 0)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Caf\u00e9 \U0001f525 is \uff24\uff2f\uff37\uff2e", "Cafe is DOWN"),
        ("\U0001f525" * 98, "a1"),
        ("\u30c7\u30fc\u30bf\u30d9\u30fc\u30b9", "a1"),
        ("x" * 200, "x" * 68 + "..."),
        ("\ufdfa" * 50, "a1"),
        ("\U000e0041\u0085\u2028\x7fdisk\r\nfull", "disk full"),
    ],
)
def test_hostile_title_does_not_block_the_second_way(title: str, shown: str) -> None:
    """However SNS counts characters, and whatever it takes for a control character."""
    way = Way()
    way.notified(title=title)
    way.world.clock.advance(AFTER_S)
    assert way.run() == 1
    ((subject, _),) = way.told.published
    assert subject == f"CRITICAL, not acknowledged: {shown}"


@pytest.mark.parametrize(
    "title", ["\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44=hunter2secret", "p\u00e1ssword=hunter2secret"]
)
def test_subject_shows_no_secret_that_its_letters_would_make_known(title: str) -> None:
    """It is looked for again after letters were replaced."""
    way = Way()
    way.notified(title=title)
    way.world.clock.advance(AFTER_S)
    way.run()
    assert "hunter2secret" not in way.told.published[0][0]


def test_text_is_inert_and_without_secrets() -> None:
    """Subjects take no control characters, and mail is read by strangers too."""
    way = Way()
    way.notified(title="Line\nbreak \u202e password=hunter2secret", host="ops@example.org")
    way.world.clock.advance(AFTER_S)
    way.run()
    ((subject, text),) = way.told.published
    assert "hunter2secret" not in subject + text
    assert "\u202e" not in subject + text
    assert "ops@example.org" not in text
