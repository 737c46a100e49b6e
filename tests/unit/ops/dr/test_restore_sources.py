"""What a restore starts from, before anybody is options: a dry run promises nothing that would be refused."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from clients.deployment import Deployment
from dr.exports.manifest import md5_base64
from dr.exports.requests import ExportRefusedError
from dr.exports.row_schema import OtherSchemaError
from dr.exports.synthesis import ACCOUNT, BUCKET, TABLE_ARN, Recipe, synthesize
from dr.restores.calls import RestoreRefusedError
from dr.restores.table_definition import table_definition
from dr.restores.table_items import TableUnwritableError
from ops.dr import restore_sources
from ops.dr.restore_sources import RestoreOptions, RestorePlan, prepare
from tests.fakes.deployment import PRIMARY, deployment_on_moto
from tests.fakes.moto_clients import moto_client
from topology.alerts import SCHEMA
from topology.tables import ALERTS

NEW = "a-new-table"
LEDGER = TABLE_ARN.rpartition("/")[2]
RECIPE = Recipe(items=3, files=1)
EXPORT = RestoreOptions(export="latest")


@pytest.fixture
def deployment(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:  # noqa: ARG001 - moto
    """A stack with a ledger and a good export of three items in its bucket."""
    monkeypatch.setattr(restore_sources, "ROOT", tmp_path / "root")
    stack = deployment_on_moto()
    topic = f"arn:aws:sns:x:{ACCOUNT}:alarms"
    both = {"alarm_topic_arn": topic, "backup_bucket": BUCKET}
    moto_client("s3", PRIMARY).create_bucket(Bucket=BUCKET)
    moto_client("dynamodb", PRIMARY).create_table(**table_definition(ALERTS, LEDGER))
    synthesize(tmp_path / "bucket", RECIPE)
    for path in (tmp_path / "bucket").rglob("*.*"):
        if path.is_file():
            put(path.relative_to(tmp_path / "bucket").as_posix(), path.read_bytes())
    return replace(
        stack,
        alerts_table=LEDGER,
        primary=replace(stack.primary, **both),
        failover=replace(stack.failover, **both),
    )


def put(key: str, content: bytes) -> None:
    """An object of the bucket; data are uploaded in one part, as DynamoDB does it."""
    s3, where = moto_client("s3", PRIMARY), {"Bucket": BUCKET, "Key": key}
    if not key.endswith(".gz"):
        s3.put_object(**where, Body=content)
        return
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    part = {"ETag": s3.upload_part(**upload, PartNumber=1, Body=content)["ETag"], "PartNumber": 1}
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})


def prepared(deployment: Deployment, folder: Path, options: RestoreOptions, target: str = NEW) -> RestorePlan:
    """What the command shows before it asks."""
    return prepare(deployment, PRIMARY, options, target=target, folder=folder)


@pytest.mark.parametrize(
    "options",
    [
        EXPORT,
        RestoreOptions(to="0s"),
        RestoreOptions(backup="newest"),
        RestoreOptions(copy="live"),
        RestoreOptions(),
    ],
)
@pytest.mark.parametrize(
    ("target", "reason"),
    [(LEDGER, "a table of the running stack"), ("bad name!", "no name of a table")],
)
def test_a_target_that_would_be_refused_is_so_before_anybody_is_asked(
    deployment: Deployment, tmp_path: Path, options: RestoreOptions, target: str, reason: str
) -> None:
    """Whatever it is restored from."""
    with pytest.raises(RestoreRefusedError, match=reason):
        prepared(deployment, tmp_path / "to", options, target)


@pytest.mark.parametrize("options", [EXPORT, RestoreOptions(to="0s"), RestoreOptions(backup="newest")])
def test_a_target_that_is_there_is_refused_before_anybody_is_asked(
    deployment: Deployment, tmp_path: Path, options: RestoreOptions
) -> None:
    """An empty one too: these make their table by themselves."""
    moto_client("dynamodb", PRIMARY).create_table(**table_definition(ALERTS, NEW))
    with pytest.raises(RestoreRefusedError, match="is there already"):
        prepared(deployment, tmp_path / "to", options)


def test_the_export_that_latest_means_is_named_with_its_time_items_and_age(
    deployment: Deployment, tmp_path: Path
) -> None:
    """So that whoever is asked knows what they get."""
    what = prepared(deployment, tmp_path / "to", EXPORT).what
    shown = rf"the export {RECIPE.export_id} of 2024-11-23T03:00:00.000Z, \d+ days, [\d:]+ old, 3 items"
    assert re.search(shown, what)


def test_an_export_that_is_spoilt_or_too_old_is_refused_before_anybody_is_asked(
    deployment: Deployment, tmp_path: Path
) -> None:
    """It is fetched and checked for the dry run too."""
    with pytest.raises(ExportRefusedError, match="too-old"):
        prepared(deployment, tmp_path / "old", replace(EXPORT, max_age=timedelta(hours=1)))
    data = next((tmp_path / "bucket").rglob("*.json.gz"))
    put(data.relative_to(tmp_path / "bucket").as_posix(), b"spoilt")
    with pytest.raises(ExportRefusedError, match="file-gzip"):
        prepared(deployment, tmp_path / "spoilt", EXPORT)


def test_latest_passes_over_a_newer_export_that_is_not_good_and_names_it(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an import as in a copy: in the hour that it matters, the older good one is what there is."""
    newer = synthesize(tmp_path / "newer", replace(RECIPE, variant=1))
    summary = tmp_path / "newer" / newer / "manifest-summary.json"
    summary.write_bytes(summary.read_bytes().replace(b"2024-11-23T03:", b"2024-11-23T04:"))
    summary.with_suffix(".md5").write_text(md5_base64(summary.read_bytes()))
    for path in (tmp_path / "newer" / newer).rglob("*.*"):
        content = path.read_bytes()
        put(
            path.relative_to(tmp_path / "newer").as_posix(),
            content[:-40] if path.suffix == ".gz" else content,
        )
    for options in (EXPORT, RestoreOptions(copy="latest")):
        what = prepared(deployment, tmp_path / str(options.copy), options).what
        assert RECIPE.export_id in what
        said = capsys.readouterr().err
        assert f"passed over: the export {newer} is not good" in said
        assert f"`responder dr check {newer}" in said


def test_latest_names_a_newer_export_whose_summary_says_nothing(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may have been the ledger's."""
    root = f"{RECIPE.root.rpartition('/')[0]}/09999999999999-0badcafe"
    put(f"{root}/manifest-summary.json", b"no JSON")
    assert RECIPE.export_id in prepared(deployment, tmp_path / "to", EXPORT).what
    assert f"passed over: the export {root} is not good" in capsys.readouterr().err


def test_rows_of_another_schema_are_refused_before_anybody_is_asked(
    deployment: Deployment, tmp_path: Path
) -> None:
    """By an import, and by a copy of the newest export or of a table."""
    old = synthesize(tmp_path / "bucket", replace(RECIPE, variant=1, schema=SCHEMA - 1))
    for path in (tmp_path / "bucket" / old).rglob("*.*"):
        put(path.relative_to(tmp_path / "bucket").as_posix(), path.read_bytes())
    s3 = moto_client("s3", PRIMARY)
    for name in ("manifest-summary.json", "manifest-files.json"):
        s3.delete_object(Bucket=BUCKET, Key=f"{RECIPE.root}/{name}")
    refused = rf"schema {SCHEMA - 1}, and this release reads {SCHEMA}: use the release that wrote them"
    for options in (RestoreOptions(export=old), RestoreOptions(copy=old), RestoreOptions(copy="latest")):
        with pytest.raises(ExportRefusedError, match=refused):
            prepared(deployment, tmp_path / "to", options)
    moto_client("dynamodb", PRIMARY).put_item(TableName=LEDGER, Item={"alert_id": {"S": "a"}})
    with pytest.raises(OtherSchemaError, match=r"schema 0 \(none\), and this release reads"):
        prepared(deployment, tmp_path / "to", RestoreOptions(copy="live"))


def test_a_time_outside_of_the_window_is_refused_before_anybody_is_asked(
    deployment: Deployment, tmp_path: Path
) -> None:
    """So is any time while point-in-time recovery is off."""
    with pytest.raises(RestoreRefusedError, match="is off"):
        prepared(deployment, tmp_path, RestoreOptions(to="10m"))
    moto_client("dynamodb", PRIMARY).update_continuous_backups(
        TableName=LEDGER, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    with pytest.raises(RestoreRefusedError, match="can be restored to a time from"):
        prepared(deployment, tmp_path, RestoreOptions(to="2020-01-01T00:00:00Z"))


def test_a_copy_is_refused_into_a_table_with_items_or_of_another_state(
    deployment: Deployment, tmp_path: Path
) -> None:
    """The first would mix them, and so would the second."""
    dynamodb = moto_client("dynamodb", PRIMARY)
    dynamodb.create_table(**table_definition(ALERTS, NEW))
    assert (
        "with copies of the items of table"
        in prepared(deployment, tmp_path / "a", RestoreOptions(copy="live")).what
    )
    dynamodb.put_item(TableName=NEW, Item={"alert_id": {"S": "a"}})
    with pytest.raises(RestoreRefusedError, match="is there already"):
        prepared(deployment, tmp_path / "b", RestoreOptions(copy="live"))
    progress = restore_sources.ROOT / ".local" / f"{NEW}.progress.json"
    progress.parent.mkdir(parents=True)
    progress.write_text(f'{{"table": "{NEW}", "source": "another"}}')
    with pytest.raises(TableUnwritableError, match="go on with that one"):
        prepared(deployment, tmp_path / "c", RestoreOptions(copy="live"))


def test_another_region_than_the_stacks_is_refused_before_it_is_asked(
    deployment: Deployment, tmp_path: Path
) -> None:
    """With the two that there are."""
    with pytest.raises(ExportRefusedError, match="not in eu-west-1"):
        prepare(deployment, "eu-west-1", RestoreOptions(to="0s"), target=NEW, folder=tmp_path)
