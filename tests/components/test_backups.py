"""The backups: buckets and vaults that are locked, what is copied where, what makes them, and the alarm."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from components.stack_record import StackRecord
from tests.components.recorder import ACCOUNT, Registered, Run, run_program, stack_file, stand_ins
from topology import outputs

PLACES = (("us-east-1", "", ""), ("us-west-2", "Failover", "-failover"))
"""Region, what its outputs begin with, how its bucket's name ends."""


def _part(run: Run, type_: str, region: str) -> dict[str, Any]:
    """The one setting of a type of the region's bucket."""
    found = dict(run.one(f"s3/{type_}", f"{region}-backups").inputs)
    prefix = "" if region == "us-east-1" else "Failover"
    assert found["bucket"] == run.outputs[f"{prefix}BackupBucketName"]
    return found


@pytest.mark.parametrize(("region", "prefix", "ending"), PLACES)
def test_buckets_have_the_runbooks_names(region: str, prefix: str, ending: str, run: Run) -> None:
    """The copy is in the failover region, and its outputs are those of the real buckets."""
    stack = run.outputs["Stack"]
    name = ("mcp-responder" if stack == "prod" else f"mcp-responder-{stack}") + f"-backups{ending}"
    assert run.one("s3/bucket:Bucket", f"{region}-backups").inputs["bucket"] == name
    assert run.outputs[f"{prefix}BackupBucketName"] == name
    assert run.outputs[f"{prefix}BackupVaultName"] == f"mcp-incident-responder-{stack}-backups"


def test_a_suffix_makes_both_names_others(optioned: Run) -> None:
    """Bucket names are global to AWS, and somebody may have had them first."""
    assert {bucket.inputs["bucket"] for bucket in optioned.of("s3/bucket:Bucket")} == {
        f"mcp-responder-backups-{ACCOUNT}",
        f"mcp-responder-backups-{ACCOUNT}-failover",
    }


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_each_version_is_kept_locked_encrypted_and_private(region: str, run: Run) -> None:
    """In both regions: whoever can write to one bucket must not be able to spoil the copies."""
    bucket = run.one("s3/bucket:Bucket", f"{region}-backups").inputs
    assert bucket["objectLockEnabled"] is True
    assert bucket["forceDestroy"] is (run.outputs["Stack"] != "prod")
    versioning = _part(run, "bucketVersioning:BucketVersioning", region)
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}
    lock = _part(run, "bucketObjectLockConfiguration:BucketObjectLockConfiguration", region)
    assert lock["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 14}}
    encryption = _part(
        run,
        "bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        region,
    )
    assert encryption["rules"] == [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]
    block = _part(run, "bucketPublicAccessBlock:BucketPublicAccessBlock", region)
    assert [value for value in block.values() if isinstance(value, bool)] == [True] * 4
    (statement,) = json.loads(_part(run, "bucketPolicy:BucketPolicy", region)["policy"])["Statement"]
    arn = f"arn:aws:s3:::{bucket['bucket']}"
    assert statement == {
        "Sid": "OnlyEncryptedConnections",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_what_has_a_date_expires_and_the_latest_does_not(region: str, run: Run) -> None:
    """A stack that nobody deployed for a year can still be rebuilt."""
    rules = _part(run, "bucketLifecycleConfiguration:BucketLifecycleConfiguration", region)["rules"]
    expiring = {rule["filter"]["prefix"]: rule["expiration"] for rule in rules[:-1]}
    assert expiring == {prefix: {"days": 35} for prefix in ("dynamodb-exports/", "config/2", "code/2")}
    assert not any(key.startswith(tuple(expiring)) for key in ("config/latest/stack.json", "code/latest/x"))
    assert rules[-1]["expiration"] == {"expiredObjectDeleteMarker": True}
    assert rules[-1]["noncurrentVersionExpiration"] == {"noncurrentDays": 14}
    assert {rule["status"] for rule in rules} == {"Enabled"}


def test_the_primarys_bucket_is_copied_without_its_deletions(run: Run) -> None:
    """Who deletes in one region has not deleted in the other; nothing is put before it would be copied."""
    (replication,) = run.of("s3/bucketReplicationConfig:BucketReplicationConfig")
    assert replication.inputs["region"] == "us-east-1"
    assert replication.inputs["bucket"] == run.outputs["BackupBucketName"]
    (rule,) = replication.inputs["rules"]
    assert rule["status"] == "Enabled"
    assert rule["filter"] == {"prefix": ""}
    assert rule["deleteMarkerReplication"] == {"status": "Disabled"}
    assert rule["destination"] == {"bucket": f"arn:aws:s3:::{run.outputs['FailoverBackupBucketName']}"}
    locks = run.of("s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert {lock.urn for lock in locks} <= set(replication.depends_on)
    objects = run.of("s3/bucketObjectv2:BucketObjectv2")
    assert len(objects) == 5
    assert all(replication.urn in one.depends_on for one in objects)


def test_what_a_rebuild_needs_is_put_under_latest(run: Run) -> None:
    """The configuration and the packages, in the layout that the runbook has."""
    objects = {one.inputs["key"]: one.inputs for one in run.of("s3/bucketObjectv2:BucketObjectv2")}
    assert objects.keys() == {
        "config/latest/stack.json",
        "code/latest/AlertReceptionFunction.zip",
        "code/latest/AnalysisFunction.zip",
        "code/latest/DistributionFunction.zip",
        "code/latest/RecoveryFunction.zip",
    }
    assert {one["bucket"] for one in objects.values()} == {run.outputs["BackupBucketName"]}
    assert isinstance(objects["code/latest/AnalysisFunction.zip"]["source"], pulumi.FileAsset)


def test_the_record_has_the_configuration_and_every_output_but_the_secret_ones(run: Run) -> None:
    """It lies in a bucket that many may read."""
    text = run.one("s3/bucketObjectv2:BucketObjectv2", "us-east-1-stack").inputs["content"]
    record = json.loads(text)
    stack = run.outputs["Stack"]
    assert record.keys() == {"stack", "config", "outputs", "packages", "written_by"}
    packages = {
        one.inputs["key"].rpartition("/")[2].removesuffix(".zip"): Path(one.inputs["source"].path)
        for one in run.of("s3/bucketObjectv2:BucketObjectv2")
        if one.inputs["key"].endswith(".zip")
    }
    assert record["packages"] == {
        suffix: hashlib.sha256(path.read_bytes()).hexdigest() for suffix, path in packages.items()
    }
    assert record["stack"] == stack
    namespace = "mcp-incident-responder:"
    given = {k.removeprefix(namespace): v for k, v in stack_file(stack).items() if k.startswith(namespace)}
    assert record["config"] == given
    assert record["outputs"] == {k: v for k, v in run.outputs.items() if k not in outputs.SECRET}
    for key in outputs.SECRET:
        assert rpc.unwrap_rpc_secret(run.outputs[key]) not in text


def test_the_record_leaves_out_where_packages_came_from() -> None:
    """That folder is on another machine by then."""
    record = StackRecord("prod", {"leaseS": "8", "packagesFrom": "kept"}, {}, {})
    assert record.kept_configuration() == {"leaseS": "8"}


@pytest.mark.parametrize(("region", "prefix", "ending"), PLACES)
def test_each_region_exports_its_own_replica_into_its_own_bucket(
    region: str, prefix: str, ending: str, run: Run
) -> None:
    """So that the one that is left goes on by itself; Scheduler calls DynamoDB without a function between."""
    del ending
    schedule = run.one("scheduler/schedule:Schedule", f"{region}-full-export").inputs
    assert schedule["scheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["target"]["arn"] == "arn:aws:scheduler:::aws-sdk:dynamodb:exportTableToPointInTime"
    table = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{run.outputs['AlertsTableName']}"
    assert json.loads(schedule["target"]["input"]) == {
        "TableArn": table,
        "S3Bucket": run.outputs[f"{prefix}BackupBucketName"],
        "S3Prefix": "dynamodb-exports/<aws.scheduler.scheduled-time>",
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": "FULL_EXPORT",
        "ClientToken": "full-export-<aws.scheduler.scheduled-time>",
    }
    for key in ("full-export-watch", "incremental-export"):
        machine = json.loads(_machine(run, region, key).inputs["definition"])
        export = machine["States"]["Export"]["Arguments"]
        assert (export["TableArn"], export["S3Bucket"]) == (table, run.outputs[f"{prefix}BackupBucketName"])


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
@pytest.mark.parametrize(
    ("key", "expression"),
    [
        ("full-export-watch", "cron(0 3 * * ? *)"),
        ("incremental-export", "cron(20 * * * ? *)"),
        ("daily-copies", "cron(30 3 * * ? *)"),
    ],
)
def test_schedules_start_their_machines_with_their_own_time(
    region: str, key: str, expression: str, run: Run
) -> None:
    """A run that is tried again hours later still has the window and the date that it was meant for."""
    schedule = run.one("scheduler/schedule:Schedule", f"{region}-{key}").inputs
    machine = _machine(run, region, key)
    name = f"mcp-incident-responder-{run.outputs['Stack']}-{key}"
    assert machine.inputs["type"] == "STANDARD"
    assert schedule["scheduleExpression"] == expression
    assert schedule["target"]["arn"] == f"arn:aws:states:{region}:{ACCOUNT}:stateMachine:{name}"
    assert schedule["target"]["roleArn"].endswith(f"-backup-schedules-{region}")
    assert json.loads(schedule["target"]["input"]) == {"time": "<aws.scheduler.scheduled-time>"}
    assert "retryPolicy" not in schedule["target"]


def _machine(run: Run, region: str, key: str) -> Registered:
    return run.one("sfn/stateMachine:StateMachine", f"{region}-{key}")


@pytest.mark.parametrize(("region", "prefix", "ending"), PLACES)
@pytest.mark.parametrize(
    ("backup", "silent_h", "age_s"),
    [("full-export", 26, 93_600), ("incremental-export", 2, 10_800), ("daily-copies", 26, 93_600)],
)
def test_an_old_backup_or_silence_is_an_alarm(
    region: str, prefix: str, ending: str, run: Run, *, backup: str, silent_h: int, age_s: int
) -> None:
    """In each region, for its own backups, each by itself: hourly exports say nothing of the full one."""
    del ending
    alarm = dict(run.one("cloudwatch/metricAlarm:MetricAlarm", f"{region}-{backup}-age").inputs)
    assert alarm["treatMissingData"] == "breaching"
    assert (alarm["namespace"], alarm["metricName"]) == ("McpIncidentResponder", "BackupAgeS")
    assert alarm["dimensions"] == {"Stack": run.outputs["Stack"], "Backup": backup}
    assert (alarm["statistic"], alarm["comparisonOperator"]) == ("Minimum", "GreaterThanThreshold")
    assert (alarm["period"], alarm["evaluationPeriods"], alarm["threshold"]) == (3_600, silent_h, age_s)
    assert alarm["alarmActions"] == [run.outputs[f"{prefix}AlarmTopicArn"]]


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_the_watch_asks_for_the_very_export_that_scheduler_began(region: str, run: Run) -> None:
    """The same parameters and client token, or DynamoDB would refuse it or make another one."""
    schedule = run.one("scheduler/schedule:Schedule", f"{region}-full-export").inputs
    machine = json.loads(_machine(run, region, "full-export-watch").inputs["definition"])
    asked = {
        key: re.sub(r"\{% '(.*)' & \$date %\}", r"\1<aws.scheduler.scheduled-time>", text)
        for key, text in machine["States"]["Export"]["Arguments"].items()
    }
    assert asked == json.loads(schedule["target"]["input"])


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_the_alarm_goes_off_before_failed_runs_can_leave_a_gap(region: str, run: Run) -> None:
    """A run makes up for as many failed ones as its window has hours, less its own."""
    alarm = dict(run.one("cloudwatch/metricAlarm:MetricAlarm", f"{region}-incremental-export-age").inputs)
    machine = json.loads(_machine(run, region, "incremental-export").inputs["definition"])
    window = machine["States"]["Export"]["Arguments"]["IncrementalExportSpecification"]["ExportFromTime"]
    assert "- 10800000)" in window
    assert alarm["evaluationPeriods"] * alarm["period"] * 1_000 < 10_800_000


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_vaults_are_locked_so_that_governance_can_still_undo_it(region: str, run: Run) -> None:
    """Without days of grace AWS takes the lock for one that its owner may remove."""
    lock = run.one("backup/vaultLockConfiguration:VaultLockConfiguration", f"{region}-vault").inputs
    assert lock["backupVaultName"] == run.outputs["BackupVaultName"]
    assert lock["minRetentionDays"] == 14
    assert "changeableForDays" not in lock


def test_compliance_locks_what_nobody_can_unlock(optioned: Run) -> None:
    """Buckets at once; vaults after the days of grace, without which AWS takes it for governance."""
    for region in ("us-east-1", "us-west-2"):
        rule = _part(optioned, "bucketObjectLockConfiguration:BucketObjectLockConfiguration", region)["rule"]
        assert rule["defaultRetention"]["mode"] == "COMPLIANCE"
        lock = optioned.one("backup/vaultLockConfiguration:VaultLockConfiguration", f"{region}-vault").inputs
        assert lock["changeableForDays"] == 3


def test_the_ledger_is_backed_up_daily_and_copied_to_the_other_region(run: Run) -> None:
    """For longer than the vaults' lock, or each backup would be refused."""
    (plan,) = run.of("backup/plan:Plan")
    (rule,) = plan.inputs["rules"]
    assert plan.inputs["region"] == "us-east-1"
    assert rule["targetVaultName"] == run.outputs["BackupVaultName"]
    assert rule["lifecycle"] == {"deleteAfter": 35}
    vault = f"arn:aws:backup:us-west-2:{ACCOUNT}:backup-vault:{run.outputs['FailoverBackupVaultName']}"
    assert rule["copyActions"] == [{"destinationVaultArn": vault, "lifecycle": {"deleteAfter": 35}}]
    (selection,) = run.of("backup/selection:Selection")
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{run.outputs['AlertsTableName']}"
    assert selection.inputs["resources"] == [table]


def test_the_copies_are_what_is_tested(run: Run) -> None:
    """In the region that has to restore them."""
    (plan,) = run.of("backup/restoreTestingPlan:RestoreTestingPlan")
    assert plan.inputs["region"] == "us-west-2"
    vault = f"arn:aws:backup:us-west-2:{ACCOUNT}:backup-vault:{run.outputs['FailoverBackupVaultName']}"
    chosen = plan.inputs["recoveryPointSelection"]
    assert (chosen["algorithm"], chosen["includeVaults"]) == ("LATEST_WITHIN_WINDOW", [vault])
    assert "-" not in plan.inputs["name"]
    (selection,) = run.of("backup/restoreTestingSelection:RestoreTestingSelection")
    assert selection.inputs["restoreTestingPlanName"] == plan.inputs["name"]
    assert selection.inputs["protectedResourceType"] == "DynamoDB"


def test_both_tables_halves_can_be_restored_to_a_time(run: Run) -> None:
    """Exports need it on in the region that they are made in."""
    for table in run.of("dynamodb/table:Table"):
        assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
        assert [replica["pointInTimeRecovery"] for replica in table.inputs["replicas"]] == [True]


def test_packages_are_taken_from_a_backup_where_the_configuration_says_so(tmp_path: Path) -> None:
    """A rebuild has no source to build from; nothing is built."""
    kept = stand_ins(tmp_path)(None)  # type: ignore[arg-type]  # writes the same zips for each target
    folder = tmp_path / "kept"
    folder.mkdir()
    for spec, package in kept.items():
        package.rename(folder / f"{spec.suffix}.zip")
    config = stack_file("prod") | {"mcp-incident-responder:packagesFrom": str(folder)}
    run = run_program("prod", config, _nothing_to_build)
    assert run.error is None
    for function in run.of("lambda/function:Function", region="us-east-1"):
        name = function.inputs["name"].rpartition("-")[2]
        assert Path(function.inputs["code"].path) == folder / f"{name}.zip"


def test_a_package_that_a_backup_lacks_is_named(tmp_path: Path) -> None:
    """All of them in one line, and nothing is registered but where the ledger will be."""
    (tmp_path / "AnalysisFunction.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    (tmp_path / "RecoveryFunction.zip").write_text("no zip")
    config = stack_file("prod") | {"mcp-incident-responder:packagesFrom": str(tmp_path)}
    run = run_program("prod", config, _nothing_to_build)
    said = "no zip named AlertReceptionFunction.zip, DistributionFunction.zip, RecoveryFunction.zip; fetch"
    assert said in str(run.error)
    assert [resource.type for resource in run.resources] == ["pulumi:index:Stash"]


def _nothing_to_build(_target: object) -> Any:
    raise AssertionError("a build was asked for")


@pytest.mark.parametrize(
    ("key", "metric"),
    [("backup-jobs", "NumberOfBackupJobsCompleted"), ("copy-jobs", "NumberOfCopyJobsCompleted")],
)
def test_a_day_without_a_completed_job_of_aws_backup_sets_off_an_alarm(
    key: str, metric: str, run: Run
) -> None:
    """Failed, expired or never made: else nobody would know before the day that a copy is needed."""
    alarm = dict(run.one("cloudwatch/metricAlarm:MetricAlarm", f"us-east-1-{key}").inputs)
    assert "update-region-settings" in alarm.pop("alarmDescription")
    assert alarm.pop("tags")["Stack"] == run.outputs["Stack"]
    assert alarm == {
        "region": "us-east-1",
        "name": f"mcp-incident-responder-{run.outputs['Stack']}-{key}-missed",
        "namespace": "AWS/Backup",
        "metricName": metric,
        "dimensions": {"BackupVaultName": run.outputs["BackupVaultName"]},
        "statistic": "Sum",
        "period": 3_600,
        "evaluationPeriods": 26,
        "threshold": 1,
        "comparisonOperator": "LessThanThreshold",
        "treatMissingData": "breaching",
        "alarmActions": [run.outputs["AlarmTopicArn"]],
    }
