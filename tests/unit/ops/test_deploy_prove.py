"""`responder deploy prove` touches AWS only where it is told to, and says first what that may cost."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.aws import AwsClients
from costs.estimate import estimate_of
from costs.usage import read_measurement
from deploy.trial.account import WrongAccountError, check_account
from deploy.trial.ceiling import ceiling_usd
from deploy.trial.deployer import DeployFailedError
from lambda_packages import ROOT
from ops import deploy_prove
from ops.cli import app
from ops.scratch import KINDS
from tests.fakes.recorded_aws import PRIMARY, RecordedAws
from tests.fakes.trial import FakeDeployer
from topology.names import TRIAL_STACK

ACCOUNT = "123456789012"
IDENTITY = {"sts.get_caller_identity": {"Account": ACCOUNT}}


@pytest.fixture(autouse=True)
def no_redirection(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a person's machine."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str, typed: str = "") -> Any:
    """The command, as a person types it."""
    return CliRunner().invoke(app, ["deploy", "prove", *words], input=typed)


@pytest.mark.parametrize("words", [["--on-aws"], ["--account", ACCOUNT]])
def test_aws_is_touched_only_by_both_options_together(words: list[str], tmp_path: Path) -> None:
    """Each alone is wrong use, and nothing is deployed."""
    done = run(*words, "--report", str(tmp_path / "proof.json"))
    assert done.exit_code == 2
    assert "go together" in done.output
    assert list(tmp_path.iterdir()) == []


def test_another_account_than_the_named_one_is_refused() -> None:
    """So is one that AWS does not name, and an AWS that is none."""
    check_account(RecordedAws(dict(IDENTITY)), wanted=ACCOUNT, region=PRIMARY)
    with pytest.raises(WrongAccountError, match="not 999999999999; nothing was done"):
        check_account(RecordedAws(dict(IDENTITY)), wanted="999999999999", region=PRIMARY)
    lost = RecordedAws(dict(IDENTITY))
    lost.lost.add(PRIMARY)
    with pytest.raises(WrongAccountError, match="does not say"):
        check_account(lost, wanted=ACCOUNT, region=PRIMARY)


def test_an_endpoint_of_the_environment_is_not_taken_for_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its verdicts would say AWS and be of something else."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(WrongAccountError, match="AWS_ENDPOINT_URL_S3"):
        check_account(RecordedAws(dict(IDENTITY)), wanted=ACCOUNT, region=PRIMARY)


@pytest.fixture
def on_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeDeployer:
    """An account that has no room for the stack, behind the command."""
    deployer = FakeDeployer(RecordedAws({}), ups=[DeployFailedError("no quota")])
    monkeypatch.setattr(deploy_prove, "AwsClients", lambda: RecordedAws(dict(IDENTITY)))
    monkeypatch.setattr(deploy_prove, "PulumiCli", lambda *_, **__: deployer)
    monkeypatch.setattr(deploy_prove, "TRIALS", tmp_path / "trials")
    return deployer


@pytest.mark.parametrize(("typed", "deploys"), [("", False), ("yes\n", False), (f"{ACCOUNT}\n", True)])
def test_the_accounts_id_has_to_be_typed(
    on_aws: FakeDeployer, tmp_path: Path, typed: str, *, deploys: bool
) -> None:
    """Nothing is deployed before."""
    done = run("--on-aws", "--account", ACCOUNT, "--report", str(tmp_path / "proof.json"), typed=typed)
    assert bool(on_aws.configs) is deploys, done.output
    assert bool(on_aws.removed) is deploys
    assert done.exit_code == (1 if deploys else 2), done.output  # its account has no room


def test_a_dry_run_deploys_nothing_and_says_the_ceiling(on_aws: FakeDeployer) -> None:
    """Before anything else, with the steps in their order."""
    done = run("--on-aws", "--account", ACCOUNT, "--dry-run")
    assert done.exit_code == 0, done.output
    assert not on_aws.configs
    estimate = estimate_of(ROOT, TRIAL_STACK, per_hour=1, measurement=read_measurement())
    assert f"${ceiling_usd(estimate):.2f} at most" in done.output
    assert done.output.index("A4 ") < done.output.index("A5 ")


def test_the_ceiling_is_above_what_an_hour_costs_and_below_the_month() -> None:
    """It counts a whole month of what is billed for being there."""
    estimate = estimate_of(ROOT, TRIAL_STACK, per_hour=1, measurement=read_measurement())
    kept = {"Keys", "Secrets", "Alarms"} & {line.group for line in estimate.fixed.lines}
    assert kept == {"Keys", "Secrets", "Alarms"}
    assert estimate.month.usd / 730 < ceiling_usd(estimate) < estimate.fixed.usd + 5


def test_what_is_left_is_said_with_the_command_that_removes_it(on_aws: FakeDeployer, tmp_path: Path) -> None:
    """With the folder that Pulumi's state is in."""

    def stuck() -> None:
        raise DeployFailedError("the bucket is not empty")

    on_aws.removing = stuck
    report = tmp_path / "proof.json"
    done = run("--on-aws", "--account", ACCOUNT, "--yes", "--report", str(report))
    assert done.exit_code == 1
    assert "NOT REMOVED" in done.output
    assert "pulumi destroy -s trial" in done.output
    assert json.loads(report.read_text())["left_over"] == "the bucket is not empty"
    assert ACCOUNT not in report.read_text()


def test_the_real_clients_are_what_the_command_uses() -> None:
    """So that what the tests above put in their place is in its place."""
    assert deploy_prove.AwsClients is AwsClients


def test_no_other_commands_sweep_takes_pulumis_state_away() -> None:
    """Folders of commands that were killed are removed by the next one; this one has a deployed stack."""
    assert not any(deploy_prove.TRIALS.match(f"{kind}-*") for kind in KINDS)
