"""The tables that a drill restores into: noted before they are made, and deleted at its end."""

from typing import Final

from dr.drill.play import Play
from dr.restores.restore import remove_restored

FACT: Final = "restored_tables"


def new_table(play: Play, region: str, purpose: str) -> str:
    """A name for a table of this drill in `region`; one that a process left behind when it died is deleted.

    Raises:
        RestoreFailedError: it cannot be.
    """
    name = f"{play.stage.deployment.names.prefix}-drill-{purpose}"
    noted = [one for one in play.file.state.facts.get(FACT, []) if one != [region, name]]
    play.file.note(**{FACT: [*noted, [region, name]]})
    remove_restored(play.stage.deployment, region, name)
    return name


def drop_tables(play: Play, *, keep: str | None) -> str | None:
    """Delete them but for one that is needed still; which they were, or None.

    Raises:
        RestoreFailedError: one cannot be.
    """
    noted = [one for one in play.file.state.facts.get(FACT, []) if one[1] != keep]
    for region, name in noted:
        remove_restored(play.stage.deployment, region, name)
    return ", ".join(name for _, name in noted) or None
