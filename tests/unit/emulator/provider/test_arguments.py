"""Arguments of resources: what is checked, what is understood, and what may be written down."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from emulator.pulumi.provider.arguments import Arguments
from emulator.pulumi.provider.errors import MissingArgumentError, UnknownArgumentError
from emulator.pulumi.provider.outputs import absent_outputs
from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType

SALT = b"0123456789abcdef"


class Widget(ResourceType):
    """A resource with one argument of each kind."""

    type = "aws:sqs/queue:Queue"
    updates = frozenset({"size", "block.known", "tags", "code"})
    replaces = frozenset({"name"})
    ignored = {"block.ignored": "no effect here"}  # noqa: RUF012 - a declaration, as in the handlers
    secrets = frozenset({"password"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Not called here."""
        raise NotImplementedError

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Not called here."""
        raise NotImplementedError


def parse(**raw: Any) -> Arguments:
    """The arguments of a widget in a region."""
    return Arguments.parse({"region": "us-east-1", **raw}, Widget())


def test_whole_numbers_arrive_as_int_and_others_stay() -> None:
    """The wire knows only floats; AWS's API refuses 256.0 where it wants 256."""
    inputs = parse(size=256.0, block={"known": 0.5}).inputs
    assert inputs["size"] == 256
    assert isinstance(inputs["size"], int)
    assert inputs["block"] == {"known": 0.5}


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"block": {"known": 1, "planted": 2}}, "block.planted"),
        ({"block": [{"known": 1}, {"planted": 2}]}, "block.planted"),
    ],
)
def test_an_unknown_argument_is_named(raw: dict[str, Any], named: str) -> None:
    """Nothing is dropped in silence, within a block neither."""
    with pytest.raises(UnknownArgumentError, match=f"'{named}'"):
        parse(**raw)


def test_a_map_that_is_known_whole_takes_any_key() -> None:
    """The keys of tags are the program's own."""
    assert parse(tags={"Owner": "us"}).inputs["tags"] == {"Owner": "us"}


def test_region_is_unknown_to_what_has_none() -> None:
    """IAM takes no region; pulumi-aws would refuse it too."""

    class Global(Widget):
        regional = False

    with pytest.raises(UnknownArgumentError, match="'region'"):
        Arguments.parse({"region": "us-east-1"}, Global())


MARKER = absent_outputs("aws:sqs/queue:Queue")["arn"]


@pytest.mark.parametrize(
    "value",
    [
        MARKER,
        f"{MARKER}/*",
        json.dumps({"deadLetterTargetArn": MARKER}),
        {"known": [MARKER]},
        {"known": None},
    ],
)
def test_an_output_that_nobody_gives_is_refused_wherever_it_went(value: Any) -> None:
    """A forgotten output ends up in ARNs, JSON text and nested values; it is found in each."""
    argument = {"block": value} if isinstance(value, dict) else {"name": value}
    with pytest.raises(MissingArgumentError, match=r"Queue\.arn|null"):
        parse(**argument)


def test_null_in_json_text_is_the_programs_own() -> None:
    """An error template may say `"field": null`."""
    assert parse(name='{"field": null}').inputs["name"] == '{"field": null}'


def test_an_absent_argument_that_a_handler_needs_is_named() -> None:
    """A top-level argument without a value never arrives; asking for it says which."""
    with pytest.raises(MissingArgumentError, match="'name'"):
        parse().inputs["name"]


def test_secrets_are_recorded_as_salted_digests() -> None:
    """Neither a wrapped secret nor one that the handler declares can be read from the record."""
    arguments = Arguments.parse(
        {"region": "r", "name": rpc.wrap_rpc_secret("hunter2"), "size": 1.0}, Widget()
    )
    recorded = arguments.recorded(SALT)
    assert arguments.inputs["name"] == "hunter2"
    assert "hunter2" not in json.dumps(recorded)
    assert recorded["size"] == 1
    assert recorded == arguments.recorded(SALT)
    assert recorded["name"] != arguments.recorded(b"another salt")["name"]


def test_secrets_stay_secret_as_outputs() -> None:
    """A secret argument comes back wrapped, so what the program makes of it is secret too."""
    arguments = Arguments.parse({"region": "r", "name": rpc.wrap_rpc_secret("hunter2")}, Widget())
    assert rpc.is_rpc_secret(arguments.echoed()["name"])
    assert arguments.echoed()["region"] == "r"


def test_a_file_is_recorded_by_its_bytes(tmp_path: Path) -> None:
    """The same bytes under another name are no change; other bytes under the same name are."""
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    before = parse(code=pulumi.FileArchive(str(one))).recorded(SALT)
    assert parse(code=pulumi.FileArchive(str(two))).recorded(SALT) == before
    one.write_bytes(b"other")
    assert parse(code=pulumi.FileArchive(str(one))).recorded(SALT) != before


def test_an_asset_that_cannot_be_sent_is_refused() -> None:
    """Only a zip file reaches the embedded AWS."""
    arguments = parse(code=pulumi.AssetArchive({"a.py": pulumi.StringAsset("pass")}))
    with pytest.raises(UnknownArgumentError, match="AssetArchive"):
        arguments.recorded(SALT)
