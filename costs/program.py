"""What the real Pulumi program registers for a stack, without AWS, credentials or the Pulumi CLI.

So what a month costs whatever comes in is counted from the program itself: a new alarm costs from the commit
on that adds it.
"""

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf import empty_pb2
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2

from emulator.pulumi.program import run_program
from emulator.pulumi.project import Project, read_project
from topology.backups import LATEST, package_key
from topology.functions import FUNCTIONS
from topology.names import EMBEDDED_ACCOUNT, LOCAL_STACK
from topology.regions import REGIONS

_ANY_ACCOUNT: Final = "123456789012"


@dataclass(frozen=True)
class Resource:
    """A registered resource: its type as `sqs/queue:Queue`, and its inputs in camel case."""

    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Resources:
    """All that a stack's program registers."""

    all: tuple[Resource, ...]

    def of(self, type_: str) -> Iterator[Resource]:
        """Those of a type."""
        return (one for one in self.all if one.type == type_)

    def total(self, type_: str, count: Callable[[Resource], float] = lambda _: 1) -> float:
        """How many there are of a type, or the sum of what `count` says of each."""
        return sum(map(count, self.of(type_)))


def resources_of(directory: Path, stack: str, *, config: Mapping[str, str] | None = None) -> Resources:
    """Run the program in `directory` for `stack` and return what it registers. `config` goes before its file.

    Its packages are empty files: nothing is built.

    Raises:
        DeployError: the program or its configuration is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="responder-cost-") as folder:
        for spec in FUNCTIONS:
            zipfile.ZipFile(Path(folder) / Path(package_key(LATEST, spec)).name, "w").close()
        overrides = {"packagesFrom": folder, **(config or {})}
        project = read_project(directory, stack, overrides=overrides)
        monitor = _Recorder(EMBEDDED_ACCOUNT if stack == LOCAL_STACK else _account(project))
        run_program(project, monitor)
    return Resources(tuple(monitor.registered))


def _account(project: Project) -> str:
    """The one that the program is to be deployed to, or any."""
    return project.config.get(f"{project.name}:expectedAccountId") or _ANY_ACCOUNT


@dataclass
class _Answers(Mocks):
    """Any output that the program asks for: of whatever resource, since nothing here depends on its value."""

    account: str
    proof: Mapping[str, str] = field(
        default_factory=lambda: {
            "domainName": "name.test",
            "resourceRecordName": "_proof.name.test.",
            "resourceRecordType": "CNAME",
            "resourceRecordValue": "_value.test.",
        }
    )

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]  # the SDK takes both
        """Whose account it is, and which regions it may use."""
        identity = {"accountId": self.account, "arn": "arn:aws:iam::x", "id": args.token, "userId": "x"}
        return {**identity, "names": sorted(REGIONS)}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Its inputs, and what AWS might add to them; a component has nothing of its own."""
        if not args.custom:
            return "", {}
        where = f"{args.inputs.get('region', '')}:{self.account}:{args.name}"
        added = {
            "arn": f"arn:aws:any:{where}",
            "executionArn": f"arn:aws:execute-api:{where}",
            "invokeArn": f"arn:aws:apigateway:{where}",
            "invokeUrl": "https://api.test/v1",
            "url": f"https://queue.test/{args.name}",
            "version": "1",
            "rootResourceId": "root",
            "regionalDomainName": "region.test",
            "fqdn": "name.test",
            "domainValidationOptions": [dict(self.proof)],
        }
        return f"{args.name}-id", {"value": args.name, **args.inputs, **added}


class _Recorder(MockMonitor):
    """Keeps the registrations of one run."""

    def __init__(self, account: str) -> None:
        super().__init__(_Answers(account))
        self.registered: list[Resource] = []
        self.problems: list[str] = []

    def stop(self) -> None:
        """Nothing is under way that could be stopped."""

    def RegisterResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Keep a resource; components are only names for their children."""
        if request.custom:
            inputs = rpc.deserialize_properties(request.object)
            self.registered.append(Resource(request.type.removeprefix("aws:"), request.name, inputs))
        response: resource_pb2.RegisterResourceResponse = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        return response

    def RegisterResourceOutputs(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """What the stack gives out is of no use here."""
        del request
        return empty_pb2.Empty()
