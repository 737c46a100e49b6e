"""The backups that span both regions: replication of the bucket, AWS Backup's copies, restore tests."""

from typing import Final

import pulumi
import pulumi_aws as aws

from components.policies import Grant
from components.region import Region
from components.service_role import ServiceRole
from components.stack_record import StackRecord, StackRecordObjects
from topology.backups import DAILY_WITHIN_H, RESTORE_TEST_SCHEDULE, VAULT_SCHEDULE
from topology.names import RESTORE
from topology.tables import ALERTS

_START_WITHIN_MIN: Final = 60
_COMPLETE_WITHIN_MIN: Final = 12 * 60
_WATCHED_EVERY_S: Final = 3_600

_TESTED_WINDOW_DAYS: Final = 7
"""A test a week, of a copy that is not older than that."""

_READ_VERSIONS: Final = (
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
    "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
)
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html"""

_RESTORE: Final = (
    "dynamodb:RestoreTableFromAwsBackup",
    "dynamodb:DescribeTable",
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
)
"""A restore writes as whoever asked for it. What the test restored, AWS Backup deletes by a role of its own.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForRestores.html"""

_TESTED_TABLES: Final = "table/awsbackup-restore-test-*"
"""What AWS Backup names the tables that it restores for a test, and deletes after it.
https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing-inferred-metadata.html"""


class Backups(pulumi.ComponentResource):
    """Brings the primary's backups to the failover region, and tries there whether they can be restored.

    What is in the primary's bucket is copied to the failover's, deletions are not. (A day's configuration and
    packages come there twice, as a copy and by the region's own schedule, as two versions of the same bytes.)
    AWS Backup runs in the primary alone: once that is lost, the failover region has the vault's copies up to
    then, and its own exports and point-in-time recovery for what comes after. No restriction of these for a
    strongly consistent table was found in AWS's documentation (November 2026), and none was tried.

    AWS Backup copies a table to another region only where its advanced features for DynamoDB are on, which is
    a setting of the account and not of a stack:
    `aws backup update-region-settings --resource-type-management-preference DynamoDB=true`.
    https://docs.aws.amazon.com/aws-backup/latest/devguide/advanced-ddb-backup.html
    """

    def __init__(
        self,
        *,
        primary: Region,
        failover: Region,
        record: StackRecord,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register what spans the regions. `record` is what a rebuild starts from."""
        super().__init__("incident:global:Backups", "backups", None, opts)
        self._primary, self._failover = primary, failover
        self._child = pulumi.ResourceOptions(parent=self)
        replication = self._replicate()
        # An object that is there before its replication is never copied.
        StackRecordObjects(
            primary.context, bucket=primary.bucket, record=record, after=replication, opts=self._child
        )
        self._back_up()
        self._watch("backup-jobs", "NumberOfBackupJobsCompleted")
        self._watch("copy-jobs", "NumberOfCopyJobsCompleted")
        self._restore()
        self._test_restores()
        self.register_outputs({})

    def _replicate(self) -> aws.s3.BucketReplicationConfig:
        """With its lock, and without anybody's deletion.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication
        """
        context, source, copy = self._primary.context, self._primary.bucket, self._failover.bucket
        role = ServiceRole(
            context,
            "replication",
            service="s3.amazonaws.com",
            source=None,
            grants=(
                Grant(("s3:GetReplicationConfiguration", "s3:ListBucket"), (source.arn,)),
                Grant(_READ_VERSIONS, (pulumi.Output.concat(source.arn, "/*"),)),
                Grant(("s3:ReplicateObject", "s3:ReplicateTags"), (pulumi.Output.concat(copy.arn, "/*"),)),
            ),
            opts=self._child,
        )
        rule = aws.s3.BucketReplicationConfigRuleArgs(
            id="everything",
            status="Enabled",
            priority=1,
            filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
            delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(
                status="Disabled"
            ),
            destination=aws.s3.BucketReplicationConfigRuleDestinationArgs(bucket=copy.arn),
        )
        return aws.s3.BucketReplicationConfig(
            context.logical("backups"),
            region=context.region,
            bucket=source.name,
            role=role.arn,
            rules=[rule],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*source.ready, *copy.ready]),
        )

    def _back_up(self) -> None:
        """One recovery point a day in the primary's vault, and a copy of it in the failover's.

        The permissions are all those for a table of the policy that AWS keeps for all its services, which has
        copying from a vault for all resources. Where the account's advanced features are off, a recovery
        point is a backup of DynamoDB's own, which this role also describes and deletes; AWS names it.
        https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html
        """
        context, table = self._primary.context, self._primary.alerts_table
        vaults = (self._primary.vault.arn, self._failover.vault.arn)
        role = ServiceRole(
            context,
            "backup",
            service="backup.amazonaws.com",
            source=None,
            grants=(
                Grant(
                    (
                        "dynamodb:CreateBackup",
                        "dynamodb:DescribeTable",
                        "dynamodb:ListTagsOfResource",
                        "dynamodb:StartAwsBackupJob",
                    ),
                    (table,),
                ),
                Grant(
                    ("dynamodb:DescribeBackup", "dynamodb:DeleteBackup"),
                    (pulumi.Output.concat(table, "/backup/*"),),
                ),
                Grant(("backup:CopyIntoBackupVault", "backup:DescribeBackupVault"), vaults),
                Grant(("backup:CopyFromBackupVault",), ("*",)),
                Grant(("backup:TagResource",), _recovery_points(self._primary, self._failover)),
            ),
            opts=self._child,
        )
        days = context.config.backup_retention_days
        plan = aws.backup.Plan(
            context.logical("backup"),
            region=context.region,
            name=context.names.backup_vault,
            rules=[
                aws.backup.PlanRuleArgs(
                    rule_name="daily",
                    target_vault_name=self._primary.vault.name,
                    schedule=VAULT_SCHEDULE,
                    start_window=_START_WITHIN_MIN,
                    completion_window=_COMPLETE_WITHIN_MIN,
                    lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=days),
                    copy_actions=[
                        aws.backup.PlanRuleCopyActionArgs(
                            destination_vault_arn=self._failover.vault.arn,
                            lifecycle=aws.backup.PlanRuleCopyActionLifecycleArgs(delete_after=days),
                        )
                    ],
                )
            ],
            tags=context.tags,
            opts=self._child,
        )
        aws.backup.Selection(
            context.logical("backup"),
            region=context.region,
            name="ledger",
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=[table],
            opts=self._child,
        )

    def _watch(self, jobs: str, completed: str) -> None:
        """An alarm on a day without `completed`, a metric of AWS Backup, in the region that runs the jobs.

        A job that fails, expires before it starts or is never made completes nothing, and a metric of one of
        these is silent about the others. AWS sends only what is not 0. A new stack has no backup yet, so it
        begins with the alarm. The vault of a copy is its destination, which has the same name. That the
        vault's name alone is a dimension was not tried (November 2026); if it is none, the alarm stays on.
        https://docs.aws.amazon.com/aws-backup/latest/devguide/cloudwatch.html
        """
        context = self._primary.context
        aws.cloudwatch.MetricAlarm(
            context.logical(jobs),
            region=context.region,
            name=context.names.backup_jobs_alarm(jobs),
            alarm_description=context.described(
                f"No {completed} in {DAILY_WITHIN_H} hours: AWS Backup lists each job with its reason. Is "
                "DynamoDB opted in, with advanced features (aws backup update-region-settings)?"
            ),
            namespace="AWS/Backup",
            metric_name=completed,
            dimensions={"BackupVaultName": self._primary.vault.name},
            statistic="Sum",
            period=_WATCHED_EVERY_S,
            evaluation_periods=DAILY_WITHIN_H,
            threshold=1,
            comparison_operator="LessThanThreshold",
            treat_missing_data="breaching",
            alarm_actions=[self._primary.topic.arn],
            tags=context.tags,
            opts=self._child,
        )

    def _restore(self) -> None:
        """The role by which an operator restores a recovery point of either region: `dr restore --backup`."""
        for region in (self._primary, self._failover):
            context = region.context
            table = f"table/{context.names.restored(ALERTS, '*')}"
            ServiceRole(
                context,
                RESTORE,
                service="backup.amazonaws.com",
                source=None,
                grants=_restoring(region, table),
                opts=self._child,
            )

    def _test_restores(self) -> None:
        """Each week AWS Backup restores the newest copy in the failover region, and deletes what it restored.

        The copies are tested and not the originals: they are what is left when they are needed.
        """
        context, vault = self._failover.context, self._failover.vault
        role = ServiceRole(
            context,
            "restore-testing",
            service="backup.amazonaws.com",
            source=None,
            grants=_restoring(self._failover, _TESTED_TABLES),
            opts=self._child,
        )
        plan = aws.backup.RestoreTestingPlan(
            context.logical("restore-testing"),
            region=context.region,
            name=context.names.restore_testing_plan,
            schedule_expression=RESTORE_TEST_SCHEDULE,
            recovery_point_selection=aws.backup.RestoreTestingPlanRecoveryPointSelectionArgs(
                algorithm="LATEST_WITHIN_WINDOW",
                include_vaults=[vault.arn],
                recovery_point_types=["SNAPSHOT"],
                selection_window_days=_TESTED_WINDOW_DAYS,
            ),
            tags=context.tags,
            opts=self._child,
        )
        aws.backup.RestoreTestingSelection(
            context.logical("restore-testing"),
            region=context.region,
            name=context.names.restore_testing_plan,
            restore_testing_plan_name=plan.name,
            protected_resource_type="DynamoDB",
            protected_resource_arns=["*"],  # of the one vault, which holds the ledger only
            iam_role_arn=role.arn,
            # Of another type of resource it is another under the same name, of which there can be one.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )


def _restoring(region: Region, tables: str) -> tuple[Grant, ...]:
    """What AWS Backup needs to restore a recovery point of a region's vault into tables named so."""
    return (
        Grant(_RESTORE, (region.context.arn("dynamodb", tables),)),
        Grant(("backup:DescribeBackupVault",), (region.vault.arn,)),
    )


def _recovery_points(*regions: Region) -> tuple[str, ...]:
    return tuple(region.context.arn("backup", "recovery-point:*") for region in regions)
