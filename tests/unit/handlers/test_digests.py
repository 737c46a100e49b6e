"""Messages about many alerts: what an engineer on call reads of a storm, inside Slack's limits."""

import hashlib
import json
from typing import Any

import pytest
from msgspec.structs import replace

from emulator.stand_ins.block_kit import checked
from handlers.adapters.slack.blocks import payload_of, plain_payload_of
from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.digests import Group, digest_id_of, digest_of
from handlers.domain.delivery.messages import Message, follow_up_of, notification_of
from handlers.domain.delivery.wording import MESSAGE_CHARS
from handlers.domain.incident import IncidentView
from handlers.domain.limits import (
    MAX_ACTIONS,
    MAX_ANALYSIS_TEXT_CHARS,
    MAX_DIGEST_ALERTS,
    MAX_DIGEST_FAULTS,
)
from tests.fakes.machine import START_MS
from tests.unit.handlers.builders import one_each, row
from topology.alerts import FaultState, Severity, Status


def some(count: int, severity: Severity, *, source: str = "billing", first: int = 0) -> list[Alert]:
    """So many alerts, each a second after the one before."""
    return [
        replace(
            row(
                f"{severity}-{number}",
                at_ms=START_MS + number * 1000,
                source=source,
                status=Status.ANALYZED,
            ),
            severity=severity,
        )
        for number in range(first, first + count)
    ]


def fault(number: int, **fields: Any) -> Alert:
    """An alert of a fault of its own on a host of its own, each a second after the one before."""
    (alert,) = some(1, Severity.HIGH, first=number)
    keyed = replace(alert, host=f"db-{number}", fault_key=f"f{number}", state=FaultState.FIRING)
    return replace(keyed, **fields)


def resolution_of(alert: Alert, *, after_ms: int) -> Alert:
    """What tells that its fault is over."""
    ms = alert.accepted_at_ms + after_ms
    return replace(
        alert,
        alert_id=f"r-{alert.alert_id}",
        state=FaultState.RESOLVED,
        accepted_at_ms=ms,
        changed_at_ms=ms,
        analysis=None,
        analysis_error="it tells of a fault that is over",
    )


def incident(
    *alerts: Alert, head: Alert | None = None, resolved: int = 0, more: bool = False
) -> IncidentView:
    """What the rows of these alerts say."""
    return IncidentView(
        incident_id="i1",
        count=len(alerts),
        more=more,
        hosts=tuple(dict.fromkeys(alert.host for alert in alerts if alert.host)),
        first_ms=min(alert.accepted_at_ms for alert in alerts),
        last_ms=max(alert.accepted_at_ms for alert in alerts),
        faults=len({alert.fault_key for alert in alerts}),
        resolved=resolved,
        head=head,
    )


def shown(message: Message) -> list[str]:
    """The lines that Slack shows of it; it takes the message."""
    payload = checked(json.dumps(payload_of(message)).encode())
    texts = [
        element["text"]
        for block in payload["blocks"]
        for element in (block.get("text"), *block.get("fields", ()), *block.get("elements", ()))
        if element and element["type"] == "plain_text"
    ]
    assert sum(map(len, texts)) <= MESSAGE_CHARS
    return [line for text in texts for line in text.splitlines()]


def test_digest_counts_by_severity_then_by_source() -> None:
    """The most severe first; the largest sources, and the rest as one, so that each adds up."""
    alerts = some(2, Severity.LOW) + some(1, Severity.HIGH)
    for number in range(6):
        alerts += some(1, Severity.INFO, source=f"s{number}", first=number)
    digest = digest_of(one_each(alerts))
    assert (digest.alert_count, digest.header) == (9, "9 alerts of 9 faults, the worst HIGH")
    assert digest.summary.splitlines() == [
        "1 HIGH, 2 LOW, 6 INFO",
        "from billing (3), s0 (1), s1 (1), s2 (1), s3 (1), other sources (2)",
    ]


def test_few_faults_are_shown_with_their_whole_analyses() -> None:
    """The most severe and oldest first: what it is, where, why, and what to do."""
    storm = [fault(number) for number in range(5)]
    digest = digest_of(
        [
            Group(alerts=tuple(storm[1:]), view=incident(*storm, head=storm[0])),
            *one_each(some(1, Severity.INFO)),
        ],
        edits=True,
    )
    first, second = digest.sections
    assert first.header == "HIGH · 5 alerts · 5 hosts · Queue is growing"
    assert first.text.splitlines() == [
        "Hosts: db-0, db-1, db-2, db-3, db-4",
        "Analysis of HIGH-0, host db-0:",
        "The disk is full.",
        "Probable cause: Logs are not rotated.",
        "1. Delete old logs.",
        "2. Turn rotation on.",
        "Confidence: high",
    ]
    assert (second.header, second.analysis_of) == ("INFO · Queue is growing", "INFO-0")
    assert digest.thread == ()
    assert "2. Turn rotation on." in shown(digest)


def test_incident_of_which_nothing_else_is_known_is_shown_by_its_alerts() -> None:
    """How many the message tells of, and their hosts."""
    group = Group(alerts=tuple(fault(number) for number in range(3)))
    section = digest_of([group, *one_each(some(1, Severity.INFO))]).sections[0]
    assert section.header == "HIGH · 3 alerts · 3 hosts · Queue is growing"
    assert section.text.startswith("Hosts: db-0, db-1, db-2\nAnalysis of HIGH-0, host db-0:\n")


def test_many_faults_are_shown_with_a_cause_each() -> None:
    """And with the id of the alert that it is the cause of; the whole analyses are in the thread."""
    digest = digest_of(one_each([fault(number) for number in range(MAX_DIGEST_FAULTS)]), edits=True)
    assert digest.sections[3].text.splitlines() == [
        "HIGH · Queue is growing",
        "Logs are not rotated.",
        "analysis of HIGH-3, host db-3",
    ]
    assert [section.analysis_of for section in digest.sections] == [
        f"HIGH-{number}" for number in range(MAX_DIGEST_FAULTS)
    ]
    assert [section.analysis_of for reply in digest.thread for section in reply.sections] == [
        section.analysis_of for section in digest.sections
    ]
    assert all("2. Turn rotation on." in shown(reply) for reply in digest.thread)
    assert digest_of(one_each([fault(number) for number in range(40)])).thread == ()


LONG = Analysis(
    summary="s" * MAX_ANALYSIS_TEXT_CHARS,
    probable_cause="The volume of the write-ahead log is full. " * 46,
    actions=("a" * MAX_ANALYSIS_TEXT_CHARS,) * MAX_ACTIONS,
    confidence="low",
    model="claude-test",
)


@pytest.mark.parametrize("number", [1, 2, 8, 9, MAX_DIGEST_FAULTS, MAX_DIGEST_ALERTS])
def test_the_largest_digest_keeps_slacks_limits_and_each_cause_is_readable(number: int) -> None:
    """With the longest and most hostile of everything; what there is no room for is in the thread."""
    hostile = "<!channel> \u202e" * 40
    alerts = [
        fault(
            index,
            alert_id=f"a{index:032}",
            title=hostile[:500],
            source=f"{index}{hostile}"[:256],
            host=f"{index}{hostile}"[:256],
            message=hostile * 30,
            analysis=LONG,
        )
        for index in range(number)
    ]
    hosts = [fault(index, host=f"{index}{hostile}"[:256]) for index in range(300)]
    groups = [Group(alerts=(alert,), view=incident(alert, *hosts, head=alert, more=True)) for alert in alerts]
    digest = digest_of(groups, edits=True)
    lines = shown(digest)
    causes = [line for line in lines if "The volume of the write-ahead" in line]
    assert len(causes) == min(number, MAX_DIGEST_FAULTS)
    assert not any("\u202e" in line for line in lines)
    assert ("60 more faults, none of them worse: look in the ledger" in lines) == (number == 100)
    replies = [section.analysis_of for reply in digest.thread for section in reply.sections]
    assert replies == ([] if number == 1 else [alert.alert_id for alert in alerts])
    assert all(len(shown(reply)) > 3 for reply in digest.thread)
    assert len(plain_payload_of(digest)["text"]) < 21_000


def test_lines_of_a_digest_cannot_be_imitated() -> None:
    """A title stays on its line and hides nothing."""
    hostile = replace(row(title="x\nCRITICAL \u202efake: y (a9)"), severity=Severity.LOW)
    digest = digest_of(one_each([row("a2"), hostile]))
    assert digest.sections[1].header == "LOW · x CRITICAL fake: y (a9)"


def test_digest_takes_out_secrets_before_it_cuts() -> None:
    """In titles, hosts and causes, in full and in short."""
    secret = "AKIAIOSFODNN7EXAMPLE"
    leaking = replace(LONG, probable_cause=f"{'x' * 60} {secret} was used")
    alerts = [fault(n, title=f"key {secret}", host=secret, analysis=leaking) for n in range(12)]
    for number in (1, 4, 12):
        groups = [Group(alerts=(alert,), view=incident(*alerts, head=alert)) for alert in alerts[:number]]
        digest = digest_of(groups, edits=True)
        assert "AKIA" not in json.dumps([payload_of(message) for message in (digest, *digest.thread)])


def test_fault_without_an_analysis_says_why() -> None:
    """And is not marked as if it had one; that of another alert of the incident is shown as that one's."""
    bare = [fault(number, analysis=None, analysis_error="Claude answered 529") for number in range(12)]
    short = digest_of(one_each(bare)).sections[0]
    assert short.text.splitlines()[1:] == ["No analysis: Claude answered 529", "HIGH-0, host db-0"]
    assert short.analysis_of is None
    group = Group(alerts=(bare[1], fault(2)), view=incident(bare[0], bare[1], fault(2), head=bare[0]))
    whole = digest_of([group]).whole
    assert whole is not None
    assert (whole.alert_id, whole.analysis.analysis_of) == ("HIGH-0", "HIGH-2")
    assert whole.analysis.text.startswith("Analysis of HIGH-2, host db-2:\n")


def test_digest_of_one_incident_shows_what_became_of_it() -> None:
    """The head's message and analysis, the count, hosts, times and faults, and the alerts it tells of."""
    storm = [fault(number) for number in range(8)]
    digest = digest_of([Group(alerts=tuple(storm[1:]), view=incident(*storm, head=storm[0], resolved=2))])
    assert digest.header == "HIGH: 2 of 8 faults resolved · 8 alerts · 8 hosts · Queue is growing"
    lines = shown(digest)
    assert lines[1:4] == [
        "Incident: 8 alerts of 8 faults, 2 of 8 faults resolved",
        "Seen: 2026-11-23 08:00:00 to 2026-11-23 08:00:07 UTC",
        "Hosts: db-0, db-1, db-2, db-3, db-4, db-5, db-6, db-7",
    ]
    assert {"depth 1200 on host a", "Analysis of HIGH-0, host db-0:", "1. Delete old logs."} <= set(lines)
    told = lines.index("Told here: 7 alerts")
    assert lines[told + 1] == "HIGH 2026-11-23T08:00:01.000Z db-1: Queue is growing (HIGH-1)"
    assert lines[told + 6] == "and 2 more"
    assert digest.digest_id == digest_id_of(alert.alert_id for alert in storm[1:])


def test_incident_of_which_not_all_was_counted_says_at_least() -> None:
    """Nobody is told a number that is too small."""
    storm = [fault(0), fault(1)]
    digest = digest_of([Group(alerts=(storm[1],), view=incident(*storm, head=storm[0], more=True))])
    assert "Incident: at least 2 alerts of 2 faults" in shown(digest)


def test_incident_that_closes_says_so() -> None:
    """In its first line: all faults, or its one."""
    fired = [fault(0), fault(1)]
    over = tuple(resolution_of(alert, after_ms=60_000) for alert in fired)
    closed = digest_of([Group(alerts=over, view=incident(*fired, *over, head=fired[0], resolved=2))])
    assert closed.header == "HIGH: resolved: all 2 faults · 4 alerts · 2 hosts · Queue is growing"
    assert "Incident: 4 alerts of 2 faults, resolved: all 2 faults" in shown(closed)
    assert any(line.startswith("HIGH resolved 2026-") for line in shown(closed))
    one = incident(fired[0], over[0], head=fired[0], resolved=1)
    assert digest_of([Group(alerts=over[:1], view=one)]).header.startswith("HIGH: resolved · 2 alerts · ")


@pytest.mark.parametrize(
    ("after_ms", "span"),
    [
        (0, "0 s"),
        (8_000, "8 s"),
        (119_999, "119 s"),
        (120_000, "2 min"),
        (7_200_000, "2 h"),
        (172_800_000, "2 days"),
    ],
)
def test_pair_that_fired_and_was_resolved_is_one_message(after_ms: int, span: str) -> None:
    """Whether it stands alone or in a digest by fault."""
    fired = fault(0)
    pair = (fired, resolution_of(fired, after_ms=after_ms))
    group = Group(alerts=pair, view=incident(*pair, head=fired, resolved=1))
    assert digest_of([group]).header == f"HIGH: fired, resolved after {span} · 2 alerts · Queue is growing"
    by_fault = digest_of([group, *one_each([fault(3)])])
    assert by_fault.sections[0].header == f"HIGH · fired, resolved after {span} · 2 alerts · Queue is growing"


def test_pair_that_fires_again_is_not_said_to_be_resolved() -> None:
    """The incident knows of an alert that the message does not tell of."""
    fired = fault(0)
    pair = (fired, resolution_of(fired, after_ms=8_000))
    view = incident(*pair, fault(1, fault_key="f0"), head=fired, resolved=0)
    assert "resolved" not in digest_of([Group(alerts=pair, view=view)]).header


def test_digest_of_one_incident_takes_the_place_of_its_heads_message() -> None:
    """Where there is a bot; not if a lead is among its alerts, since nobody is told of an edit."""
    head = fault(0, slack_ref="C1/2.3", lead=True)
    view = incident(head, fault(1), head=head)
    held = Group(alerts=(fault(1),), view=view)
    assert digest_of([held], edits=True).refers_to == "C1/2.3"
    assert digest_of([held], edits=False).refers_to is None
    assert digest_of([Group(alerts=(fault(1, lead=True),), view=view)], edits=True).refers_to is None
    assert digest_of([held, *one_each([fault(2)])], edits=True).refers_to is None
    over = Group(alerts=held.alerts, view=replace(view, resolved=view.faults))
    assert digest_of([over], edits=True).refers_to is None
    unread = Group(alerts=(fault(1),), view=incident(fault(1)))
    assert digest_of([unread], edits=True).refers_to is None


def test_message_of_one_alert_says_what_its_incident_came_to() -> None:
    """So does its follow-up, posted or edited; of an incident of one alert there is no more to say."""
    alerts = [fault(0), fault(1)]
    expected = "Incident: 2 alerts of 2 faults"
    notice = follow_up_of(alerts[0], view=incident(*alerts))
    for message in (notification_of(alerts[0], view=incident(*alerts)), notice, notice.whole):
        assert shown(message)[1] == expected
    assert notification_of(alerts[0], view=incident(alerts[0])).incident == ""
    closed = notification_of(resolution_of(alerts[0], after_ms=1), view=incident(alerts[0], resolved=1))
    assert closed.incident.startswith("Incident: 1 alert of 1 fault, resolved\n")


def test_digest_says_how_to_list_its_alerts() -> None:
    """The id that each row carries, and when they came."""
    digest = digest_of(one_each(some(3, Severity.LOW)))
    assert digest.footer.startswith("accepted 2026-11-23T08:00:00.000Z to 2026-11-23T08:00:02.000Z")
    assert digest.footer.endswith(f"digest_id {digest.digest_id}")


def test_digest_of_one_reads_well() -> None:
    """The others may have gone another way meanwhile."""
    assert digest_of(one_each(some(1, Severity.LOW))).header == "LOW: Queue is growing"


def test_digest_id_is_that_of_exactly_its_members() -> None:
    """Whatever their order; one more or less is another digest."""
    known = "d" + hashlib.sha256(b"a1\na2\nb").hexdigest()[:32]
    assert digest_id_of(["b", "a2", "a1"]) == known
    assert digest_id_of(["a1", "a2"]) != known
    assert digest_of(one_each([row("a2"), row("b"), row("a1")])).digest_id == known
