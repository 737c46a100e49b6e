"""The provider's port: the declarations and operations of one resource type's handler.

The service modules beside this one implement `ResourceType`; the engine calls them from several threads.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from clients.aws import AwsClients
from emulator.pulumi.provider.errors import MissingArgumentError
from topology.outputs import SECRET_OF_TYPE

GLOBAL_REGION: Final = "us-east-1"
"""Where IAM, which has no region, is signed for.
https://docs.aws.amazon.com/general/latest/gr/iam-service.html"""


class Inputs(dict[str, Any]):
    """A resource's arguments as plain data: camelCase names, whole numbers as int, secrets unwrapped."""

    def __missing__(self, name: str) -> Any:
        """Refuse to go on without an argument that a handler needs.

        Raises:
            MissingArgumentError: always.
        """
        raise MissingArgumentError(
            f"argument {name!r} has no value; set it, or if it comes from another resource's output, give "
            "that output in the resource's handler under emulator/pulumi/provider"
        )


@dataclass(frozen=True)
class ResourceContext:
    """Where a resource is made: its region on the embedded AWS.

    `webhook_base_urls` has, for each region, the address at which its API Gateway takes requests.
    """

    clients: AwsClients
    region: str
    webhook_base_urls: Mapping[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client of this region."""
        return self.clients.client(service, self.region)


@dataclass(frozen=True)
class Created:
    """A resource that has just been made. `outputs` are what its arguments do not say; None is none."""

    id: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Existing:
    """A resource as recorded. In `inputs`, files are digests.

    The in-process engine's state has no secret: they are digests too, and `outputs` hold none. The Pulumi
    CLI's engine, which keeps them encrypted, hands them over as they are.
    """

    id: str
    inputs: Inputs
    outputs: Mapping[str, Any]


class ResourceType(ABC):
    """How one type of resource is made, changed and removed.

    Every argument that a program may use is named in one of `updates`, `replaces` or `ignored`; a name
    with a dot is a key of a nested block, `tags` and other maps are named whole. `region` is understood
    for every regional type.
    """

    type: ClassVar[str]
    """The Pulumi type, such as `aws:sqs/queue:Queue`."""

    updates: ClassVar[frozenset[str]] = frozenset()
    """Arguments that `update` can change in place."""

    replaces: ClassVar[frozenset[str]] = frozenset()
    """Arguments whose change makes a new resource."""

    ignored: ClassVar[Mapping[str, str]] = {}
    """Arguments that the embedded AWS takes and does not honour, each with the reason."""

    regional: ClassVar[bool] = True
    """False for IAM, whose resources have no region."""

    delete_before_replace: ClassVar[bool] = False
    """Whether pulumi-aws declares so of the type (`DeleteBeforeReplace` in its `provider/resources.go`)."""

    autonamed: ClassVar[str] = "name"
    """The argument that pulumi-aws makes up where the program gives none; `name`, unless it says otherwise.
    Empty for a type of Terraform's plugin framework, whose names the rule of `changes` does not look at."""

    identity: ClassVar[frozenset[str]]
    """The arguments that make up what AWS knows the resource by; empty where AWS makes up an id of its own.
    Two that agree in them, in one region, are one: the deletion of the old undoes the new."""

    read_back: ClassVar[frozenset[str]] = frozenset()
    """Arguments that are optional to the real provider, not computed, and filled in by AWS: its Read puts
    them into the state, so a program that leaves them out has a change. The handler gives them as outputs.

    Declared by hand, where it was read in the provider's source, for two types: S3 objects' locks and the
    replicas of a table. Of any other type an argument that AWS fills in goes unnoticed here."""

    @property
    def secrets(self) -> frozenset[str]:
        """Arguments and outputs that never reach the state file."""
        return SECRET_OF_TYPE.get(self.type, frozenset())

    def region_of(self, inputs: Inputs) -> str:
        """Where a resource with these arguments is made."""
        return str(inputs["region"]) if self.regional else GLOBAL_REGION

    @abstractmethod
    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Make the resource by one call, so that nothing is made that the state does not know."""

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Do what else the resource needs after its creation; return further outputs."""
        del context, created, inputs
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Change the arguments in `changed`, all of them in `updates`; returns the outputs that changed."""
        raise NotImplementedError(f"{self.type} declares updates without implementing them")

    def unsettled(self, inputs: Inputs, changed: Collection[str]) -> frozenset[str]:
        """The outputs that an update of `changed` may change, which a preview therefore does not know."""
        del inputs, changed
        return frozenset()

    @abstractmethod
    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the resource. The engine handles that it is gone already."""

    def read_secrets(self, context: ResourceContext, existing: Existing) -> Mapping[str, Any]:
        """The secret outputs of a resource that exists; they are asked for again, never stored."""
        del context, existing
        return {}


def pick(inputs: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The arguments that are set, under the names that AWS's API gives them (`names`: ours to AWS's)."""
    return {theirs: inputs[ours] for ours, theirs in names.items() if ours in inputs}


def tag_list(inputs: Mapping[str, Any], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """The tags in the list form of most services; IAM, DynamoDB and SNS use `Key`, KMS `TagKey`."""
    return [{key: name, value: text} for name, text in inputs.get("tags", {}).items()]


def removed_tags(existing: Existing, inputs: Mapping[str, Any]) -> list[str]:
    """The names of tags that the resource has and the program no longer sets."""
    return sorted(existing.inputs.get("tags", {}).keys() - inputs.get("tags", {}).keys())
