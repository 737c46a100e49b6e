"""Exports, restores, comparison and repair against the embedded AWS: a ledger and a bucket alone."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.aws import AwsClients
from clients.deployment import Deployment
from dr.comparison.items import compare
from dr.exports.check import Checked, Expected, check_export
from dr.exports.manifest import read_export
from dr.exports.objects import FolderObjects
from dr.exports.planted import run_all
from dr.exports.requests import (
    ExportRefusedError,
    bucket_of,
    export_age_s,
    list_exports,
    start_export,
    table_arn,
    wait_export,
)
from dr.exports.sets import ExportSet, fetch_export, latest_set, side_of
from dr.restores.calls import RestoreRefusedError
from dr.restores.repair import RepairRefusedError, apply_repair, plan_repair
from dr.restores.restore import Restorer, remove_restored
from dr.restores.settings import EVENTUAL, Settings, read_settings, reapply
from dr.restores.table_definition import table_definition
from dr.restores.table_items import copy_items, spool_table
from emulator.client import Emulator
from topology.alerts import SCHEMA
from topology.outputs import ALL
from topology.tables import ALERTS

pytestmark = pytest.mark.emulator

REGION, OTHER = "us-east-1", "us-west-2"
LEDGER, BUCKET = "dr-data-alerts", "dr-data-backups"
ROWS = 120
KEY = ALERTS.hash_key


def row(number: int) -> dict[str, Any]:
    """A row at rest as the pipeline leaves one, and with a value of most types besides."""
    texts = ("created_at", "format", "source", "message", "identity", "raw", "analysis_error")
    return {
        **{name: {"S": name} for name in texts},
        **{name: {"S": REGION} for name in ("region", "owner")},
        "notified_at_ms": {"N": str(1_795_000_001_000 + number)},
        "expires_at": {"N": "4102444800"},
        "alert_id": {"S": f"a{number:04}"},
        "status": {"S": "NOTIFIED"},
        "severity": {"S": "HIGH"},
        "timestamp": {"N": str(1_795_000_000 + number)},
        "accepted_at_ms": {"N": str(1_795_000_000_000 + number)},
        "title": {"S": f'title {number} \u2713 "quoted"\n'},
        "schema": {"N": str(SCHEMA)},
        "labels": {"M": {"alert_id": {"S": "not the key"}}},
        "values": {"M": {"set": {"SS": ["b", "a"]}, "none": {"NULL": True}}},
        "blob": {"B": b"\x00\xff"},
        "list": {"L": [{"N": "1"}, {"BOOL": False}]},
    }


@pytest.fixture(scope="module")
def deployment(emulator: Emulator) -> Deployment:
    """A deployment that has a ledger with rows in both regions and a bucket, and nothing else."""
    clients = AwsClients(emulator.edge_url, attempts_max=1)
    dynamodb = clients.client("dynamodb", REGION)
    dynamodb.create_table(
        **table_definition(ALERTS, LEDGER),
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        Tags=[{"Key": "Owner", "Value": "tests"}],
    )
    dynamodb.update_table(TableName=LEDGER, ReplicaUpdates=[{"Create": {"RegionName": OTHER}}])
    dynamodb.update_continuous_backups(
        TableName=LEDGER, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    dynamodb.update_time_to_live(
        TableName=LEDGER, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    for number in range(ROWS):
        dynamodb.put_item(TableName=LEDGER, Item=row(number))
    clients.client("s3", REGION).create_bucket(Bucket=BUCKET)
    outputs: dict[str, object] = dict.fromkeys(ALL, "unused")
    outputs |= {
        "Stack": "dev",
        "PrimaryRegion": REGION,
        "FailoverRegion": OTHER,
        "LedgerConsistency": "eventual",
        "AlertsTableName": LEDGER,
        "BackupBucketName": BUCKET,
        "AlarmTopicArn": f"arn:aws:sns:{REGION}:000000000000:alarms",
    }
    return Deployment.from_outputs(outputs, clients)


@pytest.fixture(scope="module")
def export_root(deployment: Deployment) -> str:
    """The key of a full export of the ledger as it is at the start."""
    arn = start_export(deployment, REGION, now=datetime.now(UTC))
    return wait_export(deployment, REGION, arn, within_s=120).root


@pytest.fixture
def ledger(deployment: Deployment) -> Iterator[Any]:
    """DynamoDB, for a test that changes the first five rows: they are put back after it."""
    dynamodb = deployment.clients.client("dynamodb", REGION)
    yield dynamodb
    for number in range(5):
        dynamodb.put_item(TableName=LEDGER, Item=row(number))
    dynamodb.delete_item(TableName=LEDGER, Key={"alert_id": {"S": "new"}})


@pytest.fixture
def next_second(eventually: Callable[..., Any]) -> Callable[[], datetime]:
    """Wait for the next whole second, since DynamoDB takes no finer times; returns it."""

    def wait() -> datetime:
        after = (datetime.now(UTC) + timedelta(seconds=1)).replace(microsecond=0)
        eventually(lambda: datetime.now(UTC) > after)
        return after

    return wait


def checked(deployment: Deployment, root: str, folder: Path) -> Checked:
    """A copy of an export in `folder`, checked."""
    bucket = bucket_of(deployment, REGION)
    listed, findings = read_export(bucket, root)
    assert listed is not None
    assert findings == []
    etags = fetch_export(bucket, listed, folder)
    expected = Expected(
        table_arns=(table_arn(deployment, REGION),), buckets=(BUCKET,), max_age=timedelta(hours=1)
    )
    return check_export(FolderObjects(folder), root, expected=expected, reported_etags=etags)


def test_an_export_is_found_checked_and_the_same_as_the_table(
    deployment: Deployment, export_root: str, tmp_path: Path
) -> None:
    """The copy is checked against what S3 reports; the bucket itself is found whole too."""
    found = checked(deployment, export_root, tmp_path)
    assert found.findings == ()
    assert found.items == ROWS
    bucket = bucket_of(deployment, REGION)
    assert check_export(bucket, export_root, expected=Expected(buckets=(BUCKET,))).good
    assert export_root in {info.root for info in list_exports(deployment, REGION)}
    assert export_age_s(deployment, REGION, time.time()) in range(60)
    exported = side_of(latest_set(bucket, LEDGER, full_only=True), tmp_path)
    live = spool_table(deployment.clients.client("dynamodb", OTHER), LEDGER, tmp_path / "live")
    result = compare(exported, live, key=KEY)
    assert result.same
    assert (result.left_items, result.right_items) == (ROWS, ROWS)


def test_each_planted_fault_is_named_in_a_real_export(
    deployment: Deployment, export_root: str, tmp_path: Path
) -> None:
    """The embedded AWS wrote it; what is spoilt is a copy."""
    checked(deployment, export_root, tmp_path / "exported")
    results = run_all(tmp_path / "exported", export_root, folder=tmp_path)
    assert [one.fault for one in results if not one.named] == []
    assert len(results) > 10


def test_changes_on_top_of_a_full_export_make_the_state_of_now(
    deployment: Deployment, ledger: Any, tmp_path: Path, next_second: Callable[[], datetime]
) -> None:
    """The last change wins, a deleted item is gone; copied into a new table it is the same, twice."""
    begun = datetime.now(UTC)
    full = wait_export(deployment, REGION, start_export(deployment, REGION, now=begun), within_s=120)
    for title in ("first", "last"):
        ledger.put_item(TableName=LEDGER, Item={**row(1), "title": {"S": title}})
    ledger.delete_item(TableName=LEDGER, Key={"alert_id": {"S": "a0002"}})
    ledger.put_item(TableName=LEDGER, Item={**row(3), "alert_id": {"S": "new"}})
    since = datetime.now(UTC) - timedelta(minutes=16)
    arn = start_export(deployment, REGION, now=next_second(), incremental_from=since)
    changes = wait_export(deployment, REGION, arn, within_s=120)
    exports = [checked(deployment, info.root, tmp_path) for info in (full, changes)]
    assert [found.findings for found in exports] == [(), ()]
    read = [found.export for found in exports if found.export]
    side = side_of(ExportSet(read[0], (read[1],), datetime.now(UTC)), tmp_path)
    live = spool_table(ledger, LEDGER, tmp_path / "live")
    assert compare(side, live, key=KEY).same
    assert not compare(replace(side, changes=()), live, key=KEY).same

    ledger.create_table(**table_definition(ALERTS, "dr-data-copied"))
    note = tmp_path / "progress.json"
    first = copy_items(side, dynamodb=ledger, table="dr-data-copied", key=KEY, progress_file=note)
    assert (first.written, first.already, first.conflicting) == (ROWS, 0, ())
    note.unlink()
    again = copy_items(side, dynamodb=ledger, table="dr-data-copied", key=KEY, progress_file=note)
    assert (again.written, again.already, again.conflicting) == (0, ROWS, ())
    assert compare(side, spool_table(ledger, "dr-data-copied", tmp_path / "copied"), key=KEY).same
    remove_restored(deployment, REGION, "dr-data-copied")


def test_an_import_gets_back_the_items_and_what_a_restore_drops(
    deployment: Deployment, export_root: str, tmp_path: Path
) -> None:
    """Into a new table only."""
    wanted = read_settings(deployment.clients, REGION, LEDGER)
    restorer = Restorer(deployment, REGION, wanted, within_s=120)
    export = checked(deployment, export_root, tmp_path).export
    assert export is not None
    restored = restorer.import_export(export, target="dr-data-imported")
    assert restored.lacking == ()
    assert {"tags", "stream", "ttl", "pitr", f"replica in {OTHER}"} <= set(restored.reapplied)
    exported = side_of(ExportSet(export, (), datetime.now(UTC)), tmp_path)
    dynamodb = deployment.clients.client("dynamodb", OTHER)
    assert compare(exported, spool_table(dynamodb, "dr-data-imported", tmp_path / "t"), key=KEY).same
    assert reapply(deployment.clients, REGION, "dr-data-imported", wanted) == []
    assert restorer.resume("dr-data-imported").reapplied == ()
    for target in ("dr-data-imported", LEDGER):
        with pytest.raises(RestoreRefusedError, match=target):
            restorer.import_export(export, target=target)
    remove_restored(deployment, REGION, "dr-data-imported")
    remove_restored(deployment, REGION, "dr-data-imported")


def test_what_a_bad_writer_did_is_rolled_back_from_a_minute_before(
    deployment: Deployment, ledger: Any, tmp_path: Path, next_second: Callable[[], datetime]
) -> None:
    """Changed and deleted rows come back, new ones stay, what moved since it was compared is left alone."""
    before = next_second()
    next_second()
    ledger.put_item(TableName=LEDGER, Item={**row(1), "status": {"S": "RECEIVED"}, "title": {"S": "gone"}})
    ledger.delete_item(TableName=LEDGER, Key={"alert_id": {"S": "a0002"}})
    ledger.put_item(TableName=LEDGER, Item={**row(3), "status": {"S": "ANALYZED"}})
    now_ms = str(time.time_ns() // 1_000_000)
    ledger.put_item(
        TableName=LEDGER,
        Item={**row(4), "alert_id": {"S": "new"}, "accepted_at_ms": {"N": now_ms}},
    )
    wanted: Settings = replace(
        read_settings(deployment.clients, REGION, LEDGER), replicas=(), consistency=EVENTUAL
    )
    restorer = Restorer(deployment, REGION, wanted, within_s=120)
    with pytest.raises(RestoreRefusedError, match="can be restored to a time from"):
        restorer.to_time(datetime(2020, 1, 1, tzinfo=UTC), target="dr-data-before")
    restorer.to_time(before, target="dr-data-before")
    assert restorer.resume("dr-data-before").reapplied == ()
    with pytest.raises(RepairRefusedError, match="as of"):
        plan_repair(
            deployment, REGION, "dr-data-before", as_of=datetime.now(UTC), folder=tmp_path, now_s=time.time()
        )
    plan = plan_repair(deployment, REGION, "dr-data-before", folder=tmp_path, now_s=time.time())
    assert {one.alert_id for one in plan.rolled_back} == {"a0001", "a0002", "a0003"}
    assert plan.people == ()
    assert plan.by_themselves == 1
    ledger.put_item(TableName=LEDGER, Item={**row(3), "status": {"S": "PARKED"}})
    repaired = apply_repair(deployment, plan)
    assert (set(repaired.rolled_back), repaired.moved) == ({"a0001", "a0002"}, ("a0003",))
    again = apply_repair(deployment, plan)
    assert again.rolled_back == ()
    live = {item["alert_id"]["S"]: item for item in ledger.scan(TableName=LEDGER)["Items"]}
    assert [live["a0001"], live["a0002"]] == [row(1), row(2)]
    assert live["a0003"]["status"] == {"S": "PARKED"}
    assert "new" in live
    remove_restored(deployment, REGION, "dr-data-before")


def test_an_export_that_dynamodb_refuses_is_refused_with_its_reason(deployment: Deployment) -> None:
    """A window that is too short is refused before DynamoDB is asked, a missing bucket by what it says."""
    now = datetime.now(UTC)
    with pytest.raises(ExportRefusedError, match="an incremental export takes"):
        start_export(deployment, REGION, now=now, incremental_from=now - timedelta(minutes=1))
    nowhere = replace(deployment, primary=replace(deployment.primary, backup_bucket="not-there-at-all"))
    with pytest.raises(ExportRefusedError):
        wait_export(nowhere, REGION, start_export(nowhere, REGION, now=now), within_s=120)


def test_a_recovery_point_of_aws_backup_is_restored(
    deployment: Deployment, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """The newest one of the region's vault; without one, or with another's, nothing is made."""
    backup = deployment.clients.client("backup", REGION)
    stack = replace(deployment, primary=replace(deployment.primary, backup_vault="dr-data-vault"))
    backup.create_backup_vault(BackupVaultName="dr-data-vault")
    wanted = replace(read_settings(stack.clients, REGION, LEDGER), replicas=())
    restorer = Restorer(stack, REGION, wanted, within_s=120)
    role = "arn:aws:iam::000000000000:role/restore"
    with pytest.raises(RestoreRefusedError, match="no completed recovery point"):
        restorer.from_backup(None, target="dr-data-backup", role_arn=role)
    job = backup.start_backup_job(
        BackupVaultName="dr-data-vault", ResourceArn=table_arn(stack, REGION), IamRoleArn=role
    )["BackupJobId"]
    eventually(lambda: backup.describe_backup_job(BackupJobId=job)["State"] == "COMPLETED")
    restored = restorer.from_backup(None, target="dr-data-backup", role_arn=role)
    assert restored.lacking == ()
    dynamodb = stack.clients.client("dynamodb", REGION)
    live, table = (spool_table(dynamodb, name, tmp_path) for name in (LEDGER, "dr-data-backup"))
    assert compare(live, table, key=KEY).same
    assert restorer.resume("dr-data-backup").reapplied == ()
    remove_restored(stack, REGION, "dr-data-backup")
    dynamodb.create_table(**table_definition(ALERTS, "dr-data-by-hand"))
    with pytest.raises(RestoreRefusedError, match="neither restored nor imported"):
        restorer.resume("dr-data-by-hand")
    remove_restored(stack, REGION, "dr-data-by-hand")
