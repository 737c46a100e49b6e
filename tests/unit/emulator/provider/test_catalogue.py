"""The catalogue as a whole: names that pulumi-aws really has, and a reason for everything ignored."""

import pulumi
import pulumi_aws
import pytest
from pulumi import _types

from emulator.pulumi.provider.catalogue import CATALOGUE, ignored_arguments
from emulator.pulumi.provider.resource import ResourceType

RESOURCES = [pytest.param(resource, id=type_) for type_, resource in CATALOGUE.items()]


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_argument_exists_in_pulumi_aws(resource: ResourceType) -> None:
    """A misspelt name would make a handler refuse what it means to know."""
    provider, module, name = resource.type.split(":")
    package = pulumi if provider == "pulumi" else getattr(pulumi_aws, _package(module))
    declared = _types.resource_types(getattr(package, name)).keys()
    known = resource.updates | resource.replaces | resource.ignored.keys()
    assert {argument.partition(".")[0] for argument in known} <= declared


@pytest.mark.parametrize("resource", RESOURCES)
def test_an_argument_is_updated_replaced_or_ignored(resource: ResourceType) -> None:
    """One answer each: what happens when it changes."""
    assert not resource.updates & resource.replaces
    assert not (resource.updates | resource.replaces) & resource.ignored.keys()


@pytest.mark.parametrize("resource", RESOURCES)
def test_what_can_be_updated_has_an_update(resource: ResourceType) -> None:
    """Declaring an update without one would fail in the middle of a run."""
    if resource.updates or resource.ignored:
        assert type(resource).update is not ResourceType.update


def _package(module: str) -> str:
    return module.partition("/")[0].replace("lambda", "lambda_")


def test_every_ignored_argument_has_a_reason() -> None:
    """The list is for people: type, argument, and what a local run therefore does not show."""
    listed = ignored_arguments()
    assert ("aws:lambda/function:Function", "memorySize") in {(type_, name) for type_, name, _ in listed}
    assert all(reason.strip() for _, _, reason in listed)


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_handler_says_what_aws_knows_its_resource_by(resource: ResourceType) -> None:
    """Without it nobody could tell that the deletion of the old one undoes the new one."""
    known = resource.updates | resource.replaces | resource.ignored.keys()
    assert resource.identity <= known
    roots = {argument.partition(".")[0] for argument in known}
    assert resource.read_back <= roots, "what AWS fills in is compared with what the program gives"
