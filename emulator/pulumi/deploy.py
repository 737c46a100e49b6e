"""`pulumi up` and `pulumi destroy` for the embedded AWS, in process: the real program, no Pulumi CLI.

The command line, the demo and the tests call `up` and `down`. A state file tells the next run what
there is; it belongs to one emulator, so another emulator's is discarded.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pulumi.runtime import rpc

from clients.aws import AwsClients
from emulator.pulumi.engine import Action, Engine, Progress
from emulator.pulumi.monitor import ProviderMonitor
from emulator.pulumi.program import DeployError, run_program
from emulator.pulumi.project import Project, read_project
from emulator.pulumi.provider.catalogue import FUNCTIONS
from emulator.pulumi.provider.resource import GLOBAL_REGION
from emulator.pulumi.state import State
from emulator.stack_lock import changing


@dataclass(frozen=True)
class DeployResult:
    """What a run did. `outputs` are the stack's, its secrets in plain text: keep them in memory.

    `discarded` counts what was recorded of an emulator that is gone.
    """

    outputs: Mapping[str, Any] = field(repr=False)
    created: int
    updated: int
    replaced: int
    same: int
    deleted: int
    discarded: int
    duration_s: float


def up(
    *,
    stack: str,
    edge_url: str,
    webhook_base_urls: Mapping[str, str],
    state_path: Path,
    project_dir: Path,
    instance_id: str,
    config: Mapping[str, str] = MappingProxyType({}),
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> DeployResult:
    """Make the emulator at `edge_url` be what the program in `project_dir` says for `stack`.

    `webhook_base_urls` maps a region to where its API Gateway is reached; `instance_id` names the
    emulator, so that the state of one that is gone is not taken for this one's; `config` overrides keys of
    the stack's file, as `pulumi up --config` does. `on_progress` is called from several threads.

    One run at a time works on the state file's folder; another waits for its end.

    Raises:
        DeployError: the program or its configuration is wrong, a resource failed, or the run took longer
            than `TIMEOUT_S`. What was done is recorded: the next run goes on from there.
        StateError: the state file cannot be used; nothing was done.
        StackBusyError: another process is changing the stack, and does not end.
    """
    started = time.monotonic()
    project = read_project(project_dir, stack, overrides=config)
    if project.problems:
        raise DeployError(list(project.problems))
    clients = AwsClients(edge_url)
    with changing(state_path.parent, make=False):
        state, discarded = State.of(instance_id, path=state_path, stack=stack)
        monitor, counts = _deploy(project, clients, webhook_base_urls, state, on_progress)
    plain = {name: rpc.unwrap_rpc_secret(value) for name, value in monitor.outputs.items()}
    return _result(plain, counts, discarded, started)


def _deploy(
    project: Project,
    clients: AwsClients,
    webhook_base_urls: Mapping[str, str],
    state: State,
    on_progress: Callable[[Progress], None],
) -> tuple[ProviderMonitor, Counter[Action]]:
    engine = Engine(
        clients=clients, webhook_base_urls=webhook_base_urls, state=state, on_progress=on_progress
    )
    functions = {token: partial(answer, clients, GLOBAL_REGION) for token, answer in FUNCTIONS.items()}
    monitor = ProviderMonitor(engine, functions)
    try:
        run_program(project, monitor)
        problems = engine.prune()
        if problems:
            raise DeployError(problems)
        outputs = {name: value for name, value in monitor.outputs.items() if not rpc.is_rpc_secret(value)}
        state.outputs = outputs
    finally:
        state.save()
    return monitor, engine.counts


def down(
    *,
    stack: str,
    edge_url: str,
    state_path: Path,
    instance_id: str,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> DeployResult:
    """Delete everything that `state_path` lists, dependants first, and then the file.

    Raises:
        DeployError: something could not be deleted; it stays in the state, all else is gone.
        StateError: the state file cannot be used; nothing was done.
        StackBusyError: another process is changing the stack, and does not end.
    """
    started = time.monotonic()
    with changing(state_path.parent, make=False):
        state, discarded = State.of(instance_id, path=state_path, stack=stack)
        engine = Engine(
            clients=AwsClients(edge_url), webhook_base_urls={}, state=state, on_progress=on_progress
        )
        try:
            problems = engine.destroy()
        finally:
            state.save()
        if problems:
            raise DeployError(problems)
        state.erase()
    return _result({}, engine.counts, discarded, started)


def _result(
    outputs: Mapping[str, Any], counts: Counter[Action], discarded: int, started: float
) -> DeployResult:
    return DeployResult(
        outputs=outputs,
        created=counts["create"],
        updated=counts["update"],
        replaced=counts["replace"],
        same=counts["same"],
        deleted=counts["delete"],
        discarded=discarded,
        duration_s=time.monotonic() - started,
    )
