"""Everything that the embedded AWS knows: types of resources, and functions."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from clients.aws import AwsClients
from emulator.pulumi.provider import (
    acm,
    apigateway,
    apigateway_access,
    apigateway_domain,
    backup,
    backup_testing,
    cloudwatch,
    dynamodb,
    iam,
    kms,
    lambda_,
    logs,
    route53,
    s3,
    s3_settings,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    stash,
    stepfunctions,
)
from emulator.pulumi.provider.errors import UnknownResourceTypeError
from emulator.pulumi.provider.resource import ResourceType
from topology.regions import REGIONS

_MODULES: Final = (
    acm,
    apigateway,
    apigateway_access,
    apigateway_domain,
    backup,
    backup_testing,
    cloudwatch,
    dynamodb,
    iam,
    kms,
    lambda_,
    logs,
    route53,
    s3,
    s3_settings,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    stash,
    stepfunctions,
)

CATALOGUE: Final[Mapping[str, ResourceType]] = {
    resource.type: resource for module in _MODULES for resource in module.RESOURCES
}
"""Handlers by Pulumi type."""


def handler_of(type_: str, catalogue: Mapping[str, ResourceType]) -> ResourceType:
    """The handler of a Pulumi type.

    Raises:
        UnknownResourceTypeError: there is none.
    """
    resource = catalogue.get(type_)
    if resource is None:
        raise UnknownResourceTypeError(
            f"resource type {type_!r} is not known to the embedded AWS; add a handler under "
            "emulator/pulumi/provider and list it in emulator/pulumi/provider/catalogue.py"
        )
    return resource


def caller_identity(clients: AwsClients, region: str) -> Mapping[str, Any]:
    """Answer `aws.get_caller_identity()`."""
    identity = clients.client("sts", region).get_caller_identity()
    return {
        "id": identity["Account"],
        "accountId": identity["Account"],
        "arn": identity["Arn"],
        "userId": identity["UserId"],
    }


def enabled_regions(clients: AwsClients, region: str) -> Mapping[str, Any]:
    """Answer `aws.get_regions()`: the embedded AWS is an account in which every region is enabled."""
    del clients, region
    return {"id": "aws", "names": sorted(REGIONS)}


FUNCTIONS: Final[Mapping[str, Callable[[AwsClients, str], Mapping[str, Any]]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getRegions:getRegions": enabled_regions,
}
"""Functions (invokes) by token; each takes the clients and a region to ask in."""


def ignored_arguments() -> list[tuple[str, str, str]]:
    """Every argument that the embedded AWS takes and does not honour: type, argument, reason."""
    return [
        (resource.type, name, reason)
        for resource in CATALOGUE.values()
        for name, reason in resource.ignored.items()
    ]
