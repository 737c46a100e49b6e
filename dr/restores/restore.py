"""Restoring the ledger into a new table: from an export, to a point in time, or from an AWS Backup.

Nothing here writes into a table that was there before. What a restore drops is reapplied by
`dr.restores.settings`. A strong ledger cannot be restored as one: its items are copied into a new empty
table, made strong first.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from dr.comparison.items import compare
from dr.comparison.states import Side
from dr.exports.manifest import Export, Finding
from dr.exports.requests import endpoints_of
from dr.exports.row_schema import OtherSchemaError, other_schema, refusal
from dr.restores.calls import (
    GO_ON,
    OnStep,
    RegionalAws,
    RestoreFailedError,
    RestoreRefusedError,
    when,
)
from dr.restores.preconditions import NOT_THERE, permit_fill, permit_new, refuse_incremental, refuse_live
from dr.restores.settings import (
    Settings,
    SettingsUnknownError,
    differences,
    read_settings,
    reapply,
    wait_active,
)
from dr.restores.table_definition import table_definition
from dr.restores.table_items import Copied, copy_items, spool_table
from topology.config_keys import STRONG
from topology.tables import ALERTS

RESTORE_WITHIN_S: Final = 6 * 3_600

SAMPLE_ROWS: Final = 100
"""Rows of a restored table whose schema is looked at: a backup cannot be read before it is restored, and all
of its rows were written by the same release, or by two in a row."""


@dataclass(frozen=True)
class Restored:
    """A restored table. `lacking`: settings that are not as wanted and could not be reapplied."""

    table: str
    region: str
    source: str
    reapplied: tuple[str, ...]
    lacking: tuple[Finding, ...]


@dataclass(frozen=True)
class Restorer:
    """Restores the ledger of a stack in one region. `wanted`: the settings that the new table gets.

    Each way raises `OtherSchemaError` where restored rows are of a schema that this release does not read.
    """

    deployment: Deployment
    region: str
    wanted: Settings
    on_step: OnStep = lambda _: None
    within_s: float = RESTORE_WITHIN_S

    @property
    def _aws(self) -> RegionalAws:
        return RegionalAws(self.deployment, self.region, self.on_step, self.within_s)

    def import_export(self, export: Export, *, target: str) -> Restored:
        """Have DynamoDB import a full export from the region's own backup bucket; it is to be checked first.

        Raises:
            RestoreRefusedError: the target is there or no new table's, or the export is incremental.
            RestoreFailedError: the import failed.
        """
        permit_new(self._aws, target)
        refuse_incremental(export)
        bucket = endpoints_of(self.deployment, self.region).backup_bucket
        self.on_step(f"DynamoDB imports {export.root} into {target}")
        answer = self._aws.call(
            "dynamodb",
            "import_table",
            S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": f"{export.root}/data/"},
            InputFormat="DYNAMODB_JSON",
            InputCompressionType="GZIP",
            TableCreationParameters=table_definition(ALERTS, target),
        )
        self._aws.await_import(answer["ImportTableDescription"]["ImportArn"], target)
        return self._finish(target, export.root)

    def to_time(self, at: datetime, *, target: str) -> Restored:
        """Restore the live ledger's state at a time, by point-in-time recovery, which knows whole seconds.

        A time of the last minutes is waited for: AWS can restore up to five minutes ago.

        Raises:
            RestoreRefusedError: the target is there or no new table's, the time is outside of the window, or
                the ledger itself is gone.
            RestoreFailedError: the restore failed.
        """
        permit_new(self._aws, target)
        at, table = at.replace(microsecond=0), self.deployment.alerts_table
        self._aws.await_restorable(at)
        self.on_step(f"DynamoDB restores {table} as of {when(at)} into {target}")
        self._aws.call(
            "dynamodb",
            "restore_table_to_point_in_time",
            SourceTableName=table,
            TargetTableName=target,
            RestoreDateTime=at,
        )
        return self._finish(target, f"{table} as of {when(at)}")

    def resume(self, target: str) -> Restored:
        """Go on with a restore that was broken off after AWS began it: wait for the table, and complete it.

        What it shows is what the restore was asked for. It writes no items.

        Raises:
            RestoreRefusedError: it is a live table, it is not there, or AWS did not fill it.
            RestoreFailedError: its import failed, it does not come up, or does not take its settings.
        """
        refuse_live(self.deployment, target)
        table = self._aws.describe(target)
        if table is None and self._aws.backup_restored(target):
            table = self._aws.describe(target)
        if table is None:
            raise RestoreRefusedError(NOT_THERE.format(target, self.region))
        arn = table["TableArn"]
        imports = self._aws.call("dynamodb", "list_imports", TableArn=arn)["ImportSummaryList"]
        for summary in imports:
            self._aws.await_import(summary["ImportArn"], target)
        if not imports and "RestoreSummary" not in table and not self._aws.backup_restored(target):
            raise RestoreRefusedError(
                f"{target} was neither restored nor imported; an interrupted copy goes on by the same --copy"
            )
        return self._finish(target, "a restore that was broken off")

    def from_backup(self, recovery_point: str | None, *, target: str, role_arn: str) -> Restored:
        """Restore a recovery point of the region's vault, by default the newest completed one of the ledger.

        Raises:
            RestoreRefusedError: the target is there or no new table's, or there is no such recovery point.
            RestoreFailedError: the restore job failed.
        """
        permit_new(self._aws, target)
        point = self._aws.recovery_point(recovery_point)
        self.on_step(f"AWS Backup restores {point} into {target}")
        job = self._aws.call(
            "backup",
            "start_restore_job",
            RecoveryPointArn=point,
            Metadata={"targetTableName": target},
            IamRoleArn=role_arn,
            ResourceType="DynamoDB",
        )["RestoreJobId"]
        state = self._aws.await_restore_job(job, target)
        if state["Status"] != "COMPLETED":
            raise RestoreFailedError(
                f"the restore job {job} is {state['Status']}: {state.get('StatusMessage', 'no reason given')}"
            )
        return self._finish(target, point)

    def copy(
        self, side: Side, *, target: str, progress_file: Path, progress: Callable[[int, int], None]
    ) -> tuple[Restored, Copied]:
        """Copy a state's items into a new table, made empty with the wanted consistency and replicas.

        Resumable: the target may be there with its progress file, or if it is empty.

        Raises:
            RestoreRefusedError: the target is there with items and without progress, or it is a live table.
            RestoreFailedError: it is not as the state is afterwards, item by item.
            TableUnwritableError: it does not take items.
        """
        refuse_live(self.deployment, target)
        if not progress_file.exists():
            self.on_step(f"{target} is made, empty")
            self._make_empty(target)
        dynamodb = self.deployment.clients.client("dynamodb", self.region)
        self.on_step(f"items of {side.label} are copied into {target}")
        copied = copy_items(
            side,
            dynamodb=dynamodb,
            table=target,
            key=ALERTS.hash_key,
            progress_file=progress_file,
            progress=progress,
        )
        self.on_step(f"{target} is compared with {side.label}")
        with tempfile.TemporaryDirectory(prefix="responder-dr-") as folder:
            there = spool_table(dynamodb, target, Path(folder))
            comparison = compare(side, there, key=ALERTS.hash_key, scratch=Path(folder))
        if not comparison.same:
            raise RestoreFailedError(
                f"{target} is not {side.label}: {comparison.changed} items changed, "
                f"{comparison.missing} missing, {comparison.extra} too many, {comparison.broken} unreadable; "
                "it was not new, or somebody writes to it"
            )
        return self._finish(target, side.label), copied

    def _make_empty(self, target: str) -> None:
        """Make the target, or go on with one that was made and not filled."""
        there = permit_fill(self._aws, target)
        if there is None:
            self._aws.call("dynamodb", "create_table", **table_definition(ALERTS, target))
        self._aws.await_active(target)
        strong = STRONG.upper()
        is_strong = there is not None and there.get("MultiRegionConsistency") == strong
        if self.wanted.consistency == strong and not is_strong:
            witness = self._witness()
            updates = [{"Create": {"RegionName": replica}} for replica in self.wanted.replicas]
            self._aws.call(
                "dynamodb",
                "update_table",
                TableName=target,
                ReplicaUpdates=updates,
                MultiRegionConsistency=strong,
                **({"GlobalTableWitnessUpdates": [{"Create": {"RegionName": witness}}]} if witness else {}),
            )
            self._aws.await_active(target)

    def _witness(self) -> str:
        """The witness of the live ledger; empty where it has none, or is gone itself."""
        described = self._aws.describe(self.deployment.alerts_table) or {}
        regions = [witness["RegionName"] for witness in described.get("GlobalTableWitnesses", [])]
        return str(regions[0]) if regions else ""

    def _finish(self, target: str, source: str) -> Restored:
        self._aws.await_active(target)
        rows = self._aws.call("dynamodb", "scan", TableName=target, Limit=SAMPLE_ROWS, ConsistentRead=True)[
            "Items"
        ]
        if number := next(filter(None, map(other_schema, rows)), None):
            raise OtherSchemaError(f"{target} is restored and not to be used: {refusal(number)}")
        self.on_step(f"{target} gets back what a restore drops")
        clients = self.deployment.clients
        try:
            reapplied = reapply(clients, self.region, target, self.wanted)
            settings = read_settings(clients, self.region, target)
        except SettingsUnknownError as error:
            raise RestoreFailedError(f"{error}: {GO_ON.format(target)}") from error
        lacking = differences(self.wanted, settings, table=target)
        return Restored(target, self.region, source, tuple(reapplied), tuple(lacking))


def remove_restored(deployment: Deployment, region: str, table: str) -> None:
    """Delete a table that was restored in a rehearsal, and its replicas; one that is gone is no error.

    Raises:
        RestoreRefusedError: it is a table of the stack itself.
        RestoreFailedError: it cannot be deleted.
    """
    if table in (deployment.alerts_table, deployment.analysis_cache_table, deployment.coordination_table):
        raise RestoreRefusedError(f"{table} is a table of the running stack and stays")
    dynamodb = deployment.clients.client("dynamodb", region)
    try:
        described = dynamodb.describe_table(TableName=table)["Table"]
        if described.get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        for replica in described.get("Replicas", []):
            if replica["RegionName"] != region:
                dynamodb.update_table(
                    TableName=table, ReplicaUpdates=[{"Delete": {"RegionName": replica["RegionName"]}}]
                )
                wait_active(dynamodb, table)
        dynamodb.delete_table(TableName=table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise RestoreFailedError(f"{table} in {region} cannot be deleted: {error}") from error
    except BotoCoreError as error:
        raise RestoreFailedError(f"{table} in {region} cannot be deleted: {error}") from error


def new_table_name(deployment: Deployment, now: datetime) -> str:
    """A name for a restored ledger that no other has: the ledger's with the time behind it."""
    return deployment.names.restored(ALERTS, f"{now.astimezone(UTC):%Y%m%dT%H%M%S}")
