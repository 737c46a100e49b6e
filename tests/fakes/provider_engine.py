"""Calls a provider plugin by gRPC as the engine of the Pulumi CLI does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from emulator.pulumi.plugin.properties import ARCHIVE, SECRET, SIGNATURE
from emulator.pulumi.plugin.server import Provider, serve

UNKNOWN = rpc.UNKNOWN


def secret(value: Any) -> dict[str, Any]:
    """A secret in the wire format."""
    return {SIGNATURE: SECRET, "value": value}


def archive(hash_: str, path: Path | None = None) -> dict[str, Any]:
    """A file in the wire format; what is recorded comes without its path."""
    return {SIGNATURE: ARCHIVE, "hash": hash_, **({"path": str(path)} if path else {})}


def struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Properties in the wire format."""
    properties = struct_pb2.Struct()
    properties.update(dict(values))
    return properties


def values(properties: struct_pb2.Struct) -> dict[str, Any]:
    """The wire format as plain data, marks and all."""
    plain: dict[str, Any] = json_format.MessageToDict(properties)
    return plain


class ProviderEngine:
    """One engine, one stack, one plugin; a context manager that ends both."""

    def __init__(self, provider: Provider, *, stack: str = "local", configured: bool = True) -> None:
        """Start the plugin's server, and go as far as the engine does before the first resource."""
        self._server, port = serve(provider)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._stack = stack
        if configured:
            shaken = self.stub.Handshake(provider_pb2.ProviderHandshakeRequest())
            assert shaken.accept_secrets
            self.configure()

    def configure(self) -> None:
        """Configure, as for the default provider of the stack."""
        urn = f"urn:pulumi:{self._stack}::project::pulumi:providers:aws::default_7_51_0"
        self.stub.Configure(provider_pb2.ConfigureRequest(urn=urn, args=struct({"region": "us-east-1"})))

    def check(self, type_: str, news: Mapping[str, Any]) -> provider_pb2.CheckResponse:
        """Have arguments checked."""
        return self.stub.Check(provider_pb2.CheckRequest(news=struct(news), **self._named(type_)))

    def diff(
        self,
        type_: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        *,
        outputs: Mapping[str, Any] | None = None,
        ignore: tuple[str, ...] = (),
    ) -> provider_pb2.DiffResponse:
        """Have arguments compared."""
        return self.stub.Diff(
            provider_pb2.DiffRequest(
                id="id",
                old_inputs=struct(old),
                olds=struct(outputs or old),
                news=struct(new),
                ignoreChanges=ignore,
                **self._named(type_),
            )
        )

    def create(
        self, type_: str, inputs: Mapping[str, Any], *, preview: bool = False
    ) -> tuple[str, dict[str, Any]]:
        """Create, after the check that comes before; the id and the outputs."""
        checked = self.check(type_, inputs)
        assert not checked.failures, checked.failures
        created = self.stub.Create(
            provider_pb2.CreateRequest(properties=checked.inputs, preview=preview, **self._named(type_))
        )
        return created.id, values(created.properties)

    def update(
        self,
        type_: str,
        id_: str,
        old: Mapping[str, Any],
        outputs: Mapping[str, Any],
        new: Mapping[str, Any],
        *,
        preview: bool = False,
        ignore: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Update; the outputs."""
        request = provider_pb2.UpdateRequest(
            id=id_,
            old_inputs=struct(old),
            olds=struct(outputs),
            news=struct(new),
            preview=preview,
            ignoreChanges=ignore,
            **self._named(type_),
        )
        return values(self.stub.Update(request).properties)

    def read(
        self, type_: str, id_: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> provider_pb2.ReadResponse:
        """Read, as a refresh does."""
        return self.stub.Read(
            provider_pb2.ReadRequest(
                id=id_, inputs=struct(inputs), properties=struct(outputs), **self._named(type_)
            )
        )

    def delete(self, type_: str, id_: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Delete."""
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=id_, old_inputs=struct(inputs), properties=struct(outputs), **self._named(type_)
            )
        )

    def cancel(self) -> None:
        """Give up."""
        self.stub.Cancel(empty_pb2.Empty())

    def __enter__(self) -> Self:
        """The engine, which has started its plugin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self._channel.close()
        self._server.stop(grace=None).wait()

    def _named(self, type_: str) -> dict[str, str]:
        return {"urn": f"urn:pulumi:{self._stack}::project::{type_}::thing", "type": type_, "name": "thing"}


def init_failure(error: grpc.RpcError) -> provider_pb2.ErrorResourceInitFailed:
    """The detail by which the engine records a resource that was made and is not whole."""
    metadata = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    failure = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failure)
    return failure
