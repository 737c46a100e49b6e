"""What botocore reads of AWS, cut down to the calls that a function's sources make.

botocore describes 400 services in 15 MB, and a client loads all that there is of its own at its making. Which
services and operations are called is read from the sources, so that neither is listed twice.
"""

import ast
import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from botocore import xform_name

from topology.errors import ExplainedError

_NEEDED: Final = ("service-2.json.gz", "endpoint-rule-set-1.json.gz")
"""Of a service; pagers, waiters and examples are for calls that no handler makes."""

_MAKERS: Final = ("client", "LateClient")
"""The names by which clients are made."""


class ServiceModelError(ExplainedError):
    """The sources call something of AWS that botocore does not describe."""


def prune_service_models(data: Path, sources: Iterable[Path]) -> None:
    """Leave of botocore's folder `data` what `sources` call.

    A service is called where `client("its name", ...)` or a `LateClient` is made; an operation where anything
    has its name as a method, such as `client.get_item`.

    Raises:
        ServiceModelError: a service is not there, or nothing of it is called.
    """
    trees = [ast.parse(source.read_bytes()) for source in sources]
    services = {name for tree in trees for name in _clients_of(tree)}
    methods = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in services:
            shutil.rmtree(folder)
    for service in sorted(services):
        _prune_service(data / service, methods)
    endpoints = json.loads((data / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        known = partition["services"]
        partition["services"] = {name: known[name] for name in sorted(services & known.keys())}
    (data / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")))


def _clients_of(tree: ast.AST) -> Iterable[str]:
    """The first argument of each call of a `client` or `LateClient`, where it is a text."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str(service)), *_])
                | ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(service)), *_])
            ) if name in _MAKERS:
                yield service


def _prune_service(folder: Path, methods: set[str]) -> None:
    """Leave the latest version of a service, with the operations that are called by these `methods`."""
    versions = sorted(folder.glob("*/service-2.json.gz"))
    if not versions:
        raise ServiceModelError(
            f"botocore describes no service {folder.name!r}; correct the name of the client"
        )
    for version in folder.iterdir():
        if version != versions[-1].parent:
            shutil.rmtree(version)
    for file in versions[-1].parent.iterdir():
        if file.name not in _NEEDED:
            file.unlink()
    model = json.loads(gzip.decompress(versions[-1].read_bytes()))
    called = {name: op for name, op in model["operations"].items() if xform_name(name) in methods}
    if not called:
        raise ServiceModelError(f"a client of {folder.name} is made and never called; do not make it")
    model["operations"] = called
    shapes = _shapes_of(called.values(), model["shapes"])
    model["shapes"] = {name: shape for name, shape in model["shapes"].items() if name in shapes}
    text = json.dumps(_undocumented(model), separators=(",", ":"))
    versions[-1].write_bytes(gzip.compress(text.encode(), mtime=0))


def _shapes_of(operations: Iterable[Mapping[str, Any]], shapes: Mapping[str, Any]) -> set[str]:
    """The names of the shapes that these operations are made of."""
    found: set[str] = set()
    waiting = [part for operation in operations for part in _references(operation)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(shapes[name])
    return found


def _references(part: Any) -> list[str]:
    """The names of the shapes that a part of a model refers to: every `{"shape": name}` in it."""
    if isinstance(part, Mapping):
        named = [part["shape"]] if isinstance(part.get("shape"), str) else []
        return named + [name for value in part.values() for name in _references(value)]
    return [name for value in part for name in _references(value)] if isinstance(part, list) else []


def _undocumented(part: Any) -> Any:
    """A part of a model without its texts for people."""
    if isinstance(part, Mapping):
        return {
            name: _undocumented(value)
            for name, value in part.items()
            if name != "documentation" or not isinstance(value, str)
        }
    return [_undocumented(value) for value in part] if isinstance(part, list) else part
