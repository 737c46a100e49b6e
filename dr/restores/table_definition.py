"""A table of the topology as DynamoDB is asked to make it, empty or by an import, beside the deployment."""

from collections.abc import Mapping
from typing import Any

from topology.tables import TableSpec


def table_definition(spec: TableSpec, name: str) -> dict[str, Any]:
    """What CreateTable and ImportTable take for a table of the topology."""
    keys = {spec.hash_key} | {key for index in spec.indexes for key in (index.hash_key, index.range_key)}
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "SSESpecification": {"Enabled": True, "SSEType": "KMS"},
        "KeySchema": [{"AttributeName": spec.hash_key.name, "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": key.name, "AttributeType": key.type}
            for key in sorted(keys, key=lambda key: key.name)
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index.name,
                "KeySchema": [
                    {"AttributeName": index.hash_key.name, "KeyType": "HASH"},
                    {"AttributeName": index.range_key.name, "KeyType": "RANGE"},
                ],
                "Projection": _projection(index.projected),
            }
            for index in spec.indexes
        ],
    }


def _projection(attributes: tuple[str, ...] | None) -> Mapping[str, Any]:
    if attributes is None:
        return {"ProjectionType": "ALL"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(attributes)}
