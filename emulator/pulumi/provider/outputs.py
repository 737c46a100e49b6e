"""Outputs that no handler gives, marked, so that a program that uses one gets an error.

The SDK turns an absent output into None, which vanishes as an argument and becomes `null` or `None` in a
policy or a URL. So every text output that a resource declares and its handler does not give is a marker,
which `arguments` and `monitor` look for in all that comes back.
"""

import re
import threading
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import pulumi_aws
from pulumi import _types  # the SDK's own map of a resource's outputs; it has no public name

_importing: Final = threading.Lock()
"""The SDK imports a service's module at its first use, and another thread would find it half made."""

_MARKER: Final = re.compile(r"<<no output (\S+)>>")


@cache
def absent_outputs(type_: str) -> Mapping[str, str]:
    """A marker for each text output of a type of pulumi-aws such as `aws:sqs/queue:Queue`, by its name."""
    if not type_.startswith("aws:"):
        return {}
    declared = _types.resource_types(_sdk_class(type_))
    return {output: f"<<no output {type_}.{output}>>" for output, kind in declared.items() if kind is str}


@cache
def given_outputs(type_: str) -> frozenset[str]:
    """The outputs that a resource of this type always has, since the SDK does not call them optional.

    A preview knows none of them that is no argument too.
    """
    sdk_class = _sdk_class(type_)
    names = _types.resource_py_to_pulumi_names(sdk_class)
    kinds = {
        ours: getattr(sdk_class, theirs).fget.__annotations__["return"] for theirs, ours in names.items()
    }
    return frozenset(name for name, kind in kinds.items() if not _is_optional(*typing.get_args(kind)))


def absent_outputs_in(value: Any) -> Iterator[str]:
    """Find the markers of absent outputs in `value`: `<type>.<output>`, or "null"."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from absent_outputs_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from absent_outputs_in(item)
    elif isinstance(value, str):
        yield from _MARKER.findall(value)
    elif value is None:
        yield "null"


def _sdk_class(type_: str) -> Any:
    """The class of pulumi-aws for a Pulumi type."""
    _, module, name = type_.split(":")
    package = {"lambda": "lambda_"}.get(module.partition("/")[0], module.partition("/")[0])
    with _importing:
        return getattr(getattr(pulumi_aws, package), name)


def _is_optional(kind: Any) -> bool:
    return type(None) in typing.get_args(kind)
