"""Restoring the ledger into a new table: from an export, to a point in time, or from an AWS Backup.

Nothing here writes into a table that was there before. What a restore drops is put back by `dr.settings`. A
strong ledger cannot be restored as one: its items are copied into a new empty table, made strong first.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from dr.exports import endpoints_of
from dr.manifest import Export, Finding
from dr.settings import Settings, differences, read_settings, reapply, wait_active
from dr.states import Side
from dr.table_definition import table_definition
from dr.table_items import Copied, copy_items
from topology.config import STRONG
from topology.tables import ALERTS

RESTORE_WITHIN_S: Final = 6 * 3_600
POLLS_S: Final = (0.2, 15.0)

_FINISHED: Final = frozenset({"COMPLETED", "FAILED", "ABORTED", "CANCELLED"})

OnStep = Callable[[str], None]
"""Called with what is done next."""


class RestoreRefusedError(Exception):
    """What was asked for would harm a table or cannot be; the message has the rule. Nothing was done."""


class RestoreFailedError(Exception):
    """AWS did not restore it, or not in time; the new table, if there is one, is not to be used."""


@dataclass(frozen=True)
class Restored:
    """A restored table. `lacking`: settings that are not as wanted and could not be put back."""

    table: str
    region: str
    source: str
    put_back: tuple[str, ...]
    lacking: tuple[Finding, ...]


@dataclass(frozen=True)
class Restorer:
    """Restores the ledger of a stack in one region. `wanted`: the settings that the new table gets."""

    deployment: Deployment
    region: str
    wanted: Settings
    on_step: OnStep = lambda _: None
    within_s: float = RESTORE_WITHIN_S

    def import_export(self, export: Export, *, target: str) -> Restored:
        """Have DynamoDB import a full export from the region's own backup bucket; `dr.check` it before.

        Raises:
            RestoreRefusedError: the target is there or no new table's, or the export is incremental.
            RestoreFailedError: the import failed.
        """
        self._permit(target)
        bucket = endpoints_of(self.deployment, self.region).backup_bucket
        if export.summary.incremental:
            raise RestoreRefusedError(
                "DynamoDB imports full exports only; copy the full one and its changes into a table by --copy"
            )
        self.on_step(f"DynamoDB imports {export.root} into {target}")
        answer = self._call(
            "dynamodb",
            "import_table",
            S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": f"{export.root}/data/"},
            InputFormat="DYNAMODB_JSON",
            InputCompressionType="GZIP",
            TableCreationParameters=table_definition(ALERTS, target),
        )
        arn = answer["ImportTableDescription"]["ImportArn"]
        state = self._until_finished(
            lambda: self._call("dynamodb", "describe_import", ImportArn=arn)["ImportTableDescription"],
            "ImportStatus",
        )
        if state["ImportStatus"] != "COMPLETED" or state.get("ErrorCount"):
            raise RestoreFailedError(
                f"the import into {target} is {state['ImportStatus']}, {state.get('ErrorCount', 0)} errors: "
                f"{state.get('FailureMessage', 'no reason given')}"
            )
        return self._finish(target, export.root)

    def to_time(self, at: datetime, *, target: str) -> Restored:
        """Restore the live ledger's state at a time, by point-in-time recovery, which knows whole seconds.

        Raises:
            RestoreRefusedError: the target is there or no new table's, or the time is outside of the window.
            RestoreFailedError: the restore failed.
        """
        self._permit(target)
        at, table = at.replace(microsecond=0), self.deployment.alerts_table
        window = self._call("dynamodb", "describe_continuous_backups", TableName=table)
        described = window["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        earliest, latest = (
            described.get("EarliestRestorableDateTime"),
            described.get("LatestRestorableDateTime"),
        )
        if described.get("PointInTimeRecoveryStatus") != "ENABLED" or earliest is None or latest is None:
            raise RestoreRefusedError(f"point-in-time recovery of {table} is off in {self.region}")
        if not earliest <= at <= latest:
            raise RestoreRefusedError(
                f"{table} can be restored to a time from {_text(earliest)} to {_text(latest)}, "
                f"not to {_text(at)}"
            )
        self.on_step(f"DynamoDB restores {table} as of {_text(at)} into {target}")
        self._call(
            "dynamodb",
            "restore_table_to_point_in_time",
            SourceTableName=table,
            TargetTableName=target,
            RestoreDateTime=at,
        )
        return self._finish(target, f"{table} as of {_text(at)}")

    def from_backup(self, recovery_point: str | None, *, target: str, role_arn: str) -> Restored:
        """Restore a recovery point of the region's vault, by default the newest completed one of the ledger.

        Raises:
            RestoreRefusedError: the target is there or no new table's, or there is no such recovery point.
            RestoreFailedError: the restore job failed.
        """
        self._permit(target)
        point = self._recovery_point(recovery_point)
        self.on_step(f"AWS Backup restores {point} into {target}")
        job = self._call(
            "backup",
            "start_restore_job",
            RecoveryPointArn=point,
            Metadata={"targetTableName": target},
            IamRoleArn=role_arn,
            ResourceType="DynamoDB",
        )["RestoreJobId"]
        state = self._until_finished(
            lambda: self._call("backup", "describe_restore_job", RestoreJobId=job), "Status"
        )
        if state["Status"] != "COMPLETED":
            raise RestoreFailedError(
                f"the restore job {job} is {state['Status']}: {state.get('StatusMessage', 'no reason given')}"
            )
        return self._finish(target, point)

    def copy(
        self, side: Side, *, target: str, progress_file: Path, progress: Callable[[int, int], None]
    ) -> tuple[Restored, Copied]:
        """Copy a state's items into a new table, made empty with the wanted consistency and replicas.

        Resumable: with its progress file there, the target may be there too.

        Raises:
            RestoreRefusedError: the target is there without progress, or it is a live table.
            TableUnwritableError: it does not take items.
        """
        if not progress_file.exists():
            self._permit(target)
            self.on_step(f"{target} is made, empty")
            self._make_empty(target)
        elif target in self._live():
            raise RestoreRefusedError(f"{target} is a table of the running stack; name a new one")
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
        return self._finish(target, side.label), copied

    def _make_empty(self, target: str) -> None:
        dynamodb = self.deployment.clients.client("dynamodb", self.region)
        strong = self.wanted.consistency == STRONG.upper()
        self._call(
            "dynamodb", "create_table", **table_definition(ALERTS, target), StreamSpecification=_STREAM
        )
        self._wait_active(target)
        if strong:
            witness = self._witness()
            updates = [{"Create": {"RegionName": replica}} for replica in self.wanted.replicas]
            self._call(
                "dynamodb",
                "update_table",
                TableName=target,
                ReplicaUpdates=updates,
                MultiRegionConsistency=STRONG.upper(),
                **({"GlobalTableWitnessUpdates": [{"Create": {"RegionName": witness}}]} if witness else {}),
            )
            wait_active(dynamodb, target)

    def _witness(self) -> str:
        """The witness of the live ledger; empty where it has none."""
        described = self._call("dynamodb", "describe_table", TableName=self.deployment.alerts_table)["Table"]
        found = [one["RegionName"] for one in described.get("GlobalTableWitnesses", [])]
        return str(found[0]) if found else ""

    def _finish(self, target: str, source: str) -> Restored:
        self._wait_active(target)
        self.on_step(f"{target} gets back what a restore drops")
        clients = self.deployment.clients
        put_back = reapply(clients, self.region, target, self.wanted)
        found = read_settings(clients, self.region, target)
        lacking = differences(self.wanted, found, table=target)
        return Restored(target, self.region, source, tuple(put_back), tuple(lacking))

    def _live(self) -> tuple[str, ...]:
        stack = self.deployment
        return stack.alerts_table, stack.analysis_cache_table, stack.coordination_table

    def _permit(self, target: str) -> None:
        """Refuse a target that is a live table or is there already."""
        if target in self._live():
            raise RestoreRefusedError(
                f"{target} is a table of the running stack; restores go into a new table, name another one"
            )
        try:
            self.deployment.clients.client("dynamodb", self.region).describe_table(TableName=target)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return
            raise RestoreRefusedError(f"whether {target} is there is unknown: {error}") from error
        except BotoCoreError as error:
            raise RestoreRefusedError(f"{self.region} does not answer: {error}") from error
        raise RestoreRefusedError(f"the table {target} is there already; restores go into a new table")

    def _recovery_point(self, wanted: str | None) -> str:
        vault = endpoints_of(self.deployment, self.region).backup_vault
        points = self._call("backup", "list_recovery_points_by_backup_vault", BackupVaultName=vault)
        found = [
            point
            for point in points["RecoveryPoints"]
            if point["Status"] == "COMPLETED"
            and point["ResourceArn"].endswith(f"table/{self.deployment.alerts_table}")
        ]
        if wanted is not None:
            found = [point for point in found if point["RecoveryPointArn"] == wanted]
        if not found:
            raise RestoreRefusedError(
                f"the vault {vault} in {self.region} has no completed recovery point "
                f"{wanted or f'of {self.deployment.alerts_table}'}"
            )
        return str(max(found, key=lambda point: point["CreationDate"])["RecoveryPointArn"])

    def _wait_active(self, target: str) -> None:
        try:
            wait_active(
                self.deployment.clients.client("dynamodb", self.region), target, within_s=self.within_s
            )
        except (BotoCoreError, ClientError) as error:
            raise RestoreFailedError(f"{target} does not come up: {error}") from error

    def _until_finished(self, ask: Callable[[], dict[str, Any]], state: str) -> dict[str, Any]:
        deadline, pause_s = time.monotonic() + self.within_s, POLLS_S[0]
        while (answer := ask())[state] not in _FINISHED:
            if time.monotonic() > deadline:
                raise RestoreFailedError(f"it is still {answer[state]} after {self.within_s:.0f} s")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, POLLS_S[1])
        return answer

    def _call(self, service: str, action: str, **request: Any) -> dict[str, Any]:
        """Ask AWS; a refusal is an error to show."""
        try:
            answer: dict[str, Any] = getattr(self.deployment.clients.client(service, self.region), action)(
                **request
            )
        except (BotoCoreError, ClientError) as error:
            raise RestoreFailedError(f"{service} in {self.region} refuses {action}: {error}") from error
        return answer


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
    return f"{deployment.alerts_table}-restored-{now.astimezone(UTC):%Y%m%dT%H%M%S}"


_STREAM: Final = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
