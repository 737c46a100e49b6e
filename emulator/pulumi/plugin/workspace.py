"""What a call of the Pulumi CLI works with on the embedded AWS, in the run folder, and nothing of the user's.

The CLI's state, home and passphrase, a project folder, and the executable by which its engine finds the
plugin. All of it belongs to one start of the embedded AWS, whose resources end with it.

The project folder has a link for everything in this checkout, but its own copy of what the CLI writes to: the
project's file, and the stack's, which gets a salt and the values of `--config`, and which `pulumi stack rm`
removes.
"""

import json
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from emulator.client import Emulator
from emulator.ports import LOOPBACK
from emulator.pulumi.plugin.guard import BACKEND, EMULATOR, REHEARSAL, RUN_DIR
from emulator.pulumi.project import Project
from lambda_packages import ROOT
from topology.names import PROJECT

FOLDER: Final = "pulumi"
"""Within the run folder."""

EXECUTABLE: Final = "pulumi-resource-aws"
"""What the engine looks for on PATH, before it looks among installed plugins.
https://github.com/pulumi/pulumi/blob/v3.260.0/sdk/go/common/workspace/plugins.go (getPluginInfoAndPath)"""

_PROJECT_FILE: Final = "Pulumi.yaml"
_NOT_LINKED: Final = frozenset({".git", ".local", ".venv", _PROJECT_FILE})
_SALT: Final = "encryptionsalt"


@dataclass(frozen=True)
class Workspace:
    """The files of one start of an embedded AWS; `of` names them, `prepare` makes them."""

    run_dir: Path
    folder: Path

    @classmethod
    def of(cls, emulator: Emulator) -> Self:
        """The workspace of a running embedded AWS; nothing needs to be there yet."""
        return cls(emulator.run_dir, emulator.run_dir / FOLDER / emulator.instance_id)

    @property
    def project_dir(self) -> Path:
        """Where the CLI is run."""
        return self.folder / "project"

    def prepare(self, project: Project) -> None:
        """Make the folders, forget those of former starts, and write the configuration of the stack."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for former in self.folder.parent.iterdir():
            if former != self.folder:
                shutil.rmtree(former)
        for name in ("home", "state", "bin", "project"):
            (self.folder / name).mkdir(exist_ok=True)
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_hex())
        executable = self.folder / "bin" / EXECUTABLE
        python = shlex.quote(sys.executable)
        executable.write_text(
            f"#!/bin/sh\ncd {shlex.quote(str(ROOT))} && exec {python} -m emulator.pulumi.plugin\n"
        )
        executable.chmod(0o700)
        self._link()
        self._configure(project)

    def environment(self, edge_url: str, stack: str, *, rehearsal: bool) -> dict[str, str]:
        """The environment of the CLI: of the user's, nothing that is Pulumi's, AWS's or the plugin's.

        A proxy of the user's is passed by on the way to this machine, in both spellings of the variable.
        """
        others = ("PULUMI_", "AWS_", "RESPONDER_")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(others)}
        direct = ",".join(filter(None, [kept.get("NO_PROXY"), kept.get("no_proxy"), LOOPBACK, "localhost"]))
        return {
            **kept,
            "PATH": os.pathsep.join([str(self.folder / "bin"), kept.get("PATH", os.defpath)]),
            BACKEND: (self.folder / "state").as_uri(),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "PULUMI_STACK": stack,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "NO_PROXY": direct,
            "no_proxy": direct,
            EMULATOR: edge_url,
            RUN_DIR: str(self.run_dir),
            **({REHEARSAL: stack} if rehearsal else {}),
        }

    def has_stack(self, stack: str) -> bool:
        """Whether the CLI's state knows the stack."""
        return self._checkpoint(stack).exists()

    def resources(self, stack: str) -> int:
        """How many resources the CLI's state of the stack has."""
        if not self.has_stack(stack):
            return 0
        checkpoint = json.loads(self._checkpoint(stack).read_text(encoding="utf-8"))["checkpoint"]
        latest = checkpoint.get("latest") or {}
        return sum(
            each.get("custom", False) and not each["type"].startswith("pulumi:providers:")
            for each in latest.get("resources", [])
        )

    def keep_outputs(self, outputs: Mapping[str, Any]) -> None:
        """Keep the stack's outputs for whoever looks for the stack; none if it is gone."""
        (self.folder / "outputs.json").write_text(json.dumps(outputs), encoding="utf-8")

    def read_outputs(self) -> Mapping[str, Any]:
        """The outputs that were kept; empty if there are none."""
        path = self.folder / "outputs.json"
        outputs: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return outputs

    def _checkpoint(self, stack: str) -> Path:
        """https://www.pulumi.com/docs/iac/concepts/state-and-backends/#local-filesystem."""
        return self.folder / "state" / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"

    def _link(self) -> None:
        for link in self.project_dir.iterdir():
            if link.is_symlink():
                link.unlink()
        for path in ROOT.iterdir():
            stack_file = path.match("Pulumi.*.yaml")
            link = self.project_dir / path.name
            if path.name not in _NOT_LINKED and not stack_file and not link.exists():
                link.symlink_to(path)
        (self.project_dir / ".venv").symlink_to(sys.prefix)
        shutil.copyfile(ROOT / _PROJECT_FILE, self.project_dir / _PROJECT_FILE)

    def _configure(self, project: Project) -> None:
        """Write the stack's configuration, with the salt that the CLI gave the copy before."""
        path = self.project_dir / f"Pulumi.{project.stack}.yaml"
        before = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
        salt = {_SALT: before[_SALT]} if _SALT in (before or {}) else {}
        path.write_text(yaml.safe_dump({**salt, "config": dict(project.config)}), encoding="utf-8")
