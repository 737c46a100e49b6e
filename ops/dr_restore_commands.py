"""`responder dr restore | repair`: the ledger into a new table, and what a bad writer did undone from one."""

import json
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from clients.deployment import Deployment
from components.site import tags_of
from dr.comparison.states import Side
from dr.exports.requests import table_arn
from dr.restores.calls import RestoreRefusedError
from dr.restores.repair import Plan, apply_repair, plan_repair, summary
from dr.restores.restore import Restored, Restorer, new_table_name
from dr.restores.settings import EVENTUAL, Settings, SettingsUnknownError, read_settings, settings_of
from ops import running
from ops.dr_data_commands import (
    LATEST,
    LIVE,
    SHOWN,
    MaxAge,
    Region,
    fetch_good,
    moment,
    root_of,
    show_findings,
    state,
)
from ops.opened_stack import OpenedStack, Outputs, StackName, confirm, open_stack
from ops.options import AsJson, DryRun, RunDir, Yes
from ops.terminal import printable
from topology.names import RESTORE
from topology.tables import ALERTS

NEWEST: Final = "newest"
_TABLE: Final = "table:"


def restore(  # noqa: PLR0913 - one argument for each option
    *,
    to: Annotated[
        str | None, typer.Option(help="Point-in-time recovery: the state of 10m or 2h ago, or ISO 8601.")
    ] = None,
    export: Annotated[
        str | None, typer.Option(help="Import a full export: latest, its id, or the key of its folder.")
    ] = None,
    backup: Annotated[
        str | None,
        typer.Option(help="An AWS Backup recovery point of the region's vault: newest, or its ARN."),
    ] = None,
    copy: Annotated[
        str | None,
        typer.Option(
            help="Copy items into a new empty table, strong as the ledger is: latest, to:TIME, table:NAME, "
            "or an export. A broken-off copy of latest goes on as to:TIME, of the time that its error names."
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Complete --target, whose restore was broken off after AWS began it."),
    ] = False,
    target: Annotated[
        str, typer.Option(help="Name of the new table; an interrupted --copy goes on in it.")
    ] = "",
    max_age: MaxAge = None,
    role_arn: Annotated[str, typer.Option(help="Role that AWS Backup restores by.")] = "",
    replicas: Annotated[bool, typer.Option(help="Give the new table the ledger's replicas too.")] = True,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    region: Region = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Restore the ledger into a NEW table, and give it back what a restore drops. Nothing else is written.

    Settings come from the live ledger, or from the stack's configuration where that is gone. Exits 1 if a
    setting is lacking afterwards. A strong ledger becomes strong again by --copy only.
    """
    _one_of(to, export, backup, copy, resume=resume, target=target)
    if max_age and export is None and (copy is None or copy == LIVE or copy.startswith(_TABLE)):
        raise typer.BadParameter("--max-age is of an export: give it with --export, or --copy of one")
    stack = open_stack(run_dir, outputs)
    deployment, where = stack.deployment, region or stack.deployment.primary.region
    name = target or new_table_name(deployment, datetime.now(UTC))
    what = f"{name} is made in {where}, {_source(to, export, backup, copy)}."
    if dry_run:
        typer.echo(f"would do: {what}")
        return
    confirm(deployment, what, yes=yes, stack_name=stack_name)
    wanted = wanted_settings(stack, where)
    if not replicas:
        wanted = replace(wanted, replicas=())
    if copy is None:
        wanted = replace(wanted, consistency=EVENTUAL)
    restorer = Restorer(deployment, where, wanted, lambda step: typer.echo(step, err=True))
    if resume:
        done = restorer.resume(name)
    elif to is not None:
        done = restorer.to_time(moment(to), target=name)
    elif backup is not None:
        point = None if backup == NEWEST else backup
        done = restorer.from_backup(
            point, target=name, role_arn=role_arn or restore_role(deployment, where, name)
        )
    else:
        done = _from_files(restorer, export=export, copy=copy, target=name, max_age=max_age)
    _show(done, as_json=as_json)
    if done.lacking:
        raise typer.Exit(1)


def repair(  # noqa: PLR0913 - one argument for each option
    restored: Annotated[str, typer.Argument(help="The restored table: `responder dr restore --to ...`.")],
    *,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="The time that it shows, where DynamoDB does not know: 10m or 2h ago, or ISO 8601."
        ),
    ] = None,
    vouched: Annotated[
        bool,
        typer.Option(
            "--vouched", help="DynamoDB does not know where it came from: I do, it was this ledger."
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    region: Region = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Put back what a bad writer deleted or changed in the live ledger, as a restored table has it.

    Only rows that the pipeline itself cannot have changed so, and only while they are as they were compared;
    all others that differ are listed for a person. Exits 1 if there are any, or if a row had moved meanwhile.
    """
    deployment = open_stack(run_dir, outputs).deployment
    where = region or deployment.primary.region
    with tempfile.TemporaryDirectory(prefix="responder-dr-") as folder:
        plan = plan_repair(
            deployment,
            where,
            restored,
            as_of=moment(as_of) if as_of else None,
            vouched=vouched,
            folder=Path(folder),
            now_s=time.time(),
        )
    if not as_json:
        _show_plan(plan)
    moved: tuple[str, ...] = ()
    if plan.put_back and not dry_run:
        confirm(
            deployment,
            f"{len(plan.put_back)} rows of {plan.live} are put back.",
            yes=yes,
            stack_name=stack_name,
        )
        moved = apply_repair(deployment, plan).moved
    if as_json:
        typer.echo(json.dumps(_plan_as_json(plan, moved, dry_run=dry_run), indent=2))
    else:
        done = "would be put back" if dry_run else "put back"
        typer.echo(
            f"{done} {len(plan.put_back) - len(moved)}, moved meanwhile {len(moved)}, "
            f"for a person {len(plan.people)}, as the pipeline does it {plan.by_themselves}"
        )
    if plan.people or moved:
        raise typer.Exit(1)


def wanted_settings(stack: OpenedStack, region: str) -> Settings:
    """What a restored ledger should have: the live one's settings, or the program's where that is gone."""
    deployment = stack.deployment
    try:
        return read_settings(deployment.clients, region, deployment.alerts_table)
    except SettingsUnknownError as error:
        config = stack.config
        typer.echo(f"{error}; going by the stack's configuration", err=True)
        return settings_of(ALERTS, config, region, tags_of(config))


def restore_role(deployment: Deployment, region: str, target: str) -> str:
    """The role of `components.backups` by which AWS Backup restores the ledger in a region.

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


def _from_files(
    restorer: Restorer, *, export: str | None, copy: str | None, target: str, max_age: float | None
) -> Restored:
    """Import an export that was checked, or copy a state's items."""
    deployment, region = restorer.deployment, restorer.region
    age = timedelta(hours=max_age) if max_age else None
    with tempfile.TemporaryDirectory(prefix="responder-dr-") as scratch:
        folder = Path(scratch)
        if export is not None:
            root = root_of(deployment, region, export)
            return restorer.import_export(
                fetch_good(deployment, region, root, folder, max_age=age), target=target
            )
        side: Side = state(deployment, region, copy or LATEST, folder, max_age=age)
        progress_file = running.ROOT / ".local" / f"{target}.progress.json"
        with Progress(transient=True) as bar:
            task = bar.add_task("items")
            done, _ = restorer.copy(
                side,
                target=target,
                progress_file=progress_file,
                progress=lambda count, total: bar.update(task, completed=count, total=total),
            )
        progress_file.unlink()
    return done


def _one_of(*sources: str | None, resume: bool, target: str) -> None:
    """Refuse other than one way to restore."""
    if sum(one is not None for one in sources) + resume != 1:
        raise typer.BadParameter("give one of --to, --export, --backup, --copy and --resume")
    if resume and not target:
        raise typer.BadParameter("--resume needs the --target that is there")


def _source(to: str | None, export: str | None, backup: str | None, copy: str | None) -> str:
    if to is not None:
        return f"as the ledger was at {moment(to).isoformat(timespec='seconds')}"
    if export is not None:
        return f"by importing the export {export}"
    if backup is not None:
        return f"from the recovery point {backup}"
    return f"with copies of the items of {copy}" if copy is not None else "by the restore that was broken off"


def _show(done: Restored, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=2))
        return
    show_findings(done.lacking, Console())
    typer.echo(
        f"{done.table} in {done.region}: restored from {done.source}; "
        f"put back {', '.join(done.put_back) or 'nothing'}"
    )


def _show_plan(plan: Plan) -> None:
    console = Console()
    for label, rows in (("put back", plan.put_back), ("a person", plan.people)):
        for row in rows[:SHOWN]:
            console.print(
                f"[yellow]{label}[/] {escape(printable(row.alert_id))}: {escape(printable(row.why))}",
                soft_wrap=True,
                highlight=False,
            )
    for why, count in summary(plan).items():
        console.print(f"{count:>7,}  {escape(why)}", highlight=False)


def _plan_as_json(plan: Plan, moved: tuple[str, ...], *, dry_run: bool) -> dict[str, object]:
    return {
        "restored": plan.restored,
        "live": plan.live,
        "dry_run": dry_run,
        "put_back": [{"alert_id": row.alert_id, "why": row.why} for row in plan.put_back],
        "moved": list(moved),
        "people": [{"alert_id": row.alert_id, "why": row.why} for row in plan.people],
        "by_themselves": plan.by_themselves,
    }
