"""A stack is found without Pulumi, and with either region gone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from typer.testing import CliRunner

from clients.coordination import CoordinationRecords
from lambda_packages import ROOT
from ops.cli import app
from runbook.location import BucketFormError, NotLocatedError, Place, bucket_place, locate
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack
from tests.fakes.moto_clients import moto_client
from topology.backups import stack_key

BUCKETS = {PRIMARY: "mcp-responder-dev-backups", FAILOVER: "mcp-responder-dev-backups-failover"}


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """The stack dev, with its record in both buckets."""
    made = dr_stack()
    for region, bucket in BUCKETS.items():
        s3 = moto_client("s3", region)
        where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != PRIMARY else {}
        s3.create_bucket(Bucket=bucket, **where)
        s3.put_object(Bucket=bucket, Key=stack_key("latest"), Body=record(made))
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of the program, with its stacks' files."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def record(stack: DrStack, **changed: object) -> bytes:
    """As a deployment leaves it in the bucket and here."""
    return json.dumps({"stack": "dev", "config": {}, "outputs": {**stack.outputs, **changed}}).encode()


def keep(root: Path, text: bytes) -> None:
    """As the last `up` on this machine."""
    folder = root / ".local" / "stacks"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_bytes(text)


def test_an_answer_that_breaks_off_is_a_place_that_does_not_have_it(stack: DrStack) -> None:
    """So that the next place is asked."""

    def cut(_: object) -> bytes:
        raise ReadTimeoutError(endpoint_url="s3")

    with pytest.raises(NotLocatedError, match="the bucket: Read timeout"):
        Place("the bucket", cut).outputs(stack.clients)


def test_a_stack_is_found_by_its_name_where_it_was_deployed_from(stack: DrStack, root: Path) -> None:
    """No region is asked."""
    keep(root, record(stack))
    stack.lose(PRIMARY)
    stack.lose(FAILOVER)
    assert locate("dev", stack.clients, root=root).names.stack == "dev"
    assert stack.clients.called == set()


@pytest.mark.parametrize("lost", [None, PRIMARY, FAILOVER])
def test_a_stack_is_found_by_its_name_anywhere_else(stack: DrStack, root: Path, lost: str | None) -> None:
    """By the record in its backup bucket, of whichever region answers; then the stack can be used."""
    if lost:
        stack.lose(lost)
    found = locate("dev", stack.clients, root=root)
    assert CoordinationRecords(found, FAILOVER if lost == PRIMARY else PRIMARY).read("nothing") is None


@pytest.mark.parametrize(
    "kept",
    [
        lambda _: b"{",
        lambda _: b"[]",
        lambda _: b"[" * 100_000,
        lambda made: record(made, Stack="prod"),
        lambda made: record(made, AlertsTableName=""),
    ],
    ids=["torn", "no record", "hostile", "another stack's", "of an older version"],
)
def test_what_is_kept_here_and_cannot_be_used_is_passed_over(
    stack: DrStack, root: Path, kept: Callable[[DrStack], bytes]
) -> None:
    """The bucket has what was deployed last."""
    keep(root, kept(stack))
    assert locate("dev", stack.clients, root=root).alerts_table == stack.outputs["AlertsTableName"]


def test_every_place_is_named_where_none_has_the_stack(stack: DrStack, root: Path) -> None:
    """With what is wrong there, and the option that names another."""
    stack.lose(PRIMARY)
    moto_client("s3", FAILOVER).delete_object(Bucket=BUCKETS[FAILOVER], Key=stack_key("latest"))
    with pytest.raises(NotLocatedError) as raised:
        locate("dev", stack.clients, root=root)
    said = str(raised.value)
    assert said.count("\n") == 0
    for part in (
        ".local/stacks/dev.json",
        f"{PRIMARY}:{BUCKETS[PRIMARY]}",
        f"{BUCKETS[FAILOVER]} has no config",
    ):
        assert part in said
    assert "--outputs" in said


def test_a_stack_without_a_file_here_is_found_by_its_bucket_only(stack: DrStack, tmp_path: Path) -> None:
    """The file names the buckets; the error says what it lacks."""
    with pytest.raises(NotLocatedError, match="primaryRegion"):
        locate("dev", stack.clients, root=tmp_path)
    assert locate(f"s3://{FAILOVER}:{BUCKETS[FAILOVER]}", stack.clients).names.stack == "dev"


def test_the_record_of_a_day_is_read_by_its_key(stack: DrStack) -> None:
    """As the daily copies keep it."""
    key = stack_key("2026-11-30")
    text = record(stack, AlertsTableName="the alerts of that day")
    moto_client("s3", PRIMARY).put_object(Bucket=BUCKETS[PRIMARY], Key=key, Body=text)
    found = locate(f"s3://{PRIMARY}:{BUCKETS[PRIMARY]}/{key}", stack.clients)
    assert found.alerts_table == "the alerts of that day"


@pytest.mark.parametrize("where", ["s3://", "s3://bucket", "s3://us-east-1:", "s3://:bucket"])
def test_a_bucket_without_its_region_is_wrong_use(where: str, aws: None) -> None:  # noqa: ARG001 - moto
    """Exit 2, with the form that is right."""
    with pytest.raises(BucketFormError, match="s3://REGION:BUCKET"):
        bucket_place(where)
    done: Any = CliRunner().invoke(app, ["parked", "list", "--outputs", where])
    assert done.exit_code == 2
    assert "REGION:BUCKET" in done.output


def test_a_command_acts_on_the_stack_of_a_bucket(stack: DrStack) -> None:  # noqa: ARG001 - is there
    """With the credentials of the environment; hints go on naming that bucket."""
    where = f"s3://{FAILOVER}:{BUCKETS[FAILOVER]}"
    done: Any = CliRunner().invoke(app, ["parked", "list", "--json", "--outputs", where])
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    assert CliRunner().invoke(app, ["parked", "list", "--json", "--stack", "nowhere"]).exit_code == 2
