"""Handlers may not import the topology, so the names that both must agree on are compared here."""

import re
from dataclasses import fields
from pathlib import Path

from handlers.adapters.aws import dynamodb, metrics
from handlers.domain.alert import Alert, Doubt, Queue, Severity, Status
from handlers.domain.limits import MAX_DELAY_S
from handlers.domain.states import MOVES
from topology import metrics as watched
from topology.limits import SQS_BATCH_MAX, SQS_DELAY_MAX_S
from topology.queues import WORK_QUEUES
from topology.tables import ALERTS, CHILDREN_INDEX, OPEN_INDEX, TIMESTAMP_INDEX

DOCUMENT = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
ATTRIBUTES = {field.name: field.type for field in fields(Alert)}


def test_keys_of_the_table_and_its_indexes_are_attributes_of_an_alert() -> None:
    """With the types that DynamoDB expects: text for S, whole numbers for N."""
    keys = {ALERTS.hash_key} | {key for index in ALERTS.indexes for key in (index.hash_key, index.range_key)}
    python = {"S": {str, str | None, Severity}, "N": {int, int | None}}
    for key in keys:
        assert ATTRIBUTES[key.name] in python[key.type], key
    assert ALERTS.ttl_attribute in ATTRIBUTES


def test_projected_attributes_are_attributes_of_an_alert() -> None:
    """An index that projects a name nobody writes would be empty there."""
    for index in ALERTS.indexes:
        assert set(index.projected or ()) <= ATTRIBUTES.keys()


def test_indexes_that_are_queried_are_those_that_exist() -> None:
    """By name, and by their keys."""
    assert (OPEN_INDEX.name, CHILDREN_INDEX.name) == (dynamodb.OPEN_INDEX, dynamodb.CHILDREN_INDEX)
    assert CHILDREN_INDEX.hash_key.name == "parent_id"
    assert (OPEN_INDEX.hash_key.name, OPEN_INDEX.range_key.name) == ("open_lane", "due_at")
    assert (TIMESTAMP_INDEX.hash_key.name, TIMESTAMP_INDEX.range_key.name) == ("severity", "timestamp")


def test_queues_are_those_of_the_topology() -> None:
    """One by one."""
    assert {str(queue) for queue in Queue} == {spec.key for spec in WORK_QUEUES}


def test_limits_of_sqs_are_those_of_the_topology() -> None:
    """The handlers carry their own copy, as they import nothing of ours."""
    assert MAX_DELAY_S == SQS_DELAY_MAX_S
    assert SQS_BATCH_MAX == 10


def test_the_alarm_watches_the_metric_that_recovery_writes() -> None:
    """Another name or dimension would be another metric, and the alarm would wait for ever."""
    written = (metrics.NAMESPACE, metrics.PARKED_ALERTS, metrics.STACK_DIMENSION)
    assert written == (watched.NAMESPACE, watched.PARKED_ALERTS, watched.STACK_DIMENSION)


def test_document_lists_every_attribute_and_status() -> None:
    """docs/architecture.md is the contract that people read."""
    table = DOCUMENT.split("## The ledger")[1].split("### ")[0]
    documented = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\|([^|]+)\|", table, re.MULTILINE))))
    assert ATTRIBUTES.keys() <= documented
    assert {name for name in documented if name != "attribute"} <= ATTRIBUTES.keys()
    for status in Status:
        assert f"`{status}`" in table


def test_document_has_the_state_machine_as_the_handlers_have_it() -> None:
    """Move by move; a failure prints the lines to put there."""
    wanted = [
        f"| {move.actor} | {move.origin or '(none)'} | {move.target} | {move.condition} | {move.meaning} |"
        for move in MOVES
    ]
    table = DOCUMENT.split("### Who moves an alert")[1].split("### ")[0]
    assert [line for line in table.splitlines() if line.startswith("| ")][1:] == wanted


def test_document_has_every_cause_of_a_duplicate() -> None:
    """The doubts that a row may carry, and no others."""
    table = DOCUMENT.split("### Duplicates")[1].split("### ")[0]
    assert re.findall(r"^\| `([a-z_]+)`", table, re.MULTILINE) == [doubt.value for doubt in Doubt]
