"""The stack that runs on an emulator, found by what its deployment left in the emulator's run folder."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clients.aws import AwsClients
from clients.deployment import Deployment, IncompleteOutputsError, NoOutputsError
from emulator.client import Emulator
from emulator.pulumi.plugin.workspace import Workspace
from emulator.pulumi.state import State
from topology.names import LOCAL_STACK

STATE_FILE: Final = "state.json"
"""Where the local stack's state is, in the emulator's run folder."""


def read_outputs(*, stack: str, state_path: Path, instance_id: str) -> Mapping[str, Any]:
    """The outputs of the last complete `up`, secret ones left out; empty if there was none.

    Raises:
        StateError: the state file cannot be used.
    """
    return State.of(instance_id, path=state_path, stack=stack)[0].outputs


def attached_deployment(emulator: Emulator) -> Deployment:
    """The local stack that was deployed to `emulator`, in process or by the Pulumi CLI.

    Raises:
        NoOutputsError: no `up` was ever completed there.
        IncompleteOutputsError: another version of the program was deployed.
        StateError: the state file cannot be used.
    """
    outputs = read_outputs(
        stack=LOCAL_STACK, state_path=emulator.run_dir / STATE_FILE, instance_id=emulator.instance_id
    )
    outputs = outputs or Workspace.of(emulator).read_outputs()
    up = f"`responder local up --run-dir {shlex.quote(str(emulator.run_dir))}`"
    try:
        return Deployment.from_outputs(outputs, AwsClients(emulator.edge_url))
    except NoOutputsError as error:
        raise NoOutputsError(
            f"the stack in {emulator.run_dir} is half made: its deployment is under way or was broken off; "
            f"{up} finishes it"
        ) from error
    except IncompleteOutputsError as error:
        raise IncompleteOutputsError(f"{error}, by {up}") from error
