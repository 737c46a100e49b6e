"""The Pulumi CLI of a trial: a project and a backend of its own, counted changes, and an end in time.

By a program of no resources, with the CLI itself; no provider is needed, and nothing is asked of AWS.
"""

import shutil
import time
from pathlib import Path

import pytest

from deploy.trial.deployer import Changes, DeployFailedError
from deploy.trial.pulumi_cli import PulumiCli
from topology.names import PROJECT, TRIAL_STACK

PROGRAM = """
import time
import pulumi
config = pulumi.Config()
if config.get("refuse"):
    raise pulumi.RunError("regions of a deployed stack cannot change")
time.sleep(float(config.get("sleep") or 0))
pulumi.export("Stack", pulumi.get_stack())
pulumi.export("account", config.require("expectedAccountId"))
pulumi.export("Key", pulumi.Output.secret("the api key"))
"""
STACK_FILE = f'# As it is in the repository.\nconfig:\n  {PROJECT}:deletionProtection: "true"\n'

needs_pulumi = pytest.mark.skipif(
    shutil.which("pulumi") is None,
    reason="no `pulumi` on PATH: https://www.pulumi.com/docs/iac/download-install/",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of this one's name, whose program makes nothing."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    (folder / f"Pulumi.{TRIAL_STACK}.yaml").write_text(STACK_FILE)
    (folder / "__main__.py").write_text(PROGRAM)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trial's folder; what a person has set for the CLI must not matter."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///nowhere")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    folder = tmp_path / "trial"
    folder.mkdir()
    return folder


def test_a_machine_without_the_cli_is_told_where_to_get_it(project: Path, folder: Path) -> None:
    """One line, and nothing is made."""
    with pytest.raises(DeployFailedError, match="no `pulumi` on PATH; install it"):
        PulumiCli(project, folder, account="123456789012", command="pulumi-that-is-not-there")
    assert list(folder.iterdir()) == []


@needs_pulumi
def test_a_trial_leaves_the_working_tree_alone(project: Path, folder: Path) -> None:
    """Salt and `--config` go to a copy; changes are counted; a refusal has its reason; all is removed."""
    cli = PulumiCli(project, folder, account="123456789012")
    assert cli.up({"backupLockDays": "2"}, within_s=120) == Changes(created=1)
    assert cli.up({}, within_s=120).none
    assert "regions of a deployed stack cannot change" in cli.refusal({"refuse": "1"}, within_s=120)
    assert cli.refusal({}, within_s=120) == ""
    assert "the api key" not in cli.state()
    assert "123456789012" in cli.state()
    assert cli.protected() == {"pulumi:pulumi:Stack": False}
    assert "backupLockDays" in (folder / f"Pulumi.{TRIAL_STACK}.yaml").read_text()
    assert (folder / "passphrase").stat().st_mode & 0o077 == 0
    cli.remove(within_s=120)
    assert (project / f"Pulumi.{TRIAL_STACK}.yaml").read_text() == STACK_FILE
    with pytest.raises(DeployFailedError, match="no stack named"):
        cli.state()


@needs_pulumi
def test_an_update_that_takes_too_long_is_interrupted_and_can_be_removed(project: Path, folder: Path) -> None:
    """As by Ctrl-C, and its lock does not keep the tear-down."""
    cli = PulumiCli(project, folder, account="123456789012")
    begun = time.monotonic()
    with pytest.raises(DeployFailedError, match="has not ended within 5 s"):
        cli.up({"sleep": "300"}, within_s=5)
    assert time.monotonic() - begun < 120
    (folder / f"Pulumi.{TRIAL_STACK}.yaml").write_text(
        (folder / f"Pulumi.{TRIAL_STACK}.yaml").read_text().replace('"300"', '"0"')
    )
    cli.remove(within_s=120)
