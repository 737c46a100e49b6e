"""The tables that a drill restores into: noted before they are made, and deleted at its end."""

from dr.drill.record import RestoredTable
from dr.drill.run import DrillRun
from dr.restores.restore import remove_restored


def new_table(run: DrillRun, region: str, purpose: str) -> str:
    """A name for a table of this drill in `region`; one that a process left behind when it died is deleted.

    Raises:
        RestoreFailedError: it cannot be.
    """
    name = f"{run.target.deployment.names.prefix}-drill-{purpose}"
    table = RestoredTable(region, name)
    others = [other for other in run.file.state.facts.restored_tables if other != table]
    run.file.note(restored_tables=(*others, table))
    remove_restored(run.target.deployment, region, name)
    return name


def drop_tables(run: DrillRun, *, keep: str | None) -> str | None:
    """Delete them but for one that is needed still; which they were, or None.

    Raises:
        RestoreFailedError: one cannot be.
    """
    tables = [table for table in run.file.state.facts.restored_tables if table.name != keep]
    for table in tables:
        remove_restored(run.target.deployment, table.region, table.name)
    return ", ".join(table.name for table in tables) or None
