"""`responder deploy prove`: the trial, here on the embedded AWS, and on AWS for whoever has an account."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.aws import AwsClients
from clients.interrupts import interrupt_on_ending
from costs.estimate import estimate_of
from costs.usage import read_measurement
from deploy.trial.account import check_account
from deploy.trial.ceiling import ALERTS, ceiling_usd
from deploy.trial.deployer import Deployer
from deploy.trial.embedded import EmbeddedAws
from deploy.trial.pulumi_cli import PulumiCli, removal
from deploy.trial.run import TEAR_DOWN_S, TRIAL_WITHIN_S, remove_all, run_trial
from deploy.trial.steps import STEPS
from deploy.trial.verdicts import TrialReport, Verdict
from emulator.client import Emulator
from emulator.errors import StackBusyError
from emulator.pulumi.project import stack_config
from emulator.stack_lock import changing
from lambda_packages import ROOT
from ops.local import running
from ops.options import AsJson, DryRun, Yes, check_report
from ops.scratch import scratch_folder
from ops.tables import make_table, print_table
from topology.names import TRIAL_STACK

TRIALS = ROOT / ".local" / "aws-trial"
"""Where a trial on AWS keeps Pulumi's state until all is removed."""


def prove(
    *,
    on_aws: Annotated[
        bool, typer.Option("--on-aws", help="Deploy to AWS, with your credentials and the Pulumi CLI.")
    ] = False,
    account: Annotated[str, typer.Option(help="The account that --on-aws may touch.")] = "",
    report: Annotated[
        Path, typer.Option(help="Where the verdicts go, as JSON.", show_default="reports/prove-on-aws.json")
    ] = running.REPORTS / "prove-on-aws.json",
    tear_down: Annotated[
        bool, typer.Option("--tear-down", help="Only remove what an earlier trial on AWS has left.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a stack of its own, look whether the program holds what it should, and remove the stack.

    By default on the embedded AWS, which settles little: it stands in for the provider and the services.
    With --on-aws it takes an hour at most and prints first what it may cost. Exits 1 if a claim failed, or
    if something is left.
    """
    if bool(account) != on_aws:
        raise typer.BadParameter("--on-aws and --account go together: name the account that may be touched")
    if tear_down and not on_aws:
        raise typer.BadParameter("--tear-down is for AWS: it needs --on-aws and --account")
    check_report(report, "--report")
    _say_plan(on_aws=on_aws, tear_down=tear_down)
    if dry_run:
        return
    if on_aws:
        region = stack_config(ROOT, TRIAL_STACK).primary_region
        check_account(AwsClients(), wanted=account, region=region)
        _confirm(account, yes=yes or tear_down)
    interrupt_on_ending()
    with _deployer(account, leftovers=tear_down) as deployer:
        if tear_down:
            _remove(deployer, account)
            return
        found = _run(deployer, report, account)
    _show(found, account, as_json=as_json)
    found.write(report)
    typer.echo(f"verdicts on {found.where}: {report}", err=True)
    if found.failed:
        raise typer.Exit(1)


def _run(deployer: Deployer, report: Path, account: str) -> TrialReport:
    """Run the trial; whatever ends it, what it has left on AWS is said.

    Raises:
        KeyboardInterrupt: it was interrupted; with what is left, if anything is.
    """
    left_over = ""

    def keep(so_far: TrialReport) -> None:
        nonlocal left_over
        left_over = so_far.left_over
        so_far.write(report)

    try:
        return run_trial(deployer, tell=lambda line: typer.echo(line, err=True), keep=keep)
    except BaseException as ended:
        if account and left_over:
            if isinstance(ended, KeyboardInterrupt):
                raise KeyboardInterrupt(_not_removed(left_over, account)) from ended
            with contextlib.suppress(OSError):
                typer.echo(_not_removed(left_over, account), err=True)
        raise


def _remove(deployer: Deployer, account: str) -> None:
    left_over = remove_all(deployer)
    typer.echo(_not_removed(left_over, account) if left_over else "nothing is left", err=True)
    if left_over:
        raise typer.Exit(1)


def _not_removed(left_over: str, account: str) -> str:
    goes_on = f"; `{removal(account)}` goes on with it" if account else ""
    return f"NOT REMOVED, and it may cost: {left_over}{goes_on}"


def _say_plan(*, on_aws: bool, tear_down: bool) -> None:
    if tear_down:
        typer.echo(f"removes the stack {TRIAL_STACK} from AWS, whose state is in {TRIALS}", err=True)
        return
    where = f"AWS, as stack {TRIAL_STACK}" if on_aws else "the embedded AWS"
    typer.echo(f"on {where}, in this order:", err=True)
    for step in STEPS:
        typer.echo(f"  {step.id:<10} {step.claim}", err=True)
    estimate = estimate_of(ROOT, TRIAL_STACK, per_hour=ALERTS, measurement=read_measurement())
    ceiling = f"${ceiling_usd(estimate):.2f} at most: a month of what it keeps, an hour of the rest"
    minutes = (
        f"{TRIAL_WITHIN_S / 60:.0f} minutes at most, {TEAR_DOWN_S / 60:.0f} of them kept for the tear-down"
    )
    typer.echo(f"{'' if on_aws else 'on AWS it would cost '}{ceiling}; {minutes}", err=True)


def _confirm(account: str, *, yes: bool) -> None:
    """Ask for the account's id once more.

    Raises:
        typer.BadParameter: it is not typed.
    """
    if yes:
        return
    try:
        typed = typer.prompt(f"Type the account's id, {account}, to deploy to it", err=True)
    except typer.Abort as error:
        if isinstance(error.__context__, EOFError):
            raise typer.BadParameter("nobody answers the question; --yes does without") from error
        raise
    if typed != account:
        raise typer.BadParameter("that is not the account; nothing was done")


@contextlib.contextmanager
def _deployer(account: str, *, leftovers: bool) -> Iterator[Deployer]:
    """Who deploys: to AWS where an account is given, else to an emulator that ends with the block.

    Raises:
        StackBusyError: another command is at the stack on AWS.
    """
    if account:
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(changing(TRIALS, within_s=0, make=False))
            except StackBusyError as error:
                raise StackBusyError(
                    f"another trial on AWS is at work in {TRIALS}; run this again when it is done"
                ) from error
            yield PulumiCli(ROOT, TRIALS, account=account, leftovers=leftovers)
        return
    with (
        scratch_folder("prove") as folder,
        Emulator.start(folder / "stack", regions=running.local_config().regions) as emulator,
    ):
        yield EmbeddedAws(emulator)


def _show(found: TrialReport, account: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
        table = make_table("", "claim", "verdict", "evidence", whole={"", "verdict"})
        colours = {Verdict.HELD: "green", Verdict.FAILED: "red", Verdict.NOT_SETTLED: "yellow"}
        for one in found.results:
            table.add_row(one.id, one.claim, f"[{colours[one.verdict]}]{one.verdict}[/]", one.evidence)
        print_table(table, Console())
    if found.left_over:
        typer.echo(_not_removed(found.left_over, account), err=True)
