"""What one has to copy out of a table is there whole, in any terminal."""

import io

import pytest
from rich.console import Console

from ops.tables import make_table, print_table

ALERT_ID = "a" + "e2f479dfaa" * 4
TITLE = "Checkout answers slowly, and nobody knows why that should be so at this time of the day"


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_an_id_is_whole_however_narrow_the_terminal_is(columns: int) -> None:
    """Also without one, where there are 80 columns."""
    out = io.StringIO()
    table = make_table("alert", "region", "title", whole={"alert", "region"})
    table.add_row(ALERT_ID, "us-east-1", TITLE)
    print_table(table, Console(file=out, width=columns))
    assert ALERT_ID in out.getvalue()
    assert "us-east-1" in out.getvalue()
    assert "…" not in out.getvalue()
    assert all(word in out.getvalue() for word in TITLE.split())


def test_a_table_that_fits_is_as_wide_as_the_terminal_at_most() -> None:
    """Text is folded before anything gets wider."""
    out = io.StringIO()
    table = make_table("step", "what", whole={"step"})
    table.add_row("prove", TITLE)
    print_table(table, Console(file=out, width=60))
    assert max(map(len, out.getvalue().splitlines())) <= 60


def test_hostile_text_makes_no_table_wide() -> None:
    """A word of a thousand letters is folded."""
    out = io.StringIO()
    table = make_table("alert", "title", whole={"alert"})
    table.add_row(ALERT_ID, "x" * 1_000)
    print_table(table, Console(file=out, width=80))
    assert max(map(len, out.getvalue().splitlines())) <= 160
    assert ALERT_ID in out.getvalue()
    assert out.getvalue().count("x") == 1_000
