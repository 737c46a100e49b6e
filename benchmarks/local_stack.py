"""The local stack that a benchmark needs, and the lines that say on stderr how far it has come."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clients.deployment import Deployment
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.local_stack import deploy
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from topology.names import LOCAL_STACK

_BEGUN_S: Final = time.monotonic()
RESPONDER: Final = str(Path(sys.executable).with_name("responder"))
"""The command itself, as people start it."""


@contextmanager
def local_stack(run_dir: Path | None) -> Iterator[tuple[Emulator, Deployment]]:
    """The stack that runs in `run_dir`; without one a fresh stack, which is taken down at the end."""
    if run_dir is not None:
        attached = Emulator.attach(run_dir)
        yield attached, attached_deployment(attached)
        return
    say("bringing a local stack up")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        regions = stack_config(ROOT, LOCAL_STACK).regions
        with Emulator.start(Path(folder) / "stack", regions=regions) as emulator:
            yield emulator, deploy(emulator, progress=say).deployment
            say("taking the stack down")


def say(line: str) -> None:
    """Write a line of progress, with the seconds since the start."""
    sys.stderr.write(f"{time.monotonic() - _BEGUN_S:5.0f} s  {line}\n")
