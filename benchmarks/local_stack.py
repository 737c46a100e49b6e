"""The local stack that a benchmark needs, and the lines that say on stderr how far it has come."""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from clients.deployment import Deployment
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.local_stack import deploy
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from topology.limits import DYNAMODB_BATCH_WRITE_MAX
from topology.names import LOCAL_STACK

_BEGUN_S: Final = time.monotonic()
RESPONDER: Final = str(Path(sys.executable).with_name("responder"))
"""The command itself, as people start it."""

_PUT_PAUSES_S: Final = (0.1, 0.4, 1.6, 6.4)


@contextmanager
def local_stack(run_dir: Path | None = None) -> Iterator[tuple[Emulator, Deployment]]:
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


def put_all(dynamodb: Any, table: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Put the items (DynamoDB JSON) into the table.

    Raises:
        RuntimeError: it kept leaving some of them out.
    """
    for start in range(0, len(items), DYNAMODB_BATCH_WRITE_MAX):
        some = items[start : start + DYNAMODB_BATCH_WRITE_MAX]
        wanted = {table: [{"PutRequest": {"Item": item}} for item in some]}
        for pause_s in _PUT_PAUSES_S:
            wanted = dynamodb.batch_write_item(RequestItems=wanted).get("UnprocessedItems")
            if not wanted:
                break
            time.sleep(pause_s)
        else:
            raise RuntimeError(f"{table} is too busy to be filled; try again when it is less so")


def say(line: str) -> None:
    """Write a line of progress, with the seconds since the start."""
    sys.stderr.write(f"{time.monotonic() - _BEGUN_S:5.0f} s  {line}\n")
