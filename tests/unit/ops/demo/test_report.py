"""The demo's report: counted from independent records, and whole on disk."""

import io
import json
import re
from pathlib import Path

from rich.console import Console

from audit.ledger import LedgerRow
from audit.outcome import Audit
from audit.shown import Shown
from clients.receipts import Receipt
from clients.sender import Tally
from clients.streams import read_stream
from emulator.protocol import SlackMessage
from ops.demo.report import DemoReport, make_report
from ops.demo.slack_view import view

EAST, WEST = "us-east-1", "us-west-2"


def message(alert_id: str, region: str, at_ms: int) -> SlackMessage:
    """A Slack message of one alert."""
    return SlackMessage(received_at_ms=at_ms, channel="c", alert_ids=(alert_id,), region=region, payload={})


def report(
    unaccounted: dict[str, str] | None = None, *, shown: int = 3, notified: int = 3, escalated: int = 0
) -> DemoReport:
    """Two alerts accepted by the primary, one of them by the failover, twice; a third in a digest."""
    without = {f"a{number}": f"it took {number} s" for number in range(notified - shown)}
    outcome = Audit(
        consistency="strong", accepted=3, notified=3, in_digests=1, suppressed=0, parked=0, digests=1,
        digests_verified=1, unaccounted=len(unaccounted or {}), problems=unaccounted or {}, unreceipted=0,
        by_region={}, duplicates_by_cause={"outcome_unknown": 1, "unexplained": 0},
        escalated=escalated,
    )  # fmt: skip
    digest = SlackMessage(
        received_at_ms=6_000, channel="c", alert_ids=(), digests=(("d1", 1),), region=EAST, payload={}
    )
    return make_report(
        outcome=outcome,
        receipts=[
            Receipt("a1", "RECEIVED", EAST, 1_000, 1_050),
            Receipt("a2", "RECEIVED", EAST, 2_000, 2_050),
            Receipt("a3", "RECEIVED", EAST, 2_000, 2_050),
        ],
        ledger=[LedgerRow(alert_id="a3", status="NOTIFIED", region=EAST, digest_id="d1")],
        messages=[
            message("a1", EAST, 1_500), message("a2", WEST, 12_000), message("a2", WEST, 13_000), digest,
        ],
        shown=Shown(notified=notified, with_analysis=shown, without=without),
        roles={EAST: "primary", WEST: "failover"},
        deploy_s=1.234,
        total_s=60,
        tally=Tally(),
    )  # fmt: skip


def test_latency_is_from_the_senders_clock_to_slacks_first_message() -> None:
    """Neither clock is the pipeline's; a duplicate does not count as a delivery."""
    found = report()
    assert (found.alert_to_slack_p50_ms, found.slowest_alert_s) == (4_000.0, 10.0)


def test_demo_that_tells_too_few_why_has_not_passed() -> None:
    """95 of 100 are enough, 94 are not; the table says how many, the JSON names the others."""
    enough, too_few = (report(shown=shown, notified=100) for shown in (95, 94))
    assert (enough.passed, too_few.passed) == (True, False)
    assert (too_few.shown_with_analysis, too_few.shown_with_analysis_percent) == (94, 94.0)
    assert len(too_few.not_shown_ids) == 6
    out = io.StringIO()
    Console(file=out, width=100).print(too_few.table())
    assert "94 (94.0 %)" in out.getvalue()
    assert re.search(r"not shown: it took … s +│ 6 ", out.getvalue())


def test_what_people_did_is_shown_where_somebody_did() -> None:
    """By the audit's words, and in the JSON."""
    assert report(escalated=2).by_people == {"told a second way": 2}
    shown = []
    for found in (report(escalated=2), report()):
        out = io.StringIO()
        Console(file=out, width=100).print(found.table())
        shown.append(out.getvalue())
    assert re.search(r"told a second way +│ 2 ", shown[0])
    assert not re.search("second way|silenced|acknowledged|synthetic", shown[1])


def test_a_region_shows_what_it_took_over() -> None:
    """Delivered there, accepted elsewhere: what failing over means."""
    east, west = report().regions
    assert (east.accepted, east.delivered, east.taken_over) == (3, 2, 0)
    assert (west.accepted, west.delivered, west.taken_over) == (0, 2, 2)


def test_the_json_has_the_agreed_fields_and_replaces_an_older_one(tmp_path: Path) -> None:
    """Scripts read these names."""
    path = tmp_path / "reports" / "demo.json"
    report().write(path)
    report({"a2": "not at rest: RECEIVED"}).write(path)
    written = json.loads(path.read_text())
    assert {
        "accepted", "notified", "suppressed", "parked", "unaccounted", "duplicates", "deploy_s",
        "alert_to_slack_p50_ms", "alert_to_slack_p95_ms", "regions", "in_digests", "duplicates_by_cause",
        "shown_with_analysis", "shown_with_analysis_percent", "not_shown_ids",
    } <= written.keys()  # fmt: skip
    assert written["unaccounted"] == 1
    assert [p.name for p in path.parent.iterdir()] == ["demo.json"]


def test_the_shipped_stream_has_bursts_repeats_and_both_formats() -> None:
    """The demo needs at least 200 alerts, some of them suppressed, and a burst for the region to die in."""
    posts = read_stream()
    alerts = sum(len(post.body.get("alerts", [None])) for post in posts)
    bodies = [json.dumps(post.body, sort_keys=True) for post in posts]
    assert alerts >= 300
    assert len(set(bodies)) < len(bodies)
    assert {"alerts" in post.body for post in posts} == {True, False}
    assert [post.at_s for post in posts] == sorted(post.at_s for post in posts)
    half = len(posts) // 2
    assert posts[half - 1].at_s - posts[half - 21].at_s < 1.0


def test_a_slack_message_is_shown_as_slack_shows_it() -> None:
    """Escaped characters are themselves again, and hostile markup does nothing on the terminal either."""
    payload = {
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": "CRITICAL: [red]db[/red] &lt;down&gt;"},
            },
            {"type": "section", "text": {"type": "plain_text", "text": "what\x1b[2J happened"}},
        ]
    }
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(view(payload, channel="#c"))
    shown = console.export_text()
    assert "CRITICAL: [red]db[/red] <down>" in shown
    assert "what?[2J happened" in shown
