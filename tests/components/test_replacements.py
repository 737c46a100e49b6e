"""What an update of the program replaces: nothing is undone by it, nothing of AWS's is taken for a change."""

from dataclasses import replace

import pytest

from emulator.pulumi.provider.catalogue import CATALOGUE
from emulator.pulumi.provider.changes import change_of
from tests.components.recorder import Registered, Run


def undone(resource: Registered) -> set[str]:
    """The arguments whose change would make the resource anew and then delete it as the old one."""
    handler = CATALOGUE[resource.type]
    if not handler.identity or resource.retain_on_delete or resource.delete_before_replace:
        return set()
    if change_of(handler, {}, resource.inputs).delete_first:
        return set()
    return set(handler.replaces | resource.replace_on_changes) - handler.identity


def test_nothing_whose_deletion_undoes_its_successor_is_made_first(run: Run, optioned: Run) -> None:
    """Each argument that replaces makes another thing for AWS, or the old one goes first, or it stays."""
    custom = [resource for resource in (*run.resources, *optioned.resources) if resource.custom]
    assert {r.urn: names for r in custom if (names := undone(r))} == {}


@pytest.mark.parametrize(
    "type_",
    [
        "backup/vaultLockConfiguration:VaultLockConfiguration",
        "backup/restoreTestingSelection:RestoreTestingSelection",
        "s3/bucketObjectv2:BucketObjectv2",
    ],
)
def test_such_a_resource_without_its_option_is_found(type_: str, run: Run) -> None:
    """The test above can fail: each of these needs the option that it has."""
    resource = run.of(type_)[0]
    bare = replace(resource, delete_before_replace=False, retain_on_delete=False)
    assert undone(resource) == set()
    assert undone(bare)


def test_what_aws_fills_in_is_given_or_ignored(run: Run, optioned: Run) -> None:
    """The provider reads it into its state; what a program leaves out is a change at the next update."""
    left_out = {
        (resource.urn, name)
        for resource in (*run.resources, *optioned.resources)
        if resource.custom
        for name in CATALOGUE[resource.type].read_back
        if name not in resource.inputs and name not in resource.ignore_changes
    }
    assert left_out == set()


def test_other_content_is_another_object_with_a_lock_of_its_own(run: Run) -> None:
    """An object that ignores its lock is never uploaded as an update, which would put the old lock on it."""
    for record in run.of("s3/bucketObjectv2:BucketObjectv2"):
        assert record.ignore_changes == {"objectLockMode", "objectLockRetainUntilDate"}
        assert record.inputs.keys() & {"content", "contentType", "source"} <= record.replace_on_changes
        assert record.retain_on_delete
