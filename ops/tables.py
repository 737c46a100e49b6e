"""Tables that cut nothing: an id or a name can be copied whole, in a narrow terminal and without one."""

from collections.abc import Collection
from typing import Any, Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

WIDEST: Final = 160
"""Columns that a table may take at most where the terminal has fewer, so that no word has to be broken."""


def make_table(*headings: str, whole: Collection[str] = (), **settings: Any) -> Table:
    """Make a table with these columns; those in `whole` stay on one line, text in the others is folded."""
    table = Table(**settings)
    for heading in headings:
        table.add_column(heading, no_wrap=heading in whole, overflow="fold")
    return table


def print_table(table: Table, console: Console) -> None:
    """Print a table in the terminal's width, or in as much more as its longest words need."""
    for column in table.columns:
        column.overflow = "fold"
    roomy = console.options.update_width(WIDEST)
    needed = Measurement.get(console, roomy, table).minimum
    if needed > console.width:  # which `console.print` takes for the most that it may use
        table.width = max(console.width, min(needed, WIDEST))
    console.print(table, soft_wrap=True)
