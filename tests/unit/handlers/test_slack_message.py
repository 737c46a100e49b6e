"""What people see, and that it stays inside Slack's limits whatever an alert says."""

from dataclasses import replace

import pytest

from handlers.domain.alert import Analysis, Status
from handlers.domain.slack_message import HEADER_CHARS, SECTION_CHARS, inert, notification_of
from tests.unit.handlers.builders import REGION, row


def test_message_shows_what_on_call_needs() -> None:
    """Severity, source, region, time, the message, the analysis and its origin."""
    message = notification_of(row(status=Status.ANALYZED, host="h1", component="c1"))
    assert message.header == "HIGH: Queue is growing"
    fields = dict(message.fields)
    assert (fields["Severity"], fields["Source"], fields["Region"]) == ("HIGH", "billing", REGION)
    assert (fields["Accepted"], fields["Host"]) == ("2026-11-23T08:00:00.000Z", "h1")
    assert message.message == "depth 1200 on host a"
    assert message.analysis.splitlines() == [
        "The disk is full.",
        "Probable cause: Logs are not rotated.",
        "1. Delete old logs.",
        "2. Turn rotation on.",
        "Confidence: high",
    ]
    assert message.footer == "a1 · claude-test"


def test_missing_analysis_says_why() -> None:
    """An alert without an analysis never looks as if there were nothing to say."""
    alert = replace(row(status=Status.ANALYZED), analysis=None, analysis_error="Claude answered 529")
    assert notification_of(alert).analysis == "No analysis: Claude answered 529"


def test_cached_analysis_is_marked() -> None:
    """A reader can tell a reused analysis."""
    alert = row(status=Status.ANALYZED)
    assert alert.analysis is not None
    message = notification_of(replace(alert, analysis=replace(alert.analysis, cached=True)))
    assert "cached analysis by claude-test" in message.footer


def test_texts_are_cut_to_slacks_limits() -> None:
    """The longest alert and analysis still make a message that Slack takes."""
    long = "w " * 20_000
    analysis = Analysis(summary=long, probable_cause=long, actions=(long,) * 8, confidence="low", model="m")
    alert = replace(
        row(status=Status.ANALYZED), title=long, message=long, source=long, host=long, analysis=analysis
    )
    message = notification_of(alert)
    assert len(message.header) <= HEADER_CHARS
    assert len(message.message) <= SECTION_CHARS
    assert len(message.analysis) <= SECTION_CHARS
    total = len(message.header + message.message + message.analysis) + sum(len(v) for _, v in message.fields)
    assert total < 13_000


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x1b", "\x07", "\u2066", "\ufeff", "\x00"])
def test_characters_that_hide_or_reorder_are_taken_out(hidden: str) -> None:
    """Nobody can make a message read as something else."""
    assert hidden not in inert(f"a{hidden}b")
    assert hidden not in notification_of(row(title=f"a{hidden}b")).header


def test_title_stays_on_one_line() -> None:
    """A title cannot imitate the lines below it."""
    assert notification_of(row(title="a\n\nRegion: x")).header == "HIGH: a Region: x"
