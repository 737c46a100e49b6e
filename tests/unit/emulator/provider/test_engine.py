"""The engine's decisions, against resources that live in memory."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pulumi.runtime import rpc

from emulator.pulumi.provider.errors import (
    DuplicateUrnError,
    ProtectedError,
    UnknownArgumentError,
    UnknownResourceTypeError,
)
from tests.fakes.provider import TYPE, USUAL, Run, Shelf


def test_a_second_run_leaves_everything_as_it_is(shelf: Shelf, path: Path) -> None:
    """No call is made for a resource that is as it should be, and its outputs are the same."""
    first = Run(shelf, path).register()
    again = Run(shelf, path)
    assert again.register() == first
    assert again.actions == ["same"]
    assert shelf.log == ["create q@us-east-1", "complete q@us-east-1"]


def test_a_changed_argument_updates(shelf: Shelf, path: Path) -> None:
    """Only what changed is handed over, and the record is the new one."""
    Run(shelf, path).register(size=1.0)
    changed = Run(shelf, path)
    changed.register(size=2.0)
    assert changed.actions == ["update"]
    assert shelf.things["q@us-east-1"]["size"] == 2
    assert Run(shelf, path).state.resources["urn::q"].inputs["size"] == 2


def test_an_argument_that_is_gone_is_a_change(shelf: Shelf, path: Path) -> None:
    """Leaving an argument out falls back to the default; it is not forgotten."""
    Run(shelf, path).register(size=1.0)
    changed = Run(shelf, path)
    changed.register()
    assert changed.actions == ["update"]
    assert shelf.things["q@us-east-1"]["size"] is None


def test_what_cannot_be_updated_is_replaced(shelf: Shelf, path: Path) -> None:
    """A resource that the program names is deleted first: the new one might bear the same name."""
    Run(shelf, path).register()
    changed = Run(shelf, path)
    changed.register(name="other")
    assert changed.actions == ["replace"]
    assert list(shelf.things) == ["other@us-east-1"]


def test_another_region_replaces(shelf: Shelf, path: Path) -> None:
    """The old one is deleted where it is, the new one made where it should be."""
    Run(shelf, path).register()
    Run(shelf, path).register(region="us-west-2")
    assert list(shelf.things) == ["q@us-west-2"]


def test_what_is_in_use_is_deleted_at_the_end(path: Path) -> None:
    """A resource with an id of its own is replaced without a gap; the old one goes by `prune`."""
    shelf = Shelf(unique=True)
    Run(shelf, path).register()
    changed = Run(shelf, path)
    changed.register(name="other")
    assert len(shelf.things) == 2
    assert changed.engine.prune() == []
    assert list(shelf.things) == ["other@us-east-1#2"]


def test_a_retired_resource_is_deleted_by_the_next_run(path: Path) -> None:
    """A run that fails between the two leaves nothing behind for ever."""
    shelf = Shelf(unique=True)
    Run(shelf, path).register()
    Run(shelf, path).register(name="other")
    finished = Run(shelf, path)
    finished.register(name="other")
    assert finished.engine.prune() == []
    assert list(shelf.things) == ["other@us-east-1#2"]
    assert finished.state.retired == {}


def test_prune_deletes_dependants_first(shelf: Shelf, path: Path) -> None:
    """What the program no longer registers goes, newest first; the rest stays."""
    first = Run(shelf, path)
    for name in ("a", "b", "c"):
        first.register(f"urn::{name}", name=name)
    again = Run(shelf, path)
    again.register("urn::b", name="b")
    assert again.engine.prune() == []
    assert shelf.log[-2:] == ["delete c@us-east-1", "delete a@us-east-1"]
    assert list(again.state.resources) == ["urn::b"]


def test_what_cannot_be_deleted_stays_in_the_state(shelf: Shelf, path: Path) -> None:
    """The problem is told, everything else is deleted, and the next run tries again."""
    first = Run(shelf, path)
    first.register("urn::a", name="a")
    shelf.failing = {"delete"}
    problems = Run(shelf, path).engine.destroy()
    assert ["AccessDenied" in problem for problem in problems] == [True]
    shelf.failing = set()
    assert Run(shelf, path).engine.destroy() == []
    assert shelf.things == {}


def test_deleting_what_is_gone_is_no_failure(shelf: Shelf, path: Path) -> None:
    """Somebody else deleted it; the state forgets it."""
    Run(shelf, path).register()
    shelf.things.clear()
    run = Run(shelf, path)
    assert run.engine.destroy() == []
    assert run.state.resources == {}


def test_a_resource_that_was_half_made_is_made_again(shelf: Shelf, path: Path) -> None:
    """It is recorded before the step that failed, so that the next run can replace it."""
    shelf.failing = {"complete"}
    first = Run(shelf, path)
    with pytest.raises(ClientError):
        first.register()
    first.state.save()
    shelf.failing = set()
    again = Run(shelf, path)
    again.register()
    assert again.actions == ["replace"]
    assert list(shelf.things) == ["q@us-east-1"]
    assert Run(shelf, path).register().outputs["url"] == "http://q@us-east-1"


def test_an_update_that_failed_is_tried_again(shelf: Shelf, path: Path) -> None:
    """The record keeps the old arguments until the new ones are in effect."""
    Run(shelf, path).register(size=1.0)
    shelf.failing = {"update"}
    with pytest.raises(ClientError):
        Run(shelf, path).register(size=2.0)
    shelf.failing = set()
    again = Run(shelf, path)
    again.register(size=2.0)
    assert again.actions == ["update"]


def test_secret_outputs_are_given_and_not_stored(shelf: Shelf, path: Path) -> None:
    """They come wrapped from a first and from a second run; the file has neither."""
    for _ in range(2):
        outputs = Run(shelf, path).register().outputs
        assert rpc.is_rpc_secret(outputs["key"])
        assert rpc.unwrap_rpc_secret(outputs["key"]) == "s3cret"
    assert "s3cret" not in path.read_text()


def test_a_secret_output_that_would_be_stored_is_refused(shelf: Shelf, path: Path) -> None:
    """The program's `additional_secret_outputs` are honoured or refused."""
    with pytest.raises(UnknownArgumentError, match="arn"):
        Run(shelf, path).register(options={"secret_outputs": frozenset({"arn"})})
    assert shelf.things == {}


def test_one_urn_twice_is_refused(shelf: Shelf, path: Path) -> None:
    """The SDK's mocks would let the second overwrite the first."""
    run = Run(shelf, path)
    run.register()
    with pytest.raises(DuplicateUrnError, match="urn::q"):
        run.register(name="other")


def test_an_unknown_type_is_refused(shelf: Shelf, path: Path) -> None:
    """Nothing is skipped."""
    run = Run(shelf, path)
    with pytest.raises(UnknownResourceTypeError, match="aws:s3/bucket:Bucket"):
        run.engine.register("urn::b", "aws:s3/bucket:Bucket", {}, USUAL)


def test_a_protected_resource_is_neither_deleted_nor_replaced(shelf: Shelf, path: Path) -> None:
    """Until a run without the option has recorded that it may go."""
    Run(shelf, path).register(options={"protect": True})
    with pytest.raises(ProtectedError):
        Run(shelf, path).register(name="other", options={"protect": True})
    assert ["protected" in problem for problem in Run(shelf, path).engine.destroy()] == [True]
    Run(shelf, path).register()
    assert Run(shelf, path).engine.destroy() == []


def test_an_output_that_no_handler_gives_is_marked(shelf: Shelf, path: Path) -> None:
    """pulumi-aws declares it as text; a program that uses it is to be told."""
    outputs = Run(shelf, path).register().outputs
    assert outputs["arn"] == "arn:q@us-east-1"
    assert outputs["kmsMasterKeyId"] == f"<<no output {TYPE}.kmsMasterKeyId>>"
