"""What people see, and that it stays inside Slack's limits whatever an alert says."""

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Analysis
from handlers.domain.delivery.messages import (
    follow_up_of,
    notification_of,
)
from handlers.domain.delivery.wording import HEADER_CHARS, MESSAGE_CHARS, SECTION_CHARS
from handlers.domain.text import inert
from tests.unit.handlers.builders import REGION, row
from topology.alerts import FollowUp, Status


def test_message_shows_what_on_call_needs() -> None:
    """Severity, source, region, time, the message, the analysis and its origin."""
    message = notification_of(row(status=Status.ANALYZED, host="h1", component="c1"))
    assert message.header == "HIGH: Queue is growing"
    fields = dict(message.fields)
    assert (fields["Severity"], fields["Source"], fields["Region"]) == ("HIGH", "billing", REGION)
    assert (fields["Accepted"], fields["Host"]) == ("2026-11-23T08:00:00.000Z", "h1")
    assert message.message == "depth 1200 on host a"
    assert message.analysis.text.splitlines() == [
        "The disk is full.",
        "Probable cause: Logs are not rotated.",
        "1. Delete old logs.",
        "2. Turn rotation on.",
        "Confidence: high",
    ]
    assert message.footer == "a1 · claude-test"


def test_unknown_severity_word_is_shown_as_it_was_sent() -> None:
    """Nobody has to guess what MEDIUM stands for."""
    fields = dict(notification_of(row(severity="urgent-ish")).fields)
    assert fields["Severity"] == "MEDIUM (sent as urgent-ish)"


def test_what_was_mended_or_left_out_is_shown() -> None:
    """People know that there is more, and what the sender did not say."""
    alert = replace(row(), mended=("its status is the group's", "NUL characters"), left_out=42)
    fields = dict(notification_of(alert).fields)
    assert fields["Mended"] == "its status is the group's; NUL characters"
    assert fields["Left out"] == "42 alerts of its group by the sender; look there"


def test_labels_are_shown() -> None:
    """What tells two alerts of one name apart, such as an alarm's metric, is there to be read."""
    fields = dict(notification_of(row(labels={"metric": "Errors", "FunctionName": "pay"})).fields)
    assert fields["Labels"] == "metric=Errors, FunctionName=pay"


def test_links_of_every_kind_have_words_of_our_own() -> None:
    """In one order; a row of the release before has the source's alone, and it is shown as ever."""
    every = {
        "silence": "https://a/s",
        "source": "https://a/x",
        "runbook": "https://a/r",
        "dashboard": "https://a/d",
    }
    assert notification_of(replace(row(), links=every)).links == (
        ("Open the source", "https://a/x"),
        ("Runbook", "https://a/r"),
        ("Dashboard", "https://a/d"),
        ("Silence", "https://a/s"),
    )
    old = replace(row(), link="https://a/x", links=None)
    assert notification_of(old).links == (("Open the source", "https://a/x"),)
    assert notification_of(row()).links == ()


def test_link_of_a_kind_that_a_later_release_has_costs_no_message() -> None:
    """It is left out: nobody here knows what to call it."""
    assert notification_of(replace(row(), links={"trace": "https://a/t"})).links == ()


def test_missing_analysis_says_why() -> None:
    """An alert without an analysis never looks as if there were nothing to say."""
    alert = replace(row(status=Status.ANALYZED), analysis=None, analysis_error="Claude answered 529")
    assert notification_of(alert).analysis.text == "No analysis: Claude answered 529"


def test_analysis_that_follows_is_announced() -> None:
    """A reader knows that there is more to come."""
    alert = replace(
        row(status=Status.ANALYZED),
        analysis=None,
        analysis_error="Claude answered 529",
        follow_up=FollowUp.WANTED,
    )
    expected = "No analysis yet: Claude answered 529. It follows when it can be had."
    assert notification_of(alert).analysis.text == expected


def test_cached_analysis_is_marked() -> None:
    """A reader can tell a reused analysis."""
    alert = row(status=Status.ANALYZED)
    assert alert.analysis is not None
    message = notification_of(replace(alert, analysis=replace(alert.analysis, cached=True)))
    assert message.footer == "a1 · cached analysis by claude-test"
    partial = replace(alert.analysis, cached=True, summary="", left_out=2)
    message = notification_of(replace(alert, analysis=partial))
    assert message.footer == "a1 · part of a cached analysis by claude-test: 2 of its statements do not fit"
    assert message.analysis.text.startswith("Probable cause: Logs are not rotated.")


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
    assert len(message.analysis.text) <= SECTION_CHARS
    total = len(message.header + message.message + message.analysis.text) + sum(
        len(v) for _, v in message.fields
    )
    assert total < MESSAGE_CHARS


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x1b", "\x07", "\u2066", "\ufeff", "\x00"])
def test_characters_that_hide_or_reorder_are_taken_out(hidden: str) -> None:
    """Nobody can make a message read as something else."""
    assert hidden not in inert(f"a{hidden}b")
    assert hidden not in notification_of(row(title=f"a{hidden}b")).header


def test_title_stays_on_one_line() -> None:
    """A title cannot imitate the lines below it."""
    assert notification_of(row(title="a\n\nRegion: x")).header == "HIGH: a Region: x"


def test_follow_up_brings_the_analysis_and_the_whole_message() -> None:
    """For a notifier that can edit, and for one that cannot."""
    alert = replace(row(status=Status.ANALYZED), slack_ref="C1/2.3", title="t" * 300)
    notice = follow_up_of(alert)
    assert (notice.alert_id, notice.refers_to) == ("a1", "C1/2.3")
    assert notice.header.startswith("Analysis of HIGH: tttt")
    assert len(notice.header) <= HEADER_CHARS
    assert notice.analysis == notice.whole.analysis == notification_of(alert).analysis
