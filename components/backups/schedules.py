"""What makes a region's backups: exports of its replica, daily copies, and an alarm on each missed one."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.backups.bucket import BackupBucket
from components.backups.state_machines import (
    COPIES,
    FULL,
    INCREMENTAL,
    LATEST_KEYS,
    daily_copies,
    full_export_request,
    full_export_watch,
    incremental_export,
)
from components.policies import Grant
from components.region_context import RegionContext
from components.service_role import ServiceRole
from topology.backups import (
    CONFIGS,
    COPY_SCHEDULE,
    DAILY_WITHIN_H,
    EXPORTS,
    FULL_EXPORT_SCHEDULE,
    INCREMENTAL_EVERY_S,
    INCREMENTAL_EXPORT_SCHEDULE,
    PACKAGES,
    export_prefix,
)
from topology.metrics import BACKUP_AGE, BACKUP_DIMENSION, NAMESPACE, STACK_DIMENSION

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""What Scheduler puts its own time in for, the same at each try of one run.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""

EXPORT_API: Final = "arn:aws:scheduler:::aws-sdk:dynamodb:exportTableToPointInTime"

_WRITE_EXPORT: Final = ("s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl")
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html"""


class BackupSchedules(pulumi.ComponentResource):
    """Schedules, state machines and alarms of one region.

    Each region exports its own replica of the ledger into its own bucket and dates its own copies, so that
    whichever is left goes on by itself. What that costs twice is the price of the exports.

    A schedule keeps Scheduler's own retries, for 24 hours: a run that comes late has the same time, and so
    the same window, prefix and client token.
    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
    """

    def __init__(
        self,
        context: RegionContext,
        *,
        bucket: BackupBucket,
        alerts_table: pulumi.Output[str],
        topic: AlarmTopic,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register what makes the backups. `alerts_table` is the ARN of the region's own replica."""
        super().__init__("incident:region:BackupSchedules", context.logical("backups"), None, opts)
        self._context, self._bucket, self._table = context, bucket, alerts_table
        self._child = pulumi.ResourceOptions(parent=self)
        names, started = context.names, {"time": SCHEDULED_TIME}
        watch, incremental, copies = (
            self._full_export_watch(),
            self._incremental_export(),
            self._daily_copies(),
        )
        machines = (watch.arn, incremental.arn, copies.arn)
        role = ServiceRole(
            context,
            "backup-schedules",
            service="scheduler.amazonaws.com",
            source=context.arn("scheduler", "schedule-group/default"),
            grants=(*self._exporting(), Grant(("states:StartExecution",), machines)),
            opts=self._child,
        )
        for key, name, expression, target, arguments in (
            (FULL, names.full_export, FULL_EXPORT_SCHEDULE, EXPORT_API, self._full_export()),
            ("full-export-watch", names.full_export_watch, FULL_EXPORT_SCHEDULE, watch.arn, started),
            (INCREMENTAL, names.incremental_export, INCREMENTAL_EXPORT_SCHEDULE, incremental.arn, started),
            (COPIES, names.daily_copies, COPY_SCHEDULE, copies.arn, started),
        ):
            aws.scheduler.Schedule(
                context.logical(key),
                region=context.region,
                name=name,
                schedule_expression=expression,
                flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
                target=aws.scheduler.ScheduleTargetArgs(
                    arn=target, role_arn=role.arn, input=pulumi.Output.json_dumps(arguments)
                ),
                opts=self._child,
            )
        max_age_h = context.config.export_max_age_h
        self._alarm(FULL, topic, age_h=DAILY_WITHIN_H, silent_h=DAILY_WITHIN_H)
        # The newest export ages by an hour from one value to the next, so it is as old an hour sooner.
        self._alarm(INCREMENTAL, topic, age_h=max_age_h, silent_h=max_age_h - 1)
        self._alarm(COPIES, topic, age_h=DAILY_WITHIN_H, silent_h=DAILY_WITHIN_H)
        self.register_outputs({})

    def _full_export(self) -> Mapping[str, pulumi.Input[str]]:
        """The arguments by which Scheduler itself asks DynamoDB for an export, without a function between."""
        return full_export_request(
            table_arn=self._table,
            bucket=self._bucket.name,
            prefix=export_prefix(SCHEDULED_TIME),
            token=f"{FULL}-{SCHEDULED_TIME}",
        )

    def _full_export_watch(self) -> aws.sfn.StateMachine:
        stack = self._context.config.stack
        definition = pulumi.Output.all(self._table, self._bucket.name).apply(
            lambda known: json.dumps(full_export_watch(table_arn=known[0], bucket=known[1], stack=stack))
        )
        grants = (*self._exporting(), self._describing())
        return self._machine("full-export-watch", self._context.names.full_export_watch, definition, grants)

    def _incremental_export(self) -> aws.sfn.StateMachine:
        config = self._context.config
        definition = pulumi.Output.all(self._table, self._bucket.name).apply(
            lambda known: json.dumps(
                incremental_export(
                    table_arn=known[0], bucket=known[1], stack=config.stack, hours=config.export_max_age_h
                )
            )
        )
        grants = (*self._exporting(), self._describing())
        return self._machine(INCREMENTAL, self._context.names.incremental_export, definition, grants)

    def _daily_copies(self) -> aws.sfn.StateMachine:
        stack = self._context.config.stack
        definition = self._bucket.name.apply(
            lambda bucket: json.dumps(daily_copies(bucket=bucket, stack=stack))
        )
        latest = tuple(pulumi.Output.concat(self._bucket.arn, f"/{key}") for key in LATEST_KEYS)
        grants = (
            Grant(("s3:GetObject",), latest),
            Grant(("s3:PutObject",), (self._under(CONFIGS), self._under(PACKAGES))),
        )
        return self._machine(COPIES, self._context.names.daily_copies, definition, grants)

    def _machine(
        self, purpose: str, name: str, definition: pulumi.Output[str], grants: Iterable[Grant]
    ) -> aws.sfn.StateMachine:
        """A metric has no ARN, but a namespace.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
        """
        context = self._context
        measuring = Grant(
            ("cloudwatch:PutMetricData",), ("*",), {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
        )
        role = ServiceRole(
            context,
            purpose,
            service="states.amazonaws.com",
            source=context.arn("states", f"stateMachine:{name}"),
            grants=(*grants, measuring),
            opts=self._child,
        )
        return aws.sfn.StateMachine(
            context.logical(purpose),
            region=context.region,
            name=name,
            type="STANDARD",
            definition=definition,
            role_arn=role.arn,
            tags=context.tags,
            opts=self._child,
        )

    def _exporting(self) -> tuple[Grant, ...]:
        """What who asks DynamoDB for an export may do: it writes with the asker's permissions."""
        return (
            Grant(("dynamodb:ExportTableToPointInTime",), (self._table,)),
            Grant(_WRITE_EXPORT, (self._under(EXPORTS),)),
        )

    def _describing(self) -> Grant:
        """An export's id is made by AWS."""
        return Grant(("dynamodb:DescribeExport",), (pulumi.Output.concat(self._table, "/export/*"),))

    def _under(self, prefix: str) -> pulumi.Output[str]:
        """The objects under a prefix of the bucket; what follows it is a date, which nobody knows before."""
        return pulumi.Output.concat(self._bucket.arn, f"/{prefix}/*")

    def _alarm(self, backup: str, topic: AlarmTopic, *, age_h: int, silent_h: int) -> None:
        """Goes off when the newest good backup is older than it may be, or has not been heard of for so long.

        Silence is a fault, whether Scheduler, the machine, DynamoDB or S3 failed. A new stack has no backup
        yet, so it begins with the alarm. An alarm looks back over seven days at most.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        """
        context = self._context
        aws.cloudwatch.MetricAlarm(
            context.logical(f"{backup}-age"),
            region=context.region,
            name=context.names.backup_age_alarm(backup),
            alarm_description=context.described(
                f"The newest good {backup} is older than {age_h} hours, or none is known. Changes may be in "
                "no export: responder dr status says from when on; responder dr export makes a full one"
            ),
            namespace=NAMESPACE,
            metric_name=BACKUP_AGE,
            dimensions={STACK_DIMENSION: context.config.stack, BACKUP_DIMENSION: backup},
            statistic="Minimum",
            period=INCREMENTAL_EVERY_S,
            evaluation_periods=silent_h,
            threshold=age_h * 3_600,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="breaching",
            alarm_actions=[topic.arn],
            tags=context.tags,
            opts=self._child,
        )
