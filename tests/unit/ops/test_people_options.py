"""How commands read the times that people type."""

import pytest
import typer

from ops.people_options import moment_ms

NOW_MS = 1_795_420_800_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", NOW_MS - 90_000),
        ("30m", NOW_MS - 1_800_000),
        ("2h", NOW_MS - 7_200_000),
        ("7d", NOW_MS - 604_800_000),
        ("2026-11-23T08:00:00Z", 1_795_420_800_000),
        ("2026-11-23T09:00:00.250+01:00", 1_795_420_800_250),
    ],
)
def test_a_time_is_an_age_or_iso_8601(text: str, ms: int) -> None:
    """As people write them."""
    assert moment_ms(text, now_ms=NOW_MS) == ms


@pytest.mark.parametrize(
    "text", ["yesterday", "2w", "-5m", "", "2026-11-23T08:00:00", "2026-13-01T00:00:00Z"]
)
def test_what_is_no_time_is_refused_with_the_forms_that_are(text: str) -> None:
    """A time of day without an offset could be anybody's."""
    with pytest.raises(typer.BadParameter, match="give 30m, 2h or 7d"):
        moment_ms(text, now_ms=NOW_MS)
