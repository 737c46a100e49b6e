"""From what the Pulumi SDK sends for a resource to checked arguments, and to what may be recorded of them."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pulumi
from pulumi.runtime import rpc

from emulator.pulumi.provider.errors import MissingArgumentError, UnknownArgumentError
from emulator.pulumi.provider.outputs import absent_outputs_in
from emulator.pulumi.provider.resource import Inputs, ResourceType

DIGEST: Final = "sha256"
"""The only key of what stands for a secret or a file in recorded arguments."""


@dataclass(frozen=True)
class Arguments:
    """The checked arguments of one resource; `secret` names those that must not be written down."""

    inputs: Inputs
    secret: frozenset[str]

    @classmethod
    def parse(cls, raw: Mapping[str, Any], resource: ResourceType) -> Self:
        """Check what the SDK deserialised: numbers as floats, secrets wrapped, archives as objects.

        Raises:
            UnknownArgumentError: an argument, or a key of a nested block, that the handler does not know.
            MissingArgumentError: a null, or text that was put together from an output that is not given.
        """
        secret = {name for name, value in raw.items() if rpc.is_rpc_secret(value)}
        inputs = Inputs({name: plain_value(value) for name, value in raw.items()})
        known = resource.updates | resource.replaces | resource.ignored.keys()
        if resource.regional:
            known |= {"region"}
        for path in _unknown(inputs, known):
            allowed = ", ".join(sorted(known))
            raise UnknownArgumentError(
                f"argument {path!r} is not known to the embedded AWS, so it would be dropped; known "
                f"here: {allowed}; extend its handler in emulator/pulumi/provider, or leave the argument out"
            )
        for name, value in inputs.items():
            for output in absent_outputs_in(value):
                raise MissingArgumentError(
                    f"argument {name!r} is made from an output that has no value ({output}); give that "
                    "output in its resource's handler under emulator/pulumi/provider"
                )
        return cls(inputs, frozenset(secret | (resource.secrets & inputs.keys())))

    def recorded(self, salt: bytes) -> Inputs:
        """What the state keeps to compare with: secrets and files as digests, secrets salted."""
        return Inputs(
            {
                name: _secret_digest(name, value, salt) if name in self.secret else _recorded(value)
                for name, value in self.inputs.items()
            }
        )

    def echoed(self) -> dict[str, Any]:
        """The arguments as outputs, as the real provider gives them: secrets wrapped, files left out."""
        return {
            name: wrapped_secret(value) if name in self.secret else value
            for name, value in self.inputs.items()
            if not isinstance(value, pulumi.Asset | pulumi.Archive)
        }


def wrapped_secret(value: Any) -> dict[str, Any]:
    """A secret as the SDK's wire format has it, so that the program's outputs stay secret."""
    wrapped: dict[str, Any] = rpc.wrap_rpc_secret(value)
    return wrapped


def plain_value(value: Any) -> Any:
    """A value as handlers take it: secrets unwrapped, whole numbers as int."""
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unknown(inputs: Mapping[str, Any], known: frozenset[str], prefix: str = "") -> Iterator[str]:
    """The dotted names of arguments that are in none of the handler's lists."""
    for name, value in inputs.items():
        path = prefix + name
        if path in known:
            continue
        if any(other.startswith(f"{path}.") for other in known):
            for block in value if isinstance(value, list) else [value]:
                if isinstance(block, dict):
                    yield from _unknown(block, known, f"{path}.")
        else:
            yield path


def _recorded(value: Any) -> Any:
    """A value as JSON can hold it.

    Raises:
        UnknownArgumentError: an asset that is not a file.
    """
    if isinstance(value, pulumi.FileArchive | pulumi.FileAsset):
        return {DIGEST: file_digest(value.path)}
    if isinstance(value, pulumi.Asset | pulumi.Archive):
        raise UnknownArgumentError(
            f"a {type(value).__name__} cannot be sent to the embedded AWS; write a file and pass a "
            "FileArchive or a FileAsset"
        )
    if isinstance(value, dict):
        return {key: _recorded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_recorded(item) for item in value]
    return value


def _secret_digest(name: str, value: Any, salt: bytes) -> dict[str, str]:
    """Keyed, so that a short secret cannot be found by trying; salted by name, so that equals do not show."""
    text = json.dumps([name, _recorded(value)], sort_keys=True).encode()
    return {DIGEST: hmac.new(salt, text, hashlib.sha256).hexdigest()}
