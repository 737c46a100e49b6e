"""What `responder cost estimate` prints."""

from typing import Final

from rich.console import Console

from costs.cost import Cost
from costs.estimate import Estimate
from ops.tables import make_table, print_table

NOTHING: Final = Cost(())
DIGITS: Final = (4, 2, 2, 4, 2)
"""Of a column: a thousand alerts cost parts of a cent here and there."""


def print_estimate(found: Estimate, console: Console) -> None:
    """Print a table by what money goes for, what it rests on, and the sums last."""
    title = f"{found.stack}: {' and '.join(found.regions)}, {found.model}"
    table = make_table(
        "", "$ per 1,000 alerts", "$ fixed a month", f"$ a month, {found.per_hour:g} an hour",
        "runbook: $ per 1,000", "runbook: $ a month", title=title, whole={""},
    )  # fmt: skip
    parts = [found.alerts, found.fixed, found.month, found.runbook_alerts, found.runbook_month]
    groups = [dict(part.groups()) for part in parts]
    for name in dict.fromkeys(name for part in groups for name in part):
        table.add_row(name, *map(_money, (part.get(name, NOTHING) for part in groups), DIGITS))
    table.add_section()
    table.add_row("sum", *map(_money, parts, DIGITS))
    for column in table.columns[1:]:
        column.justify = "right"
    print_table(table, console)
    for note in found.notes:
        console.print(note, soft_wrap=True, style="dim")
    console.print(
        f"${found.alerts.usd:,.2f} per 1,000 alerts and ${found.fixed.usd:,.2f} a month; "
        f"${found.month.usd:,.2f} a month at {found.per_hour:g} alerts an hour",
        soft_wrap=True,
        highlight=False,
    )


def _money(cost: Cost, digits: int) -> str:
    return f"{cost.usd:,.{digits}f}" if cost.lines else "-"
