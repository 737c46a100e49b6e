"""Route 53 records and health checks, without a region; `emulator.route53` answers from them."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    pick,
    removed_tags,
)

_CONFIG: Final = {
    "type": "Type",
    "fqdn": "FullyQualifiedDomainName",
    "port": "Port",
    "resourcePath": "ResourcePath",
    "requestInterval": "RequestInterval",
    "failureThreshold": "FailureThreshold",
    "invertHealthcheck": "Inverted",
    "disabled": "Disabled",
    "childHealthchecks": "ChildHealthChecks",
    "childHealthThreshold": "HealthThreshold",
}
"""Arguments and what a health check's configuration calls them.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html"""


class HealthCheck(ResourceType):
    """A health check; its id is what Route 53 gives it."""

    type = "aws:route53/healthCheck:HealthCheck"
    identity = frozenset()
    updates = frozenset(_CONFIG.keys() - {"type", "requestInterval"}) | {"tags"}
    replaces = frozenset({"type", "requestInterval"})
    regional = False

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the check."""
        check = context.client("route53").create_health_check(
            CallerReference=str(uuid.uuid4()), HealthCheckConfig=pick(inputs, _CONFIG)
        )["HealthCheck"]
        return Created(check["Id"], {"arn": f"arn:aws:route53:::healthcheck/{check['Id']}"})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Set the tags, which are no part of the creation."""
        if tags := _tags(inputs):
            context.client("route53").change_tags_for_resource(
                ResourceType="healthcheck", ResourceId=created.id, AddTags=tags
            )
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed."""
        route53 = context.client("route53")
        names = {ours: theirs for ours, theirs in _CONFIG.items() if ours in changed}
        if names:
            route53.update_health_check(HealthCheckId=existing.id, **pick(inputs, names))
        if "tags" in changed:
            gone = removed_tags(existing, inputs)
            route53.change_tags_for_resource(
                ResourceType="healthcheck",
                ResourceId=existing.id,
                AddTags=_tags(inputs),
                **({"RemoveTagKeys": gone} if gone else {}),
            )
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the check; a record that still names it counts as healthy."""
        context.client("route53").delete_health_check(HealthCheckId=existing.id)


class Record(ResourceType):
    """A record, simple or of a failover pair; its id has the real provider's form."""

    type = "aws:route53/record:Record"
    identity = frozenset({"name", "setIdentifier", "type", "zoneId"})
    autonamed = ""
    updates = frozenset(
        {
            "allowOverwrite",
            "failoverRoutingPolicies.type",
            "healthCheckId",
            "records",
            "setIdentifier",
            "ttl",
            "type",
        }
    )
    replaces = frozenset({"name", "zoneId"})
    regional = False

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the record into its zone; one that is there already is refused, unless asked for otherwise."""
        _change(context, "UPSERT" if inputs.get("allowOverwrite") else "CREATE", inputs)
        parts = (inputs["zoneId"], inputs["name"].rstrip("."), inputs["type"], inputs.get("setIdentifier"))
        return Created("_".join(part for part in parts if part), {"fqdn": inputs["name"].rstrip(".")})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the record again; under another type or identifier it is another, and the old one goes."""
        if {"setIdentifier", "type"} & set(changed):
            _change(context, "DELETE", existing.inputs)
        _change(context, "UPSERT", inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Take the record out of its zone, which AWS does only for a record that is as it was put."""
        _change(context, "DELETE", existing.inputs)


RESOURCES: Final = (HealthCheck(), Record())


def _tags(inputs: Inputs) -> list[dict[str, str]]:
    return [{"Key": name, "Value": text} for name, text in inputs.get("tags", {}).items()]


def _change(context: ResourceContext, action: str, inputs: Inputs) -> None:
    """Make one change of a zone's records.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    record = {
        "Name": inputs["name"],
        "Type": inputs["type"],
        "TTL": inputs["ttl"],
        "ResourceRecords": [{"Value": value} for value in inputs["records"]],
        **pick(inputs, {"setIdentifier": "SetIdentifier", "healthCheckId": "HealthCheckId"}),
    }
    for policy in inputs.get("failoverRoutingPolicies", []):
        record["Failover"] = policy["type"]
    context.client("route53").change_resource_record_sets(
        HostedZoneId=inputs["zoneId"],
        ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
    )
