"""The target of an experiment: a stack that faults may be injected into, and the means to do it.

Actions and probes are written against `Target`, so that the same experiment files can drive AWS FIS on a real
stack once there is such a target; today there is `local`, the embedded AWS of a run folder.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from clients.deployment import Deployment, RegionEndpoints
from clients.sender import Webhook
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator
from emulator.fault_log import FiredFault
from emulator.protocol import SlackMessage
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from topology.config import StackConfig
from topology.names import PRODUCTION_STACK

RECEIPTS_FILE: Final = "chaos-receipts.jsonl"

Loss = Literal["kill", "freeze", "cut"]
LOSSES: Final[tuple[Loss, ...]] = ("kill", "freeze", "cut")


class ChaosRefusedError(Exception):
    """Nothing was done: the target, region, fault or permission that was asked for is not there."""


class Target(Protocol):
    """A stack under experiment.

    `receipts`: where the experiment's sender keeps its receipts; `webhooks`: where it posts, the
    primary first.
    """

    deployment: Deployment
    receipts: Path
    webhooks: tuple[Webhook, ...]

    def lose_region(self, region: str, how: Loss) -> None:
        """Lose a region in one of the ways of `LOSSES`."""

    def lost_regions(self) -> tuple[str, ...]:
        """The regions that are killed, frozen or cut now."""

    def start_regions(self) -> list[str]:
        """Bring back every region that is lost; return which were."""

    def fail_functions(
        self, *, percent: float, after: bool, region: str | None, function: str | None
    ) -> None:
        """Have invocations fail before they run or, with `after`, once they have done all they do."""

    def throttle_tables(self, *, percent: float, region: str | None) -> None:
        """Have DynamoDB throttle calls, which SDKs retry."""

    def fail_claude(self, kind: str, *, retry_after_s: int, delay_s: float) -> None:
        """Have Claude fail in one of the ways of `emulator.stand_ins.faults`."""

    def fail_slack(self, kind: str, *, retry_after_s: int) -> None:
        """Have Slack fail in one of the ways of `emulator.stand_ins.faults`."""

    def end_faults(self) -> None:
        """End every fault but the loss of a region."""

    def note_fault(self, *, service: str, kind: str, region: str, what: str) -> None:
        """Log a fault that was made by AWS's own API."""

    def fired(self) -> list[FiredFault]:
        """Every fault that really fired, oldest first."""

    def slack_messages(self) -> list[SlackMessage]:
        """What Slack received, oldest first."""


class LocalTarget:
    """The embedded AWS that runs in a folder."""

    def __init__(self, emulator: Emulator) -> None:
        """Find what is deployed there; the API keys are asked for now, while both regions answer."""
        self._emulator = emulator
        self.deployment = deployment = attached_deployment(emulator)
        self.webhooks = tuple(
            Webhook(e.region, e.webhook_url, deployment.api_key(e)) for e in deployment.regions
        )
        self.receipts = emulator.run_dir / RECEIPTS_FILE

    def lose_region(self, region: str, how: Loss) -> None:
        """Signal its processes, or shut its gates."""
        {"kill": self._emulator.kill, "freeze": self._emulator.freeze, "cut": self._emulator.cut}[how](region)

    def lost_regions(self) -> tuple[str, ...]:
        """The regions that the emulator reports as killed, frozen or cut."""
        regions = self._emulator.status().regions
        return tuple(region.name for region in regions if region.power != "running" or region.cut)

    def start_regions(self) -> list[str]:
        """Start, resume and reconnect whatever is lost; return the regions that were."""
        return [region for region in self._emulator.regions if self._emulator.bring_back(region)]

    def fail_functions(
        self, *, percent: float, after: bool, region: str | None, function: str | None
    ) -> None:
        """Have the AWS processes fail invocations."""
        kind = "error_after" if after else "error"
        self._emulator.set_aws_fault("lambda", kind, percent=percent, region=region, function=function)

    def throttle_tables(self, *, percent: float, region: str | None) -> None:
        """Have the process of the global tables throttle calls."""
        self._emulator.set_aws_fault("dynamodb", "throttled", percent=percent, region=region)

    def fail_claude(self, kind: str, *, retry_after_s: int, delay_s: float) -> None:
        """Have Claude's stand-in fail."""
        self._emulator.set_fault("claude", kind, retry_after_s=retry_after_s, delay_s=delay_s)

    def fail_slack(self, kind: str, *, retry_after_s: int) -> None:
        """Have Slack's stand-in fail."""
        self._emulator.set_fault("slack", kind, retry_after_s=retry_after_s)

    def end_faults(self) -> None:
        """End the faults of AWS and of the stand-ins."""
        self._emulator.clear_faults()

    def note_fault(self, *, service: str, kind: str, region: str, what: str) -> None:
        """Add a fault to the emulator's log."""
        self._emulator.note_fault(service=service, kind=kind, region=region, what=what)

    def fired(self) -> list[FiredFault]:
        """Every fault in the emulator's log."""
        return self._emulator.fault_log()

    def slack_messages(self) -> list[SlackMessage]:
        """The messages of Slack's stand-in."""
        return self._emulator.slack_messages()


def open_target(configuration: Mapping[str, Any]) -> Target:
    """The target that an experiment's configuration names, if faults may be injected there.

    Reads `target`, what that kind of target needs (`run_dir` for `local`), and `typed_stack`, the stack's
    name as a person typed it. Every action and probe comes through here, whoever runs the experiment.

    Raises:
        ChaosRefusedError: unknown target, or chaos is not allowed on its stack.
        EmulatorError, IncompleteOutputsError, StateError: nothing usable runs there.
    """
    name = str(configuration.get("target", ""))
    if name not in TARGETS:
        raise ChaosRefusedError(f"no target {name!r}; there is {', '.join(TARGETS)}")
    target = TARGETS[name](configuration)
    _permitted(target.deployment.names.stack, str(configuration.get("typed_stack", "")))
    return target


def permit(config: StackConfig, *, typed_stack: str = "") -> None:
    """Check that faults may be injected into a stack.

    Raises:
        ChaosRefusedError: its configuration does not allow it, or it is production and nobody typed its name.
    """
    if not config.chaos_allowed:
        raise ChaosRefusedError(
            f"the configuration of stack {config.stack!r} does not say `chaos: allowed`, so nothing was "
            f"injected; set it in Pulumi.{config.stack}.yaml and deploy, if that is what you want"
        )
    if config.stack == PRODUCTION_STACK and typed_stack != PRODUCTION_STACK:
        raise ChaosRefusedError(
            f"stack {PRODUCTION_STACK!r} is production: its name must be typed, and {typed_stack!r} was; "
            f"confirm with --stack-name {PRODUCTION_STACK}"
        )


def region_of(target: Target, role: str) -> RegionEndpoints:
    """Find a region by its role, since an experiment's file does not know a stack's regions.

    Raises:
        ChaosRefusedError: there is no such role.
    """
    by_role = {str(endpoints.role): endpoints for endpoints in target.deployment.regions}
    if role not in by_role:
        raise ChaosRefusedError(f"no region {role!r}; there are {', '.join(by_role)}")
    return by_role[role]


@functools.cache
def _permitted(stack: str, typed_stack: str) -> None:
    """Check once a process: an edit of the configuration during a run must not stop its rollbacks."""
    permit(stack_config(ROOT, stack), typed_stack=typed_stack)


@functools.cache
def _attached(run_dir: Path, instance_id: str) -> LocalTarget:  # noqa: ARG001 - of an instance, not a folder
    return LocalTarget(Emulator.attach(run_dir))


def _local(configuration: Mapping[str, Any]) -> Target:
    run_dir = Path(str(configuration.get("run_dir", ""))).resolve()
    return _attached(run_dir, Emulator.attach(run_dir).instance_id)


TARGETS: Final[Mapping[str, Callable[[Mapping[str, Any]], Target]]] = {"local": _local}
