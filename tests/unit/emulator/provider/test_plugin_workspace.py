"""The files with which the Pulumi CLI works on the embedded AWS: its own, and none of the user's."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from emulator.pulumi.plugin.guard import BACKEND, EMULATOR, REHEARSAL, RUN_DIR
from emulator.pulumi.plugin.workspace import EXECUTABLE, Workspace
from emulator.pulumi.project import Project, read_project
from lambda_packages import ROOT
from topology.names import PROJECT

EDGE = "http://127.0.0.1:4566"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The workspace of a first start; nothing is there."""
    return Workspace(tmp_path, tmp_path / "pulumi" / "one")


@pytest.fixture
def project() -> Project:
    """This project, with one value that is not in its files."""
    return read_project(ROOT, "prod", overrides={"owner": "somebody"})


def test_the_project_is_this_checkout_but_for_the_configuration(
    workspace: Workspace, project: Project
) -> None:
    """The CLI finds program and policies where they are, and writes to a copy."""
    before = (ROOT / "Pulumi.prod.yaml").read_text()
    workspace.prepare(project)
    folder = workspace.project_dir
    assert (folder / "__main__.py").resolve() == ROOT / "__main__.py"
    written = folder / "Pulumi.yaml"
    assert not written.is_symlink()
    written.write_text("name: another\n")
    copy = folder / "Pulumi.prod.yaml"
    assert not copy.is_symlink()
    assert yaml.safe_load(copy.read_text())["config"][f"{PROJECT}:owner"] == "somebody"
    assert not list(folder.glob("Pulumi.dev.yaml"))
    copy.write_text("encryptionsalt: salted\n" + copy.read_text() + "  x:y: saved by --config\n")
    workspace.prepare(project)
    assert written.read_text() == (ROOT / "Pulumi.yaml").read_text()
    again = yaml.safe_load(copy.read_text())
    assert again["encryptionsalt"] == "salted"
    assert again["config"] == dict(project.config)
    assert (ROOT / "Pulumi.prod.yaml").read_text() == before


def test_the_environment_has_nothing_of_the_users_pulumi_or_aws(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the login, nor a switch that has the engine pass over PATH, nor credentials."""
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-of-a-person")
    monkeypatch.setenv("PULUMI_IGNORE_AMBIENT_PLUGINS", "true")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-person")
    monkeypatch.setenv("RESPONDER_REHEARSAL", "of-a-person")
    monkeypatch.setenv("HOME", "/home/somebody")
    environment = workspace.environment(EDGE, "prod", rehearsal=True)
    assert "of-a-person" not in " ".join(environment.values())
    assert "PULUMI_IGNORE_AMBIENT_PLUGINS" not in environment
    assert environment["HOME"] == "/home/somebody"
    assert environment[BACKEND] == f"file://{workspace.folder}/state"
    assert Path(environment["PULUMI_HOME"]).is_relative_to(workspace.folder)
    assert (environment[EMULATOR], environment[RUN_DIR]) == (EDGE, str(workspace.run_dir))
    assert environment[REHEARSAL] == "prod"
    assert REHEARSAL not in workspace.environment(EDGE, "local", rehearsal=False)


def test_a_proxy_is_passed_by_on_the_way_to_this_machine(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engine, program and plugin speak over the loopback; what the user reaches without it stays."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)
    environment = workspace.environment(EDGE, "local", rehearsal=False)
    assert environment["HTTP_PROXY"] == "http://proxy:3128"
    assert environment["NO_PROXY"] == environment["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_the_plugin_is_the_first_on_path_and_says_what_it_is_without_its_environment(
    workspace: Workspace, project: Project, tmp_path: Path
) -> None:
    """It is this Python's module, wherever it is started; only in this environment does it serve."""
    workspace.prepare(project)
    first = workspace.environment(EDGE, "local", rehearsal=False)["PATH"].split(os.pathsep)[0]
    with subprocess.Popen([Path(first) / EXECUTABLE], cwd=tmp_path, stdout=subprocess.PIPE) as plugin:
        assert plugin.stdout is not None
        assert int(plugin.stdout.readline()) > 0
        plugin.terminate()


def test_another_start_of_the_embedded_aws_forgets_the_former_ones_state(
    workspace: Workspace, project: Project, tmp_path: Path
) -> None:
    """The resources ended with it."""
    workspace.prepare(project)
    Workspace(tmp_path, tmp_path / "pulumi" / "two").prepare(project)
    assert not workspace.folder.exists()


def test_resources_are_counted_without_providers_and_components(workspace: Workspace) -> None:
    """What the CLI's state has of a stack; nothing before its first `up`, and nothing of another stack."""
    assert workspace.resources("local") == 0
    kinds = [
        ("pulumi:pulumi:Stack", False),
        ("pulumi:providers:aws", True),
        ("incident:region:Region", False),
        ("aws:sqs/queue:Queue", True),
    ]
    latest = {"resources": [{"type": type_, "custom": custom} for type_, custom in kinds]}
    folder = workspace.folder / "state" / ".pulumi" / "stacks" / PROJECT
    folder.mkdir(parents=True)
    (folder / "local.json").write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    (folder / "dev.json").write_text(json.dumps({"version": 3, "checkpoint": {"latest": None}}))
    assert workspace.resources("local") == 1
    assert workspace.resources("dev") == 0
    assert workspace.has_stack("dev")
    assert not workspace.has_stack("prod")


def test_outputs_are_kept_until_the_stack_is_gone(workspace: Workspace, project: Project) -> None:
    """For the commands that look for the running stack."""
    assert workspace.read_outputs() == {}
    workspace.prepare(project)
    workspace.keep_outputs({"Stack": "local"})
    assert workspace.read_outputs() == {"Stack": "local"}
    workspace.keep_outputs({})
    assert workspace.read_outputs() == {}
