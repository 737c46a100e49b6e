"""A rebuild that is run again: what it goes on with, what it does anew, and whose folder it leaves alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clients.deployment import Deployment
from dr.exports.manifest import md5_base64
from dr.exports.objects import FolderObjects
from dr.exports.sets import latest_set
from dr.exports.synthesis import TABLE_ARN, Recipe, synthesize
from dr.operations.journal import OperationRefusedError
from dr.operations.operation import Outcome
from dr.rebuilds.folder import JOURNAL, RECORD, RebuildRecord, RebuildRequest
from dr.rebuilds.rebuild import rebuild
from ops.dr.rebuild_command import planned
from tests.fakes.aws_tables import create_tables
from tests.fakes.dr_bucket import backup_bucket
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, FakeFunctions, dr_stack
from tests.fakes.moto_clients import moto_client

NEW = {PRIMARY: "eu-west-1", FAILOVER: "eu-central-1"}
WANTED = RebuildRequest(region="eu-west-1")


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """With an export of two alerts."""
    return backup_bucket(tmp_path / "bucket")


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """The new stack, as if its tables were in Europe."""
    found = dr_stack()
    for region, new in NEW.items():
        found.clients.functions[new] = FakeFunctions()
        moto_client("apigateway", new).create_api_key(
            name=found.deployment.names.api_key, value=f"the api key of {region}", enabled=True
        )
    return found


@pytest.fixture
def run(stack: DrStack, bucket: Path, tmp_path: Path) -> Callable[[], Outcome]:
    """Rebuild into one folder."""
    old = stack.deployment
    deployment: Deployment = replace(
        old,
        primary=replace(old.primary, region=NEW[PRIMARY]),
        failover=replace(old.failover, region=NEW[FAILOVER]),
    )

    def once() -> Outcome:
        return rebuild(
            FolderObjects(bucket),
            tmp_path / "work",
            WANTED,
            deploy=lambda _plan: deployment,
            operator="ada",
            environment=stack.environment,
        ).outcome

    return once


def test_a_ledger_that_was_compared_is_not_filled_again(run: Callable[[], Outcome]) -> None:
    """Its open alerts have another owner since, and are worked on."""
    assert run().step("fill").facts.written == 2
    again = run()
    assert (again.step("fill").detail, again.step("compare").detail) == (
        "it was filled before",
        "it was compared before",
    )


def test_a_folder_of_a_stack_that_is_no_more_is_refused(run: Callable[[], Outcome]) -> None:
    """A rehearsal of last month: neither what it did nor the exports that it chose are today's."""
    run()
    dynamodb = moto_client("dynamodb", PRIMARY)
    for name in dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName=name)
    create_tables(PRIMARY)
    with pytest.raises(OperationRefusedError, match="give another folder"):
        run()
    assert dynamodb.scan(TableName="alerts")["Count"] == 0


def test_a_rebuild_goes_on_with_the_exports_that_it_began_with(
    run: Callable[[], Outcome], bucket: Path, tmp_path: Path
) -> None:
    """Newer ones come every hour; a ledger of two moments is the state of none."""
    run()
    kept = RebuildRecord.in_folder(tmp_path / "work", WANTED)
    chosen = latest_set(FolderObjects(bucket), TABLE_ARN.rpartition("/")[2])
    assert kept.roots == tuple(one.root for one in chosen.exports)
    synthesize(bucket, Recipe(items=3, variant=1))
    summary = next(path for path in bucket.rglob("manifest-summary.json") if kept.roots[0] not in str(path))
    later = summary.read_bytes().replace(b"T03:0", b"T04:0")
    summary.write_bytes(later)
    summary.with_suffix(".md5").write_text(md5_base64(later))
    assert latest_set(FolderObjects(bucket), TABLE_ARN.rpartition("/")[2]) != chosen
    run()
    assert RebuildRecord.in_folder(tmp_path / "work", WANTED).roots == kept.roots


@pytest.mark.parametrize(
    "other",
    [
        RebuildRequest(region="eu-west-2"),
        replace(WANTED, failover_region="eu-west-3"),
        replace(WANTED, date="x"),
    ],
)
def test_a_folder_of_another_rebuild_is_refused(tmp_path: Path, other: RebuildRequest) -> None:
    """What one has done is not what another wants."""
    RebuildRecord(request=WANTED, roots=("a",)).write(tmp_path)
    assert RebuildRecord.in_folder(tmp_path, WANTED).roots == ("a",)
    with pytest.raises(OperationRefusedError, match=r"another rebuild .*'eu-west-1'.*give another folder"):
        RebuildRecord.in_folder(tmp_path, other)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_of_another_rebuild_is_not_prepared_for_a_second_one(
    bucket: Path,
    tmp_path: Path,
    dry_run: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Its configuration is of a stack that runs: `pulumi up` with another one would replace it."""
    work, objects = tmp_path / "work", FolderObjects(bucket)
    config = planned(objects, work, WANTED, dry_run=False).config_file
    before = config.read_text()
    other = RebuildRequest(region="eu-central-1")
    with pytest.raises(OperationRefusedError, match="another rebuild"):
        planned(objects, work, other, dry_run=dry_run)
    assert config.read_text() == before
    assert planned(objects, work, WANTED, dry_run=False).config_file == config


def test_a_dry_run_of_a_rebuild_leaves_nothing(bucket: Path, tmp_path: Path) -> None:
    """It says what would be where."""
    work = tmp_path / "work"
    plan = planned(FolderObjects(bucket), work, WANTED, dry_run=True)
    assert (plan.regions[0], plan.folder) == ("eu-west-1", work)
    assert not work.exists()


@pytest.mark.parametrize("name", [RECORD, JOURNAL])
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"request": {"x": 1}}'])
def test_a_folder_that_holds_something_else_is_refused(
    run: Callable[[], Outcome], tmp_path: Path, name: str, content: str
) -> None:
    """By the file's name, before anything is fetched."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / name).write_text(content)
    with pytest.raises(OperationRefusedError, match=f"{name} is not of a rebuild"):
        run()
