"""Runs the real Pulumi program without the CLI and keeps every registration, for the component tests."""

import asyncio
import json
import logging
import runpy
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import empty_pb2
from pulumi.runtime import rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockEngine, MockMonitor, MockSettings
from pulumi.runtime.stack import run_in_stack

from lambda_packages.build import Target
from tests.components.answers import USUAL, Answers, Cloud
from topology.functions import FUNCTIONS, FunctionSpec
from topology.names import EMBEDDED_ACCOUNT

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = EMBEDDED_ACCOUNT
"""Of every run: no stack but the local one asks which it is."""

RUN_TIMEOUT_S = 120
"""A run takes two seconds of a processor, which it may have to share."""

DOMAIN, ZONE, CHANNEL, EMAIL = "alerts.example.com", "Z0123456789ABC", "C0123456789", "oncall@example.com"
ROUTES = [
    {"name": "payments", "match": {"labels": {"team": "payments"}}},
    {"name": "urgent", "match": {"severity": "CRITICAL"}, "webhookSecret": "slack-webhook-payments"},
    {"name": "quiet", "match": {"severity": "INFO"}, "channel": "C1234567890"},
]
CONTACTS = [
    {"who": "On-call engineer", "reach": "+41 00 000 00 00"},
    {"who": "Anthropic", "reach": "support@anthropic.com"},
]
EVERY_OPTION = {
    "mcp-incident-responder:domain": DOMAIN,
    "mcp-incident-responder:hostedZoneId": ZONE,
    "mcp-incident-responder:slackChannel": CHANNEL,
    "mcp-incident-responder:alarmEmail": EMAIL,
    "mcp-incident-responder:escalationUrl": "https://pager.example.org/key",
    "mcp-incident-responder:routes": json.dumps(ROUTES),
    "mcp-incident-responder:contacts": json.dumps(CONTACTS),
    "mcp-incident-responder:apiAccessLog": "true",
    "mcp-incident-responder:backupBucketSuffix": ACCOUNT,
    "mcp-incident-responder:backupLock": "compliance",
    "mcp-incident-responder:pollersMin": "2",
    "mcp-incident-responder:pollersMax": "4",
    "aws:maxRetries": "3",
}
"""Of prod. Each adds to the stack or changes a part of its own, so that one run shows them all."""


@dataclass(frozen=True)
class Registered:
    """One registered resource. `inputs` in camel case, as the provider gets them."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    protect: bool
    inputs: Mapping[str, Any]
    secret_outputs: frozenset[str]
    depends_on: tuple[str, ...]
    delete_before_replace: bool
    replace_on_changes: frozenset[str]
    retain_on_delete: bool
    ignore_changes: frozenset[str]


@dataclass
class Run:
    """What one run of the program registered, exported and built packages for, or how it ended."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    target: Target | None = None
    error: BaseException | None = None

    def of(self, type_: str, *, region: str | None = None) -> list[Registered]:
        """The resources of a type, in one region if it is given. `type_` as `sqs/queue:Queue`."""
        found = [r for r in self.resources if r.type == f"aws:{type_}"]
        return found if region is None else [r for r in found if r.inputs.get("region") == region]

    def one(self, type_: str, name: str) -> Registered:
        """The only resource of a type with this logical name."""
        (found,) = [r for r in self.of(type_) if r.name == name]
        return found

    def repeated_urns(self) -> list[str]:
        """URNs registered more than once: the mock monitor overwrites silently."""
        return [urn for urn, count in Counter(r.urn for r in self.resources).items() if count > 1]

    def policies(self) -> Iterator[tuple[Registered, dict[str, Any]]]:
        """Each role's permission policy, parsed."""
        for resource in self.of("iam/rolePolicy:RolePolicy"):
            yield resource, json.loads(resource.inputs["policy"])


class _Monitor(MockMonitor):
    """Keeps registrations whole; the SDK's own keeps neither parents nor stack outputs."""

    def __init__(self, run: Run, cloud: Cloud) -> None:
        super().__init__(Answers(cloud))
        self._run = run

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the RPC's name
        if request.type != "pulumi:pulumi:Stack":
            self._run.resources.append(
                Registered(
                    urn=self.make_urn(request.parent, request.type, request.name),
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    custom=request.custom,
                    protect=request.protect,
                    inputs=rpc.deserialize_properties(request.object),
                    secret_outputs=frozenset(request.additionalSecretOutputs),
                    depends_on=tuple(request.dependencies),
                    delete_before_replace=request.deleteBeforeReplace,
                    replace_on_changes=frozenset(request.replaceOnChanges),
                    retain_on_delete=request.retainOnDelete,
                    ignore_changes=frozenset(request.ignoreChanges),
                )
            )
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the RPC's name
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self._run.outputs = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)


def stack_file(stack: str) -> dict[str, str]:
    """The configuration of a stack as the CLI hands it over: each value as text, or as JSON."""
    values = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


Build = Callable[[Target], Mapping[FunctionSpec, Path]]


def stand_ins(folder: Path) -> Build:
    """A package builder that writes empty zips; the real ones have tests of their own."""

    def build(_target: Target) -> dict[FunctionSpec, Path]:
        zips = {spec: folder / f"{spec.key}.zip" for spec in FUNCTIONS}
        for path in zips.values():
            path.write_bytes(b"PK\x05\x06" + bytes(18))
        return zips

    return build


def run_program(
    stack: str,
    config: Mapping[str, str],
    build: Build,
    cloud: Cloud = USUAL,
    *,
    keep_in: Path | None = None,
) -> Run:
    """Run `__main__.py` for a stack with the Lambda packages that `build` makes.

    In a thread of its own: the SDK keeps its state in context variables and an event loop per thread.
    """
    run = Run()

    def build_for(target: Target) -> Mapping[FunctionSpec, Path]:
        run.target = target
        return build(target)

    def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="program")["main"](build_for, keep_in=keep_in)

    def deploy() -> None:
        monitor = _Monitor(run, cloud)
        settings.configure(
            MockSettings(
                monitor=monitor,
                monitor_features=set(monitor.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures),
                engine=MockEngine(logging.getLogger("pulumi")),
                project="mcp-incident-responder",
                stack=stack,
                dry_run=cloud.preview,
                organization=None,
                callbacks=None,
                outputs=set(),  # else a failed run leaves its unfinished outputs to the next one
            )
        )
        set_all_config(dict(config), list(cloud.secret_keys))
        try:
            asyncio.run(run_in_stack(program))
        except Exception as error:  # noqa: BLE001 - the edge of the thread: the test looks at it
            run.error = error

    thread = threading.Thread(target=deploy, daemon=True)
    thread.start()
    thread.join(RUN_TIMEOUT_S)
    assert not thread.is_alive(), f"the program did not end within {RUN_TIMEOUT_S} s"
    return run
