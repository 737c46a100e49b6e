"""The tables that a drill restores into: noted before they are made, and deleted at its end."""

from typing import Final

from dr.drill.run import DrillRun
from dr.restores.restore import remove_restored

FACT: Final = "restored_tables"


def new_table(run: DrillRun, region: str, purpose: str) -> str:
    """A name for a table of this drill in `region`; one that a process left behind when it died is deleted.

    Raises:
        RestoreFailedError: it cannot be.
    """
    name = f"{run.target.deployment.names.prefix}-drill-{purpose}"
    noted = [one for one in run.file.state.facts.get(FACT, []) if one != [region, name]]
    run.file.note(**{FACT: [*noted, [region, name]]})
    remove_restored(run.target.deployment, region, name)
    return name


def drop_tables(run: DrillRun, *, keep: str | None) -> str | None:
    """Delete them but for one that is needed still; which they were, or None.

    Raises:
        RestoreFailedError: one cannot be.
    """
    noted = [one for one in run.file.state.facts.get(FACT, []) if one[1] != keep]
    for region, name in noted:
        remove_restored(run.target.deployment, region, name)
    return ", ".join(name for _, name in noted) or None
