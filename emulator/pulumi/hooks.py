"""Runs the program's resource hooks where the SDK serves them, as the Pulumi engine does.

The SDK starts a gRPC server in the program's own process and registers each hook with its address.
"""

from typing import Final

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

from emulator.pulumi.provider.errors import HookRefusedError
from emulator.pulumi.provider.resource import Inputs

TIMEOUT_S: Final = 30


def run_hook(callback: callback_pb2.Callback, change: resource_pb2.ResourceHookRequest) -> None:
    """Call one hook and wait for it.

    Raises:
        HookRefusedError: the hook raised; its message is passed on.
        RpcError: the hook could not be called, or took longer than `TIMEOUT_S`.
    """
    with grpc.insecure_channel(callback.target) as channel:
        answer = callback_pb2_grpc.CallbacksStub(channel).Invoke(
            callback_pb2.CallbackInvokeRequest(token=callback.token, request=change.SerializeToString()),
            timeout=TIMEOUT_S,
        )
    error = resource_pb2.ResourceHookResponse.FromString(answer.response).error
    if error:
        raise HookRefusedError(error)


def update_of(
    request: resource_pb2.RegisterResourceRequest, urn: str, resource_id: str, *, old: Inputs, new: Inputs
) -> resource_pb2.ResourceHookRequest:
    """What a `before_update` hook is told; files and secrets among the old inputs are digests."""
    return resource_pb2.ResourceHookRequest(
        urn=urn,
        id=resource_id,
        name=request.name,
        type=request.type,
        old_inputs=_struct(old),
        new_inputs=_struct({name: value for name, value in new.items() if _is_data(value)}),
    )


def _struct(values: dict[str, object]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def _is_data(value: object) -> bool:
    """Whether a value can be sent; an archive cannot."""
    return isinstance(value, str | int | float | bool | list | dict)
