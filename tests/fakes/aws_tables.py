"""The tables of the topology as moto takes them, under their keys as names."""

from typing import Any

from tests.fakes.moto_clients import moto_client
from topology.tables import TABLES, TableSpec


def create_tables(region: str) -> dict[str, str]:
    """Create every table in `region`; returns key to physical name."""
    dynamodb = moto_client("dynamodb", region)
    for spec in TABLES:
        dynamodb.create_table(**_definition(spec))
    return {spec.key: spec.suffix for spec in TABLES}


def _definition(spec: TableSpec) -> dict[str, Any]:
    keys = {spec.hash_key} | {key for index in spec.indexes for key in (index.hash_key, index.range_key)}
    definition: dict[str, Any] = {
        "TableName": spec.suffix,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": spec.hash_key.name, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": k.name, "AttributeType": k.type} for k in keys],
    }
    if spec.indexes:
        definition["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": [
                    {"AttributeName": index.hash_key.name, "KeyType": "HASH"},
                    {"AttributeName": index.range_key.name, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projected)}
                if index.projected
                else {"ProjectionType": "ALL"},
            }
            for index in spec.indexes
        ]
    return definition
