"""Backup vaults with their locks, and the recovery points in them, emulated for DynamoDB.

ministack's vaults have neither locks nor recovery points. A lock's minimum keeps recovery points from being
deleted; nothing expires.
https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import backup

from emulator.aws.answers import Answer, RefusalError
from emulator.aws.backup.calls import Request, Routes, page
from emulator.aws.dynamodb.table_history import Item

DAY_S: Final = 86_400

CHANGEABLE_DAYS_MIN: Final = 3
"""The fewest days for which a compliance lock can still be taken off.
https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultLockConfiguration.html"""

LOCK_MEMBERS: Final = ("Locked", "LockDate", "MinRetentionDays", "MaxRetentionDays")

_points = AccountRegionScopedDict()


@dataclass(frozen=True)
class RecoveryPoint:
    """A table as it was: AWS's description of the point, the table's settings, and its items."""

    described: dict[str, Any]
    settings: dict[str, Any]
    items: list[Item]


def vault_of(name: str) -> dict[str, Any]:
    """A vault of this region, as ministack keeps it.

    Raises:
        RefusalError: there is none.
    """
    vault: dict[str, Any] | None = backup._vaults.get(name)
    if vault is None:
        raise RefusalError("ResourceNotFoundException", f"Backup vault {name} not found in {get_region()}")
    return vault


def find_point(arn: str, vault_name: str | None = None) -> RecoveryPoint:
    """A recovery point of this region, in that vault if one is named.

    Raises:
        RefusalError: there is none.
    """
    point: RecoveryPoint | None = _points.get(arn)
    if point is None or vault_name not in {None, point.described["BackupVaultName"]}:
        raise RefusalError("ResourceNotFoundException", f"Recovery point {arn} not found in {get_region()}")
    return point


def keep(point: RecoveryPoint, region: str, vault: dict[str, Any]) -> None:
    """Put a recovery point into a vault, which may be in another region."""
    _points.set_scoped(get_account_id(), region, point.described["RecoveryPointArn"], point)
    vault["NumberOfRecoveryPoints"] += 1


def breach_of_lock(vault: Mapping[str, Any], lifecycle: Mapping[str, Any] | None) -> str:
    """Why a locked vault takes no recovery point with such a lifecycle; empty if it does."""
    days = (lifecycle or {}).get("DeleteAfterDays")
    least, most = vault.get("MinRetentionDays", 0), vault.get("MaxRetentionDays")
    if not vault["Locked"] or (days is None and most is None):
        return ""
    if days is None or days < least or (most is not None and days > most):
        limits = f"{least} to {most or 'any number of'} days"
        return f"Retention of {days} days is outside of the vault lock's {limits}"
    return ""


def _points_of(vault: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The descriptions of a vault's recovery points, the newest first."""
    held = [
        point.described
        for point in _points.values()
        if point.described["BackupVaultArn"] == vault["BackupVaultArn"]
    ]
    return sorted(held, key=lambda described: float(described["CreationDate"]), reverse=True)


def _asked_for(request: Request) -> RecoveryPoint:
    vault_name, arn = request.path
    return find_point(arn, vault_name)


def _list_points(request: Request) -> Answer:
    return page(_points_of(vault_of(request.path[0])), request.query, "RecoveryPoints")


def _list_points_of_resource(request: Request) -> Answer:
    points = [p.described for p in _points.values() if p.described["ResourceArn"] == request.path[0]]
    return page(points, request.query, "RecoveryPoints")


def _describe_point(request: Request) -> dict[str, Any]:
    return _asked_for(request).described


def _restore_metadata(request: Request) -> dict[str, Any]:
    described = _asked_for(request).described
    names = ("BackupVaultArn", "RecoveryPointArn", "ResourceType")
    metadata = {"originalTableName": described["ResourceName"], "encryptionType": "Default"}
    return {**{name: described[name] for name in names}, "RestoreMetadata": metadata}


def _delete_point(request: Request) -> dict[str, Any]:
    vault, point = vault_of(request.path[0]), _asked_for(request)
    if vault["Locked"]:
        message = "Recovery point cannot be deleted (Backup vault configured with Lock)"
        raise RefusalError("InvalidRequestException", message)
    _points.pop(point.described["RecoveryPointArn"])
    vault["NumberOfRecoveryPoints"] -= 1
    return {}


def _lock(request: Request) -> dict[str, Any]:
    vault, days = vault_of(request.path[0]), request.body.get("ChangeableForDays")
    if days is not None and days < CHANGEABLE_DAYS_MIN:
        raise RefusalError(
            "InvalidParameterValueException", f"ChangeableForDays must be {CHANGEABLE_DAYS_MIN} or more"
        )
    _refuse_if_final(vault)
    _take_lock_off(vault)
    vault |= {name: value for name, value in request.body.items() if name in LOCK_MEMBERS} | {"Locked": True}
    if days is not None:
        vault["LockDate"] = time.time() + days * DAY_S
    return {}


def _unlock(request: Request) -> dict[str, Any]:
    vault = vault_of(request.path[0])
    _refuse_if_final(vault)
    _take_lock_off(vault)
    return {}


def _take_lock_off(vault: dict[str, Any]) -> None:
    for name in LOCK_MEMBERS:
        vault.pop(name, None)
    vault["Locked"] = False


def _refuse_if_final(vault: Mapping[str, Any]) -> None:
    if vault.get("LockDate", float("inf")) <= time.time():
        raise RefusalError("InvalidRequestException", "The vault lock can be changed no more")


def _delete_vault(request: Request) -> dict[str, Any]:
    vault = vault_of(request.path[0])
    if _points_of(vault):
        message = f"Backup vault {request.path[0]} cannot be deleted because it contains recovery points"
        raise RefusalError("InvalidRequestException", message)
    backup._vaults.pop(request.path[0])
    return {}


_VAULT: Final = r"/backup-vaults/([^/]+)"
_POINT: Final = _VAULT + r"/recovery-points/([^/]+)"

ROUTES: Final[Routes] = {
    ("DELETE", _VAULT): _delete_vault,
    ("PUT", _VAULT + "/vault-lock"): _lock,
    ("DELETE", _VAULT + "/vault-lock"): _unlock,
    ("GET", _VAULT + "/recovery-points"): _list_points,
    ("GET", _POINT): _describe_point,
    ("DELETE", _POINT): _delete_point,
    ("GET", _POINT + "/restore-metadata"): _restore_metadata,
    ("GET", "/resources/(.+)/recovery-points"): _list_points_of_resource,
}
