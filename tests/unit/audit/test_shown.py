"""Counting by id who was told why: what is no analysis, or another's, is not counted as one."""

from typing import Any

import pytest

from audit.shown import AnalysedRow, shown_of
from emulator.protocol import SlackMessage

CAUSE = "The log volume is full because rotation was turned off by the last release."


def analysed(alert_id: str, said: str = CAUSE, **fields: Any) -> AnalysedRow:
    """A notified row whose model found a cause."""
    return AnalysedRow(
        **{"alert_id": alert_id, "status": "NOTIFIED", "said": (said, "", "Turn it on.")} | fields
    )


def block(text: str, mark: str | None = None) -> dict[str, Any]:
    """A section."""
    return {"type": "section", "text": {"type": "plain_text", "text": text}, "block_id": mark}


def post(*blocks: dict[str, Any], ts: str = "1.0", thread_ts: str = "", **marks: Any) -> SlackMessage:
    """A message or edit with these blocks."""
    return SlackMessage(
        received_at_ms=1,
        channel="c",
        region="r",
        ts=ts,
        thread_ts=thread_ts,
        payload={"blocks": list(blocks)},
        **{"alert_ids": (), **marks},
    )


def told(*messages: SlackMessage, rows: list[AnalysedRow]) -> tuple[str, ...]:
    """The ids of those that were not told with an analysis."""
    shown = shown_of(messages, rows)
    assert shown.with_analysis == shown.notified - len(shown.without)
    return tuple(sorted(shown.without))


def test_message_with_its_analysis_is_counted() -> None:
    """By its cause or any other of its texts, however it is broken into lines."""
    for text in (CAUSE, f"Disk full\n{CAUSE.replace(' ', chr(10))}", "1. Turn it on."):
        assert told(post(block(text, "analysis:a1"), alert_ids=("a1",)), rows=[analysed("a1")]) == ()


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [block("No analysis: Claude answered 529")],
        [block("No analysis: Claude answered 529", "analysis:a1")],
        [block(CAUSE)],
        [block(CAUSE, "analysis:a2")],
        [block(CAUSE[:20], "analysis:a1")],
    ],
    ids=["empty", "none", "none that is marked", "unmarked", "another's", "cut to nothing"],
)
def test_message_without_its_analysis_is_not_counted(blocks: list[dict[str, Any]]) -> None:
    """Neither a mark nor a text alone is believed."""
    rows = [analysed("a1"), analysed("a2", status="SUPPRESSED")]
    assert told(post(*blocks, alert_ids=("a1",)), rows=rows) == ("a1",)


def test_alert_whose_message_never_came_is_not_counted() -> None:
    """Though another message shows the analysis; and a row without an analysis has none to show."""
    rows = [analysed("a1"), analysed("a2", said=""), analysed("a3", digest_id="d1")]
    messages = [
        post(block(CAUSE, "analysis:a1"), alert_ids=("a9",)),
        post(block("", "analysis:a2"), alert_ids=("a2",)),
    ]
    assert told(*messages, rows=rows) == ("a1", "a2", "a3")


def test_member_of_a_digest_is_counted_by_the_analysis_of_its_incident() -> None:
    """And not by that of another incident, which the digest shows too."""
    rows = [
        analysed("a1", incident_id="i1"),
        analysed("a2", said="", incident_id="i1", digest_id="d1"),
        analysed("a3", said="", incident_id="i2", digest_id="d1"),
        analysed("a4", said="", digest_id="d1"),
    ]
    head = post(block(CAUSE, "analysis:a1"), alert_ids=("a1",))
    digest = post(block(f"Analysis of a1: {CAUSE}", "analysis:a1"), digests=(("d1", 3),))
    assert told(head, digest, rows=rows) == ("a3", "a4")


def test_analysis_in_an_edit_or_in_the_thread_is_counted() -> None:
    """Where people find it who read the message; not in the thread of another one."""
    rows = [analysed("a1"), analysed("a2", digest_id="d2"), analysed("a3", digest_id="d3")]
    messages = [
        post(block("No analysis yet"), ts="1.0", alert_ids=("a1",)),
        post(block(CAUSE, "analysis:a1"), ts="1.0", follow_ups=("a1",), edited=True),
        post(ts="2.0", digests=(("d2", 1),)),
        post(block(CAUSE, "analysis:a2"), ts="2.1", thread_ts="2.0"),
        post(ts="3.0", digests=(("d3", 1),)),
        post(block(CAUSE, "analysis:a3"), ts="2.2", thread_ts="2.0"),
    ]
    assert told(*messages, rows=rows) == ("a3",)


def test_plain_text_is_counted_by_what_it_says() -> None:
    """It went out without a layout, and so without marks of its parts."""
    rows = [analysed("a1"), analysed("a2")]
    messages = [
        SlackMessage(
            received_at_ms=1, channel="c", region="r", alert_ids=("a1",), payload={"text": f"x\n{CAUSE}"}
        ),
        SlackMessage(
            received_at_ms=1, channel="c", region="r", alert_ids=("a2",), payload={"text": "No analysis"}
        ),
    ]
    assert told(*messages, rows=rows) == ("a2",)


def test_percentage_is_of_the_notified_alerts_that_were_asked_for() -> None:
    """Others have another figure; of none there is none."""
    rows = [analysed("a1"), analysed("a2"), analysed("a3", status="PARKED"), analysed("b1")]
    messages = [post(block(CAUSE, "analysis:a1"), alert_ids=("a1",))]
    shown = shown_of(messages, rows, ids={"a1", "a2", "a3"})
    assert (shown.notified, shown.with_analysis, shown.percent) == (2, 1, 50.0)
    assert shown.without == {"a2": "no message that tells of it shows its analysis"}
    assert shown_of(messages, rows, ids=()).percent is None


def test_row_says_why_there_is_no_analysis_to_show() -> None:
    """Where it knows."""
    row = AnalysedRow(alert_id="a1", status="NOTIFIED", analysis_error="Claude answered 529")
    assert shown_of([], [row]).without == {"a1": "Claude answered 529"}
