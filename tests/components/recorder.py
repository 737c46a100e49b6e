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

import grpc
import yaml
from google.protobuf import empty_pb2
from pulumi.runtime import Mocks, rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockEngine, MockMonitor, MockResourceArgs, MockSettings
from pulumi.runtime.stack import run_in_stack

from lambda_packages.build import Target
from topology.functions import FUNCTIONS, FunctionSpec
from topology.names import EMBEDDED_ACCOUNT
from topology.regions import ALWAYS_ENABLED

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = EMBEDDED_ACCOUNT
"""Of every run: no stack but the local one asks which it is."""

RUN_TIMEOUT_S = 120
"""A run takes two seconds of a processor, which it may have to share."""

DOMAIN, ZONE, CHANNEL, EMAIL = "alerts.example.com", "Z0123456789ABC", "C0123456789", "oncall@example.com"
EVERY_OPTION = {
    "mcp-incident-responder:domain": DOMAIN,
    "mcp-incident-responder:hostedZoneId": ZONE,
    "mcp-incident-responder:slackChannel": CHANNEL,
    "mcp-incident-responder:alarmEmail": EMAIL,
    "mcp-incident-responder:apiAccessLog": "true",
    "mcp-incident-responder:backupBucketSuffix": ACCOUNT,
    "mcp-incident-responder:backupLock": "compliance",
    "mcp-incident-responder:pollersMin": "2",
    "mcp-incident-responder:pollersMax": "4",
    "aws:maxRetries": "3",
}
"""Of prod. Each adds to the stack or changes a part of its own, so that one run shows them all."""

_ARN_SERVICE = {
    "aws:sqs/queue:Queue": "sqs:{region}:{account}:{name}",
    "aws:dynamodb/table:Table": "dynamodb:{region}:{account}:table/{name}",
    "aws:secretsmanager/secret:Secret": "secretsmanager:{region}:{account}:secret:{name}-a1B2c3",
    "aws:sns/topic:Topic": "sns:{region}:{account}:{name}",
    "aws:kms/key:Key": "kms:{region}:{account}:key/0f0f",
    "aws:cloudwatch/logGroup:LogGroup": "logs:{region}:{account}:log-group:{name}",
    "aws:iam/role:Role": "iam::{account}:role/{name}",
    "aws:lambda/function:Function": "lambda:{region}:{account}:function:{name}",
    "aws:lambda/alias:Alias": "lambda:{region}:{account}:function:{functionName}:{name}",
    "aws:s3/bucket:Bucket": "s3:::{bucket}",
    "aws:backup/vault:Vault": "backup:{region}:{account}:backup-vault:{name}",
    "aws:sfn/stateMachine:StateMachine": "states:{region}:{account}:stateMachine:{name}",
    "aws:apigateway/restApi:RestApi": "apigateway:{region}::/restapis/{name}",
    "aws:acm/certificate:Certificate": "acm:{region}:{account}:certificate/0f0f",
}
"""ARNs in the form that AWS gives them."""


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


@dataclass(frozen=True)
class Cloud:
    """What the program meets: an account, the regions that are enabled in it, and what the state keeps.

    In a `preview` nothing is made, so that outputs other than inputs are unknown. `refusal` is what AWS says
    to `refused_call`, by default to who asks for the account; `ledger_home` what the first deployment put
    into its stash; `secret_keys` are those of the configuration that are kept encrypted.
    """

    account: str = ACCOUNT
    enabled: frozenset[str] = ALWAYS_ENABLED
    refusal: str | None = None
    refused_call: str = "getCallerIdentity"
    ledger_home: Mapping[str, str] | None = None
    preview: bool = False
    secret_keys: tuple[str, ...] = ()


class _RefusedError(grpc.RpcError):
    """What the engine answers where the provider cannot."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self)


class _Answers(Mocks):
    """The outputs that AWS would give."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]  # the SDK takes both
        cloud = self._cloud
        if cloud.refusal and args.token.endswith(f":{cloud.refused_call}"):
            raise _RefusedError(cloud.refusal)
        if args.token == "aws:index/getRegions:getRegions":
            return {"id": "aws", "names": sorted(cloud.enabled)}
        assert args.token == "aws:index/getCallerIdentity:getCallerIdentity", args.token
        return {"accountId": cloud.account, "arn": "arn:aws:iam::x", "id": cloud.account, "userId": "x"}

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom:
            return "", {}
        if args.typ == "pulumi:index:Stash":
            return args.name, {**args.inputs, "output": self._cloud.ledger_home or args.inputs["input"]}
        return ("", dict(args.inputs)) if self._cloud.preview else self._made(args)

    def _made(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = args.inputs
        known = {"region": "", "name": args.name, **inputs, "account": ACCOUNT}
        outputs = dict(inputs)
        if args.typ in _ARN_SERVICE:
            outputs["arn"] = "arn:aws:" + _ARN_SERVICE[args.typ].format_map(known)
        match args.typ:
            case "aws:sqs/queue:Queue":
                outputs["url"] = f"https://sqs.{inputs['region']}.amazonaws.com/{ACCOUNT}/{inputs['name']}"
            case "aws:lambda/function:Function":
                outputs["version"] = "7"
            case "aws:lambda/alias:Alias":
                region = inputs["region"]
                outputs["invokeArn"] = (
                    f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{outputs['arn']}/invocations"
                )
            case "aws:apigateway/restApi:RestApi":
                outputs["rootResourceId"] = "root"
                outputs["executionArn"] = f"arn:aws:execute-api:{inputs['region']}:{ACCOUNT}:{args.name}"
            case "aws:apigateway/stage:Stage":
                outputs["invokeUrl"] = (
                    f"https://{inputs['restApi']}.execute-api.{inputs['region']}.amazonaws.com/{inputs['stageName']}"
                )
            case "aws:apigateway/apiKey:ApiKey":
                outputs.setdefault("value", f"generated-for-{inputs['region']}")
            case _:
                outputs |= _routing_outputs(args.typ, inputs)
        return f"{args.name}-id", outputs


def _routing_outputs(type_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What AWS adds to the resources of a domain."""
    match type_:
        case "aws:acm/certificate:Certificate":
            proof = {
                "domainName": inputs["domainName"],
                "resourceRecordName": f"_proof.{inputs['domainName']}.",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": "_value.acm-validations.aws.",
            }
            return {"domainValidationOptions": [proof]}
        case "aws:route53/record:Record":
            return {"fqdn": inputs["name"].rstrip(".")}
        case "aws:apigateway/domainName:DomainName":
            return {"regionalDomainName": f"d-abc.execute-api.{inputs['region']}.amazonaws.com"}
    return {}


class _Monitor(MockMonitor):
    """Keeps registrations whole; the SDK's own keeps neither parents nor stack outputs."""

    def __init__(self, run: Run, cloud: Cloud) -> None:
        super().__init__(_Answers(cloud))
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
    """The configuration of a stack as the CLI hands it over: every value as text."""
    values = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()
    }


Build = Callable[[Target], Mapping[FunctionSpec, Path]]


def stand_ins(folder: Path) -> Build:
    """A package builder that writes empty zips; the real ones have tests of their own."""

    def build(_target: Target) -> dict[FunctionSpec, Path]:
        zips = {spec: folder / f"{spec.key}.zip" for spec in FUNCTIONS}
        for path in zips.values():
            path.write_bytes(b"PK\x05\x06" + bytes(18))
        return zips

    return build


def run_program(stack: str, config: Mapping[str, str], build: Build, cloud: Cloud = Cloud()) -> Run:
    """Run `__main__.py` for a stack with the Lambda packages that `build` makes.

    In a thread of its own: the SDK keeps its state in context variables and an event loop per thread.
    """
    run = Run()

    def build_for(target: Target) -> Mapping[FunctionSpec, Path]:
        run.target = target
        return build(target)

    def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="program")["main"](build_for)

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
