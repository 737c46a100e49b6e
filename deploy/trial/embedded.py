"""The trial's stack on the embedded AWS, by the in-process engine, from the real program."""

import json
from collections.abc import Mapping
from typing import Final

from clients.deployment import Deployment
from deploy.trial.deployer import Changes, DeployFailedError, protected_types
from emulator.attached_stack import STATE_FILE, attached_deployment
from emulator.client import Emulator
from emulator.local_stack import deploy
from emulator.pulumi.deploy import down
from emulator.pulumi.program import DeployError
from topology.names import LOCAL_STACK

_LIKE_A_TRIAL: Final = {
    "deletionProtection": "true",
    "backupLockDays": "1",
    "backupRetentionDays": "2",
}
"""What `Pulumi.trial.yaml` has otherwise than `Pulumi.local.yaml`, of what the steps look at."""


class EmbeddedAws:
    """`Deployer` of the stack `local` on an emulator of its own; the engine has a deadline of its own."""

    embedded = True
    where = "the embedded AWS"

    def __init__(self, emulator: Emulator) -> None:
        """Nothing is deployed."""
        self._emulator = emulator
        self._config = dict(_LIKE_A_TRIAL)

    def up(self, config: Mapping[str, str], *, within_s: float) -> Changes:
        """See `Deployer`."""
        del within_s
        self._config |= config
        return self._deploy(self._config)

    def deployment(self) -> Deployment:
        """See `Deployer`."""
        return attached_deployment(self._emulator)

    def refusal(self, config: Mapping[str, str], *, within_s: float) -> str:
        """See `Deployer`. There is no preview: what is not refused is deployed."""
        del within_s
        try:
            self._deploy({**self._config, **config})
        except DeployFailedError as refused:
            return str(refused)
        return ""

    def state(self) -> str:
        """See `Deployer`."""
        return (self._emulator.run_dir / STATE_FILE).read_text(encoding="utf-8")

    def protected(self) -> Mapping[str, bool]:
        """See `Deployer`."""
        return protected_types(json.loads(self.state())["resources"].values())

    def remove(self, *, within_s: float) -> None:
        """See `Deployer`."""
        self.up({"deletionProtection": "false"}, within_s=within_s)
        try:
            down(
                stack=LOCAL_STACK,
                edge_url=self._emulator.edge_url,
                state_path=self._emulator.run_dir / STATE_FILE,
                instance_id=self._emulator.instance_id,
            )
        except DeployError as error:
            raise DeployFailedError(str(error)) from error

    def _deploy(self, config: Mapping[str, str]) -> Changes:
        try:
            done = deploy(self._emulator, config=config).deployed
        except DeployError as error:
            raise DeployFailedError(str(error)) from error
        return Changes(done.created, done.updated, done.replaced, done.deleted)
