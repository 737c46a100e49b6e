"""The order of replacements, and the resource options that change what is replaced, in memory."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.runtime import rpc

from emulator.pulumi.provider.errors import ProtectedError, UndoneReplacementError, UnknownArgumentError
from emulator.pulumi.provider.resource import Existing, ResourceContext
from tests.fakes.provider import Run, Shelf


def test_a_program_sets_the_order_of_a_replacement(path: Path) -> None:
    """`delete_before_replace` holds against what the provider would choose, either way."""
    shelf = Shelf(unique=True)
    Run(shelf, path).register()
    Run(shelf, path).register(name="b", options={"delete_first": True})
    assert shelf.log[2:] == ["delete q@us-east-1#0", "create b@us-east-1#3", "complete b@us-east-1#3"]
    Run(shelf, path).register(name="c", options={"delete_first": False})
    assert len(shelf.things) == 2


def test_a_replacement_that_its_own_deletion_would_undo_is_refused(shelf: Shelf, path: Path) -> None:
    """Made first, the new one is the old one to AWS; the real engine would delete it at the end."""
    Run(shelf, path).register()
    with pytest.raises(UndoneReplacementError, match=r"delete_before_replace=True.*`responder local down`"):
        Run(shelf, path).register(kind="new", options={"delete_first": False})
    assert shelf.log == ["create q@us-east-1", "complete q@us-east-1"]
    changed = Run(shelf, path)
    changed.register(kind="new")
    assert (changed.actions, changed.engine.prune()) == (["replace"], [])
    assert shelf.things["q@us-east-1"]["kind"] == "new"


def test_a_successor_that_fails_leaves_the_old_one_as_it_was(path: Path) -> None:
    """Nothing is retired before there is another."""
    shelf = Shelf(unique=True)
    Run(shelf, path).register()
    shelf.failing = {"create"}
    failed = Run(shelf, path)
    with pytest.raises(ClientError):
        failed.register(name="other")
    shelf.failing = set()
    again = Run(shelf, path)
    again.register()
    assert (again.actions, again.engine.prune()) == (["same"], [])


def test_what_is_made_from_a_resource_that_is_deleted_first_goes_before_it(shelf: Shelf, path: Path) -> None:
    """Where an argument made from it replaces, by name or by what that depends on; the rest stays."""
    made: dict[str, dict[str, Any]] = {
        "a": {"dependencies": {}},
        "child": {"dependencies": {"from": ["urn::a"]}},
        "grandchild": {"dependencies": {"from": ["urn::child"]}},
        "updated": {"dependencies": {"size": ["urn::a"]}},
    }
    first = Run(shelf, path)
    for name, options in made.items():
        first.register(f"urn::{name}", name=name, options=options)
    shelf.log.clear()
    again = Run(shelf, path)
    again.register("urn::a", name="b")
    for name in ("child", "grandchild", "updated"):
        again.register(f"urn::{name}", name=name, options=made[name])
    assert again.actions == ["replace", "replace", "replace", "same"]
    assert [step.partition("@")[0] for step in shelf.log if not step.startswith("complete")] == [
        "delete grandchild",
        "delete child",
        "delete a",
        "create b",
        "create child",
        "create grandchild",
    ]


class Meeting(Shelf):
    """A shelf that waits, before it takes a thing off, for another thread to do the same."""

    def __init__(self, thing: str) -> None:
        """Wait at the deletion of the thing of this name."""
        super().__init__()
        self._thing = f"{thing}@us-east-1"
        self._both = threading.Barrier(2)

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Meet the other, or find after a moment that there is none."""
        if existing.id == self._thing:
            with suppress(threading.BrokenBarrierError):
                self._both.wait(timeout=0.5)
        super().delete(context, existing)


def test_what_depends_on_two_replaced_at_once_is_deleted_once(path: Path) -> None:
    """The SDK registers from several threads: the second finds deleted what the first took along."""
    shelf = Meeting("child")
    first = Run(shelf, path)
    for name in ("a", "b"):
        first.register(f"urn::{name}", name=name)
    of_both = {"dependencies": {"from": ["urn::a"], "kind": ["urn::b"]}}
    first.register("urn::child", name="child", options=of_both)
    again = Run(shelf, path)
    with ThreadPoolExecutor(max_workers=2) as threads:
        replaced = [threads.submit(again.register, f"urn::{name}", name=f"new {name}") for name in ("a", "b")]
    for one in replaced:
        one.result()
    again.register("urn::child", name="child", options=of_both)
    assert again.actions == ["replace", "replace", "replace"]
    assert shelf.log.count("delete child@us-east-1") == 1
    assert sorted(shelf.things) == ["child@us-east-1", "new a@us-east-1", "new b@us-east-1"]


def test_after_a_failed_run_what_was_made_of_another_still_goes_first(shelf: Shelf, path: Path) -> None:
    """The failed run has recorded the parent again, and so behind the child that it did not reach."""
    first = Run(shelf, path)
    first.register("urn::parent", name="parent")
    first.register("urn::child", name="child", options={"dependencies": {"from": ["urn::parent"]}})
    first.register("urn::other", name="other")
    Run(shelf, path).register("urn::parent", name="parent", size=2.0)
    shelf.log.clear()
    assert Run(shelf, path).engine.destroy() == []
    assert [step.partition("@")[0] for step in shelf.log] == ["delete child", "delete parent", "delete other"]


def test_after_a_failed_run_a_replacement_still_takes_along_all_that_it_must(
    shelf: Shelf, path: Path
) -> None:
    """Also what was made from something that the failed run has recorded again, behind it."""
    first = Run(shelf, path)
    made_from = {"a": [], "child": ["urn::a"], "grandchild": ["urn::child"]}
    options = {name: {"dependencies": {"from": sources}} for name, sources in made_from.items()}
    for name in made_from:
        first.register(f"urn::{name}", name=name, options=options[name])
    failed = Run(shelf, path)
    for name in ("a", "child"):
        failed.register(f"urn::{name}", name=name, size=2.0, options=options[name])
    shelf.log.clear()
    Run(shelf, path).register("urn::a", name="b")
    assert [step.partition("@")[0] for step in shelf.log[:3]] == [
        "delete grandchild",
        "delete child",
        "delete a",
    ]


def test_nothing_is_deleted_where_what_would_go_before_it_is_protected(shelf: Shelf, path: Path) -> None:
    """It is looked for before the first deletion."""
    first = Run(shelf, path)
    first.register("urn::a", name="a")
    first.register("urn::b", name="b", options={"dependencies": {"from": ["urn::a"]}, "protect": True})
    with pytest.raises(ProtectedError):
        Run(shelf, path).register("urn::a", name="c")
    assert list(shelf.things) == ["a@us-east-1", "b@us-east-1"]


def test_what_aws_fills_in_is_a_change_unless_the_program_gives_or_ignores_it(path: Path) -> None:
    """As in the real provider's state, which its Read has filled."""
    shelf = Shelf()
    shelf.lock = "on"
    Run(shelf, path).register()
    ignoring = Run(shelf, path)
    ignoring.register(options={"ignore_changes": ("lock",)})
    giving = Run(shelf, path)
    giving.register(lock="on")
    leaving_out = Run(shelf, path)
    leaving_out.register()
    assert (ignoring.actions, giving.actions, leaving_out.actions) == (["same"], ["same"], ["update"])
    assert shelf.things["q@us-east-1"]["lock"] is None


def test_an_ignored_argument_stays_as_it_is(shelf: Shelf, path: Path) -> None:
    """At the top or in a block, also where something else changes; a new resource gets the program's."""
    ignored = {"ignore_changes": ("kind", "box.lid")}
    Run(shelf, path).register(kind="a", box={"lid": "a", "label": "a"}, options=ignored)
    changed = Run(shelf, path)
    changed.register(kind="b", box={"lid": "b", "label": "b"}, options=ignored)
    assert changed.actions == ["update"]
    assert shelf.things["q@us-east-1"]["box"] == {"lid": "a", "label": "b"}
    assert shelf.things["q@us-east-1"]["kind"] == "a"
    Run(shelf, path).register(name="new", kind="b", box={"lid": "b"}, options=ignored)
    assert shelf.things["new@us-east-1"]["box"] == {"lid": "b"}


@pytest.mark.parametrize("path_", ["tags[0]", "key", "size.of"])
def test_ignoring_what_the_state_cannot_keep_is_refused(path_: str, shelf: Shelf, path: Path) -> None:
    """Lists are not taken apart, and of secrets there is only a digest."""
    secret = rpc.wrap_rpc_secret("s3cret")
    arguments = {"size": 1.0, "lock": secret}
    path_ = path_.replace("key", "lock")
    Run(shelf, path).register(**arguments)
    with pytest.raises(UnknownArgumentError, match="ignoreChanges"):
        Run(shelf, path).register(**arguments, options={"ignore_changes": (path_,)})


def test_a_change_can_replace_and_what_was_replaced_can_stay(shelf: Shelf, path: Path) -> None:
    """`replace_on_changes` turns an update into a replacement, `retain_on_delete` leaves the old one."""
    options = {
        "replace_on_changes": frozenset({"size"}),
        "retain": True,
        "delete_first": False,
    }
    Run(shelf, path).register(size=1.0, options=options)
    shelf.things.clear()  # its successor has the same name
    changed = Run(shelf, path)
    changed.register(size=2.0, options=options)
    assert (changed.actions, changed.engine.prune()) == (["replace"], [])
    assert shelf.things["q@us-east-1"]["size"] == 2
    assert Run(shelf, path).engine.destroy() == []
    assert list(shelf.things) == ["q@us-east-1"]
