"""What has to be so before a table is restored, asked before anything is done and before anybody is.

`responder dr restore` asks it for its dry run and its question too; `dr.restores.restore` at every restore.
"""

import re
from typing import Any, Final

from clients.deployment import Deployment
from dr.exports.manifest import Export
from dr.restores.calls import RegionalAws, RestoreRefusedError

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"""

_THERE: Final = (
    "the table {} is there already; restores go into a new table, unless --resume goes on with one"
)

NOT_THERE: Final = "there is no table {} in {}; begin its restore anew"


def refuse_live(deployment: Deployment, target: str) -> None:
    """Refuse what is no table's name, and the tables of the stack.

    Raises:
        RestoreRefusedError: it is one of them.
    """
    if not _NAME.fullmatch(target):
        raise RestoreRefusedError(
            f"{target!r} is no name of a table: give 3 to 255 letters, digits, dots, dashes and underscores"
        )
    if target in (deployment.alerts_table, deployment.analysis_cache_table, deployment.coordination_table):
        raise RestoreRefusedError(
            f"{target} is a table of the running stack; restores go into a new table, name another one"
        )


def permit_new(aws: RegionalAws, target: str) -> None:
    """Refuse a target that is a live table or is there already.

    Raises:
        RestoreRefusedError: it is, or its region does not answer.
    """
    refuse_live(aws.deployment, target)
    if aws.describe(target) is not None:
        raise RestoreRefusedError(_THERE.format(target))


def permit_fill(aws: RegionalAws, target: str) -> dict[str, Any] | None:
    """The table that items may be copied into, made and not filled; None if it is to be made.

    Raises:
        RestoreRefusedError: it is a live table, or has items.
    """
    refuse_live(aws.deployment, target)
    there = aws.describe(target)
    if there and aws.call("dynamodb", "scan", TableName=target, Limit=1, ConsistentRead=True)["Items"]:
        raise RestoreRefusedError(_THERE.format(target))
    return there


def permit_resume(aws: RegionalAws, target: str) -> None:
    """Refuse to go on with a restore of which there is nothing: no table, and no job that may make it.

    Raises:
        RestoreRefusedError: so it is, or it is a live table.
    """
    refuse_live(aws.deployment, target)
    if aws.describe(target) is None and not aws.backup_under_way(target):
        raise RestoreRefusedError(NOT_THERE.format(target, aws.region))


def refuse_incremental(export: Export) -> None:
    """Refuse what cannot be imported.

    Raises:
        RestoreRefusedError: it has changes, not items.
    """
    if export.summary.incremental:
        raise RestoreRefusedError(
            "DynamoDB imports full exports only; copy the full one and its changes into a table by --copy"
        )
