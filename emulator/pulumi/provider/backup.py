"""AWS Backup: vaults with their locks, plans with their selections; `backup_testing` has restore tests."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    pick,
    removed_tags,
)

_LIFECYCLE: Final = {"deleteAfter": "DeleteAfterDays"}


class Vault(ResourceType):
    """A vault; its id is its name. It is deleted with its recovery points where the program says so."""

    type = "aws:backup/vault:Vault"
    identity = frozenset({"name"})
    updates = frozenset({"forceDestroy", "tags"})
    replaces = frozenset({"name"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the vault with its tags."""
        arn = context.client("backup").create_backup_vault(
            BackupVaultName=inputs["name"], BackupVaultTags=inputs.get("tags", {})
        )["BackupVaultArn"]
        return Created(inputs["name"], {"arn": arn})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the tags. What happens at the deletion matters only then."""
        if "tags" in changed:
            _tag(context, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the vault, with its recovery points where `forceDestroy` is on."""
        backup = context.client("backup")
        if existing.inputs.get("forceDestroy"):
            pages = backup.get_paginator("list_recovery_points_by_backup_vault").paginate(
                BackupVaultName=existing.id
            )
            for arn in [point["RecoveryPointArn"] for page in pages for point in page["RecoveryPoints"]]:
                backup.delete_recovery_point(BackupVaultName=existing.id, RecoveryPointArn=arn)
        backup.delete_backup_vault(BackupVaultName=existing.id)


class VaultLock(ResourceType):
    """How long a vault's recovery points must stay; its id is the vault's name.

    It has no update, and its deletion takes the lock off whoever put it.
    https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/backup/vault_lock_configuration.go
    """

    _ARGUMENTS: Final = {
        "backupVaultName": "BackupVaultName",
        "changeableForDays": "ChangeableForDays",
        "maxRetentionDays": "MaxRetentionDays",
        "minRetentionDays": "MinRetentionDays",
    }
    type = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
    identity = frozenset({"backupVaultName"})
    replaces = frozenset(_ARGUMENTS)

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Lock the vault."""
        context.client("backup").put_backup_vault_lock_configuration(**pick(inputs, self._ARGUMENTS))
        return Created(inputs["backupVaultName"], {})

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the lock, which AWS refuses once a compliance lock's days of grace are over."""
        context.client("backup").delete_backup_vault_lock_configuration(BackupVaultName=existing.id)


class Plan(ResourceType):
    """A plan; its id is one that AWS gives."""

    type = "aws:backup/plan:Plan"
    identity = frozenset()
    updates = frozenset(
        {
            "rules.copyActions.destinationVaultArn",
            "rules.ruleName",
            "rules.targetVaultName",
            "tags",
        }
    )
    replaces = frozenset({"name"})
    ignored: ClassVar[Mapping[str, str]] = {
        "rules.completionWindow": "a job is over when its call returns",
        "rules.copyActions.lifecycle.deleteAfter": "recorded; no recovery point expires",
        "rules.lifecycle.deleteAfter": "recorded; no recovery point expires",
        "rules.schedule": "recorded; a job is started by hand",
        "rules.startWindow": "a job starts at once",
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the plan with its rules and tags."""
        plan = context.client("backup").create_backup_plan(
            BackupPlan=_plan(inputs), BackupPlanTags=inputs.get("tags", {})
        )
        return Created(plan["BackupPlanId"], {"arn": plan["BackupPlanArn"]})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the rules, all at once, or the tags."""
        if "rules" in changed:
            context.client("backup").update_backup_plan(BackupPlanId=existing.id, BackupPlan=_plan(inputs))
        if "tags" in changed:
            _tag(context, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the plan; its selection has been deleted before it."""
        context.client("backup").delete_backup_plan(BackupPlanId=existing.id)


class Selection(ResourceType):
    """The resources that a plan backs up; its id is one that AWS gives. It has no update."""

    type = "aws:backup/selection:Selection"
    identity = frozenset()
    replaces = frozenset({"iamRoleArn", "name", "planId", "resources"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Select resources by ARN."""
        selection = context.client("backup").create_backup_selection(
            BackupPlanId=inputs["planId"],
            BackupSelection=pick(
                inputs, {"name": "SelectionName", "iamRoleArn": "IamRoleArn", "resources": "Resources"}
            ),
        )
        return Created(selection["SelectionId"], {})

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the selection from its plan."""
        context.client("backup").delete_backup_selection(
            BackupPlanId=existing.inputs["planId"], SelectionId=existing.id
        )


RESOURCES: Final = (Vault(), VaultLock(), Plan(), Selection())


def _tag(context: ResourceContext, arn: str, existing: Existing, inputs: Inputs) -> None:
    backup = context.client("backup")
    removed = removed_tags(existing, inputs)
    if removed:  # the API takes no empty list
        backup.untag_resource(ResourceArn=arn, TagKeyList=removed)
    backup.tag_resource(ResourceArn=arn, Tags=inputs.get("tags", {}))


def _plan(inputs: Inputs) -> dict[str, Any]:
    return {"BackupPlanName": inputs["name"], "Rules": [_rule(rule) for rule in inputs["rules"]]}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """One rule in the form of the API; windows are in minutes in both."""
    copies = [
        {
            "DestinationBackupVaultArn": copy["destinationVaultArn"],
            "Lifecycle": pick(copy.get("lifecycle", {}), _LIFECYCLE),
        }
        for copy in rule.get("copyActions", [])
    ]
    return {
        **pick(
            rule,
            {
                "completionWindow": "CompletionWindowMinutes",
                "ruleName": "RuleName",
                "schedule": "ScheduleExpression",
                "startWindow": "StartWindowMinutes",
                "targetVaultName": "TargetBackupVaultName",
            },
        ),
        "Lifecycle": pick(rule.get("lifecycle", {}), _LIFECYCLE),
        "CopyActions": copies,
    }
