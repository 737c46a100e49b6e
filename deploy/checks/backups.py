"""Backups: their locks hold, and AWS Backup may and does back the ledger up."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote

from botocore.exceptions import ClientError

from clients.aws import is_absent
from clients.checks import Check, Finding, failed, ok, unknown
from components.backups.state_machines import LATEST_KEYS
from deploy.checks.subject import Subject
from topology.backups import DAILY_WITHIN_H

_RESOURCE: Final = "DynamoDB"
_NO_LOCK: Final = frozenset({"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"})
"""https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList"""

BACKUP_ACTIONS: Final = frozenset(
    {
        "dynamodb:CreateBackup",
        "dynamodb:DeleteBackup",
        "dynamodb:DescribeBackup",
        "dynamodb:DescribeTable",
        "dynamodb:StartAwsBackupJob",
    }
)
"""Without which AWS Backup cannot back a table up, or let a backup go, be its advanced features on or off.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html"""


def backup_checks(subject: Subject) -> tuple[Check, ...]:
    """The checks of all backups of a stack. AWS Backup runs in the primary region alone."""
    primary = (subject.deployment.primary.region,)
    return (
        subject.check(
            "vault-lock",
            "backups",
            "the vault is locked for as long as the stack has it",
            actions=("backup:DescribeBackupVault",),
            run=_vault_lock,
        ),
        subject.check(
            "bucket-lock",
            "backups",
            "the bucket locks each new version",
            actions=("s3:GetBucketObjectLockConfiguration",),
            run=_bucket_lock,
        ),
        subject.check(
            "latest-locked",
            "backups",
            "what a rebuild starts from is locked",
            actions=("s3:GetObjectRetention", "s3:ListBucket"),
            run=_latest_locked,
        ),
        subject.check(
            "backup-opt-in",
            "backups",
            "AWS Backup backs up and copies DynamoDB in this account",
            actions=("backup:DescribeRegionSettings",),
            run=_opt_in,
        ),
        subject.check(
            "backup-role",
            "backups",
            "AWS Backup has a role, which may back the ledger up",
            actions=("iam:GetRole", "iam:GetRolePolicy"),
            run=_role,
            regions=primary,
        ),
        subject.check(
            "backup-job",
            "backups",
            "the ledger was backed up lately",
            actions=("backup:ListBackupJobs",),
            run=_newest_job,
            regions=primary,
        ),
    )


def _vault_lock(subject: Subject, region: str) -> Finding:
    """A vault without its lock is what a changed `backupLockDays` left behind (A1), or somebody's hand."""
    name, days = subject.endpoints(region).backup_vault, subject.config.backup_lock_days
    try:
        vault = subject.client("backup", region).describe_backup_vault(BackupVaultName=name)
    except ClientError as error:
        if not is_absent(error):
            raise
        return failed(f"there is no vault {name} in {region}", f"run {subject.up}")
    hint = f"run {subject.refresh}, then {subject.up}: the state may say that the lock is there"
    if not vault.get("Locked"):
        return failed(f"{name} is not locked: its recovery points can be deleted", hint)
    if vault.get("MinRetentionDays") != days:
        seen = f"{name} is locked for {vault.get('MinRetentionDays')} days, backupLockDays is {days}"
        return failed(seen, hint)
    if subject.config.backup_lock == "compliance" and "LockDate" not in vault:
        return failed(f"the lock of {name} is governance, backupLock is compliance", hint)
    return ok(f"{name} is locked for {days} days")


def _bucket_lock(subject: Subject, region: str) -> Finding:
    bucket, config = subject.endpoints(region).backup_bucket, subject.config
    wanted = {"Mode": config.backup_lock.upper(), "Days": config.backup_lock_days}
    try:
        answer = subject.client("s3", region).get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        if not (is_absent(error) or error.response["Error"]["Code"] in _NO_LOCK):
            raise
        return failed(f"{bucket} locks nothing ({error.response['Error']['Code']})", f"run {subject.up}")
    retention = answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
    if retention != wanted:
        return failed(f"{bucket} locks by {retention or 'no rule'}, not by {wanted}", f"run {subject.up}")
    return ok(f"{wanted['Mode']}, {wanted['Days']} days")


def _latest_locked(subject: Subject, region: str) -> Finding:
    """The newest versions of what the last deployment left; a provider's update may have unlocked them (A2).

    A lock that has ended ends as it is meant to: it counts from the deployment.
    """
    bucket, s3 = subject.endpoints(region).backup_bucket, subject.client("s3", region)
    unlocked: list[str] = []
    absent: list[str] = []
    ended = 0
    for key in LATEST_KEYS:
        try:
            retention = s3.get_object_retention(Bucket=bucket, Key=key)["Retention"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if not (code in _NO_LOCK or is_absent(error)):
                raise
            (unlocked if code in _NO_LOCK else absent).append(key)
        else:
            if retention.get("Mode") != subject.config.backup_lock.upper():
                unlocked.append(key)
            elif retention["RetainUntilDate"] <= subject.now():
                ended += 1
    if absent:
        return failed(f"{', '.join(absent)} not in {bucket}", f"run {subject.up}; a copy takes minutes")
    if unlocked:
        hint = "`aws s3api put-object-retention` locks them again; a second run must not take that off (A2)"
        return failed(f"{', '.join(unlocked)} in {bucket} can be changed and deleted", hint)
    if ended:
        return ok(f"locked until the lock of {ended} of {len(LATEST_KEYS)} ended in its time")
    return ok(f"{len(LATEST_KEYS)} objects are locked")


def _opt_in(subject: Subject, region: str) -> Finding:
    """Backups need the one setting, copies to another region the other.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRegionSettings.html
    https://docs.aws.amazon.com/aws-backup/latest/devguide/advanced-ddb-backup.html
    """
    settings = subject.client("backup", region).describe_region_settings()
    opted = settings.get("ResourceTypeOptInPreference", {}).get(_RESOURCE)
    advanced = settings.get("ResourceTypeManagementPreference", {}).get(_RESOURCE)
    command = f"aws backup update-region-settings --region {region}"
    if opted is False:
        hint = f"`{command} --resource-type-opt-in-preference {_RESOURCE}=true`"
        return failed("AWS Backup leaves DynamoDB out in this account", hint)
    if advanced is False:
        hint = f"`{command} --resource-type-management-preference {_RESOURCE}=true`"
        return failed("advanced features for DynamoDB are off: no copy reaches the other region", hint)
    if opted is None or advanced is None:
        return unknown("AWS Backup does not say what is set for DynamoDB")
    return ok("DynamoDB is opted in, advanced features are on")


def _role(subject: Subject, region: str) -> Finding:
    iam, name = subject.client("iam", region), subject.deployment.names.service_role("backup", region)
    try:
        trust = _document(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
        policy = _document(iam.get_role_policy(RoleName=name, PolicyName="work")["PolicyDocument"])
    except ClientError as error:
        if not is_absent(error):
            raise
        return failed(f"the role {name}, or its policy, is not there", f"run {subject.up}")
    if "backup.amazonaws.com" not in json.dumps(trust):
        return failed(f"AWS Backup may not take on the role {name}", f"run {subject.up}")
    allowed = {
        action
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    if lacking := sorted(BACKUP_ACTIONS - allowed):
        return failed(f"{name} lacks {', '.join(lacking)}", f"run {subject.up}")
    return ok(name)


def _document(document: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A policy, which IAM answers URL-encoded, and botocore decodes."""
    return json.loads(unquote(document)) if isinstance(document, str) else document


def _newest_job(subject: Subject, region: str) -> Finding:
    """An alarm tells that none has completed for a day, and not why.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupJob.html
    """
    now = subject.now()
    jobs = subject.client("backup", region).list_backup_jobs(
        ByBackupVaultName=subject.endpoints(region).backup_vault,
        ByCreatedAfter=now - timedelta(hours=DAILY_WITHIN_H),
    )["BackupJobs"]
    if not jobs:
        return unknown(
            f"no backup in {DAILY_WITHIN_H} hours; a new stack has its first at 04:00 UTC",
            "run it again after that; if there is none then, look at AWS Backup's plan",
        )
    newest = max(jobs, key=lambda job: job["CreationDate"])
    if newest["State"] == "COMPLETED":
        return ok(f"backed up at {newest['CreationDate']:%Y-%m-%d %H:%M}")
    if newest["State"] in {"CREATED", "PENDING", "RUNNING"}:
        return unknown(f"the newest backup is {newest['State']}", "run it again when it has ended")
    why = newest.get("StatusMessage") or "no reason given"
    hint = f"see `aws backup describe-backup-job --region {region} --backup-job-id {newest['BackupJobId']}`"
    return failed(f"the newest backup is {newest['State']}: {why}", hint)
