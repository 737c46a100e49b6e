"""The trial's stack on AWS, by the Pulumi CLI, with a project folder and a backend of its own.

The folder's `Pulumi.yaml` leads to the program, so the salt, and what `--config` gives, go to a copy
of the stack's file and not into the working tree.
https://www.pulumi.com/docs/iac/concepts/projects/project-file/
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from clients.aws import AwsClients
from clients.deployment import Deployment
from deploy.trial.deployer import Changes, DeployFailedError, protected_types
from topology.names import PROJECT, TRIAL_STACK

_SAID: Final = 1_500
"""Characters of what the CLI said that an error repeats, from its end."""

_SHORT_S: Final = 120.0
_SUFFIX: Final = "suffix"
_ACCOUNT: Final = "account"
_SALT: Final = "encryptionsalt"
_STOPPED_WITHIN_S: Final = 60.0
_GO_ON: Final = ("--yes", "--skip-preview", "--continue-on-error")
_UNPROTECTED: Final = {"deletionProtection": "false"}


class PulumiCli:
    """`Deployer` of AWS; see there. `account` is the one that the credentials were found to be of."""

    embedded = False
    where = "AWS"

    def __init__(
        self, project: Path, folder: Path, *, account: str, leftovers: bool = False, command: str = "pulumi"
    ) -> None:
        """Make the folder's backend, or find the one that an earlier trial has left there.

        With `leftovers` the stack is taken as that trial has left it, to be removed.

        Raises:
            DeployFailedError: there is no CLI, or it cannot make the stack; or an earlier trial has left
                something, and be it in another account.
        """
        found = shutil.which(command)
        if found is None:
            raise DeployFailedError(
                "there is no `pulumi` on PATH; install it by https://www.pulumi.com/docs/iac/download-install/"
            )
        self._pulumi, self._folder = found, folder
        self._config = folder / f"Pulumi.{TRIAL_STACK}.yaml"
        began_in = _kept(folder / _ACCOUNT, lambda: account)
        if began_in != account:
            raise DeployFailedError(
                f"an earlier trial was of account {began_in}; `{removal(began_in)}` removes what it has left"
            )
        self._always = {
            "expectedAccountId": account,
            # Bucket names are global to AWS, and the locked ones of an earlier trial may be left.
            "backupBucketSuffix": _kept(folder / _SUFFIX, lambda: secrets.token_hex(4)),
        }
        _kept(folder / "passphrase", lambda: secrets.token_hex(16))
        (folder / "state").mkdir(exist_ok=True)
        described = yaml.safe_load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
        options = {"toolchain": "pip", "virtualenv": sys.prefix}
        described |= {"main": str(project), "runtime": {"name": "python", "options": options}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
        if not self._config.exists():
            shutil.copy(project / self._config.name, self._config)
        self._run("stack", "select", "--create", within_s=_SHORT_S)
        if not leftovers:
            if self._entries("resources") or self._entries("pending_operations"):
                raise DeployFailedError(f"an earlier trial has left a stack; `{removal(account)}` removes it")
            self._forget_given(project)

    def up(self, config: Mapping[str, str], *, within_s: float) -> Changes:
        """See `Deployer`."""
        self._run("up", "--yes", "--skip-preview", *self._given(config), within_s=within_s)
        history = json.loads(
            self._run("stack", "history", "--json", "--page-size", "1", "--page", "1", within_s=_SHORT_S)
        )
        done = history[0].get("resourceChanges") or {}
        return Changes(
            created=done.get("create", 0),
            updated=done.get("update", 0),
            replaced=done.get("replace", 0),
            deleted=done.get("delete", 0),
        )

    def deployment(self) -> Deployment:
        """See `Deployer`."""
        outputs = json.loads(self._run("stack", "output", "--json", within_s=_SHORT_S))
        return Deployment.from_outputs(outputs, AwsClients())

    def refusal(self, config: Mapping[str, str], *, within_s: float) -> str:
        """See `Deployer`: by a preview, with a copy of the configuration, since `--config` saves it."""
        kept = self._config.read_bytes()
        try:
            self._run("preview", *self._given(config), within_s=within_s)
        except DeployFailedError as refused:
            return str(refused)
        finally:
            self._config.write_bytes(kept)
        return ""

    def state(self) -> str:
        """See `Deployer`."""
        return self._run("stack", "export", within_s=_SHORT_S)

    def protected(self) -> Mapping[str, bool]:
        """See `Deployer`."""
        return protected_types(self._entries("resources"))

    def remove(self, *, within_s: float) -> None:
        """See `Deployer`: an `up` takes AWS's protection off; where it fails, the rest is still destroyed."""
        ends_s = time.monotonic() + within_s
        with contextlib.suppress(DeployFailedError):  # nothing is under way, but for what was interrupted
            self._run("cancel", "--yes", within_s=_SHORT_S)
        if self._entries("resources"):
            self._destroy(ends_s)
        if unknown := [str(one["resource"]["urn"]) for one in self._entries("pending_operations")]:
            raise DeployFailedError(
                f"what an interrupted `pulumi` was at may be there, unknown to it: {', '.join(unknown)}; "
                f"remove it by hand, and then the folder {self._folder}"
            )
        self._run("stack", "rm", "--yes", within_s=_SHORT_S)
        # A deleted bucket's name is not free at once: the next trial takes another.
        for kept in (_SUFFIX, _ACCOUNT):
            (self._folder / kept).unlink()

    def _destroy(self, ends_s: float) -> None:
        before = ""
        try:
            half_s = max(0.0, ends_s - time.monotonic()) / 2
            self._run("up", *_GO_ON, *self._given(_UNPROTECTED), within_s=half_s)
        except DeployFailedError as error:
            before = f"; before it, {error}"
        with contextlib.suppress(DeployFailedError):  # what is still protected, `destroy` names
            self._run("state", "unprotect", "--all", "--yes", within_s=_SHORT_S)
        try:
            self._run("destroy", *_GO_ON, within_s=max(0.0, ends_s - time.monotonic()))
        except DeployFailedError as error:
            raise DeployFailedError(f"{error}{before}") from error

    def _entries(self, kind: str) -> Sequence[Mapping[str, Any]]:
        """The state's `resources`, or its `pending_operations`: begun, and nobody knows how they ended."""
        return (json.loads(self.state()).get("deployment") or {}).get(kind) or ()

    def _forget_given(self, project: Path) -> None:
        """Go back to the stack's own configuration, with the salt that the CLI gave the copy."""
        written = yaml.safe_load(self._config.read_text(encoding="utf-8"))
        own = yaml.safe_load((project / self._config.name).read_text(encoding="utf-8"))
        salt = {_SALT: written[_SALT]} if _SALT in written else {}
        self._config.write_text(yaml.safe_dump({**own, **salt}), encoding="utf-8")

    def _given(self, config: Mapping[str, str]) -> list[str]:
        values = {**self._always, **config}
        return [word for key, value in values.items() for word in ("--config", f"{PROJECT}:{key}={value}")]

    def _environment(self) -> Mapping[str, str]:
        """The user's, but of what is Pulumi's only where its plugins are."""
        kept = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith("PULUMI_") or name == "PULUMI_HOME"
        }
        return {
            **kept,
            "PULUMI_BACKEND_URL": f"file://{self._folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._folder / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def _run(self, *words: str, within_s: float) -> str:
        """Run the CLI; what it printed. Too late, it is interrupted as by Ctrl-C, and ends what it is at."""
        command = [self._pulumi, *words, "--stack", TRIAL_STACK, "--non-interactive", "--color", "never"]
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that Ctrl-C ends what waits here, and not an update half done
        ) as process:
            try:
                out, err = process.communicate(timeout=within_s)
            except BaseException as error:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=_STOPPED_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                if isinstance(error, subprocess.TimeoutExpired):
                    said = f"`pulumi {' '.join(words[:2])}` has not ended within {within_s:.0f} s"
                    raise DeployFailedError(said) from error
                raise
        if process.returncode:
            raise DeployFailedError(f"`pulumi {words[0]}` failed: {(out + err).strip()[-_SAID:]}")
        return out


def removal(account: str) -> str:
    """The command that removes what a trial has left in an account."""
    return f"responder deploy prove --on-aws --account {account} --tear-down"


def _kept(file: Path, make: Callable[[], str]) -> str:
    """A file's text, made once; nobody else may read it."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(make(), encoding="utf-8")
    return file.read_text(encoding="utf-8")
