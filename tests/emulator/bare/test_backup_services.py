"""What backups need of the embedded AWS, by its edge: AWS Backup, retained buckets, schedules that call."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from emulator.client import Emulator
from emulator.errors import RefusedError

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
TABLE, VAULT = "backed-up", "vault"
BUCKETS = {PRIMARY: "backups", FAILOVER: "backups-failover"}
ROLE = "arn:aws:iam::000000000000:role/backup"
SCHEDULED = "<aws.scheduler.scheduled-time>"

Client = Callable[..., Any]


@pytest.fixture(scope="module")
def table_arn(client: Client) -> str:
    """A table of ten items with point-in-time recovery."""
    dynamodb = client("dynamodb", PRIMARY)
    made = dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    dynamodb.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    for number in range(10):
        dynamodb.put_item(TableName=TABLE, Item={"id": {"S": str(number)}})
    return str(made["TableArn"])


@pytest.fixture(scope="module")
def buckets(client: Client) -> dict[str, str]:
    """A retained bucket in each region, the primary's replicated to the failover's without its deletes."""
    for region, bucket in BUCKETS.items():
        s3 = client("s3", region, s3={"addressing_style": "path"})
        place = {} if region == PRIMARY else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True, **place)
    s3 = client("s3", PRIMARY, s3={"addressing_style": "path"})
    retention = {"Mode": "GOVERNANCE", "Days": 3}
    s3.put_object_lock_configuration(
        Bucket=BUCKETS[PRIMARY],
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}},
    )
    rule = {
        "ID": "all",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{BUCKETS[FAILOVER]}"},
    }
    s3.put_bucket_replication(
        Bucket=BUCKETS[PRIMARY], ReplicationConfiguration={"Role": ROLE, "Rules": [rule]}
    )
    return BUCKETS


@pytest.fixture
def s3_of(client: Client) -> Client:
    """S3 of a region, addressed as everything here addresses it."""
    return lambda region: client("s3", region, s3={"addressing_style": "path"})


@pytest.fixture
def vaults(client: Client) -> Iterator[dict[str, str]]:
    """A locked vault in each region: their ARNs."""
    arns = {}
    for region in (PRIMARY, FAILOVER):
        backup = client("backup", region)
        arns[region] = backup.create_backup_vault(BackupVaultName=VAULT)["BackupVaultArn"]
        backup.put_backup_vault_lock_configuration(BackupVaultName=VAULT, MinRetentionDays=7)
    yield arns
    for region in (PRIMARY, FAILOVER):
        backup = client("backup", region)
        backup.delete_backup_vault_lock_configuration(BackupVaultName=VAULT)
        for point in backup.list_recovery_points_by_backup_vault(BackupVaultName=VAULT)["RecoveryPoints"]:
            backup.delete_recovery_point(BackupVaultName=VAULT, RecoveryPointArn=point["RecoveryPointArn"])
        backup.delete_backup_vault(BackupVaultName=VAULT)


def test_copy_in_the_other_region_restores_the_table_of_a_lost_one(
    vaults: dict[str, str], whole: Emulator, client: Client, table_arn: str
) -> None:
    """AWS Backup end to end: job, copy, the region killed, restore there; the items are those of the job."""
    backup, there = client("backup", PRIMARY), client("backup", FAILOVER)
    job = backup.start_backup_job(
        BackupVaultName=VAULT, ResourceArn=table_arn, IamRoleArn=ROLE, Lifecycle={"DeleteAfterDays": 35}
    )
    assert backup.describe_backup_job(BackupJobId=job["BackupJobId"])["State"] == "COMPLETED"
    client("dynamodb", PRIMARY).put_item(TableName=TABLE, Item={"id": {"S": "later"}})
    copy = backup.start_copy_job(
        RecoveryPointArn=job["RecoveryPointArn"],
        SourceBackupVaultName=VAULT,
        DestinationBackupVaultArn=vaults[FAILOVER],
        IamRoleArn=ROLE,
    )
    assert backup.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"]["State"] == "COMPLETED"
    whole.kill(PRIMARY)
    with pytest.raises(ConnectionClosedError):
        backup.list_backup_vaults()
    [point] = there.list_recovery_points_by_backup_vault(BackupVaultName=VAULT)["RecoveryPoints"]
    assert point["ResourceArn"] == table_arn
    restore = there.start_restore_job(
        RecoveryPointArn=point["RecoveryPointArn"], Metadata={"targetTableName": "restored"}, IamRoleArn=ROLE
    )
    restored = there.describe_restore_job(RestoreJobId=restore["RestoreJobId"])
    assert restored["Status"] == "COMPLETED"
    assert restored["CreatedResourceArn"].startswith(f"arn:aws:dynamodb:{FAILOVER}:")
    items = client("dynamodb", FAILOVER).scan(TableName="restored")["Items"]
    assert {item["id"]["S"] for item in items} == {str(number) for number in range(10)}


def test_restore_over_a_table_is_a_job_that_failed(
    client: Client, table_arn: str, vaults: dict[str, str]
) -> None:
    """As on AWS: the call is taken, and the job says why it did nothing."""
    assert vaults
    backup = client("backup", PRIMARY)
    job = backup.start_backup_job(BackupVaultName=VAULT, ResourceArn=table_arn, IamRoleArn=ROLE)
    restore = backup.start_restore_job(
        RecoveryPointArn=job["RecoveryPointArn"], Metadata={"targetTableName": TABLE}, IamRoleArn=ROLE
    )
    failed = backup.describe_restore_job(RestoreJobId=restore["RestoreJobId"])
    assert failed["Status"] == "FAILED"
    assert "TableAlreadyExistsException" in failed["StatusMessage"]


def test_locked_vault_keeps_its_recovery_points(
    client: Client, table_arn: str, vaults: dict[str, str]
) -> None:
    """Neither a point nor the vault can be deleted, and no point is kept for less than the lock's days."""
    assert vaults
    backup = client("backup", PRIMARY)
    kept = backup.start_backup_job(BackupVaultName=VAULT, ResourceArn=table_arn, IamRoleArn=ROLE)
    short = backup.start_backup_job(
        BackupVaultName=VAULT, ResourceArn=table_arn, IamRoleArn=ROLE, Lifecycle={"DeleteAfterDays": 6}
    )
    assert backup.describe_backup_job(BackupJobId=short["BackupJobId"])["State"] == "FAILED"
    with pytest.raises(ClientError, match="InvalidRequestException"):
        backup.delete_recovery_point(BackupVaultName=VAULT, RecoveryPointArn=kept["RecoveryPointArn"])
    with pytest.raises(ClientError, match="InvalidRequestException"):
        backup.delete_backup_vault(BackupVaultName=VAULT)
    assert backup.describe_backup_vault(BackupVaultName=VAULT)["NumberOfRecoveryPoints"] == 1


def test_restore_testing_is_kept_as_it_was_declared(client: Client) -> None:
    """Plans and selections can be made, read, changed and removed; a plan in use cannot be removed."""
    backup = client("backup", FAILOVER)
    selection = {
        "Algorithm": "LATEST_WITHIN_WINDOW",
        "IncludeVaults": ["*"],
        "RecoveryPointTypes": ["SNAPSHOT"],
    }
    plan = {"RestoreTestingPlanName": "weekly", "ScheduleExpression": "cron(0 5 ? * MON *)"}
    backup.create_restore_testing_plan(RestoreTestingPlan=plan | {"RecoveryPointSelection": selection})
    backup.create_restore_testing_selection(
        RestoreTestingPlanName="weekly",
        RestoreTestingSelection={
            "RestoreTestingSelectionName": "tables",
            "ProtectedResourceType": "DynamoDB",
            "IamRoleArn": ROLE,
        },
    )
    later = "cron(0 6 ? * MON *)"
    backup.update_restore_testing_plan(
        RestoreTestingPlanName="weekly", RestoreTestingPlan={"ScheduleExpression": later}
    )
    kept = backup.get_restore_testing_plan(RestoreTestingPlanName="weekly")["RestoreTestingPlan"]
    assert (kept["ScheduleExpression"], kept["RecoveryPointSelection"]) == (later, selection)
    with pytest.raises(ClientError, match="InvalidRequestException"):
        backup.delete_restore_testing_plan(RestoreTestingPlanName="weekly")
    names = {"RestoreTestingPlanName": "weekly", "RestoreTestingSelectionName": "tables"}
    assert backup.get_restore_testing_selection(**names)["RestoreTestingSelection"]["IamRoleArn"] == ROLE
    backup.delete_restore_testing_selection(**names)
    backup.delete_restore_testing_plan(RestoreTestingPlanName="weekly")
    assert backup.list_restore_testing_plans()["RestoreTestingPlans"] == []


@pytest.mark.parametrize("written", ["put", "multipart", "copy"])
def test_version_is_retained_however_it_was_written_and_so_is_its_replica(
    s3_of: Client, buckets: dict[str, str], written: str
) -> None:
    """The bucket's default; deleting the version needs the bypass, in both regions."""
    primary, key = s3_of(PRIMARY), f"retained-{written}"
    bucket = buckets[PRIMARY]
    if written == "put":
        primary.put_object(Bucket=bucket, Key=key, Body=b"kept")
    elif written == "copy":
        primary.put_object(Bucket=bucket, Key="source", Body=b"kept")
        primary.copy_object(Bucket=bucket, Key=key, CopySource=f"{bucket}/source")
    else:
        upload = primary.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        part = primary.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"kept")
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        primary.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
        )
    for region, name in buckets.items():
        s3 = s3_of(region)
        kept = s3.head_object(Bucket=name, Key=key)
        assert kept["ObjectLockMode"] == "GOVERNANCE"
        assert 2.9 * 86_400 < kept["ObjectLockRetainUntilDate"].timestamp() - time.time() < 3.1 * 86_400
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=name, Key=key, VersionId=kept["VersionId"])
        batch = {"Objects": [{"Key": key, "VersionId": kept["VersionId"]}]}
        assert s3.delete_objects(Bucket=name, Delete=batch)["Errors"][0]["Code"] == "AccessDenied"
        s3.delete_objects(Bucket=name, Delete=batch, BypassGovernanceRetention=True)
        assert "Contents" not in s3.list_objects_v2(Bucket=name, Prefix=key)


def test_delete_is_not_replicated(s3_of: Client, buckets: dict[str, str]) -> None:
    """Who deletes the backups of one region has not deleted the other's."""
    primary, failover = s3_of(PRIMARY), s3_of(FAILOVER)
    primary.put_object(Bucket=buckets[PRIMARY], Key="deleted", Body=b"kept")
    primary.delete_object(Bucket=buckets[PRIMARY], Key="deleted")
    with pytest.raises(ClientError, match="NoSuchKey"):
        primary.get_object(Bucket=buckets[PRIMARY], Key="deleted")
    assert failover.get_object(Bucket=buckets[FAILOVER], Key="deleted")["Body"].read() == b"kept"


def test_bucket_is_reached_through_its_own_region_only(
    whole: Emulator, s3_of: Client, buckets: dict[str, str]
) -> None:
    """A lost region's bucket is lost, whichever region is asked for it; its replica is not."""
    s3_of(PRIMARY).put_object(Bucket=buckets[PRIMARY], Key="reached", Body=b"kept")
    failover = s3_of(FAILOVER)
    assert failover.get_object(Bucket=buckets[PRIMARY], Key="reached")["Body"].read() == b"kept"
    whole.cut(PRIMARY)
    with pytest.raises(ConnectionClosedError):
        failover.get_object(Bucket=buckets[PRIMARY], Key="reached")
    assert failover.get_object(Bucket=buckets[FAILOVER], Key="reached")["Body"].read() == b"kept"


def schedule(client: Client, name: str, arn: str, arguments: dict[str, Any]) -> None:
    """Make a schedule whose own time does not come while the test runs."""
    client("scheduler", PRIMARY).create_schedule(
        Name=name,
        ScheduleExpression="cron(0 0 29 2 ? *)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": ROLE, "Input": json.dumps(arguments)},
    )


def test_schedule_exports_the_table_which_can_be_imported_again(
    emulator: Emulator,
    client: Client,
    table_arn: str,
    buckets: dict[str, str],
    eventually: Callable[..., Any],
) -> None:
    """A universal target, its context attribute filled in; the export lies in the durable process's S3."""
    dynamodb = client("dynamodb", PRIMARY)
    arguments = {"TableArn": table_arn, "S3Bucket": buckets[PRIMARY], "S3Prefix": f"exports/{SCHEDULED}"}
    schedule(
        client, "daily", "arn:aws:scheduler:::aws-sdk:dynamodb:exportTableToPointInTime",
        arguments | {"ClientToken": SCHEDULED},
    )  # fmt: skip
    emulator.run_schedule(PRIMARY, "daily")
    [export] = dynamodb.list_exports(TableArn=table_arn)["ExportSummaries"]

    def completed() -> Any:
        described = dynamodb.describe_export(ExportArn=export["ExportArn"])["ExportDescription"]
        return described if described["ExportStatus"] == "COMPLETED" else None

    described = eventually(completed)
    assert described["S3Prefix"] == f"exports/{described['ClientToken']}"
    time.strptime(described["ClientToken"], "%Y-%m-%dT%H:%M:%SZ")
    folder = described["ExportManifest"].rpartition("/")[0]
    imported = dynamodb.import_table(
        S3BucketSource={"S3Bucket": buckets[PRIMARY], "S3KeyPrefix": f"{folder}/data/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": "imported",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )["ImportTableDescription"]

    def over() -> Any:
        found = dynamodb.describe_import(ImportArn=imported["ImportArn"])["ImportTableDescription"]
        return found if found["ImportStatus"] != "IN_PROGRESS" else None

    assert eventually(over)["ImportStatus"] == "COMPLETED"
    assert dynamodb.scan(TableName="imported")["Count"] == described["ItemCount"]


def test_state_machine_calls_aws_where_its_regions_functions_do(
    emulator: Emulator,
    client: Client,
    table_arn: str,
    buckets: dict[str, str],
    eventually: Callable[..., Any],
) -> None:
    """A schedule starts it; JSONata makes the arguments; a missing object is the SDK's error."""
    assert table_arn
    states = {
        "Count": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:dynamodb:scan",
            "Arguments": {"TableName": TABLE, "Limit": "{% $number('3') %}"},
            "Assign": {"count": "{% $states.result.Count %}", "time": "{% $states.input.time %}"},
            "Next": "Keep",
        },
        "Keep": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
            "Arguments": {"Bucket": buckets[PRIMARY], "Key": "kept-by-machine", "Body": "{% $time %}"},
            "Next": "Miss",
        },
        "Miss": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:copyObject",
            "Arguments": {"Bucket": buckets[PRIMARY], "Key": "x", "CopySource": f"{buckets[PRIMARY]}/none"},
            "Catch": [{"ErrorEquals": ["S3.NoSuchKeyException"], "Next": "Measure"}],
            "Next": "Measure",
        },
        "Measure": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:cloudwatch:putMetricData",
            "Arguments": {
                "Namespace": "Test",
                "MetricData": [{"MetricName": "Items", "Value": "{% $count %}"}],
            },
            "Output": "{% $count %}",
            "End": True,
        },
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Count", "States": states}
    stepfunctions = client("stepfunctions", PRIMARY)
    machine = stepfunctions.create_state_machine(
        name="machine", definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    schedule(client, "machine", machine, {"time": SCHEDULED})
    emulator.run_schedule(PRIMARY, "machine")

    def ended() -> Any:
        [run] = stepfunctions.list_executions(stateMachineArn=machine)["executions"]
        return (
            stepfunctions.describe_execution(executionArn=run["executionArn"])
            if run["status"] != "RUNNING"
            else None
        )

    run = eventually(ended)
    assert (run["status"], run.get("output")) == ("SUCCEEDED", "3")
    kept = (
        client("s3", PRIMARY, s3={"addressing_style": "path"})
        .get_object(Bucket=buckets[PRIMARY], Key="kept-by-machine")["Body"]
        .read()
    )
    time.strptime(kept.decode(), "%Y-%m-%dT%H:%M:%SZ")
    metrics = client("cloudwatch", PRIMARY).list_metrics(Namespace="Test")["Metrics"]
    assert [one["MetricName"] for one in metrics] == ["Items"]


def test_schedule_that_cannot_be_run_is_refused(whole: Emulator, client: Client) -> None:
    """With the reason: none of that name, what the target said, or a region that does not run."""
    with pytest.raises(RefusedError, match="no schedule 'none'"):
        whole.run_schedule(PRIMARY, "none")
    schedule(client, "wrong", "arn:aws:scheduler:::aws-sdk:dynamodb:describeTable", {"TableName": "none"})
    with pytest.raises(RefusedError, match="ResourceNotFoundException"):
        whole.run_schedule(PRIMARY, "wrong")
    whole.cut(PRIMARY)
    with pytest.raises(RefusedError, match="SdkClientException"):
        whole.run_schedule(PRIMARY, "wrong")
    whole.reconnect(PRIMARY)
    whole.freeze(PRIMARY)
    with pytest.raises(RefusedError, match="frozen"):
        whole.run_schedule(PRIMARY, "wrong")


def test_deviation_copies_arrive_in_a_region_that_is_lost(
    vaults: dict[str, str],
    whole: Emulator,
    client: Client,
    s3_of: Client,
    table_arn: str,
    buckets: dict[str, str],
) -> None:
    """Pinned: on AWS a replica is PENDING and a copy job runs on until the region is back."""
    whole.cut(FAILOVER)
    s3_of(PRIMARY).put_object(Bucket=buckets[PRIMARY], Key="replicated", Body=b"kept")
    backup = client("backup", PRIMARY)
    job = backup.start_backup_job(BackupVaultName=VAULT, ResourceArn=table_arn, IamRoleArn=ROLE)
    backup.start_copy_job(
        RecoveryPointArn=job["RecoveryPointArn"],
        SourceBackupVaultName=VAULT,
        DestinationBackupVaultArn=vaults[FAILOVER],
        IamRoleArn=ROLE,
    )
    whole.reconnect(FAILOVER)
    assert s3_of(FAILOVER).get_object(Bucket=buckets[FAILOVER], Key="replicated")["Body"].read() == b"kept"
    points = client("backup", FAILOVER).list_recovery_points_by_backup_vault(BackupVaultName=VAULT)
    assert [point["ResourceArn"] for point in points["RecoveryPoints"]] == [table_arn]


def test_deviation_retention_changed_later_is_not_replicated(s3_of: Client, buckets: dict[str, str]) -> None:
    """Pinned: AWS replicates it; here only what was there at the write."""
    primary, failover = s3_of(PRIMARY), s3_of(FAILOVER)
    primary.put_object(Bucket=buckets[PRIMARY], Key="longer", Body=b"kept")
    before = failover.head_object(Bucket=buckets[FAILOVER], Key="longer")["ObjectLockRetainUntilDate"]
    longer = {"Mode": "GOVERNANCE", "RetainUntilDate": before + timedelta(days=30)}
    primary.put_object_retention(Bucket=buckets[PRIMARY], Key="longer", Retention=longer)
    after = failover.head_object(Bucket=buckets[FAILOVER], Key="longer")["ObjectLockRetainUntilDate"]
    assert after == before
