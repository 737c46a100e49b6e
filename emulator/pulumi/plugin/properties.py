"""Resources' properties between the engine's wire format and what handlers take and give.

The Pulumi SDK's own reader is for programs: it refuses a file that the engine sends by its hash alone, as it
does of everything that is recorded.
https://github.com/pulumi/pulumi/blob/v3.260.0/sdk/go/common/resource/plugin/rpc.go (ElideAssetContents)
"""

from collections.abc import Mapping
from typing import Any, Final

import pulumi
from google.protobuf import json_format, struct_pb2
from pulumi.output import UNKNOWN, Unknown
from pulumi.runtime import rpc

from emulator.pulumi.provider.arguments import DIGEST, plain_value, wrapped_secret

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of one
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
"""The key that marks a special value, and the marks.
https://github.com/pulumi/pulumi/blob/v3.260.0/sdk/go/common/resource/sig/sig.go"""

_FILES: Final = {ASSET: pulumi.FileAsset, ARCHIVE: pulumi.FileArchive}


def decode(properties: struct_pb2.Struct) -> dict[str, Any]:
    """Properties as the program's SDK has them: a secret within an argument makes the whole of it one.

    What a preview does not know is `UNKNOWN`; a file without its path, as an old input, is its digest.
    """
    decoded: dict[str, Any] = {}
    for name, value in json_format.MessageToDict(properties).items():
        if value is not None:
            read, secret = _read(value, by_hash=False)
            decoded[name] = wrapped_secret(read) if secret else read
    return decoded


def comparable(properties: struct_pb2.Struct) -> dict[str, Any]:
    """Properties as `change_of` compares them: secrets as they are, every file by the engine's hash."""
    return {
        name: plain_value(_read(value, by_hash=True)[0])
        for name, value in json_format.MessageToDict(properties).items()
        if value is not None
    }


def encode(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Outputs in the wire format; secrets are wrapped already, and None is none."""
    properties = struct_pb2.Struct()
    properties.update({name: _written(value) for name, value in values.items() if value is not None})
    return properties


def _read(value: Any, *, by_hash: bool) -> tuple[Any, bool]:
    """A value, and whether anything in it is secret."""
    if value == rpc.UNKNOWN:
        return UNKNOWN, False
    if isinstance(value, list):
        items = [_read(item, by_hash=by_hash) for item in value]
        return [item for item, _ in items], any(secret for _, secret in items)
    if not isinstance(value, dict):
        return value, False
    kind = value.get(SIGNATURE)
    if kind == SECRET:
        return _read(value["value"], by_hash=by_hash)[0], True
    if kind in _FILES:
        by_hash = by_hash or "path" not in value
        return {DIGEST: value.get("hash")} if by_hash else _FILES[kind](value["path"]), False
    fields = {name: _read(item, by_hash=by_hash) for name, item in value.items() if item is not None}
    return {name: item for name, (item, _) in fields.items()}, any(secret for _, secret in fields.values())


def _written(value: Any) -> Any:
    if isinstance(value, Unknown):
        return rpc.UNKNOWN
    if isinstance(value, Mapping):
        return {name: _written(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return value
