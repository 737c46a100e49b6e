"""The AWS Backup vault of a region, and its lock."""

import pulumi
import pulumi_aws as aws

from components.region_context import RegionContext, kept

COMPLIANCE_GRACE_DAYS = 3
"""For which a compliance lock can still be taken back: the least that AWS takes.
https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html"""


class BackupVault(pulumi.ComponentResource):
    """A vault whose recovery points cannot be deleted before the stack's lock days are over.

    In governance mode whoever may delete the lock itself can; in compliance mode, once the days of grace are
    over, nobody can, not even AWS.
    """

    def __init__(self, context: RegionContext, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the vault and its lock."""
        super().__init__("incident:region:BackupVault", context.logical("vault"), None, opts)
        vault = aws.backup.Vault(
            context.logical("vault"),
            region=context.region,
            name=context.names.backup_vault,
            force_destroy=not context.config.deletion_protection,
            tags=context.tags,
            opts=kept(self, context.config),
        )
        aws.backup.VaultLockConfiguration(
            context.logical("vault"),
            region=context.region,
            backup_vault_name=vault.name,
            min_retention_days=context.config.backup_lock_days,
            changeable_for_days=COMPLIANCE_GRACE_DAYS if context.config.backup_lock == "compliance" else None,
            # It has no update. Made first, its successor is the same lock, which the deletion then takes off.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.name = vault.name
        self.arn = vault.arn
        self.register_outputs({})
