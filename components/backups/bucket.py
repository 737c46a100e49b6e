"""The bucket of a region that its backups go to; `topology.backups` has its layout."""

import pulumi
import pulumi_aws as aws

from components.policies import resource_policy
from components.region_context import RegionContext, kept
from topology.backups import CONFIGS, EXPORTS, PACKAGES

UPLOAD_DAYS = 7
"""After which the parts of an upload that nobody finished are removed."""


class BackupBucket(pulumi.ComponentResource):
    """A bucket whose versions can be neither changed nor deleted while the stack's lock lasts.

    Encrypted by S3's own keys: a key of KMS would have to be replicated, granted to DynamoDB and to the
    replication, and whoever deletes it deletes every backup with it.
    """

    def __init__(self, context: RegionContext, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the bucket and its settings."""
        super().__init__("incident:region:BackupBucket", context.logical("backups"), None, opts)
        self._context = context
        self._child = pulumi.ResourceOptions(parent=self)
        self._bucket = aws.s3.Bucket(
            context.logical("backups"),
            region=context.region,
            bucket=context.names.backup_bucket(context.role, context.config.backup_bucket_suffix),
            object_lock_enabled=True,
            force_destroy=not context.config.deletion_protection,
            tags=context.tags,
            opts=kept(self, context.config),
        )
        self.name = self._bucket.bucket
        self.arn = self._bucket.arn
        versioning = aws.s3.BucketVersioning(
            context.logical("backups"),
            region=context.region,
            bucket=self.name,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._child,
        )
        versioned = pulumi.ResourceOptions(parent=self, depends_on=[versioning])
        self._close()
        self._expire(versioned)
        self.ready: list[pulumi.Resource] = [versioning, self._lock(versioned)]
        """What has to be there before anything is put into the bucket, or it would not be locked."""
        self.register_outputs({})

    def _close(self) -> None:
        """Encrypted at rest and on its way, and never public."""
        context = self._context
        aws.s3.BucketServerSideEncryptionConfiguration(
            context.logical("backups"),
            region=context.region,
            bucket=self.name,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="AES256"
                    )
                )
            ],
            opts=self._child,
        )
        closed = aws.s3.BucketPublicAccessBlock(
            context.logical("backups"),
            region=context.region,
            bucket=self.name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        aws.s3.BucketPolicy(
            context.logical("backups"),
            region=context.region,
            bucket=self.name,
            policy=resource_policy(
                [
                    {
                        "Sid": "OnlyEncryptedConnections",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [self.arn, pulumi.Output.concat(self.arn, "/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),  # S3 refuses both at once
        )

    def _lock(self, versioned: pulumi.ResourceOptions) -> aws.s3.BucketObjectLockConfiguration:
        """Each new version is locked: under governance, only who may bypass it can remove one before.

        S3 then takes no upload without a checksum. That DynamoDB's exports have one is documented nowhere
        (November 2026) and was not tried: have one export made before relying on a new stack's backups.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
        """
        config = self._context.config
        return aws.s3.BucketObjectLockConfiguration(
            self._context.logical("backups"),
            region=self._context.region,
            bucket=self.name,
            rule=aws.s3.BucketObjectLockConfigurationRuleArgs(
                default_retention=aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                    mode=config.backup_lock.upper(), days=config.backup_lock_days
                )
            ),
            opts=versioned,
        )

    def _expire(self, versioned: pulumi.ResourceOptions) -> None:
        """What has a date goes after the retention; what is the latest stays, however old the deployment.

        What was deleted or overwritten is kept for as long as a lock lasts, so that a mistake is found first.
        """
        config = self._context.config
        rule, expiration = (
            aws.s3.BucketLifecycleConfigurationRuleArgs,
            aws.s3.BucketLifecycleConfigurationRuleExpirationArgs,
        )
        aws.s3.BucketLifecycleConfiguration(
            self._context.logical("backups"),
            region=self._context.region,
            bucket=self.name,
            rules=[
                *(
                    rule(
                        id=id_,
                        status="Enabled",
                        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=prefix),
                        expiration=expiration(days=config.backup_retention_days),
                    )
                    for id_, prefix in _DATED.items()
                ),
                rule(
                    id="removed",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    expiration=expiration(expired_object_delete_marker=True),
                    noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=config.backup_lock_days
                    ),
                    abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=UPLOAD_DAYS
                    ),
                ),
            ],
            opts=versioned,
        )


_DATED = {"exports": f"{EXPORTS}/", "configs": f"{CONFIGS}/2", "packages": f"{PACKAGES}/2"}
"""What has a date in its key, by prefix: a year begins with a 2, and `latest` does not."""
