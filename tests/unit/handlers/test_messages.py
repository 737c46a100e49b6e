"""What people see, and that it stays inside Slack's limits whatever an alert says."""

import hashlib

import pytest
from msgspec.structs import replace

from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.messages import (
    HEADER_CHARS,
    SECTION_CHARS,
    digest_id_of,
    digest_of,
    follow_up_of,
    notification_of,
)
from handlers.domain.text import inert
from tests.fakes.machine import START_MS
from tests.unit.handlers.builders import REGION, row
from topology.alerts import FollowUp, Severity, Status


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
    assert notification_of(alert).analysis == "No analysis: Claude answered 529"


def test_analysis_that_follows_is_announced() -> None:
    """A reader knows that there is more to come."""
    alert = replace(
        row(status=Status.ANALYZED),
        analysis=None,
        analysis_error="Claude answered 529",
        follow_up=FollowUp.WANTED,
    )
    expected = "No analysis yet: Claude answered 529. It follows when it can be had."
    assert notification_of(alert).analysis == expected


def test_cached_analysis_is_marked() -> None:
    """A reader can tell a reused analysis."""
    alert = row(status=Status.ANALYZED)
    assert alert.analysis is not None
    message = notification_of(replace(alert, analysis=replace(alert.analysis, cached=True)))
    assert message.footer == "a1 · cached analysis by claude-test"
    partial = replace(alert.analysis, cached=True, summary="", left_out=2)
    message = notification_of(replace(alert, analysis=partial))
    assert message.footer == "a1 · part of a cached analysis by claude-test: 2 of its statements do not fit"
    assert message.analysis.startswith("Probable cause: Logs are not rotated.")


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


def some(count: int, severity: Severity, *, source: str = "billing", first: int = 0) -> list[Alert]:
    """So many alerts, each a second after the one before."""
    return [
        replace(row(f"{severity}-{number}", at_ms=START_MS + number * 1000, source=source), severity=severity)
        for number in range(first, first + count)
    ]


def test_digest_counts_by_severity_then_by_source() -> None:
    """The most severe first; the largest sources, and the rest as one, so that each adds up."""
    alerts = some(2, Severity.LOW) + some(1, Severity.HIGH)
    for number in range(6):
        alerts += some(1, Severity.INFO, source=f"s{number}", first=number)
    digest = digest_of(alerts)
    assert digest.alert_count == 9
    assert digest.header == "9 alerts at once, the worst HIGH"
    assert digest.counts == (
        ("HIGH", 1),
        ("LOW", 2),
        ("INFO", 6),
        ("from billing", 3),
        ("from s0", 1),
        ("from s1", 1),
        ("from s2", 1),
        ("from s3", 1),
        ("from other sources", 2),
    )


def test_digest_shows_the_most_severe_and_oldest_first() -> None:
    """Ten lines at most, each with the id to look it up by."""
    alerts = some(8, Severity.LOW) + some(4, Severity.HIGH)
    examples = digest_of(alerts[::-1]).examples
    assert len(examples) == 10
    assert examples[0] == "HIGH 2026-11-23T08:00:00.000Z billing: Queue is growing (HIGH-0)"
    assert [line.rpartition("(")[2] for line in examples[3:6]] == ["HIGH-3)", "LOW-0)", "LOW-1)"]


def test_digest_says_how_to_list_its_alerts() -> None:
    """The id that each row carries, and when they came."""
    digest = digest_of(some(3, Severity.LOW))
    assert digest.footer.startswith("accepted 2026-11-23T08:00:00.000Z to 2026-11-23T08:00:02.000Z")
    assert digest.footer.endswith(f"digest_id {digest.digest_id}")


def test_digest_of_one_reads_well() -> None:
    """The others may have gone another way meanwhile."""
    assert digest_of(some(1, Severity.LOW)).header == "1 alert at once, the worst LOW"


def test_digest_id_is_that_of_exactly_its_members() -> None:
    """Whatever their order; one more or less is another digest."""
    known = "d" + hashlib.sha256(b"a1\na2\nb").hexdigest()[:32]
    assert digest_id_of(["b", "a2", "a1"]) == known
    assert digest_id_of(["a1", "a2"]) != known
    assert digest_of([row("a2"), row("b"), row("a1")]).digest_id == known


def test_lines_of_a_digest_cannot_be_imitated() -> None:
    """A title stays on its line and hides nothing."""
    (line,) = digest_of([row(title="x\nCRITICAL \u202efake: y (a9)")]).examples
    assert "\n" not in line
    assert "\u202e" not in line
    assert line.endswith("(a1)")


def test_follow_up_brings_the_analysis_and_the_whole_message() -> None:
    """For a notifier that can edit, and for one that cannot."""
    alert = replace(row(status=Status.ANALYZED), slack_ref="C1/2.3", title="t" * 300)
    notice = follow_up_of(alert)
    assert (notice.alert_id, notice.refers_to) == ("a1", "C1/2.3")
    assert notice.header.startswith("Analysis of HIGH: tttt")
    assert len(notice.header) <= HEADER_CHARS
    assert notice.analysis == notice.whole.analysis == notification_of(alert).analysis
