"""`responder dr restore | repair`: the ledger into a new table, and what a bad writer did undone from one."""

import json
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from components.region_context import tags_of
from dr.restores.repair import Plan, apply_repair, plan_repair, summary
from dr.restores.restore import Restored, Restorer, new_table_name
from dr.restores.settings import Settings, SettingsUnknownError, as_restored, read_settings, settings_of
from ops.dr.data_commands import SHOWN, MaxAge, Region, show_findings
from ops.dr.restore_sources import RestoreOptions, prepare, tell
from ops.dr.states import LIVE, TABLE, moment
from ops.local import running
from ops.opened_stack import OpenedStack, Outputs, StackName, asking, confirm, open_stack
from ops.options import AsJson, DryRun, RunDir, Yes, printable
from topology.tables import ALERTS


def restore(  # noqa: PLR0913 - one argument for each option
    *,
    to: Annotated[
        str | None, typer.Option(help="Point-in-time recovery: the state of 10m or 2h ago, or ISO 8601.")
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(help="Import a full export: latest (the newest good one), its id, or its folder's key."),
    ] = None,
    backup: Annotated[
        str | None,
        typer.Option(help="An AWS Backup recovery point of the region's vault: newest, or its ARN."),
    ] = None,
    copy: Annotated[
        str | None,
        typer.Option(
            help="Copy items into a new empty table, strong as the ledger is: latest (good), to:TIME, "
            "table:NAME, or an export. A broken-off copy of latest goes on as to:TIME, of the time that "
            "its error names."
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
    if max_age and export is None and (copy is None or copy == LIVE or copy.startswith(TABLE)):
        raise typer.BadParameter("--max-age is of an export: give it with --export, or --copy of one")
    stack = open_stack(run_dir, outputs)
    deployment, where = stack.deployment, region or stack.deployment.primary.region
    name = target or new_table_name(deployment, datetime.now(UTC))
    options = RestoreOptions(
        to=to,
        export=export,
        backup=backup,
        copy=copy,
        max_age=timedelta(hours=max_age) if max_age else None,
        role_arn=role_arn,
    )
    with tempfile.TemporaryDirectory(prefix="responder-dr-") as folder:
        with asking(deployment, where):
            plan = prepare(deployment, where, options, target=name, folder=Path(folder))
        if dry_run:
            typer.echo(f"would do: {plan.what}")
            return
        confirm(deployment, plan.what, yes=yes, stack_name=stack_name)
        with asking(deployment, where):
            wanted = wanted_settings(stack, where)
            if not replicas:
                wanted = replace(wanted, replicas=())
            if copy is None:
                wanted = as_restored(wanted)
            done = plan.act(Restorer(deployment, where, wanted, tell))
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
    """Roll back what a bad writer deleted or changed in the live ledger, as a restored table has it.

    Only rows that the pipeline itself cannot have changed so, and only while they are as they were compared;
    all others that differ are listed for a person. Exits 1 if there are any, or if a row had moved meanwhile.
    """
    deployment = open_stack(run_dir, outputs).deployment
    where = region or deployment.primary.region
    with tempfile.TemporaryDirectory(prefix="responder-dr-") as folder, asking(deployment, where):
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
    if plan.rolled_back and not dry_run:
        confirm(
            deployment,
            f"{len(plan.rolled_back)} rows of {plan.live} are rolled back.",
            yes=yes,
            stack_name=stack_name,
        )
        moved = apply_repair(deployment, plan).moved
    if as_json:
        typer.echo(json.dumps(_plan_as_json(plan, moved, dry_run=dry_run), indent=2))
    else:
        done = "would be rolled back" if dry_run else "rolled back"
        typer.echo(
            f"{done} {len(plan.rolled_back) - len(moved)}, moved meanwhile {len(moved)}, "
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


def _one_of(*sources: str | None, resume: bool, target: str) -> None:
    """Refuse other than one way to restore."""
    if sum(source is not None for source in sources) + resume != 1:
        raise typer.BadParameter("give one of --to, --export, --backup, --copy and --resume")
    if resume and not target:
        raise typer.BadParameter("--resume needs the --target that is there")


def _show(done: Restored, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=2))
        return
    show_findings(done.lacking, Console())
    typer.echo(
        f"{done.table} in {done.region}: restored from {done.source}; "
        f"reapplied {', '.join(done.reapplied) or 'nothing'}"
    )


def _show_plan(plan: Plan) -> None:
    console = Console()
    for label, rows in (("roll back", plan.rolled_back), ("a person", plan.people)):
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
        "rolled_back": [{"alert_id": row.alert_id, "why": row.why} for row in plan.rolled_back],
        "moved": list(moved),
        "people": [{"alert_id": row.alert_id, "why": row.why} for row in plan.people],
        "by_themselves": plan.by_themselves,
    }
