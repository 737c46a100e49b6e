"""`responder deploy prove` touches AWS only where it is told to, and says first what that may cost."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner

from clients.aws import AwsClients
from costs.estimate import estimate_of
from costs.usage import read_measurement
from deploy.trial.account import WrongAccountError, check_account
from deploy.trial.ceiling import ceiling_usd
from deploy.trial.deployer import DeployFailedError
from deploy.trial.verdicts import TrialReport
from emulator.errors import StackBusyError
from lambda_packages import ROOT
from ops import deploy_prove
from ops.cli import app, main
from ops.scratch import KINDS
from tests.fakes.recorded_aws import PRIMARY, RecordedAws
from tests.fakes.trial import FakeDeployer
from topology.names import TRIAL_STACK

ACCOUNT = "123456789012"
IDENTITY = {"sts.get_caller_identity": {"Account": ACCOUNT}}


def interrupt() -> NoReturn:
    """Ctrl-C."""
    raise KeyboardInterrupt


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


REMOVAL = f"`responder deploy prove --on-aws --account {ACCOUNT} --tear-down` goes on with it"


def stuck() -> None:
    """A tear-down that fails."""
    raise DeployFailedError("the bucket is not empty")


def test_what_is_left_is_said_with_the_command_that_removes_it(on_aws: FakeDeployer, tmp_path: Path) -> None:
    """Not in the report: that names no account."""
    on_aws.removing = stuck
    report = tmp_path / "proof.json"
    done = run("--on-aws", "--account", ACCOUNT, "--yes", "--report", str(report))
    assert done.exit_code == 1
    assert "NOT REMOVED" in done.output
    assert REMOVAL in done.output
    assert json.loads(report.read_text())["left_over"] == "the bucket is not empty"
    assert ACCOUNT not in report.read_text()


@pytest.mark.parametrize(
    ("removing", "left"), [(stuck, "the bucket is not empty"), (interrupt, "the tear-down has not ended")]
)
def test_an_interrupted_trial_says_what_it_could_not_remove(
    on_aws: FakeDeployer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    removing: Callable[[], None],
    left: str,
) -> None:
    """It costs until somebody removes it; so it does where the tear-down is interrupted too."""
    on_aws.removing = removing
    monkeypatch.setattr(on_aws, "up", lambda *_, **__: interrupt())
    words = ["--on-aws", "--account", ACCOUNT, "--yes", "--report", str(tmp_path / "proof.json")]
    with pytest.raises(SystemExit) as ended:
        main(lambda: app(["deploy", "prove", *words]))
    assert ended.value.code == 130
    assert f"interrupted: NOT REMOVED, and it may cost: {left}; {REMOVAL}" in capsys.readouterr().err


def test_a_fault_of_the_trial_says_what_it_could_not_remove(
    on_aws: FakeDeployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its traceback."""
    on_aws.removing = stuck
    monkeypatch.setattr(on_aws, "up", lambda *_, **__: {}["a fault"])
    done = run("--on-aws", "--account", ACCOUNT, "--yes", "--report", str(tmp_path / "proof.json"))
    assert isinstance(done.exception, KeyError)
    assert REMOVAL in done.output


def test_a_report_that_cannot_be_written_is_an_error_after_the_tear_down(
    on_aws: FakeDeployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdicts are printed, and no file is named that is not there."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TrialReport, "write", full)
    done = run("--on-aws", "--account", ACCOUNT, "--yes", "--report", str(tmp_path / "proof.json"))
    assert on_aws.removed == 1
    assert isinstance(done.exception, OSError)
    assert "no quota" in done.output
    assert "verdicts on" not in done.output


@pytest.mark.parametrize(
    ("removing", "says", "code"), [(lambda: None, "nothing is left", 0), (stuck, REMOVAL, 1)]
)
def test_what_an_earlier_trial_has_left_can_be_removed_alone(
    on_aws: FakeDeployer, tmp_path: Path, removing: Callable[[], None], says: str, code: int
) -> None:
    """Nothing is deployed, and the report of that trial stays."""
    on_aws.removing = removing
    report = tmp_path / "proof.json"
    done = run("--on-aws", "--account", ACCOUNT, "--tear-down", "--report", str(report))
    assert (done.exit_code, on_aws.removed, on_aws.configs) == (code, 1, [])
    assert says in done.output
    assert not report.exists()


def test_there_is_nothing_to_remove_from_the_embedded_aws() -> None:
    """It ends with its trial."""
    assert run("--tear-down").exit_code == 2


@pytest.mark.parametrize("words", [(), ("--tear-down",)])
def test_two_commands_at_one_stack_are_refused(on_aws: FakeDeployer, words: tuple[str, ...]) -> None:
    """Each would remove what the other deploys."""
    holds = "import sys; from pathlib import Path; from emulator.stack_lock import changing"
    script = f"{holds}\nwith changing(Path(sys.argv[1]), make=False): print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(deploy_prove.TRIALS)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = run("--on-aws", "--account", ACCOUNT, "--yes", *words)
        other.communicate()
    assert isinstance(done.exception, StackBusyError)
    assert (on_aws.removed, on_aws.configs) == (0, [])


def test_the_real_clients_are_what_the_command_uses() -> None:
    """So that what the tests above put in their place is in its place."""
    assert deploy_prove.AwsClients is AwsClients


def test_no_other_commands_sweep_takes_pulumis_state_away() -> None:
    """Folders of commands that were killed are removed by the next one; this one has a deployed stack."""
    assert not any(deploy_prove.TRIALS.match(f"{kind}-*") for kind in KINDS)
