"""The provider plugin as the engine calls it, over gRPC, against resources that live in memory."""

import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from botocore.exceptions import ReadTimeoutError
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2

from emulator.errors import EmulatorError, NotRunningError, RefusedError
from emulator.pulumi.plugin.guard import EMULATOR, RUN_DIR, Guard
from emulator.pulumi.plugin.resources import INCOMPLETE
from emulator.pulumi.plugin.server import Provider
from emulator.pulumi.provider.catalogue import CATALOGUE
from emulator.pulumi.provider.resource import Existing, Inputs, ResourceContext
from tests.fakes.provider import TYPE, Shelf, aws_error
from tests.fakes.provider_engine import (
    UNKNOWN,
    ProviderEngine,
    archive,
    init_failure,
    secret,
    struct,
    values,
)

FUNCTION = "aws:lambda/function:Function"
THING = {"region": "us-east-1", "name": "t", "size": 1}
CODE = {
    "region": "us-east-1",
    "name": "f",
    "code": archive("aa"),
    "publish": True,
    "timeout": 10,
    "environment": {"variables": {"A": "1"}},
}
GUARD = Guard("http://127.0.0.1:1", {"us-east-1": "http://127.0.0.1:2"})


class Drawer(Shelf):
    """A shelf that takes files, raises what a test plants, and remembers what an update was told."""

    updates = Shelf.updates | {"file"}

    def __init__(self) -> None:
        """Nothing is in it."""
        super().__init__()
        self.planted: dict[str, Exception] = {}
        self.existing: list[Existing] = []

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Change it."""
        self.existing.append(existing)
        return {**super().update(context, existing, inputs, changed), "url": "new"}

    def _step(self, step: str, thing: str) -> None:
        if step in self.planted:
            raise self.planted[step]
        super()._step(step, thing)


@pytest.fixture
def drawer() -> Drawer:
    """An empty drawer."""
    return Drawer()


@pytest.fixture
def engine(drawer: Drawer) -> Iterator[ProviderEngine]:
    """An engine with things in a drawer, and with the handlers of AWS for what needs no AWS."""
    with ProviderEngine(Provider(lambda: GUARD, {**CATALOGUE, TYPE: drawer})) as running:
        yield running


def kinds(diff: provider_pb2.DiffResponse) -> dict[str, str]:
    """The detailed difference by names."""
    return {name: provider_pb2.PropertyDiff.Kind.Name(each.kind) for name, each in diff.detailedDiff.items()}


def test_a_check_gives_the_arguments_back_as_they_are(engine: ProviderEngine) -> None:
    """Secrets stay secret, and what a preview does not know stays unknown."""
    checked = engine.check(TYPE, {**THING, "size": secret(3)})
    assert values(checked.inputs) == {**THING, "size": secret(3)}
    assert not checked.failures
    assert values(engine.check(TYPE, {**THING, "size": UNKNOWN}).inputs)["size"] == UNKNOWN


@pytest.mark.parametrize(
    ("news", "said"),
    [
        ({**THING, "colour": "red"}, "'colour' is not known"),
        ({**CODE, "environment": {"variables": {}, "extra": 1}}, "'environment.extra' is not known"),
        ({"name": "t"}, "'region' has no value"),
        ({**THING, "name": "<<no output aws:sqs/queue:Queue.arn>>"}, "has no value"),
    ],
)
def test_a_check_names_what_the_embedded_aws_would_drop(
    engine: ProviderEngine, news: Mapping[str, Any], said: str
) -> None:
    """As in process: nothing is accepted in silence."""
    [failure] = engine.check(FUNCTION if "environment" in news else TYPE, news).failures
    assert said in failure.reason


def test_a_check_refuses_a_type_without_a_handler(engine: ProviderEngine) -> None:
    """The message says where one belongs."""
    [failure] = engine.check("aws:ec2/instance:Instance", {}).failures
    assert "emulator/pulumi/provider" in failure.reason


def test_the_same_arguments_are_no_change(engine: ProviderEngine) -> None:
    """Numbers and secrets compare by value, files by the hash that the engine sends without a path."""
    old = {**CODE, "environment": {"variables": {"A": secret("1")}}}
    same = engine.diff(FUNCTION, old, {**CODE, "environment": {"variables": {"A": secret("1")}}})
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert not same.replaces
    assert not same.diffs


def test_another_file_is_an_update(engine: ProviderEngine) -> None:
    """The engine's hash of the archive tells, whatever its path."""
    diff = engine.diff(FUNCTION, CODE, {**CODE, "code": archive("bb")})
    assert diff.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(diff.diffs) == ["code"]
    assert kinds(diff) == {"code": "UPDATE"}


def test_each_kind_of_difference_is_told(engine: ProviderEngine) -> None:
    """Added, removed, changed; and what makes a new resource."""
    added = engine.diff(TYPE, {"region": "r", "name": "t"}, {"region": "r", "name": "t", "size": 1})
    assert kinds(added) == {"size": "ADD"}
    assert kinds(engine.diff(TYPE, THING, {"region": "us-east-1", "name": "t"})) == {"size": "DELETE"}
    replaced = engine.diff(TYPE, THING, {**THING, "name": "other"})
    assert kinds(replaced) == {"name": "UPDATE_REPLACE"}
    assert list(replaced.replaces) == ["name"]
    assert replaced.deleteBeforeReplace, "the program names it, so both cannot exist at once"
    assert kinds(engine.diff(TYPE, THING, {**THING, "region": "us-west-2"})) == {"region": "UPDATE_REPLACE"}


def test_an_argument_that_a_preview_does_not_know_is_a_change(engine: ProviderEngine) -> None:
    """It may come out the same; a plan says what may happen."""
    assert kinds(engine.diff(TYPE, THING, {**THING, "size": UNKNOWN})) == {"size": "UPDATE"}


def test_ignored_changes_are_none(engine: ProviderEngine) -> None:
    """Neither a new value, nor one that is gone, nor one that was not there."""
    ignored = engine.diff(TYPE, THING, {"region": "us-east-1", "name": "x"}, ignore=("name", "size"))
    assert ignored.changes == provider_pb2.DiffResponse.DIFF_NONE
    bare = {"region": "us-east-1", "name": "t"}
    assert engine.diff(TYPE, bare, THING, ignore=("size",)).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_what_aws_has_filled_in_is_a_change_unless_it_is_ignored(
    engine: ProviderEngine, drawer: Drawer
) -> None:
    """As by the real provider, whose state has it: an update takes it off, one that ignores it does not."""
    drawer.lock = "GOVERNANCE"
    id_, outputs = engine.create(TYPE, THING)
    assert outputs["lock"] == "GOVERNANCE"
    assert kinds(engine.diff(TYPE, THING, THING, outputs=outputs)) == {"lock": "DELETE"}
    ignored = engine.diff(TYPE, THING, THING, outputs=outputs, ignore=("lock",))
    assert ignored.changes == provider_pb2.DiffResponse.DIFF_NONE
    larger = {**THING, "size": 2}
    engine.update(TYPE, id_, THING, outputs, larger, ignore=("lock",))
    assert drawer.things[id_] == larger
    engine.update(TYPE, id_, THING, outputs, THING)
    assert drawer.things[id_]["lock"] is None


def test_a_preview_makes_nothing_and_knows_no_output(engine: ProviderEngine, drawer: Drawer) -> None:
    """Arguments are known; what the SDK does not call optional is unknown, and secret where it is one."""
    id_, outputs = engine.create(TYPE, {**THING, "size": UNKNOWN}, preview=True)
    assert id_ == ""
    assert drawer.things == {}
    assert outputs["name"] == "t"
    assert outputs["size"] == UNKNOWN
    assert outputs["arn"] == UNKNOWN
    _, key = engine.create("aws:apigateway/apiKey:ApiKey", {"region": "r", "name": "k"}, preview=True)
    assert key["value"] == secret(UNKNOWN)


def test_a_new_resource_has_its_outputs_and_its_secrets_wrapped(
    engine: ProviderEngine, drawer: Drawer
) -> None:
    """Arguments and outputs, as of the real provider; handlers get whole numbers, and secrets unwrapped."""
    id_, outputs = engine.create(TYPE, {**THING, "size": secret(3)})
    assert id_ == "t@us-east-1"
    assert drawer.things[id_] == {**THING, "size": 3}
    assert outputs["size"] == secret(3)
    assert outputs["key"] == secret("s3cret")
    assert (outputs["arn"], outputs["url"]) == ("arn:t@us-east-1", "http://t@us-east-1")
    assert outputs["namePrefix"].startswith("<<no output"), "promised by the SDK and given by nobody"
    assert "kmsMasterKeyId" not in outputs


def test_files_reach_the_handler_and_not_the_outputs(
    engine: ProviderEngine, drawer: Drawer, tmp_path: Path
) -> None:
    """A new one by its path; an old one, of which the engine sends the hash alone, as a digest."""
    code = tmp_path / "code.zip"
    id_, outputs = engine.create(TYPE, {**THING, "file": archive("aa", code)})
    assert drawer.things[id_]["file"].path == str(code)
    assert "file" not in outputs
    old, new = {**THING, "file": archive("aa")}, {**THING, "file": archive("bb", code)}
    engine.update(TYPE, id_, old, outputs, new)
    assert drawer.existing[0].inputs["file"] == {"sha256": "aa"}
    assert drawer.things[id_]["file"].path == str(code)


def test_a_resource_that_is_made_in_part_is_recorded_and_replaced(
    engine: ProviderEngine, drawer: Drawer
) -> None:
    """The engine learns its id, so that nothing is left behind; the next update begins again."""
    drawer.planted["complete"] = aws_error("Throttling")
    with pytest.raises(grpc.RpcError) as failed:
        engine.create(TYPE, THING)
    failure = init_failure(failed.value)
    assert failure.id == "t@us-east-1"
    assert "Throttling" in failure.reasons[0]
    outputs = values(failure.properties)
    assert outputs["arn"] == "arn:t@us-east-1"
    diff = engine.diff(TYPE, THING, THING, outputs=outputs)
    assert list(diff.replaces) == [INCOMPLETE]
    assert diff.deleteBeforeReplace


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (aws_error("AccessDenied"), grpc.StatusCode.FAILED_PRECONDITION),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), grpc.StatusCode.UNKNOWN),
    ],
)
def test_a_failed_creation_says_whether_anything_may_exist(
    engine: ProviderEngine, drawer: Drawer, error: Exception, code: grpc.StatusCode
) -> None:
    """What AWS refused was not done; after a timeout nobody knows, and the engine keeps it as pending."""
    drawer.planted["create"] = error
    with pytest.raises(grpc.RpcError) as failed:
        engine.create(TYPE, THING)
    assert failed.value.code() == code


def test_an_update_changes_what_differs_and_keeps_the_other_outputs(
    engine: ProviderEngine, drawer: Drawer
) -> None:
    """Secrets of before stay wrapped, and an argument that is gone is no output any more."""
    old = {**THING, "file": "a"}
    id_, outputs = engine.create(TYPE, old)
    after = engine.update(TYPE, id_, old, outputs, {**THING, "size": 2})
    assert drawer.things[id_] == {**THING, "size": 2, "file": None}
    assert drawer.existing[0].outputs["key"] == "s3cret"
    assert after["key"] == secret("s3cret")
    assert (after["size"], after["url"], after["arn"]) == (2, "new", outputs["arn"])
    assert "file" not in after


def test_an_update_by_another_archive_of_the_same_hash_calls_nothing(
    engine: ProviderEngine, drawer: Drawer, tmp_path: Path
) -> None:
    """The checkout may lie elsewhere; old archives have no path at all."""
    id_, outputs = engine.create(TYPE, THING)
    new = {**THING, "file": archive("aa", tmp_path / "elsewhere.zip")}
    engine.update(TYPE, id_, {**THING, "file": archive("aa")}, outputs, new)
    assert drawer.existing == []


@pytest.mark.parametrize(
    ("change", "version"), [({"timeout": 20}, UNKNOWN), ({"tags": {"a": "b"}}, "3"), ({}, "3")]
)
def test_a_preview_of_an_update_knows_what_stays(
    engine: ProviderEngine, change: Mapping[str, Any], version: str
) -> None:
    """A function's version is unknown only where the change publishes one."""
    outputs = {**CODE, "arn": "arn:f", "version": "3"}
    after = engine.update(FUNCTION, "f", CODE, outputs, {**CODE, **change}, preview=True)
    assert after["version"] == version
    assert after["arn"] == "arn:f"


def test_what_is_gone_already_counts_as_deleted(engine: ProviderEngine, drawer: Drawer) -> None:
    """Any other refusal is an error, after which the engine still has the resource."""
    id_, outputs = engine.create(TYPE, THING)
    drawer.planted["delete"] = aws_error("ResourceNotFoundException")
    engine.delete(TYPE, id_, THING, outputs)
    drawer.planted["delete"] = aws_error("ResourceInUseException")
    with pytest.raises(grpc.RpcError, match="ResourceInUseException"):
        engine.delete(TYPE, id_, THING, outputs)


def test_a_resource_of_others_is_not_read(engine: ProviderEngine) -> None:
    """An import or a get would find nothing on an embedded AWS; a refresh sends the arguments."""
    with pytest.raises(grpc.RpcError, match="not supported"):
        engine.read(TYPE, "t@us-east-1", {}, {})


def test_nothing_is_begun_after_a_cancellation(engine: ProviderEngine, drawer: Drawer) -> None:
    """Previews and comparisons go on, which change nothing."""
    engine.cancel()
    with pytest.raises(grpc.RpcError) as failed:
        engine.create(TYPE, THING)
    assert failed.value.code() == grpc.StatusCode.CANCELLED
    assert drawer.things == {}
    assert engine.create(TYPE, THING, preview=True)


def test_a_function_that_nobody_answers_is_refused(engine: ProviderEngine) -> None:
    """The message says where it belongs."""
    with pytest.raises(grpc.RpcError, match="catalogue"):
        engine.stub.Invoke(provider_pb2.InvokeRequest(tok="aws:x/y:z", args=struct_pb2.Struct()))


@pytest.mark.parametrize("rehearsed", ["", "dev"])
def test_another_stack_is_refused_at_each_step(drawer: Drawer, rehearsed: str) -> None:
    """By the stack in the URN: at the configuration, and at every request however it came there."""
    provider = Provider(lambda: replace(GUARD, rehearsed=rehearsed), {TYPE: drawer})
    with ProviderEngine(provider, stack="prod", configured=False) as prod:
        with pytest.raises(grpc.RpcError, match="--rehearsal -- up -s prod"):
            prod.configure()
        prod.stub.Configure(provider_pb2.ConfigureRequest(args=struct({})))
        for step in (
            lambda: prod.check(TYPE, THING),
            lambda: prod.diff(TYPE, THING, THING),
            lambda: prod.update(TYPE, "t", THING, THING, {**THING, "size": 2}),
            lambda: prod.delete(TYPE, "t", THING, THING),
            lambda: prod.read(TYPE, "t", THING, THING),
        ):
            with pytest.raises(grpc.RpcError, match="stack prod is not for the embedded AWS"):
                step()
    assert drawer.things == {}


def test_the_rehearsed_stack_and_the_local_one_are_let_through(drawer: Drawer) -> None:
    """The local one always: it has nowhere else to be."""
    for stack in ("prod", "local"):
        provider = Provider(lambda: replace(GUARD, rehearsed="prod"), {TYPE: drawer})
        with ProviderEngine(provider, stack=stack) as engine:
            engine.create(TYPE, {**THING, "name": stack})
    assert sorted(drawer.things) == ["local@us-east-1", "prod@us-east-1"]


def test_nothing_is_done_before_the_configuration(drawer: Drawer) -> None:
    """An engine that does not configure is none of ours."""
    with (
        ProviderEngine(Provider(lambda: GUARD, {TYPE: drawer}), configured=False) as bare,
        pytest.raises(grpc.RpcError, match="not configured"),
    ):
        bare.check(TYPE, THING)


@pytest.mark.parametrize(
    ("environment", "error", "said"),
    [
        ({}, RefusedError, "RESPONDER_EMULATOR is not set"),
        ({EMULATOR: "https://dynamodb.us-east-1.amazonaws.com"}, RefusedError, "not on this machine"),
        ({EMULATOR: "http://10.0.0.7:4566"}, RefusedError, "not on this machine"),
        ({EMULATOR: "http://localhost.example.com:4566"}, RefusedError, "not on this machine"),
        ({EMULATOR: "http://127.0.0.1:4566"}, NotRunningError, "start one first"),
    ],
)
def test_without_the_embedded_aws_nothing_is_configured(
    environment: Mapping[str, str], error: type[EmulatorError], said: str, tmp_path: Path
) -> None:
    """A plugin that got onto PATH by accident says what it is, and how it is meant to be started."""
    with pytest.raises(error, match=said):
        Guard.of({RUN_DIR: str(tmp_path), **environment})
    provider = Provider(lambda: Guard.of({RUN_DIR: str(tmp_path), **environment}))
    with ProviderEngine(provider, configured=False) as engine, pytest.raises(grpc.RpcError, match=said):
        engine.configure()


def test_several_threads_may_be_the_first_to_ask_for_a_type() -> None:
    """The SDK imports a service when it is first used; in a new plugin, the engine asks for many at once."""
    program = """
from concurrent.futures import ThreadPoolExecutor
from emulator.pulumi.provider.catalogue import CATALOGUE
from emulator.pulumi.provider.outputs import absent_outputs, given_outputs
types = [type_ for type_ in CATALOGUE if type_.startswith("aws:")]
with ThreadPoolExecutor(16) as threads:
    for ask in (given_outputs, absent_outputs):
        list(threads.map(ask, [*types, *reversed(types)]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
