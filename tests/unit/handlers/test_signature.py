"""Which alerts share an analysis."""

import pytest

from handlers.domain.signature import normalize, signature_of
from tests.unit.handlers.builders import row


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 12.5 ms", "took 7 ms"),
        ("peer 10.0.0.1:8080 gone", "peer 192.168.1.200 gone"),
        ("peer fe80:0:0:0:1:2:3:4 gone", "peer 10.0.0.1 gone"),
        ("block 0xDEADBEEF", "block 0x01"),
        ("commit 9fceb02d0ae598e9", "commit 0123456789abcdef"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-0000-0000-0000-000000000000"),
        ("cannot open /var/log/a.log", "cannot open /etc/passwd"),
        ('user "alice" locked', 'user "bob" locked'),
        ("at 2026-11-23T08:00:00.123Z", "at 2025-01-01 00:00:00"),
        ("GET https://a.example/x?y=1 failed", "GET http://b.example/ failed"),
        ("Disk  Full", "disk full"),
    ],
)
def test_what_varies_between_occurrences_does_not_count(one: str, other: str) -> None:
    """Two occurrences of one fault have one signature."""
    assert signature_of(row(message=one)) == signature_of(row(message=other))


@pytest.mark.parametrize(
    "change", [{"message": "disk empty"}, {"title": "Other"}, {"component": "db"}, {"source": "other"}]
)
def test_what_tells_faults_apart_counts(change: dict[str, str]) -> None:
    """Message, title, component and source are part of it."""
    assert signature_of(row(message="disk full")) != signature_of(row(**({"message": "disk full"} | change)))


def test_host_severity_and_times_do_not_count() -> None:
    """One fault on two hosts is analysed once."""
    one, other = (
        row(host="a", severity="ERROR"),
        row(host="b", severity="INFO", timestamp="2020-01-01T00:00:00Z"),
    )
    assert signature_of(one) == signature_of(other)


def test_hostile_text_is_normalised_in_bounded_time() -> None:
    """Long runs that could make a pattern backtrack cost nothing noticeable."""
    for filling in ('"', "'", "/a", "1:", "a-", "0", ".", "1."):
        assert len(normalize(filling * 100_000)) <= 20_000
