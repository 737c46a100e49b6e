"""What a rule is and what it sees, for the policy pack and for the tests that apply the same rules."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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


RESOURCE_POLICIES: Mapping[str, str] = {
    "aws:kms/key:Key": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
}
"""Who may do what with a resource: the argument that holds the document, by type."""

IDENTITY_POLICIES: Mapping[str, str] = {
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/policy:Policy": "policy",
}
"""What a role may do."""


def statements(resource: Resource, argument: str) -> list[Mapping[str, Any]]:
    """The statements of the policy document in an argument."""
    found = json.loads(resource.inputs[argument])["Statement"]
    return [found] if isinstance(found, Mapping) else list(found)


def listed(value: Any) -> list[Any]:
    """What a policy may write as one value or as a list, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str | Mapping) else list(value)
