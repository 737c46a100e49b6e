"""Buckets, vaults and state machines on the embedded AWS: changed in place, deleted though locked."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.pulumi.program import DeployError
from tests.emulator.provider.deployer import Deployer

pytestmark = pytest.mark.emulator

Client = Callable[..., Any]
HERE = "us-east-1"
THERE = "us-west-2"

BUCKETS = """
changed = {changed}
tags = {{"Kept": "yes", "Added": "new"}} if changed else {{"Kept": "no", "Removed": "old"}}
role = aws.iam.Role("r", name="r", assume_role_policy="{{}}")

def bucket(name, region):
    made = aws.s3.Bucket(name, region=region, bucket=f"of-{{name}}", object_lock_enabled=True,
                         force_destroy=True, tags=tags)
    where = dict(region=region, bucket=made.bucket)
    versioning = aws.s3.BucketVersioning(name, versioning_configuration={{"status": "Enabled"}}, **where)
    lock = aws.s3.BucketObjectLockConfiguration(
        name, rule={{"default_retention": {{"mode": "GOVERNANCE", "days": 2 if changed else 1}}}}, **where,
        opts=pulumi.ResourceOptions(depends_on=[versioning]))
    return made, where, [versioning, lock]

here, where, ready = bucket("here", "us-east-1")
there, _, ready_there = bucket("there", "us-west-2")
aws.s3.BucketServerSideEncryptionConfiguration(
    "e", rules=[{{"apply_server_side_encryption_by_default": {{"sse_algorithm": "AES256"}}}}], **where)
aws.s3.BucketPublicAccessBlock("b", block_public_acls=True, block_public_policy=True,
                               ignore_public_acls=True, restrict_public_buckets=changed, **where)
aws.s3.BucketPolicy("p", **where, policy=json.dumps({{"Version": "2012-10-17", "Statement": [
    {{"Sid": f"Changed{{changed}}", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
      "Resource": "arn:aws:s3:::of-here/*", "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}}}]}}))
aws.s3.BucketLifecycleConfiguration("l", **where, rules=[
    {{"id": "old", "status": "Enabled", "filter": {{"prefix": "config/"}},
      "expiration": {{"days": 40 if changed else 30}}}}])
replication = aws.s3.BucketReplicationConfig(
    "c", role=role.arn, **where, opts=pulumi.ResourceOptions(depends_on=[*ready, *ready_there]),
    rules=[{{"id": "all", "status": "Enabled", "priority": 2 if changed else 1, "filter": {{"prefix": ""}},
            "delete_marker_replication": {{"status": "Disabled"}},
            "destination": {{"bucket": there.arn}}}}])
aws.s3.BucketObjectv2("o", key="config/latest/stack.json", content=f"changed {{changed}}",
                      force_destroy={force_destroy}, **where,
                      opts=pulumi.ResourceOptions(depends_on=[replication], ignore_changes=[
                          "objectLockMode", "objectLockRetainUntilDate"]))
aws.s3.BucketObjectv2("f", key="code/latest/F.zip", source=pulumi.FileAsset({package!r}), force_destroy=True,
                      **where, opts=pulumi.ResourceOptions(depends_on=[replication]))
"""


def _program(deployer: Deployer, *, changed: bool, force_destroy: bool = True) -> str:
    package = deployer.folder / "package.zip"
    package.write_bytes(b"new" if changed else b"old")
    return BUCKETS.format(changed=changed, force_destroy=force_destroy, package=str(package))


def test_buckets_and_their_settings_are_changed_in_place(deployer: Deployer, client: Client) -> None:
    """Every setting reads back; an object that changes is a version more, here and in the copy."""
    deployer.up(_program(deployer, changed=False))
    after = deployer.up(_program(deployer, changed=True))
    assert (after.replaced, after.created, after.deleted, after.updated) == (0, 0, 0, 10)
    s3 = client("s3", HERE)
    assert s3.get_bucket_versioning(Bucket="of-here")["Status"] == "Enabled"
    for bucket in ("of-here", "of-there"):
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"Kept": "yes", "Added": "new"}
        lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 2}
    assert client("s3", THERE).get_bucket_location(Bucket="of-there")["LocationConstraint"] == THERE
    block = s3.get_public_access_block(Bucket="of-here")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert "ChangedTrue" in s3.get_bucket_policy(Bucket="of-here")["Policy"]
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket="of-here")["Rules"]
    assert rule["Expiration"] == {"Days": 40}
    [rule] = s3.get_bucket_replication(Bucket="of-here")["ReplicationConfiguration"]["Rules"]
    assert (rule["Priority"], rule["DeleteMarkerReplication"]["Status"]) == (2, "Disabled")
    for key, text in (("config/latest/stack.json", b"changed True"), ("code/latest/F.zip", b"new")):
        for bucket in ("of-here", "of-there"):
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == text
            assert len(s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]) == 2


def test_a_bucket_goes_with_what_is_locked_in_it_where_the_program_says_so(
    deployer: Deployer, client: Client
) -> None:
    """The local stack must come down, and its lock holds for everybody else."""
    made = deployer.up(_program(deployer, changed=False)).created
    s3 = client("s3", HERE)
    version = s3.put_object(Bucket="of-here", Key="dynamodb-exports/x", Body=b"x")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="of-here", Key="dynamodb-exports/x", VersionId=version)
    assert deployer.down().deleted == made
    assert s3.list_buckets()["Buckets"] == []


def test_a_locked_object_stays_where_the_program_does_not_say_so(deployer: Deployer) -> None:
    """As with the real provider; what could not be deleted is named, and stays in the state."""
    deployer.up(_program(deployer, changed=False, force_destroy=False))
    with pytest.raises(DeployError) as failed:
        deployer.down()
    assert "config/latest/stack.json: AccessDenied" in str(failed.value)
    deployer.up(_program(deployer, changed=False))


VAULTS = """
changed = {changed}
tags = {{"Kept": "yes", "Added": "new"}} if changed else {{"Kept": "no", "Removed": "old"}}
role = aws.iam.Role("r", name="r", assume_role_policy="{{}}")
vault = aws.backup.Vault("v", region="us-east-1", name="v", force_destroy=True, tags=tags)
copy = aws.backup.Vault("c", region="us-west-2", name="v", force_destroy=True)
aws.backup.VaultLockConfiguration("v", region="us-east-1", backup_vault_name=vault.name,
                                  min_retention_days=2 if changed else 1,
                                  opts=pulumi.ResourceOptions(delete_before_replace=True))
plan = aws.backup.Plan("p", region="us-east-1", name="p", tags=tags, rules=[{{
    "rule_name": "daily", "target_vault_name": vault.name, "schedule": "cron(0 4 ? * * *)",
    "start_window": 60, "completion_window": 720, "lifecycle": {{"delete_after": 9 if changed else 8}},
    "copy_actions": [{{"destination_vault_arn": copy.arn, "lifecycle": {{"delete_after": 9}}}}]}}])
aws.backup.Selection("s", region="us-east-1", name="s", plan_id=plan.id, iam_role_arn=role.arn,
                     resources=["arn:aws:dynamodb:us-east-1:000000000000:table/t"])
test = aws.backup.RestoreTestingPlan(
    "t", region="us-west-2", name="t", tags=tags, schedule_expression="cron(0 6 ? * SUN *)",
    recovery_point_selection={{"algorithm": "LATEST_WITHIN_WINDOW", "include_vaults": [copy.arn],
                               "recovery_point_types": ["SNAPSHOT"],
                               "selection_window_days": 8 if changed else 7}})
aws.backup.RestoreTestingSelection(
    "t", region="us-west-2", name="t", restore_testing_plan_name=test.name, iam_role_arn=role.arn,
    protected_resource_type="DynamoDB", protected_resource_arns=["*"])
machine = aws.sfn.StateMachine("m", region="us-east-1", name="m", type="STANDARD", role_arn=role.arn,
                               tags=tags, definition=json.dumps({{"StartAt": "S", "States": {{
                                   "S": {{"Type": "Pass", "Result": changed, "End": True}}}}}}))
pulumi.export("Plan", plan.id)
pulumi.export("Vault", vault.arn)
pulumi.export("Machine", machine.arn)
"""


def test_vaults_plans_and_state_machines_are_changed_in_place(deployer: Deployer, client: Client) -> None:
    """Rules, tests and definitions are new, and so is the lock; ids are the same; all of it goes again."""
    before = deployer.up(VAULTS.format(changed=False))
    after = deployer.up(VAULTS.format(changed=True))
    assert (after.replaced, after.updated, after.outputs) == (1, 4, before.outputs)
    backup = client("backup", HERE)
    assert backup.describe_backup_vault(BackupVaultName="v")["MinRetentionDays"] == 2
    kept = {"Kept": "yes", "Added": "new"}
    assert backup.list_tags(ResourceArn=after.outputs["Vault"])["Tags"] == kept
    plan = backup.get_backup_plan(BackupPlanId=after.outputs["Plan"])["BackupPlan"]
    [rule] = plan["Rules"]
    assert (rule["Lifecycle"], rule["CopyActions"][0]["Lifecycle"]) == (
        {"DeleteAfterDays": 9},
        {"DeleteAfterDays": 9},
    )
    [selection] = backup.list_backup_selections(BackupPlanId=after.outputs["Plan"])["BackupSelectionsList"]
    assert selection["SelectionName"] == "s"
    testing = client("backup", THERE).get_restore_testing_plan(RestoreTestingPlanName="t")
    chosen = testing["RestoreTestingPlan"]["RecoveryPointSelection"]
    assert chosen["SelectionWindowDays"] == 8
    machines = client("stepfunctions", HERE)
    described = machines.describe_state_machine(stateMachineArn=after.outputs["Machine"])
    assert json.loads(described["definition"])["States"]["S"]["Result"] is True
    assert deployer.down().deleted == before.created
    assert backup.list_backup_vaults()["BackupVaultList"] == []
    assert machines.list_state_machines()["stateMachines"] == []
