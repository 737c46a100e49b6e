"""What each `responder` command does: reads its options, calls one procedure, prints what came of it."""

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from clients.deployment import Deployment
from clients.receipts import read_receipts
from components.packages import HOST, LAMBDA, build_packages
from emulator.control import Emulator
from emulator.errors import NotRunningError
from emulator.ports import PERSON
from ops import local
from ops.audit import Audit, audit, read_ledger
from ops.demo.scenario import run_demo

REPORTS: Final = local.ROOT / "reports"
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")]
KeyFile = Annotated[
    Path | None, typer.Option(dir_okay=False, exists=True, help="File that holds the secret.")
]


def demo(
    report: Annotated[Path, typer.Option(help="Where the JSON report goes.")] = REPORTS / "demo.json",
) -> None:
    """Bring up both regions, replay alerts, lose the primary in mid-stream, and count every alert.

    Exits 1 if any alert that was answered 202 is not accounted for. Takes under two minutes.
    """
    scratch = local.ROOT / ".local"
    scratch.mkdir(exist_ok=True)
    run_dir = Path(tempfile.mkdtemp(prefix="demo-", dir=scratch))
    found = asyncio.run(run_demo(run_dir=run_dir, report_path=report, console=Console()))
    if found.unaccounted:
        raise typer.Exit(1)
    shutil.rmtree(run_dir)


def audit_command(
    receipts: Annotated[Path, typer.Option(help="The sender's receipts: one JSON object a line.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Compare receipts, each region's ledger and Slack, alert by alert; print `unaccounted 0` or the ids.

    Reads the stack that `responder local up` left running. Exits 1 if any alert is unaccounted.
    """
    emulator = Emulator.attach(local.RUN_DIR)
    deployment = local.attached_deployment(emulator)
    found = audit(
        receipts=read_receipts(receipts),
        ledgers={e.region: read_ledger(deployment, e.region) for e in deployment.regions},
        slack=Counter(i for message in emulator.slack_messages() for i in message.alert_ids),
    )
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        _print_audit(found)
    if not found.passed:
        raise typer.Exit(1)


def packages(
    *, host: Annotated[bool, typer.Option("--host", help="For this machine instead of Lambda.")] = False
) -> None:
    """Build the Lambda packages (arm64, as on AWS) and say where they are."""
    for spec, path in build_packages(HOST if host else LAMBDA).items():
        typer.echo(f"{spec.suffix:24} {path.stat().st_size / 1e6:6.2f} MB  {path}")


def local_up(
    *,
    real_claude: Annotated[
        bool, typer.Option("--real-claude", help="Ask the real Claude; costs money.")
    ] = False,
    anthropic_key_file: KeyFile = None,
    real_slack: Annotated[bool, typer.Option("--real-slack", help="Post to a real Slack channel.")] = False,
    slack_webhook_file: KeyFile = None,
) -> None:
    """Start the embedded AWS, deploy both regions, and leave them running; again: update what changed.

    The real Claude or Slack is used only when asked for here with a key in a file: a key that sits in
    the environment never is.
    """
    console = Console()
    real = local.RealServices(
        slack_webhook=_real_secret(slack_webhook_file, "slack-webhook-file", real_slack, "real-slack"),
        anthropic_key=_real_secret(anthropic_key_file, "anthropic-key-file", real_claude, "real-claude"),
    )
    emulator, fresh = _start_or_attach(real)
    try:
        stack = local.deploy(emulator, real=real, progress=lambda line: console.print(f"{line} …"))
    except KeyboardInterrupt:
        if fresh:
            emulator.stop()
        raise
    done = stack.deployed
    console.print(
        f"[green]up[/] in {stack.deploy_s:.1f} s: {done.created} created, {done.updated} updated, "
        f"{done.same} unchanged, {done.deleted} deleted"
    )
    _print_status(console, stack.emulator, stack.deployment)
    for used, service in ((real_claude, "Claude"), (real_slack, "Slack")):
        if used:
            console.print(f"[bold yellow]the real {service} is used[/]")


def local_status(*, as_json: AsJson = False) -> None:
    """Say what runs and where: webhooks with their keys, the edge for `aws --endpoint-url`, Slack."""
    emulator = Emulator.attach(local.RUN_DIR)
    deployment = local.attached_deployment(emulator)
    if as_json:
        typer.echo(json.dumps(_status(emulator, deployment), indent=2))
    else:
        _print_status(Console(), emulator, deployment)


def local_down() -> None:
    """Stop the embedded AWS and forget its stack. What Slack received and the ledger are gone with it."""
    Emulator.attach(local.RUN_DIR).stop()
    shutil.rmtree(local.RUN_DIR, ignore_errors=True)
    typer.echo("down: nothing is left running")


def _start_or_attach(real: local.RealServices) -> tuple[Emulator, bool]:
    """The local stack's emulator, and whether it was started now.

    Raises:
        typer.BadParameter: one runs with other services than those asked for.
    """
    try:
        emulator = Emulator.attach(local.RUN_DIR)
    except NotRunningError:
        started = Emulator.start(
            local.RUN_DIR,
            regions=local.local_config().regions,
            detach=True,
            ports=PERSON,
            real_slack=real.slack_webhook is not None,
            real_claude=real.anthropic_key is not None,
        )
        return started, True
    stand_ins = emulator.stand_ins()
    runs_with = (stand_ins.slack_webhook_url is None, stand_ins.anthropic_api_key is None)
    if runs_with != (real.slack_webhook is not None, real.anthropic_key is not None):
        raise typer.BadParameter(
            "the running stack uses another choice of real services; `responder local down` first"
        )
    return emulator, False


def _real_secret(file: Path | None, option: str, wanted: bool, switch: str) -> str | None:  # noqa: FBT001 - a switch and its name
    """The secret's value, or None for the stand-in.

    Raises:
        typer.BadParameter: the switch without the file, or the file without the switch.
    """
    if wanted and file is None:
        raise typer.BadParameter(f"--{switch} needs --{option} FILE: no key is taken from the environment")
    if file is not None and not wanted:
        raise typer.BadParameter(f"--{option} does nothing without --{switch}")
    return None if file is None else file.read_text(encoding="utf-8").strip()


def _status(emulator: Emulator, deployment: Deployment) -> dict[str, object]:
    keys = local.api_keys(deployment)
    return {
        "edge": emulator.edge_url,
        "slack": emulator.slack_url,
        "run_dir": str(emulator.run_dir),
        "alerts_table": deployment.alerts_table,
        "regions": [
            {
                "region": e.region,
                "role": e.role,
                "webhook": e.webhook_url,
                "api_key": keys[e],
                "health": e.health_url,
            }
            for e in deployment.regions
        ],
    }


def _print_status(console: Console, emulator: Emulator, deployment: Deployment) -> None:
    """The same as `_status`, for eyes and for copying: long URLs are never wrapped."""
    keys = local.api_keys(deployment)
    for endpoints in deployment.regions:
        console.print(f"\n[bold]{endpoints.region}[/] ({endpoints.role})")
        console.print(f"  webhook  {endpoints.webhook_url}", soft_wrap=True, highlight=False)
        console.print(f"  api key  {keys[endpoints]}", soft_wrap=True, highlight=False)
        console.print(f"  health   {endpoints.health_url}", soft_wrap=True, highlight=False)
    console.print(
        f"\nAWS CLI: aws --endpoint-url {emulator.edge_url} --region {deployment.primary.region} …",
        soft_wrap=True,
        highlight=False,
    )
    console.print(
        "         (any credentials: AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test)", highlight=False
    )
    console.print(f"Slack:   {emulator.slack_url}", highlight=False)
    first = deployment.primary
    console.print(
        f"\nTry:     curl -X POST '{first.webhook_url}' -H 'content-type: application/json' "
        f"-H 'x-api-key: {keys[first]}' "
        """-d '{"source":"manual-test","title":"Manual Test Alert","message":"Testing","severity":"LOW"}'""",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    console.print("Stop:    responder local down", highlight=False)


def _print_audit(found: Audit) -> None:
    console = Console()
    table = Table("region", "notified", "suppressed", "parked")
    for region, states in sorted(found.by_region.items()):
        table.add_row(region, *(str(states.get(s, 0)) for s in ("NOTIFIED", "SUPPRESSED", "PARKED")))
    console.print(table)
    console.print(
        f"accepted {found.accepted}   duplicates {found.duplicates}   without a receipt {found.unreceipted}"
    )
    for alert_id, problem in found.unaccounted.items():
        console.print(f"[red]unaccounted[/] {alert_id}: {problem}")
    console.print(f"unaccounted {len(found.unaccounted)}")
