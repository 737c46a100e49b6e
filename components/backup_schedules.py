"""What makes a region's backups: exports of its replica, daily copies, and the alarm on old exports."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.backup_bucket import BackupBucket
from components.policies import Grant
from components.service_role import ServiceRole
from components.site import Site
from components.state_machines import LATEST_KEYS, daily_copies, incremental_export
from topology.backups import (
    CONFIGS,
    COPY_SCHEDULE,
    EXPORTS,
    FULL_EXPORT_SCHEDULE,
    INCREMENTAL_EXPORT_SCHEDULE,
    INCREMENTAL_WINDOW_S,
    PACKAGES,
    export_prefix,
)
from topology.metrics import EXPORT_AGE, NAMESPACE, STACK_DIMENSION

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""What Scheduler puts its own time in for, the same at each try of one run.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""

EXPORT_API: Final = "arn:aws:scheduler:::aws-sdk:dynamodb:exportTableToPointInTime"

_WRITE_EXPORT: Final = ("s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectAcl")
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html"""


class BackupSchedules(pulumi.ComponentResource):
    """Schedules, state machines and the alarm of one region.

    Each region exports its own replica of the ledger into its own bucket and dates its own copies, so that
    whichever is left goes on by itself. What that costs twice is the price of the exports.

    A schedule keeps Scheduler's own retries, for 24 hours: a run that comes late has the same time, and so
    the same window, prefix and client token.
    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
    """

    def __init__(
        self,
        site: Site,
        *,
        bucket: BackupBucket,
        alerts_table: pulumi.Output[str],
        topic: AlarmTopic,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register what makes the backups. `alerts_table` is the ARN of the region's own replica."""
        super().__init__("incident:region:BackupSchedules", site.logical("backups"), None, opts)
        self._site, self._bucket, self._table = site, bucket, alerts_table
        self._child = pulumi.ResourceOptions(parent=self)
        incremental, copies = self._incremental_export(), self._daily_copies()
        role = ServiceRole(
            site,
            "backup-schedules",
            service="scheduler.amazonaws.com",
            source=site.arn("scheduler", "schedule-group/default"),
            grants=(*self._exporting(), Grant(("states:StartExecution",), (incremental.arn, copies.arn))),
            opts=self._child,
        )
        names, started = site.names, {"time": SCHEDULED_TIME}
        for key, name, expression, target, arguments in (
            ("full-export", names.full_export, FULL_EXPORT_SCHEDULE, EXPORT_API, self._full_export()),
            (
                "incremental-export",
                names.incremental_export,
                INCREMENTAL_EXPORT_SCHEDULE,
                incremental.arn,
                started,
            ),
            ("daily-copies", names.daily_copies, COPY_SCHEDULE, copies.arn, started),
        ):
            aws.scheduler.Schedule(
                site.logical(key),
                region=site.region,
                name=name,
                schedule_expression=expression,
                flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
                target=aws.scheduler.ScheduleTargetArgs(
                    arn=target, role_arn=role.arn, input=pulumi.Output.json_dumps(arguments)
                ),
                opts=self._child,
            )
        self._alarm(topic)
        self.register_outputs({})

    def _full_export(self) -> Mapping[str, pulumi.Input[str]]:
        """The arguments by which Scheduler itself asks DynamoDB for an export, without a function between."""
        return {
            "TableArn": self._table,
            "S3Bucket": self._bucket.name,
            "S3Prefix": export_prefix(SCHEDULED_TIME),
            "ExportFormat": "DYNAMODB_JSON",
            "ClientToken": f"full-{SCHEDULED_TIME}",
        }

    def _incremental_export(self) -> aws.sfn.StateMachine:
        """A metric has no ARN, but a namespace; an export's id is made by AWS.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
        """
        stack = self._site.config.stack
        definition = pulumi.Output.all(self._table, self._bucket.name).apply(
            lambda known: json.dumps(incremental_export(table_arn=known[0], bucket=known[1], stack=stack))
        )
        grants = (
            *self._exporting(),
            Grant(("dynamodb:DescribeExport",), (pulumi.Output.concat(self._table, "/export/*"),)),
            Grant(
                ("cloudwatch:PutMetricData",), ("*",), {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
            ),
        )
        return self._machine("incremental-export", self._site.names.incremental_export, definition, grants)

    def _daily_copies(self) -> aws.sfn.StateMachine:
        definition = self._bucket.name.apply(lambda bucket: json.dumps(daily_copies(bucket=bucket)))
        latest = tuple(pulumi.Output.concat(self._bucket.arn, f"/{key}") for key in LATEST_KEYS)
        grants = (
            Grant(("s3:GetObject",), latest),
            Grant(("s3:PutObject",), (self._under(CONFIGS), self._under(PACKAGES))),
        )
        return self._machine("daily-copies", self._site.names.daily_copies, definition, grants)

    def _machine(
        self, purpose: str, name: str, definition: pulumi.Output[str], grants: Iterable[Grant]
    ) -> aws.sfn.StateMachine:
        site = self._site
        role = ServiceRole(
            site,
            purpose,
            service="states.amazonaws.com",
            source=site.arn("states", f"stateMachine:{name}"),
            grants=grants,
            opts=self._child,
        )
        return aws.sfn.StateMachine(
            site.logical(purpose),
            region=site.region,
            name=name,
            type="STANDARD",
            definition=definition,
            role_arn=role.arn,
            tags=site.tags,
            opts=self._child,
        )

    def _exporting(self) -> tuple[Grant, ...]:
        """What who asks DynamoDB for an export may do: it writes with the asker's permissions."""
        return (
            Grant(("dynamodb:ExportTableToPointInTime",), (self._table,)),
            Grant(_WRITE_EXPORT, (self._under(EXPORTS),)),
        )

    def _under(self, prefix: str) -> pulumi.Output[str]:
        """The objects under a prefix of the bucket; what follows it is a date, which nobody knows before."""
        return pulumi.Output.concat(self._bucket.arn, f"/{prefix}/*")

    def _alarm(self, topic: AlarmTopic) -> None:
        """Goes off when no export of the last hours was good and young enough, or nobody knows.

        The newest good export ages from one hourly value to the next, so as many hours without a value make
        an alarm as the configured age has, less the one that the last value already was. A new stack has no
        export, so it begins with the alarm.
        """
        site, max_age_h = self._site, self._site.config.export_max_age_h
        aws.cloudwatch.MetricAlarm(
            site.logical("export-age"),
            region=site.region,
            name=site.names.export_age_alarm,
            alarm_description=(
                f"The newest good export of the ledger is older than {max_age_h} hours, or none is known: "
                "responder dr exports shows them"
            ),
            namespace=NAMESPACE,
            metric_name=EXPORT_AGE,
            dimensions={STACK_DIMENSION: site.config.stack},
            statistic="Minimum",
            period=INCREMENTAL_WINDOW_S,
            evaluation_periods=max_age_h - 1,
            threshold=max_age_h * 3_600,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="breaching",
            alarm_actions=[topic.arn],
            tags=site.tags,
            opts=self._child,
        )
