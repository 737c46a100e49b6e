"""What a change of a resource's arguments does."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from emulator.pulumi.provider.catalogue import CATALOGUE
from emulator.pulumi.provider.changes import Change, change_of
from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType


class Parcel(ResourceType):
    """A type with a block and lists of blocks, some of whose keys replace."""

    type = "aws:sqs/queue:Queue"
    updates = frozenset({"note", "rules.filter.prefix", "rules.size", "cover.colour"})
    replaces = frozenset({"name", "rules.kind", "cover.material"})
    ignored: ClassVar[Mapping[str, str]] = {"stamp": "recorded"}

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Never called."""
        raise NotImplementedError

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Never called."""


def change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """The change of a parcel."""
    return change_of(Parcel(), old, new)


def test_the_same_arguments_are_no_change() -> None:
    """What is as it was neither updates nor replaces."""
    arguments = {"name": "n", "rules": [{"kind": "a", "filter": {"prefix": "p"}}]}

    assert change(arguments, dict(arguments)) == Change(frozenset(), frozenset(), delete_first=True)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({"note": "a"}, {"note": "b"}, "note"),
        ({"note": "a"}, {}, "note"),
        ({"stamp": 1}, {"stamp": 2}, "stamp"),
        ({"cover": {"colour": "red"}}, {"cover": {"colour": "blue"}}, "cover"),
        ({"rules": [{"filter": {"prefix": "a"}}]}, {"rules": [{"filter": {"prefix": "b"}}]}, "rules"),
        ({"rules": [{"kind": "a", "size": 1}]}, {"rules": [{"kind": "a", "size": 2}]}, "rules"),
    ],
)
def test_an_argument_that_updates_replaces_nothing(
    old: Mapping[str, Any], new: Mapping[str, Any], changed: str
) -> None:
    """At the top or within a block, an update is an update, and is told by its top-level argument."""
    assert change(old, new) == Change(frozenset({changed}), frozenset(), delete_first=False)


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        ({"cover": {"material": "tin"}}, {"cover": {"material": "wood"}}, {"cover.material"}),
        ({"rules": [{"kind": "a"}]}, {"rules": [{"kind": "b"}]}, {"rules.kind"}),
        ({"rules": [{"kind": "a"}]}, {"rules": [{"kind": "a"}, {"kind": "b"}]}, {"rules.kind"}),
        (
            {"rules": [{"kind": "a"}, {"size": 1}]},
            {"rules": [{"size": 1}, {"kind": "a"}]},
            {"rules.kind"},
        ),
        ({"region": "us-east-1"}, {"region": "us-west-2"}, {"region"}),
        ({"of an older release": 1}, {}, {"of an older release"}),
        ({"cover": {"sha256": "1"}}, {"cover": {"sha256": "2"}}, {"cover.material"}),
    ],
)
def test_a_nested_argument_that_replaces_makes_a_new_resource(
    old: Mapping[str, Any], new: Mapping[str, Any], replaces: set[str]
) -> None:
    """A key of a block replaces wherever it differs; a block that is a digest as a whole may hold one."""
    assert change(old, new).replaces == replaces


@pytest.mark.parametrize(
    ("type_", "arguments", "delete_first"),
    [
        ("aws:sqs/queue:Queue", {"name": "q"}, True),
        ("aws:s3/bucket:Bucket", {"bucket": "b"}, True),
        ("aws:lambda/permission:Permission", {"statementId": "s"}, True),
        ("aws:apigateway/integration:Integration", {"httpMethod": "POST"}, True),
        ("aws:apigateway/method:Method", {"httpMethod": "POST"}, False),
        ("aws:backup/vaultLockConfiguration:VaultLockConfiguration", {"backupVaultName": "v"}, False),
        ("aws:backup/restoreTestingPlan:RestoreTestingPlan", {"name": "p"}, False),
        ("aws:route53/record:Record", {"name": "r"}, False),
    ],
)
def test_what_has_a_given_name_is_deleted_before_it_is_made_again(
    type_: str, arguments: Mapping[str, Any], *, delete_first: bool
) -> None:
    """Pulumi makes first and deletes at the end, except for a given name, or where pulumi-aws says so."""
    assert change_of(CATALOGUE[type_], {}, arguments).delete_first is delete_first
