"""Jobs of AWS Backup that back a DynamoDB table up, copy a recovery point, and restore one: emulated.

ministack's jobs make no recovery point, and it has no copies and no restores. Jobs are over when their call
returns, and a plan's time never comes: start its jobs by hand.
https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-dynamodb.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import copy
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import backup, dynamodb

from emulator.aws.answers import RefusalError
from emulator.aws.backup.calls import Request, Routes, page
from emulator.aws.backup.vaults import DAY_S, RecoveryPoint, breach_of_lock, find_point, keep, vault_of
from emulator.aws.dynamodb.point_in_time import items_of, restored_table

_copies = AccountRegionScopedDict()
_restores = AccountRegionScopedDict()


def _start_backup(request: Request) -> dict[str, Any]:
    vault, arn = vault_of(request.body["BackupVaultName"]), str(request.body["ResourceArn"])
    name = dynamodb._table_name_from_arn(arn)
    table = dynamodb._tables.get(name) if name else None
    if table is None:
        raise RefusalError("ResourceNotFoundException", f"{arn} is no DynamoDB table of {get_region()}")
    described = _described(vault, request.body, get_region()) | {
        "ResourceArn": arn,
        "ResourceName": name,
        "ResourceType": "DynamoDB",
        "BackupSizeInBytes": sum(dynamodb._item_size_bytes(item) for item in items_of(table).values()),
    }
    too_short = breach_of_lock(vault, request.body.get("Lifecycle"))
    if not too_short:
        settings = {
            key: value for key, value in table.items() if key not in {"items", dynamodb._INDEX_MEMBERS}
        }
        items = copy.deepcopy(list(items_of(table).values()))
        keep(RecoveryPoint(described, copy.deepcopy(settings), items), get_region(), vault)
    job = _job(described) | {
        "BackupJobId": str(uuid.uuid4()),
        "State": "FAILED" if too_short else "COMPLETED",
        "StatusMessage": too_short,
        "StartBy": described["CreationDate"],
        "IsParent": False,
    }
    backup._jobs[job["BackupJobId"]] = job
    names = ("BackupJobId", "RecoveryPointArn", "CreationDate", "IsParent")
    return {key: job[key] for key in names if key in job}


def _start_copy(request: Request) -> dict[str, Any]:
    """Copy a recovery point at once, into whatever region the destination's vault is in."""
    source = find_point(request.body["RecoveryPointArn"], request.body["SourceBackupVaultName"])
    destination = str(request.body["DestinationBackupVaultArn"])
    region, name = destination.split(":")[3], destination.rpartition(":")[2]
    vault = backup._vaults.get_scoped(get_account_id(), region, name)
    if vault is None:
        raise RefusalError("ResourceNotFoundException", f"Backup vault {destination} not found")
    described = source.described | _described(vault, request.body, region)
    described["SourceBackupVaultArn"] = source.described["BackupVaultArn"]
    too_short = breach_of_lock(vault, request.body.get("Lifecycle"))
    if not too_short:
        keep(RecoveryPoint(described, source.settings, source.items), region, vault)
    job = _job(described) | {
        "CopyJobId": str(uuid.uuid4()),
        "SourceBackupVaultArn": source.described["BackupVaultArn"],
        "SourceRecoveryPointArn": source.described["RecoveryPointArn"],
        "DestinationBackupVaultArn": destination,
        "DestinationRecoveryPointArn": described["RecoveryPointArn"],
        "State": "FAILED" if too_short else "COMPLETED",
        "StatusMessage": too_short,
    }
    _copies[job["CopyJobId"]] = job
    return {"CopyJobId": job["CopyJobId"], "CreationDate": job["CreationDate"], "IsParent": False}


def _start_restore(request: Request) -> dict[str, Any]:
    """Restore a table. A restore that cannot be done is a job that failed, as on AWS."""
    point, now_s = find_point(request.body["RecoveryPointArn"]), time.time()
    target = {"TargetTableName": request.body["Metadata"].get("targetTableName")}
    job = _job(point.described | {"CreationDate": now_s, "CompletionDate": now_s}) | {
        "RestoreJobId": str(uuid.uuid4()),
        "RecoveryPointCreationDate": point.described["CreationDate"],
        "SourceResourceArn": point.described["ResourceArn"],
        "IamRoleArn": request.body.get("IamRoleArn", ""),
        "Status": "COMPLETED",
    }
    try:
        restored = restored_table(point.settings, copy.deepcopy(point.items), target)
        job["CreatedResourceArn"] = restored["TableArn"]
    except RefusalError as refusal:
        job |= {"Status": "FAILED", "StatusMessage": f"{refusal.code}: {refusal}"}
    _restores[job["RestoreJobId"]] = job
    return {"RestoreJobId": job["RestoreJobId"]}


def _job_of(jobs: AccountRegionScopedDict, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] | None = jobs.get(job_id)
    if job is None:
        raise RefusalError("ResourceNotFoundException", f"Job {job_id} not found")
    return job


def _described(vault: Mapping[str, Any], body: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The description of a recovery point that is made now."""
    now_s, lifecycle = time.time(), dict(body.get("Lifecycle") or {})
    days = lifecycle.get("DeleteAfterDays")
    return {
        "RecoveryPointArn": f"arn:aws:backup:{region}:{get_account_id()}:recovery-point:{uuid.uuid4()}",
        "BackupVaultName": vault["BackupVaultName"],
        "BackupVaultArn": vault["BackupVaultArn"],
        "IamRoleArn": body.get("IamRoleArn", ""),
        "Status": "COMPLETED",
        "CreationDate": now_s,
        "CompletionDate": now_s,
        "Lifecycle": lifecycle,
        "CalculatedLifecycle": {"DeleteAt": now_s + days * DAY_S} if days else {},
        "IsEncrypted": True,
        "StorageClass": "WARM",
        "IsParent": False,
    }


def _job(described: Mapping[str, Any]) -> dict[str, Any]:
    """The members that every kind of job has."""
    names = (
        "RecoveryPointArn", "BackupVaultName", "BackupVaultArn", "ResourceArn", "ResourceName",
        "ResourceType", "BackupSizeInBytes", "IamRoleArn", "CreationDate", "CompletionDate",
    )  # fmt: skip
    return {
        "AccountId": get_account_id(),
        "PercentDone": "100.0",
        **{name: described[name] for name in names},
    }


ROUTES: Final[Routes] = {
    ("PUT", "/backup-jobs"): _start_backup,
    ("PUT", "/copy-jobs"): _start_copy,
    ("GET", "/copy-jobs"): lambda call: page(_copies.values(), call.query, "CopyJobs"),
    ("GET", "/copy-jobs/([^/]+)"): lambda call: {"CopyJob": _job_of(_copies, call.path[0])},
    ("PUT", "/restore-jobs"): _start_restore,
    ("GET", "/restore-jobs"): lambda call: page(_restores.values(), call.query, "RestoreJobs"),
    ("GET", "/restore-jobs/([^/]+)"): lambda call: _job_of(_restores, call.path[0]),
}
