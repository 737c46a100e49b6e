"""Outputs that no handler gives, marked, so that a program that uses one gets an error.

The SDK turns an absent output into None, which vanishes as an argument and becomes `null` or `None` in a
policy or a URL. So every text output that a resource declares and its handler does not give is a marker,
which `arguments` and `monitor` look for in all that comes back.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import pulumi_aws
from pulumi import _types  # the SDK's own map of a resource's outputs; it has no public name

_MARKER: Final = re.compile(r"<<no output (\S+)>>")


@cache
def absent_outputs(type_: str) -> Mapping[str, str]:
    """A marker for each text output of a type of pulumi-aws such as `aws:sqs/queue:Queue`, by its name."""
    provider, module, name = type_.split(":")
    if provider != "aws":
        return {}
    package = {"lambda": "lambda_"}.get(module.partition("/")[0], module.partition("/")[0])
    declared = _types.resource_types(getattr(getattr(pulumi_aws, package), name))
    return {output: f"<<no output {type_}.{output}>>" for output, kind in declared.items() if kind is str}


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
