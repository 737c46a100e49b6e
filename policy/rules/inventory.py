"""What a resource is called, whose it is and where it is."""

import re
from collections.abc import Iterator

from policy.rule import Resource, Stack, arguments_of, rule
from topology.names import Names

TAGS = ("Project", "Stack", "Owner", "ManagedBy")

NAMED_WITHIN = frozenset(
    {
        "aws:backup/selection:Selection",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:lambda/alias:Alias",
        "aws:route53/record:Record",
    }
)
"""Types whose name is one within something else that has the stack's, or within a domain."""


@rule()
def owner_tagged(resource: Resource, stack: Stack) -> Iterator[str]:
    """Whatever takes tags says its project, stack and owner, and that Pulumi manages it."""
    if not hasattr(arguments_of(resource.type), "tags"):
        return
    tags = resource.inputs.get("tags") or {}
    for tag in TAGS:
        if not tags.get(tag):
            yield f"it has no tag {tag}; give it the stack's tags"
    if tags.get("Owner", stack.config.owner) != stack.config.owner:
        yield f"its Owner is {tags['Owner']} and not {stack.config.owner}; give it the stack's tags"


@rule()
def region_named(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A regional resource names its region: without one it would land in the provider's."""
    if hasattr(arguments_of(resource.type), "region") and not resource.inputs.get("region"):
        yield "it has no region; name one"


@rule()
def region_expected(resource: Resource, stack: Stack) -> Iterator[str]:
    """Nothing is in a region that the configuration does not name, replicas and the witness included."""
    config, inputs = stack.config, resource.inputs
    replicas = [r.get("regionName") or r.get("region") for r in inputs.get("replicas") or ()]
    for region in (inputs.get("region"), *replicas):
        if region and region not in config.regions:
            yield f"it is in {region}; have it in one of {', '.join(config.regions)}"
    witness = (inputs.get("globalTableWitness") or {}).get("regionName")
    if witness and witness != config.witness_region:
        yield f"its witness is in {witness}; have it in {config.witness_region}"


@rule()
def names_given(resource: Resource, stack: Stack) -> Iterator[str]:
    """Whatever takes a name has one that begins as this stack's do, and none that Pulumi would make up."""
    argument = "bucket" if resource.type == "aws:s3/bucket:Bucket" else "name"
    if not hasattr(arguments_of(resource.type), argument):
        return
    name = str(resource.inputs.get(argument) or "")
    if not name or re.fullmatch(re.escape(resource.name) + "-[0-9a-f]{7}", name):
        yield f"its {argument} is made up by Pulumi; give it one of topology.names"
    elif resource.type not in NAMED_WITHIN and not Names(stack.config.stack).has(name):
        yield f"its {argument} {name} does not begin as this stack's do; give it one of topology.names"
