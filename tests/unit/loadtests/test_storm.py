"""The storm's alerts, and how its figures and goals come out of what was recorded."""

from pathlib import Path

import pytest

from audit.ledger import LedgerRow
from audit.outcome import Audit
from clients.receipts import Receipt
from clients.sender import Tally
from emulator.protocol import SlackMessage
from loadtests.storm import Storm, StormPlan
from loadtests.storm_report import Latency, StormReport, make_report

BEGUN_MS, ENDED_MS = 1_000_000, 1_060_000
CLEAN = Audit(
    consistency="strong", accepted=3, notified=3, in_digests=2, suppressed=0, parked=0, digests=1,
    digests_verified=1, unaccounted=0, unreceipted=0, by_region={}, duplicates_by_cause={},
)  # fmt: skip


def row(alert_id: str, notified_at_ms: int, digest_id: str | None = None) -> LedgerRow:
    """A NOTIFIED row."""
    return LedgerRow(
        alert_id=alert_id, status="NOTIFIED", region="r", notified_at_ms=notified_at_ms, digest_id=digest_id
    )


def message(at_ms: int, *alert_ids: str, digests: tuple[tuple[str, int], ...] = ()) -> SlackMessage:
    """A message that Slack received."""
    return SlackMessage(
        received_at_ms=at_ms, channel="c", alert_ids=alert_ids, region="r", payload={}, digests=digests
    )


def report(*, critical_at_ms: int = 1_002_000, rested: bool = True, audit: Audit = CLEAN) -> StormReport:
    """A storm of three alerts: one CRITICAL by itself, two in a digest; one alert was warming up."""
    tally = Tally(posted=3)
    storm = Storm(StormPlan(), tally, frozenset({"c"}), BEGUN_MS, ENDED_MS, rested, {})
    return make_report(
        storm,
        receipts=[
            Receipt("warm", "RECEIVED", "r", 0, BEGUN_MS - 1),
            *(Receipt(i, "RECEIVED", "r", BEGUN_MS, BEGUN_MS + 1_000) for i in ("c", "m1", "m2")),
        ],
        rows=[
            row("warm", 999_999),
            row("c", critical_at_ms),
            row("m1", 1_070_000, "d1"),
            row("m2", 1_070_500, "d1"),
        ],
        messages=[
            message(999_999, "warm"),
            message(critical_at_ms, "c"),
            message(1_070_000, digests=(("d1", 2),)),
            message(1_080_000, "c"),
        ],
        audit=audit,
        slack_429s=4,
    )


def test_figures_are_from_the_first_message_about_each_alert_by_itself_or_in_a_digest() -> None:
    """What warmed the stack up counts for nothing, and a duplicate does not make an alert later."""
    found = report()
    assert (found.accepted, found.per_minute) == (3, 3.0)
    assert found.critical == Latency(1, 1.0, 1.0, 1.0)
    assert (found.ordinary.count, found.ordinary.max_s) == (2, 69.0)
    assert (found.messages, found.digests, found.in_digests, found.slack_429s) == (3, 1, 2, 4)
    assert found.at_rest_after_s == 10.5
    assert found.missed == ()


@pytest.mark.parametrize(
    ("found", "goal"),
    [
        (report(critical_at_ms=1_006_100), "CRITICAL p95"),
        (report(rested=False), "not all at rest"),
    ],
)
def test_a_missed_goal_is_named(found: StormReport, goal: str) -> None:
    """One line each."""
    assert any(goal in missed for missed in found.missed)


def test_a_critical_alert_at_the_goal_is_in_time() -> None:
    """The boundary belongs to what is good."""
    assert report(critical_at_ms=1_006_000).missed == ()


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    """For scripts."""
    report().write(tmp_path / "reports" / "storm.json")
    assert [one.name for one in (tmp_path / "reports").iterdir()] == ["storm.json"]


def test_no_latency_is_unknown_not_good() -> None:
    """Missing data is never healthy."""
    assert Latency.of([]).p95_s is None
    assert str(Latency.of([])) == "unknown"


def test_a_plan_lasts_as_long_as_it_says() -> None:
    """At its rate."""
    schedule = StormPlan(minutes=3, per_minute=1_000).schedule
    assert (schedule.count, schedule.seconds) == (3_000, 180)
