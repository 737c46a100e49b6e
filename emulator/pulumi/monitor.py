"""What the Pulumi SDK talks to in place of the CLI's engine; it hands each registration to `Engine`.

The SDK's own mock monitor supplies the protocol; here each call really does something. Whatever of a
request is not carried out is refused.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import alias_pb2, resource_pb2

from emulator.pulumi.engine import Engine, Options
from emulator.pulumi.provider.catalogue import CATALOGUE
from emulator.pulumi.provider.errors import ProviderError, UnknownArgumentError, UnknownResourceTypeError
from emulator.pulumi.provider.outputs import absent_outputs_in

STACK_TYPE: Final = "pulumi:pulumi:Stack"

Function = Callable[[], Mapping[str, Any]]
"""What answers an invoke; the arguments that the program gives make no difference."""

_UNSUPPORTED_OPTIONS: Final = (
    "aliasURNs",
    "deletedWith",
    "importId",
    "remote",
    "replace_with",
    "state_migrations",
    "transforms",
)
_OF_RESOURCES_ONLY: Final = (
    "deleteBeforeReplace",
    "ignoreChanges",
    "replaceOnChanges",
    "retainOnDelete",
)
"""Options that are carried out for a resource, and would have no effect on a component."""


class _NoTransforms(Mocks):
    """Refuses what the SDK's mock monitor would take and not carry out."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Never called: `ProviderMonitor` registers resources itself."""
        raise UnknownResourceTypeError(f"{args.typ} {args.name!r} did not go through the provider")

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Never called: `ProviderMonitor` answers functions itself."""
        raise UnknownResourceTypeError(f"function {args.token} did not go through the provider")

    def register_transform(self, transform: object) -> None:
        """Refuse a transform of the stack's resources.

        Raises:
            UnknownArgumentError: always.
        """
        raise UnknownArgumentError(
            f"stack transform {transform!r} is not carried out in process; leave it out"
        )

    register_invoke_transform = register_transform


class StoppedError(Exception):
    """Another resource failed, so no further one is started."""


class ProviderMonitor(MockMonitor):
    """Serves one run of a program. The SDK calls it from several threads.

    `outputs` are the stack's, secrets still wrapped; `problems` has one line for each failed resource.
    """

    def __init__(self, engine: Engine, functions: Mapping[str, Function]) -> None:
        """Register resources with `engine`; `functions` maps an invoke's token to what answers it."""
        super().__init__(_NoTransforms())
        self._engine = engine
        self._functions = functions
        self._stopped = threading.Event()
        self.outputs: dict[str, Any] = {}
        self.problems: list[str] = []

    def stop(self) -> None:
        """Start no further resource; those under way go on."""
        self._stopped.set()

    def RegisterResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Make one resource, or note a component, which is only a name for its children."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if self._stopped.is_set():
            raise StoppedError("another resource failed")
        try:
            _refuse_unsupported(request)
            if not request.custom:
                return resource_pb2.RegisterResourceResponse(urn=urn)
            raw = rpc.deserialize_properties(request.object)
            registered = self._engine.register(urn, request.type, raw, _options(request))
        except (ProviderError, ClientError, BotoCoreError, grpc.RpcError, OSError) as error:
            self._fail(f"{request.type} {request.name!r}: {error}")
            raise
        outputs = struct_pb2.Struct()
        outputs.update(registered.outputs)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=registered.id, object=outputs)

    def RegisterResourceOutputs(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Keep the stack's outputs; a component's are of no use to anyone here."""
        if f"::{STACK_TYPE}::" in request.urn:
            self.outputs = rpc.deserialize_properties(request.outputs)
            for name, value in self.outputs.items():
                for output in absent_outputs_in(rpc.unwrap_rpc_secret(value)):
                    self._fail(
                        f"stack output {name!r} is made from an output that has no value ({output}); give "
                        "that output in its resource's handler under emulator/pulumi/provider"
                    )
        return empty_pb2.Empty()

    def ReadResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """Refuse: a resource that the stack does not own cannot exist on a fresh embedded AWS.

        Raises:
            UnknownResourceTypeError: always.
        """
        problem = f"{request.type} {request.name!r}: reading a resource of others is not supported"
        self._fail(problem)
        raise UnknownResourceTypeError(problem)

    def Invoke(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answer a function that the program calls.

        Raises:
            UnknownResourceTypeError: the function is not known here.
        """
        function = self._functions.get(request.tok)
        if function is None:
            problem = (
                f"function {request.tok!r} is not known to the embedded AWS; add it to "
                "emulator/pulumi/provider/catalogue.py"
            )
            self._fail(problem)
            raise UnknownResourceTypeError(problem)
        answer = struct_pb2.Struct()
        answer.update(function())
        return resource_pb2.ResourceInvokeResponse(**{"return": answer})

    def RegisterResourceHook(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceHookRequest
    ) -> empty_pb2.Empty:
        """Refuse: no hook is run here.

        Raises:
            UnknownArgumentError: always.
        """
        problem = f"hook {request.name!r} would not be run in process; leave it out"
        self._fail(problem)
        raise UnknownArgumentError(problem)

    def _fail(self, problem: str) -> None:
        self.problems.append(problem)
        self._stopped.set()


def _options(request: resource_pb2.RegisterResourceRequest) -> Options:
    dependencies = request.propertyDependencies
    return Options(
        request.protect,
        frozenset(request.additionalSecretOutputs),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=frozenset(request.replaceOnChanges),
        delete_first=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        retain=request.retainOnDelete,
        dependencies={name: list(made_from.urns) for name, made_from in dependencies.items()},
    )


def _refuse_unsupported(request: resource_pb2.RegisterResourceRequest) -> None:
    """Check the options of a resource or a component.

    Raises:
        UnknownArgumentError: an option that would have no effect here.
    """
    names = _UNSUPPORTED_OPTIONS if request.custom else (*_UNSUPPORTED_OPTIONS, *_OF_RESOURCES_ONLY)
    unsupported = [name for name in names if getattr(request, name)]
    unsupported += [f"replaceOnChanges: {path}" for path in request.replaceOnChanges if not path.isalnum()]
    if not all(_is_of_the_sdk(alias) for alias in request.aliases):
        unsupported.append("aliases")
    if request.HasField("replacement_trigger"):
        unsupported.append("replacement_trigger")
    if unsupported:
        raise UnknownArgumentError(
            f"resource option {', '.join(unsupported)} is not carried out in process; "
            "teach emulator/pulumi/monitor.py, or leave it out"
        )


def _is_of_the_sdk(alias: alias_pb2.Alias) -> bool:
    """Whether an alias says only what the type was called in an older SDK, as the SDK itself adds.

    No state of ours holds a type that the catalogue does not know, so there is nothing that it could name.
    """
    spec = alias.spec
    says_more = alias.urn or spec.name or spec.stack or spec.project or spec.parentUrn or spec.noParent
    return not says_more and spec.type not in CATALOGUE
