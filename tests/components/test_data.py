"""The global tables and the secrets: keys, replicas and protection."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.components.recorder import Run
from topology.tables import ALERTS, ANALYSIS_CACHE, COORDINATION

TABLE = "dynamodb/table:Table"
SECRET = "secretsmanager/secret:Secret"


def _tables(run: Run) -> dict[str, dict[str, Any]]:
    return {table.name: dict(table.inputs) for table in run.of(TABLE)}


def test_tables_have_the_keys_and_indexes_of_the_specs(run: Run) -> None:
    """The handlers and the runbook query by them."""
    alerts, cache = _tables(run)["alerts"], _tables(run)["analysis-cache"]
    assert alerts["hashKey"] == "alert_id"
    assert alerts["attributes"] == [
        {"name": "accepted_at_ms", "type": "N"},
        {"name": "alert_id", "type": "S"},
        {"name": "changed_at_ms", "type": "N"},
        {"name": "due_at", "type": "N"},
        {"name": "fault_key", "type": "S"},
        {"name": "incident_id", "type": "S"},
        {"name": "open_key", "type": "S"},
        {"name": "parent_id", "type": "S"},
        {"name": "severity", "type": "S"},
        {"name": "timestamp", "type": "N"},
    ]
    assert alerts["globalSecondaryIndexes"] == [
        {
            "name": "timestamp-index",
            "keySchemas": [
                {"attributeName": "severity", "keyType": "HASH"},
                {"attributeName": "timestamp", "keyType": "RANGE"},
            ],
            "projectionType": "ALL",
        },
        {
            "name": "open-index",
            "keySchemas": [
                {"attributeName": "open_key", "keyType": "HASH"},
                {"attributeName": "due_at", "keyType": "RANGE"},
            ],
            "projectionType": "INCLUDE",
            "nonKeyAttributes": ["status", "severity", "attempts", "lease_token", "alone"],
        },
        {
            "name": "children-index",
            "keySchemas": [
                {"attributeName": "parent_id", "keyType": "HASH"},
                {"attributeName": "alert_id", "keyType": "RANGE"},
            ],
            "projectionType": "INCLUDE",
            "nonKeyAttributes": ["status"],
        },
        {
            "name": "fault-index",
            "keySchemas": [
                {"attributeName": "fault_key", "keyType": "HASH"},
                {"attributeName": "changed_at_ms", "keyType": "RANGE"},
            ],
            "projectionType": "INCLUDE",
            "nonKeyAttributes": ["state"],
        },
        {
            "name": "incident-index",
            "keySchemas": [
                {"attributeName": "incident_id", "keyType": "HASH"},
                {"attributeName": "accepted_at_ms", "keyType": "RANGE"},
            ],
            "projectionType": "INCLUDE",
            "nonKeyAttributes": [
                *("status", "severity", "state", "fault_key", "changed_at_ms", "host", "lease_token"),
                *("alone", "lead", "slack_ref"),
            ],
        },
    ]
    assert cache["hashKey"] == "error_signature"
    assert cache["attributes"] == [{"name": "error_signature", "type": "S"}]
    assert cache["globalSecondaryIndexes"] == []


def test_shared_records_have_a_name(run: Run) -> None:
    """And nothing else that a query could find them by."""
    coordination = _tables(run)["coordination"]
    assert coordination["hashKey"] == "name"
    assert coordination["attributes"] == [{"name": "name", "type": "S"}]
    assert coordination["globalSecondaryIndexes"] == []


def test_shared_records_are_as_consistent_as_the_ledger(run: Run) -> None:
    """Two regions that keep one pace must see each other's writes where the ledger promises as much."""
    alerts, coordination = _tables(run)["alerts"], _tables(run)["coordination"]
    assert coordination["replicas"] == alerts["replicas"]
    assert coordination.get("globalTableWitness") == alerts.get("globalTableWitness")


def test_tables_are_recoverable_encrypted_and_paid_by_request(run: Run) -> None:
    """In both regions: a replica inherits none of it."""
    for table in _tables(run).values():
        assert table["region"] == "us-east-1"
        assert table["billingMode"] == "PAY_PER_REQUEST"
        assert table["serverSideEncryption"] == {"enabled": True}
        assert table["pointInTimeRecovery"] == {"enabled": True}
        (replica,) = table["replicas"]
        assert replica["regionName"] == "us-west-2"
        assert replica["pointInTimeRecovery"] is True
        assert replica["propagateTags"] is True


@pytest.mark.parametrize("stack", ["prod", "staging", "local"])
def test_a_strong_ledger_has_a_witness_and_no_ttl(stack: str, run_of: Callable[[str], Run]) -> None:
    """AWS takes a strong table with one replica and a witness only, and no TTL on it."""
    for name in ("alerts", "coordination"):
        table = _tables(run_of(stack))[name]
        assert table["replicas"][0]["consistencyMode"] == "STRONG"
        assert table["globalTableWitness"] == {"regionName": "us-east-2"}
        assert not table.keys() & {"ttl", "streamEnabled", "streamViewType"}


def test_an_eventual_table_has_the_stream_that_it_replicates_by(run: Run) -> None:
    """A strong one does without; nobody reads it."""
    for table in _tables(run).values():
        eventual = table["replicas"][0]["consistencyMode"] == "EVENTUAL"
        stream = (table.get("streamEnabled"), table.get("streamViewType"))
        assert stream == ((True, "NEW_AND_OLD_IMAGES") if eventual else (None, None))


def test_an_eventual_ledger_has_a_ttl_and_no_witness(run_of: Callable[[str], Run]) -> None:
    """AWS refuses a witness beside an eventual replica. Only faults' records carry the TTL's attribute."""
    for spec in (ALERTS, COORDINATION):
        table = _tables(run_of("dev"))[spec.key]
        assert table["replicas"][0]["consistencyMode"] == "EVENTUAL"
        assert table["ttl"] == {"attributeName": spec.ttl_attribute, "enabled": True}
        assert "globalTableWitness" not in table


def test_the_cache_is_eventual_and_expires_in_every_stack(run: Run) -> None:
    """A stale miss costs one more analysis; a cache without TTL would grow for ever."""
    cache = _tables(run)["analysis-cache"]
    assert cache["replicas"][0]["consistencyMode"] == "EVENTUAL"
    assert cache["ttl"] == {"attributeName": ANALYSIS_CACHE.ttl_attribute, "enabled": True}
    assert "globalTableWitness" not in cache


def test_only_production_refuses_to_delete_its_data(run: Run) -> None:
    """By AWS, in both regions; other stacks can be torn down and deployed again at once."""
    protected = run.outputs["Stack"] == "prod"
    for table in run.of(TABLE):
        assert table.inputs["deletionProtectionEnabled"] is protected
        assert table.inputs["replicas"][0]["deletionProtectionEnabled"] is protected
    for secret in run.of(SECRET):
        assert secret.inputs["recoveryWindowInDays"] == (30 if protected else 0)


def test_secrets_are_replicated_and_hold_no_value(run: Run) -> None:
    """The failover region reads its own copy; the state of Pulumi holds none."""
    for secret in run.of(SECRET):
        assert secret.inputs["region"] == "us-east-1"
        assert secret.inputs["replicas"] == [{"region": "us-west-2"}]
    assert run.of("secretsmanager/secretVersion:SecretVersion") == []
