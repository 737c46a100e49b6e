"""The Pulumi CLI of a trial: a project and a backend of its own, counted changes, and an end in time.

By a program of no resources, with the CLI itself; no provider is needed, and nothing is asked of AWS.
"""

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

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


STAND_IN = """#!/bin/sh
env > environment
echo "$@" >> calls
case "$1 $2" in
"stack export") cat exported ;;
"up "*) echo "error: LimitExceeded"; exit 1 ;;
"destroy "*) cp destroyed exported ;;
esac
"""
"""A CLI whose `up` always fails. Its state is the file `exported`, and `destroyed` once it has destroyed."""


def exported(urns: Iterable[str] = (), *, pending: Iterable[str] = ()) -> str:
    """What `pulumi stack export` prints of a stack of these resources."""
    resources = [{"urn": urn, "type": "aws:s3/bucket:Bucket", "protect": True} for urn in urns]
    operations = [{"type": "creating", "resource": {"urn": urn}} for urn in pending]
    return json.dumps(
        {"version": 3, "deployment": {"resources": resources, "pending_operations": operations}}
    )


@pytest.fixture
def stand_in(folder: Path) -> str:
    """The path of a CLI that stands in for Pulumi's; its stack is empty."""
    command = folder.parent / "pulumi"
    command.write_text(STAND_IN)
    command.chmod(0o700)
    for name in ("exported", "destroyed"):
        (folder / name).write_text(exported())
    return str(command)


def called(folder: Path) -> list[str]:
    """The commands that the stand-in was given, each without what all are given."""
    lines = (folder / "calls").read_text().splitlines()
    return [line.partition(f" --stack {TRIAL_STACK}")[0].partition(" --config")[0] for line in lines]


def test_what_cannot_be_deployed_is_removed_all_the_same(project: Path, folder: Path, stand_in: str) -> None:
    """Its `up` fails again in the tear-down: protection goes as far as it can, and all is destroyed."""
    cli = PulumiCli(project, folder, account="123456789012", command=stand_in)
    (folder / "exported").write_text(exported(["urn:pulumi:one"]))
    with pytest.raises(DeployFailedError, match="LimitExceeded"):
        cli.up({}, within_s=60)
    cli.remove(within_s=60)
    assert called(folder)[-6:] == [
        "stack export",
        "up --yes --skip-preview --continue-on-error",
        "state unprotect --all --yes",
        "destroy --yes --skip-preview --continue-on-error",
        "stack export",
        "stack rm --yes",
    ]
    assert not (folder / "account").exists()


def test_what_an_interrupted_up_may_have_made_is_named(project: Path, folder: Path, stand_in: str) -> None:
    """Pulumi knows no more of it than that it was begun, and its state is not forgotten."""
    cli = PulumiCli(project, folder, account="123456789012", command=stand_in)
    (folder / "exported").write_text(exported(["urn:pulumi:one"], pending=["urn:pulumi:half"]))
    (folder / "destroyed").write_text(exported(pending=["urn:pulumi:half"]))
    with pytest.raises(DeployFailedError, match="urn:pulumi:half"):
        cli.remove(within_s=60)
    assert "stack rm --yes" not in called(folder)


@pytest.mark.parametrize("left", [exported(["urn:pulumi:one"]), exported(pending=["urn:pulumi:half"])])
def test_a_trial_does_not_begin_on_what_another_has_left(
    project: Path, folder: Path, stand_in: str, left: str
) -> None:
    """Its first `up` would be no first one; the message has the command that removes what is left."""
    (folder / "exported").write_text(left)
    with pytest.raises(DeployFailedError, match="--on-aws --account 123456789012 --tear-down"):
        PulumiCli(project, folder, account="123456789012", command=stand_in)
    PulumiCli(project, folder, account="123456789012", command=stand_in, leftovers=True)


def test_what_is_left_in_one_account_is_not_sought_in_another(
    project: Path, folder: Path, stand_in: str
) -> None:
    """Neither by a trial nor by the tear-down alone; nothing of the folder is changed."""
    PulumiCli(project, folder, account="123456789012", command=stand_in)
    before = called(folder)
    for leftovers in (False, True):
        with pytest.raises(DeployFailedError, match="--account 123456789012 --tear-down"):
            PulumiCli(project, folder, account="222222222222", command=stand_in, leftovers=leftovers)
    assert called(folder) == before


def test_a_trial_begins_with_the_stacks_own_configuration(project: Path, folder: Path, stand_in: str) -> None:
    """Of what the CLI has written into the copy, the salt stays, and nothing that `--config` has saved."""
    config = folder / f"Pulumi.{TRIAL_STACK}.yaml"
    config.write_text(f"encryptionsalt: v1:a:b\nconfig:\n  {PROJECT}:backupLockDays: '2'\n")
    PulumiCli(project, folder, account="123456789012", command=stand_in)
    assert yaml.safe_load(config.read_text()) == {
        **yaml.safe_load(STACK_FILE),
        "encryptionsalt": "v1:a:b",
    }


def test_what_a_person_has_set_for_pulumi_is_not_of_the_trial(
    project: Path, folder: Path, stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passphrase of theirs would keep the next command from the trial's state; plugins are shared."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the person")
    PulumiCli(project, folder, account="123456789012", command=stand_in)
    environment = (folder / "environment").read_text().splitlines()
    assert not [line for line in environment if line.startswith("PULUMI_CONFIG_PASSPHRASE=")]
    assert f"PULUMI_CONFIG_PASSPHRASE_FILE={folder}/passphrase" in environment
    assert f"PULUMI_HOME={folder.parent}/home" in environment


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
