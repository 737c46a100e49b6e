"""What a rule is and what it sees, for the policy pack and for the tests that apply the same rules."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi_aws

from topology.config import StackConfig

Level = Literal["mandatory", "advisory"]
"""Whether a violation stops the deployment or is only said."""


@dataclass(frozen=True)
class Resource:
    """A resource as it is registered. `type` as `aws:sqs/queue:Queue`, `inputs` in camel case."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    protect: bool = False
    secret_outputs: Collection[str] = ()


@dataclass(frozen=True)
class Stack:
    """What a rule knows besides: the configuration and, if it asks for the whole stack, all resources."""

    config: StackConfig
    resources: Sequence[Resource] = ()

    def settings_of(self, bucket: Resource, type_: str) -> list[Resource]:
        """The resources of a type that set something for a bucket, which they name."""
        name = bucket.inputs.get("bucket")
        return [r for r in self.resources if r.type == type_ and r.inputs.get("bucket") == name]


Check = Callable[[Resource, Stack], Iterator[str]]
"""Yields what is wrong with a resource: the value seen and the next step."""


@dataclass(frozen=True)
class Rule:
    """One promise about every resource of its types; no types are all that AWS has."""

    name: str
    promise: str
    check: Check
    types: frozenset[str]
    controls: tuple[str, ...]
    cis: str
    level: Level
    whole_stack: bool

    def applies(self, resource: Resource) -> bool:
        """Whether the rule looks at this resource."""
        return resource.type in self.types if self.types else resource.type.startswith("aws:")

    @property
    def url(self) -> str:
        """Where AWS describes the first of the controls, or empty."""
        if not self.controls:
            return ""
        service, number = self.controls[0].lower().split(".")
        return (
            f"https://docs.aws.amazon.com/securityhub/latest/userguide/{service}-controls.html"
            f"#{service}-{number}"
        )


def rule(
    *types: str,
    controls: tuple[str, ...] = (),
    cis: str = "",
    level: Level = "mandatory",
    whole_stack: bool = False,
) -> Callable[[Check], Rule]:
    """Make a rule of a function: its name is the rule's, its docstring the promise.

    `controls` are ids of AWS Security Hub, which hold across its standards; the Foundational Security Best
    Practices are one of them. `cis` is a number of the CIS AWS Foundations Benchmark v5.0.0.
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-controls-reference.html
    """

    def made(check: Check) -> Rule:
        return Rule(
            name=check.__name__.replace("_", "-"),
            promise=" ".join((check.__doc__ or "").split()),
            check=check,
            types=frozenset(types),
            controls=controls,
            cis=cis,
            level=level,
            whole_stack=whole_stack,
        )

    return made


_POLICY = re.compile(r"polic(y|ies)(document)?$", re.IGNORECASE)


def statements(inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statements of every policy document in a resource's arguments, whatever its type.

    Any argument that is called a policy is read, so that no type has to be listed: `Queue.policy`,
    `Role.assumeRolePolicy`, `LogResourcePolicy.policyDocument`. Others have no statements: `redrivePolicy`.
    """
    found: list[Mapping[str, Any]] = []
    for argument in inputs:
        value = inputs[argument] if _POLICY.search(argument) else None
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = json.loads(value)
        if isinstance(value, Mapping):
            found += listed(value.get("Statement"))
    return found


def arguments_of(type_: str) -> type | None:
    """The class of the AWS provider's SDK that has a type's arguments as attributes, if the SDK has it."""
    _, module, name = type_.split(":")
    package = module.partition("/")[0].replace("lambda", "lambda_")
    return getattr(getattr(pulumi_aws, package, None), f"{name}Args", None)


def listed(value: Any) -> list[Any]:
    """What a policy may write as one value or as a list, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str | Mapping) else list(value)
