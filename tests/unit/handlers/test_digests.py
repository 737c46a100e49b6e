"""Messages about many alerts: what an engineer on call reads of a storm, inside Slack's limits."""

import hashlib

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.digests import digest_id_of, digest_of
from tests.fakes.machine import START_MS
from tests.unit.handlers.builders import one_each, row
from topology.alerts import Severity, Status


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


def test_digest_counts_by_severity_then_by_source() -> None:
    """The most severe first; the largest sources, and the rest as one, so that each adds up."""
    alerts = some(2, Severity.LOW) + some(1, Severity.HIGH)
    for number in range(6):
        alerts += some(1, Severity.INFO, source=f"s{number}", first=number)
    digest = digest_of(one_each(alerts))
    assert digest.alert_count == 9
    assert digest.header == "9 alerts of 9 faults, the worst HIGH"
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
    """A section a fault, each with its cause and the id to look it up by."""
    alerts = some(8, Severity.LOW) + some(4, Severity.HIGH)
    sections = digest_of(one_each(alerts[::-1])).sections
    assert [section.analysis_of for section in sections[3:6]] == ["HIGH-3", "LOW-0", "LOW-1"]
    assert sections[0].text.splitlines() == [
        "HIGH · Queue is growing",
        "Analysis of HIGH-0: Logs are not rotated.",
    ]


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


def test_lines_of_a_digest_cannot_be_imitated() -> None:
    """A title stays on its line and hides nothing."""
    hostile = replace(row(title="x\nCRITICAL \u202efake: y (a9)"), severity=Severity.LOW)
    first, *_ = digest_of(one_each([row("a2"), hostile])).sections[1].text.splitlines()
    assert first == "LOW · x CRITICAL fake: y (a9)"
