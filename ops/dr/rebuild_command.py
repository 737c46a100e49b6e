"""`responder dr rebuild`: a stack made again in other regions, from nothing but its backup bucket."""

import json
import shlex
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from clients.aws import AwsClients
from clients.deployment import Deployment
from clients.interrupts import interrupt_on_ending
from dr.exports.objects import FolderObjects, Objects, S3Objects
from dr.exports.requests import bucket_of
from dr.operations.environment import Environment
from dr.rebuilds.embedded import deploy_plan
from dr.rebuilds.folder import RebuildRecord, RebuildRequest
from dr.rebuilds.plan import RebuildPlan, prepare
from dr.rebuilds.rebuild import Rebuilt, rebuild
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.errors import NotRunningError
from emulator.stack_lock import changing
from lambda_packages import ROOT
from ops.dr.progress import show_progress
from ops.local import running
from ops.opened_stack import Outputs, deployment_of, operator
from ops.options import AsJson, DryRun, RunDir, check_writable
from topology.names import Names
from topology.route_config import ROUTES_KEY, parse_routes

FOLDER: Final = ROOT / ".local" / "rebuild"
STACK: Final = "stack"
"""Of the second embedded AWS, in the rebuild's folder."""


def rebuild_stack(  # noqa: PLR0913 - options of a command
    region: Annotated[str, typer.Option(help="The new primary region, which the lost stack was not in.")],
    failover_region: Annotated[str, typer.Option(help="The new failover region; chosen if left out.")] = "",
    date: Annotated[
        str, typer.Option(help="Whose configuration and packages, as the bucket has it; by default the last.")
    ] = "",
    bucket: Annotated[
        str,
        typer.Option(
            help="A real backup bucket as REGION:NAME, by your AWS credentials; or a folder like it."
        ),
    ] = "",
    folder: Annotated[
        Path, typer.Option(help="Where everything is fetched to, and how it got on: of one rebuild only.")
    ] = FOLDER,
    *,
    outputs: Outputs = None,
    dry_run: DryRun = False,
    run_dir: RunDir = running.RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """Rebuild a stack in other regions from its backup bucket: fetch, deploy, fill, compare, serve.

    Without --bucket the source is the local stack's bucket in its failover region. What is not on AWS is made
    on a second embedded AWS, in the folder, which gets nothing else. From a bucket on AWS it prepares the
    deployment and prints the commands to run; with their --outputs it goes on.
    """
    if not dry_run:
        new = not folder.exists()
        check_writable(folder, "--folder")
        if new:  # what else was asked for may be refused yet
            folder.rmdir()
    interrupt_on_ending()
    folder, objects = folder.resolve(), _objects(bucket, run_dir)
    request = RebuildRequest(region=region, failover_region=failover_region, date=date)
    on_aws = isinstance(objects, S3Objects) and bool(bucket)
    if dry_run or (on_aws and outputs is None):
        _show_plan(planned(objects, folder, request, dry_run=dry_run), dry_run=dry_run, as_json=as_json)
        return

    def deploy(plan: RebuildPlan) -> Deployment:
        return _on_second_aws(plan, folder / STACK) if outputs is None else deployment_of(outputs)

    done = rebuild(
        objects,
        folder,
        request,
        deploy=deploy,
        operator=operator(),
        on_step=show_progress,
        environment=Environment(),
    )
    _conclude(done, folder, as_json=as_json)


def planned(objects: Objects, folder: Path, request: RebuildRequest, *, dry_run: bool) -> RebuildPlan:
    """The plan of a rebuild, prepared in its folder for a person to deploy; a dry run leaves nothing there.

    Raises:
        OperationRefusedError: the folder is of another rebuild, or as `prepare` raises it.
    """
    record = RebuildRecord.in_folder(folder, request)

    def prepared(into: Path) -> RebuildPlan:
        return prepare(objects, into, **asdict(request), roots=record.roots)

    if dry_run:
        with tempfile.TemporaryDirectory(prefix="responder-dr-") as scratch:
            return replace(prepared(Path(scratch)), folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    plan = prepared(folder)
    record.write(folder)
    return plan


def _objects(bucket: str, run_dir: Path) -> Objects:
    if bucket and Path(bucket).is_dir():
        return FolderObjects(Path(bucket))
    if bucket:
        region, colon, name = bucket.partition(":")
        if not (region and colon and name):
            raise typer.BadParameter(
                f"--bucket {bucket!r} is neither a folder nor REGION:NAME, as in us-west-2:my-backups"
            )
        return S3Objects(AwsClients().client("s3", region), name)
    deployment = attached_deployment(running.attach(run_dir))
    return bucket_of(deployment, deployment.failover.region)


def _on_second_aws(plan: RebuildPlan, run_dir: Path) -> Deployment:
    """Start an empty embedded AWS, or find the one of an earlier run, and deploy there."""
    with changing(run_dir, say=lambda line: typer.echo(line, err=True)):
        try:
            emulator = Emulator.attach(run_dir)
        except NotRunningError:
            emulator = Emulator.start(run_dir, regions=plan.regions, detach=True)
        return deploy_plan(plan, emulator)


def _show_plan(plan: RebuildPlan, *, dry_run: bool, as_json: bool) -> None:
    commands = next_commands(plan)
    if as_json:
        summary = {
            "stack": plan.stack,
            "regions": plan.regions,
            "exported_to": plan.exports.exported_to.isoformat(),
            "dry_run": dry_run,
            "config_file": str(plan.config_file),
            "notes": plan.notes,
            "commands": commands,
        }
        typer.echo(json.dumps(summary, indent=2))
        return
    came_to = "checked; nothing was kept" if dry_run else f"fetched to {plan.folder} and checked"
    typer.echo(
        f"stack {plan.stack} of {plan.date}, alerts up to {plan.exports.exported_to.isoformat()}, to "
        f"{' and '.join(plan.regions)}: {came_to}, and nothing was deployed"
    )
    for note in plan.notes:
        typer.echo(f"note: {note}")
    if dry_run:
        return
    typer.echo(
        "deploy it, put its secrets, then go on. Never on the lost stack's own Pulumi state, where `up` "
    )
    typer.echo(
        "would delete what is left of it, its tables and buckets included: hence a backend of its own."
    )
    for command in commands:
        typer.echo(f"  {command}")


def next_commands(plan: RebuildPlan) -> list[str]:
    """What a person runs in the program's folder; nothing of it can be run for them without an account."""
    names, region, config = Names(plan.stack), plan.regions[0], shlex.quote(str(plan.config_file))
    routes = parse_routes(plan.configuration.get(ROUTES_KEY), [], bot=True)
    routed = (names.route_secret(route.secret) for route in routes if route.secret)
    secrets = dict.fromkeys([names.slack_webhook_secret, names.anthropic_key_secret, *routed])
    puts = [
        f"aws secretsmanager put-secret-value --region {region} --secret-id {name} --secret-string file://FILE"
        for name in secrets
    ]
    backend = plan.folder / "pulumi"
    return [
        f"mkdir -p {shlex.quote(str(backend))} && pulumi login {shlex.quote(backend.as_uri())}",
        f"pulumi stack init {plan.stack}",
        f"pulumi up -s {plan.stack} --config-file {config}",
        *puts,
        f"pulumi stack output -s {plan.stack} --json > outputs.json",
        "responder dr rebuild (the same options) --outputs outputs.json",
    ]


def _conclude(done: Rebuilt, folder: Path, *, as_json: bool) -> None:
    if as_json:
        summary = {"regions": done.plan.regions, "notes": done.plan.notes, **asdict(done.outcome)}
        typer.echo(json.dumps(summary, indent=2))
        return
    for note in done.plan.notes:
        typer.echo(f"note: {note}")
    took_s = (done.outcome.ended_ms - done.outcome.started_ms) / 1_000
    typer.echo(f"rebuilt in {' and '.join(done.plan.regions)} in {took_s:.1f} s")
    if (folder / STACK).exists():
        end = running.command_line("responder local down", folder / STACK)
        typer.echo(f"it runs on an embedded AWS of its own; end it: {end}")
