"""The provider protocol of Pulumi, as the engine of v3.260 calls it.

https://github.com/pulumi/pulumi/blob/v3.260.0/proto/pulumi/provider.proto
"""

import functools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from clients.aws import AwsClients
from emulator.errors import EmulatorError, RefusedError
from emulator.ports import LOOPBACK
from emulator.pulumi.plugin.guard import Guard
from emulator.pulumi.plugin.properties import encode
from emulator.pulumi.plugin.resources import PartlyMadeError, Resources
from emulator.pulumi.provider.catalogue import CATALOGUE, FUNCTIONS
from emulator.pulumi.provider.errors import ProviderError, UnknownResourceTypeError
from emulator.pulumi.provider.resource import GLOBAL_REGION, ResourceType

AT_ONCE: Final = 32
"""Requests that are worked on at once. The engine has four a processor under way, unless told otherwise."""

MESSAGE_BYTES_MAX: Final = 400 * 1024 * 1024
"""As the Pulumi SDKs set it.
https://github.com/pulumi/pulumi/blob/v3.260.0/sdk/python/lib/pulumi/runtime/_grpc_settings.py"""

Method = Callable[["Provider", Any, grpc.ServicerContext], Any]


class CancelledError(Exception):
    """The engine gave up, so nothing more is begun."""


def serve(provider: "Provider") -> tuple[grpc.Server, int]:
    """Start to serve on a free port of the loopback; return the server and the port."""
    server = grpc.server(
        ThreadPoolExecutor(AT_ONCE), options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    server.start()
    return server, port


def _answers(method: Method) -> Method:
    """A method whose expected errors become gRPC's; a request of another stack never reaches it.

    After FAILED_PRECONDITION the engine takes it that nothing was done, after UNKNOWN that nobody knows.
    """

    @functools.wraps(method)
    def answer(self: "Provider", request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except PartlyMadeError as error:
            _abort_partly(error, context)
        except CancelledError as error:
            context.abort(grpc.StatusCode.CANCELLED, str(error))
        except (ProviderError, EmulatorError, ClientError) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except (BotoCoreError, OSError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, f"it is not known whether it was done: {error}")

    return answer


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one run of the engine; called from several threads."""

    def __init__(self, find: Callable[[], Guard], catalogue: Mapping[str, ResourceType] = CATALOGUE) -> None:
        """`find`, at `Configure`, is asked what may be used; nothing is done before."""
        self._find = find
        self._catalogue = catalogue
        self._found: tuple[Guard, AwsClients] | None = None
        self._cancelled = threading.Event()

    def Handshake(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Say which forms of values are understood."""
        del request, context
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def Attach(  # noqa: N802 - the protocol's name
        self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Take note of an engine that found this server running, as PULUMI_DEBUG_PROVIDERS has it."""
        del request, context
        return empty_pb2.Empty()

    def GetPluginInfo(  # noqa: N802 - the protocol's name
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        """The version of pulumi-aws whose resources are known."""
        del request, context
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi-aws"))

    def CheckConfig(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Take the provider's configuration as it is: nothing of it leads anywhere."""
        del context
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """No change of the provider's configuration matters."""
        del request, context
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    @_answers
    def Configure(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Find the embedded AWS, or refuse."""
        del context
        guard = self._find()
        if request.urn:
            guard.check(request.urn)
        self._found = guard, AwsClients(guard.edge_url)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, acceptResources=True, supportsPreview=True, acceptOutputs=False
        )

    @_answers
    def Invoke(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Answer a function of the program's.

        Raises:
            UnknownResourceTypeError: the function is not known here.
        """
        del context
        if request.tok not in FUNCTIONS:
            raise UnknownResourceTypeError(
                f"function {request.tok!r} is not known to the embedded AWS; add it to "
                "emulator/pulumi/provider/catalogue.py"
            )
        _, clients = self._configured()
        return provider_pb2.InvokeResponse(
            **{"return": encode(FUNCTIONS[request.tok](clients, GLOBAL_REGION))}
        )

    @_answers
    def Check(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Check a resource's arguments."""
        del context
        return self._resources(request.urn).check(request)

    @_answers
    def Diff(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Compare a resource's arguments."""
        del context
        return self._resources(request.urn).diff(request)

    @_answers
    def Create(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Make a resource."""
        del context
        return self._resources(request.urn, begins=not request.preview).create(request)

    @_answers
    def Read(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Look for a resource."""
        del context
        return self._resources(request.urn).read(request)

    @_answers
    def Update(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        """Change a resource."""
        del context
        return self._resources(request.urn, begins=not request.preview).update(request)

    @_answers
    def Delete(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Remove a resource."""
        del context
        self._resources(request.urn, begins=True).delete(request)
        return empty_pb2.Empty()

    def Cancel(  # noqa: N802 - the protocol's name
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Begin nothing more; what is under way goes on, as each call has a deadline of its own."""
        del request, context
        self._cancelled.set()
        return empty_pb2.Empty()

    def _resources(self, urn: str, *, begins: bool = False) -> Resources:
        """The resources of the stack of `urn`; `begins` means that one of them is to be changed.

        Raises:
            RefusedError: it is a stack that may not be made here.
            CancelledError: the engine has given up.
        """
        guard, clients = self._configured()
        guard.check(urn)
        if begins and self._cancelled.is_set():
            raise CancelledError("cancelled before it was begun")
        return Resources(clients, guard.webhook_base_urls, self._catalogue)

    def _configured(self) -> tuple[Guard, AwsClients]:
        if self._found is None:
            raise RefusedError("the provider is not configured; the engine does that before all else")
        return self._found


@dataclass(frozen=True)
class _Status:
    """A gRPC status with details; https://grpc.io/docs/guides/error/#richer-error-model."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def _abort_partly(error: PartlyMadeError, context: grpc.ServicerContext) -> None:
    """Tell the engine of a resource that exists and is not whole, so that it records it."""
    detail = provider_pb2.ErrorResourceInitFailed(id=error.id, properties=error.outputs, reasons=[str(error)])
    code = grpc.StatusCode.FAILED_PRECONDITION
    status = status_pb2.Status(code=code.value[0], message=str(error))
    status.details.add().Pack(detail)
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    context.abort_with_status(_Status(code, str(error), metadata))
