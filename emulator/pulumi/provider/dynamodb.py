"""DynamoDB tables, global ones included."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    removed_tags,
    tag_list,
)


class Table(ResourceType):
    """An on-demand table and its replicas; its id is its name.

    The embedded DynamoDB takes replicas only by a second call. As by the real provider's, a strong replica is
    made without protection against deletion, which only an update gives it; an eventual one has it at once.
    https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/dynamodb/table.go
    """

    type = "aws:dynamodb/table:Table"
    identity = frozenset({"name"})
    updates = frozenset(
        {
            "attributes.name",
            "attributes.type",
            "billingMode",
            "deletionProtectionEnabled",
            "globalSecondaryIndexes.keySchemas.attributeName",
            "globalSecondaryIndexes.keySchemas.keyType",
            "globalSecondaryIndexes.name",
            "globalSecondaryIndexes.nonKeyAttributes",
            "globalSecondaryIndexes.projectionType",
            "pointInTimeRecovery.enabled",
            "replicas.deletionProtectionEnabled",
            "replicas.pointInTimeRecovery",
            "replicas.regionName",
            "streamEnabled",
            "streamViewType",
            "tags",
            "ttl.attributeName",
            "ttl.enabled",
        }
    )
    replaces = frozenset({"hashKey", "name", "rangeKey"})
    read_back = frozenset({"replicas"})
    ignored: ClassVar[Mapping[str, str]] = {
        "globalTableWitness": "replicas are one store in one process; no witness is needed to agree",
        "replicas.consistencyMode": "every replica is written at once, which is stricter than EVENTUAL",
        "replicas.propagateTags": "the emulator keeps one set of tags for all replicas",
        "serverSideEncryption": "recorded, but nothing is encrypted",
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the table in its own region."""
        table = context.client("dynamodb").create_table(
            TableName=inputs["name"],
            AttributeDefinitions=_attributes(inputs),
            KeySchema=_key_schema(inputs),
            BillingMode=inputs["billingMode"],
            DeletionProtectionEnabled=inputs.get("deletionProtectionEnabled", False),
            Tags=tag_list(inputs),
            **_optional(inputs),
        )["TableDescription"]
        outputs = {"arn": table["TableArn"], "streamArn": table.get("LatestStreamArn", "")}
        return Created(table["TableName"], {**outputs, "replicaRegions": []})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Wait for the table, then add replicas, TTL and point-in-time recovery."""
        dynamodb = context.client("dynamodb")
        dynamodb.get_waiter("table_exists").wait(
            TableName=created.id, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        if "ttl" in inputs:
            _set_ttl(context, created.id, inputs)
        if "pointInTimeRecovery" in inputs:
            _set_recovery(context, created.id, inputs)
        return _replicate(context, created.id, [], inputs)

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set what changed; an index that changed is made anew."""
        dynamodb, name = context.client("dynamodb"), existing.id
        settings = {
            "billingMode": {"BillingMode": inputs["billingMode"]},
            "deletionProtectionEnabled": {
                "DeletionProtectionEnabled": inputs.get("deletionProtectionEnabled", False)
            },
            "streamEnabled": {"StreamSpecification": _stream(inputs)},
        }
        for setting in (settings[name] for name in sorted(settings.keys() & changed)):
            dynamodb.update_table(TableName=name, **setting)
        if "globalSecondaryIndexes" in changed:
            for update in _index_updates(existing.inputs, inputs):  # one a call, as AWS asks
                dynamodb.update_table(
                    TableName=name,
                    AttributeDefinitions=_attributes(inputs),
                    GlobalSecondaryIndexUpdates=[update],
                )
        if "ttl" in changed:
            _set_ttl(context, name, inputs, before=existing.inputs.get("ttl"))
        if "pointInTimeRecovery" in changed:
            _set_recovery(context, name, inputs)
        if "tags" in changed:
            arn = existing.outputs["arn"]
            dynamodb.untag_resource(ResourceArn=arn, TagKeys=removed_tags(existing, inputs))
            dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list(inputs))
        if "replicas" in changed:
            return _replicate(context, name, existing.outputs["replicaRegions"], inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the replicas, then the table with its items."""
        _replicate(context, existing.id, existing.outputs["replicaRegions"], Inputs())
        context.client("dynamodb").delete_table(TableName=existing.id)


RESOURCES: Final = (Table(),)


def _key_schema(inputs: Inputs) -> list[dict[str, str]]:
    schema = [{"AttributeName": inputs["hashKey"], "KeyType": "HASH"}]
    if "rangeKey" in inputs:
        schema.append({"AttributeName": inputs["rangeKey"], "KeyType": "RANGE"})
    return schema


def _optional(inputs: Inputs) -> dict[str, Any]:
    """What a table may have: indexes, a stream, encryption with DynamoDB's own key."""
    optional: dict[str, Any] = {}
    if "globalSecondaryIndexes" in inputs:
        optional["GlobalSecondaryIndexes"] = [_index(index) for index in inputs["globalSecondaryIndexes"]]
    if inputs.get("streamEnabled"):
        optional["StreamSpecification"] = _stream(inputs)
    if "serverSideEncryption" in inputs:
        optional["SSESpecification"] = {"Enabled": inputs["serverSideEncryption"]["enabled"]}
    return optional


def _attributes(inputs: Inputs) -> list[dict[str, str]]:
    return [{"AttributeName": item["name"], "AttributeType": item["type"]} for item in inputs["attributes"]]


def _stream(inputs: Inputs) -> dict[str, Any]:
    if not inputs.get("streamEnabled"):
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": inputs["streamViewType"]}


def _index_updates(before: Inputs, inputs: Inputs) -> list[dict[str, Any]]:
    """What makes the indexes be those of the arguments: deletions first, since a name is free only then."""
    old, new = (
        {index["name"]: _index(index) for index in arguments.get("globalSecondaryIndexes", [])}
        for arguments in (before, inputs)
    )
    gone = [name for name in old if old[name] != new.get(name)]
    added = [index for name, index in new.items() if index != old.get(name)]
    return [*({"Delete": {"IndexName": name}} for name in gone), *({"Create": index} for index in added)]


def _index(index: Mapping[str, Any]) -> dict[str, Any]:
    projection = {"ProjectionType": index["projectionType"]}
    if "nonKeyAttributes" in index:
        projection["NonKeyAttributes"] = index["nonKeyAttributes"]
    schema = [
        {"AttributeName": key["attributeName"], "KeyType": key["keyType"]} for key in index["keySchemas"]
    ]
    return {"IndexName": index["name"], "KeySchema": schema, "Projection": projection}


def _replicate(context: ResourceContext, name: str, before: list[str], inputs: Inputs) -> Mapping[str, Any]:
    """Make the replica regions be those of the arguments; `before` are those that exist.

    Returns the replicas as they are then, with the protection that each really has.
    """
    wanted = [replica["regionName"] for replica in inputs.get("replicas", [])]
    updates = [{"Create": {"RegionName": region}} for region in wanted if region not in before]
    updates += [{"Delete": {"RegionName": region}} for region in before if region not in wanted]
    for update in updates:  # one a call, as AWS asks
        context.client("dynamodb").update_table(TableName=name, ReplicaUpdates=[update])
    replicas = []
    for replica in inputs.get("replicas", []):
        there = context.clients.client("dynamodb", replica["regionName"])
        _switch_recovery(there, name, enabled=replica.get("pointInTimeRecovery", False))
        unprotected = replica.get("consistencyMode") == "STRONG" and replica["regionName"] not in before
        protected = replica.get("deletionProtectionEnabled", False) and not unprotected
        there.update_table(TableName=name, DeletionProtectionEnabled=protected)
        as_it_is = {"deletionProtectionEnabled": protected} if "deletionProtectionEnabled" in replica else {}
        replicas.append({**replica, **as_it_is})
    return {"replicaRegions": wanted, "replicas": replicas}


def _set_ttl(
    context: ResourceContext, name: str, inputs: Inputs, before: Mapping[str, Any] | None = None
) -> None:
    """Turn TTL on or off; without the argument, off for the attribute it was on for."""
    ttl = inputs.get("ttl") or {**(before or {}), "enabled": False}
    context.client("dynamodb").update_time_to_live(
        TableName=name,
        TimeToLiveSpecification={"Enabled": ttl["enabled"], "AttributeName": ttl["attributeName"]},
    )


def _set_recovery(context: ResourceContext, name: str, inputs: Inputs) -> None:
    enabled = inputs.get("pointInTimeRecovery", {}).get("enabled", False)
    _switch_recovery(context.client("dynamodb"), name, enabled=enabled)


def _switch_recovery(dynamodb: Any, name: str, *, enabled: bool) -> None:
    """Each replica has a recovery of its own."""
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
    )
