"""What `responder dr restore` starts from: found and checked before it is shown, asked about or done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import typer
from rich.progress import Progress

from clients.deployment import Deployment
from dr.comparison.states import Side
from dr.exports.check import moment as shown_at
from dr.exports.manifest import Export
from dr.exports.requests import endpoints_of, table_arn
from dr.restores.calls import RegionalAws, RestoreRefusedError, when
from dr.restores.preconditions import permit_fill, permit_new, permit_resume, refuse_incremental, refuse_live
from dr.restores.restore import RESTORE_WITHIN_S, Restored, Restorer
from dr.restores.table_items import check_progress
from lambda_packages import ROOT
from ops.dr.states import LATEST, fetch_good, fetch_latest, moment, root_of, state
from topology.names import RESTORE
from topology.tables import ALERTS

NEWEST: Final = "newest"


@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """The options that say what is restored; all None: a restore that was broken off."""

    to: str | None = None
    export: str | None = None
    backup: str | None = None
    copy: str | None = None
    max_age: timedelta | None = None
    role_arn: str = ""


@dataclass(frozen=True)
class RestorePlan:
    """A restore that was checked as far as it can be before. `what`: in words; `act`: does it."""

    what: str
    act: Callable[[Restorer], Restored]


def prepare(
    deployment: Deployment, region: str, options: RestoreOptions, *, target: str, folder: Path
) -> RestorePlan:
    """Find and check what the restore needs; what is fetched lies in `folder` until `act` is over.

    Raises:
        RestoreRefusedError: the target, the time or the recovery point is not what it has to be.
        ExportRefusedError: there is no such export, it is not good or too old; or no such region.
        TableUnwritableError: `target` is being filled from another state.
    """
    endpoints_of(deployment, region)
    aws = RegionalAws(deployment, region, tell, RESTORE_WITHIN_S)
    made = f"{target} is made in {region},"
    if options.to is not None:
        at = moment(options.to).replace(microsecond=0)
        permit_new(aws, target)
        latest = aws.restorable_to(at)
        awaited = "" if at <= latest else f", which is awaited: AWS has it up to {when(latest)} yet"
        return RestorePlan(
            f"{made} as the ledger was at {when(at)}{awaited}.", lambda by: by.to_time(at, target=target)
        )
    if options.export is not None:
        permit_new(aws, target)
        if options.export == LATEST:
            export = fetch_latest(deployment, region, folder, max_age=options.max_age)
        else:
            root = root_of(deployment, region, options.export)
            export = fetch_good(deployment, region, root, folder, max_age=options.max_age)
        refuse_incremental(export)
        return RestorePlan(
            f"{made} by importing {_described(export)}.", lambda by: by.import_export(export, target=target)
        )
    if options.backup is not None:
        permit_new(aws, target)
        role = options.role_arn or restore_role(deployment, region, target)
        point = aws.recovery_point(None if options.backup == NEWEST else options.backup)
        return RestorePlan(
            f"{made} from the recovery point {point}.",
            lambda by: by.from_backup(point, target=target, role_arn=role),
        )
    if options.copy is not None:
        return _copy(aws, options.copy, target=target, folder=folder, max_age=options.max_age)
    permit_resume(aws, target)
    return RestorePlan(
        f"{target} in {region} is completed; its restore was broken off.", lambda by: by.resume(target)
    )


def restore_role(deployment: Deployment, region: str, target: str) -> str:
    """The role of `components.backups.across_regions` by which AWS Backup restores the ledger in a region.

    Raises:
        RestoreRefusedError: it may not make a table of that name.
    """
    prefix = deployment.names.restored(ALERTS, "")
    if not target.startswith(prefix):
        raise RestoreRefusedError(
            f"AWS Backup may restore into {prefix}... only, not into {target}; name it so, or give --role-arn"
        )
    account = table_arn(deployment, region).split(":")[4]
    return f"arn:aws:iam::{account}:role/{deployment.names.service_role(RESTORE, region)}"


def tell(step: str) -> None:
    """Say what is done next, beside the answer."""
    typer.echo(step, err=True)


def _copy(
    aws: RegionalAws, spec: str, *, target: str, folder: Path, max_age: timedelta | None
) -> RestorePlan:
    """A copy of a state's items, or the rest of one."""
    progress_file = ROOT / ".local" / f"{target}.progress.json"
    refuse_live(aws.deployment, target)
    begun = progress_file.exists()
    if not begun:
        permit_fill(aws, target)
    side: Side = state(aws.deployment, aws.region, spec, folder, max_age=max_age)
    check_progress(progress_file, target, side)

    def act(by: Restorer) -> Restored:
        with Progress(transient=True) as bar:
            task = bar.add_task("items")
            done, _ = by.copy(
                side,
                target=target,
                progress_file=progress_file,
                progress=lambda count, total: bar.update(task, completed=count, total=total),
            )
        progress_file.unlink()
        return done

    made = "is gone on with" if begun else "is made"
    return RestorePlan(f"{target} {made} in {aws.region}, with copies of the items of {side.label}.", act)


def _described(export: Export) -> str:
    """An export that was checked: its id, the state that it shows, that one's age, and how many items."""
    summary, at = export.summary, shown_at(export.summary.shows)
    age = "" if at is None else f", {timedelta(seconds=int((datetime.now(UTC) - at).total_seconds()))} old"
    export_id = export.root.rpartition("/")[2]
    return f"the export {export_id} of {summary.shows}{age}, {summary.item_count:,} items"
