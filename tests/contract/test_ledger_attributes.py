"""The ledger's attributes: as keys and indexes name them, and as docs/architecture.md does."""

import re
from pathlib import Path

from msgspec.structs import fields

from handlers.domain.alert import Alert
from handlers.domain.moves import MOVES
from topology.alerts import DuplicateCause, Severity, Status
from topology.tables import ALERTS

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
    """The possible duplicates that a row may carry, and no others."""
    table = DOCUMENT.split("### Duplicates")[1].split("### ")[0]
    assert re.findall(r"^\| `([a-z_]+)`", table, re.MULTILINE) == [cause.value for cause in DuplicateCause]
