"""What is set on an S3 bucket, each part a resource of its own; its id is the bucket's name."""

import json
from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType, pick


class BucketSetting(ResourceType):
    """One part of a bucket's configuration: put whole each time, as S3's API does."""

    replaces = frozenset({"bucket"})
    identity = frozenset({"bucket"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the setting on its bucket."""
        self.put(context.client("s3"), inputs)
        return Created(inputs["bucket"], {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the setting again."""
        del existing, changed
        self.put(context.client("s3"), inputs)
        return {}

    @abstractmethod
    def put(self, s3: Any, inputs: Inputs) -> None:
        """Call the API with everything that the arguments say."""


class Versioning(BucketSetting):
    """Whether a bucket keeps versions."""

    type = "aws:s3/bucketVersioning:BucketVersioning"
    updates = frozenset({"versioningConfiguration.status"})

    def put(self, s3: Any, inputs: Inputs) -> None:
        """Turn versions on, or suspend them."""
        s3.put_bucket_versioning(
            Bucket=inputs["bucket"],
            VersioningConfiguration={"Status": inputs["versioningConfiguration"]["status"]},
        )

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Leave it: S3 refuses to suspend the versions of a bucket with a lock, and the bucket goes next."""


class Encryption(BucketSetting):
    """How a bucket encrypts what is put into it."""

    type = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    ignored: ClassVar[Mapping[str, str]] = {
        "rules": "recorded and told to who asks, but nothing is encrypted",
    }

    def put(self, s3: Any, inputs: Inputs) -> None:
        """Set the default encryption."""
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": {
                    "SSEAlgorithm": rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"]
                }
            }
            for rule in inputs["rules"]
        ]
        s3.put_bucket_encryption(Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Fall back to S3's own default."""
        context.client("s3").delete_bucket_encryption(Bucket=existing.id)


class PublicAccessBlock(BucketSetting):
    """The block that keeps a bucket from becoming public."""

    _ARGUMENTS: Final = {
        "blockPublicAcls": "BlockPublicAcls",
        "blockPublicPolicy": "BlockPublicPolicy",
        "ignorePublicAcls": "IgnorePublicAcls",
        "restrictPublicBuckets": "RestrictPublicBuckets",
    }
    type = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    updates = frozenset(_ARGUMENTS)

    def put(self, s3: Any, inputs: Inputs) -> None:
        """Set which kinds of public access are blocked."""
        s3.put_public_access_block(
            Bucket=inputs["bucket"], PublicAccessBlockConfiguration=pick(inputs, self._ARGUMENTS)
        )

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the block."""
        context.client("s3").delete_public_access_block(Bucket=existing.id)


class Policy(BucketSetting):
    """Who may do what with a bucket."""

    type = "aws:s3/bucketPolicy:BucketPolicy"
    updates = frozenset({"policy"})

    def put(self, s3: Any, inputs: Inputs) -> None:
        """Set the policy."""
        s3.put_bucket_policy(Bucket=inputs["bucket"], Policy=json.dumps(json.loads(inputs["policy"])))

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the policy."""
        context.client("s3").delete_bucket_policy(Bucket=existing.id)


class ObjectLock(BucketSetting):
    """For how long, and how hard, each new version is locked."""

    type = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
    updates = frozenset({"rule.defaultRetention.days", "rule.defaultRetention.mode"})

    def put(self, s3: Any, inputs: Inputs) -> None:
        """Set the default retention."""
        retention = inputs["rule"]["defaultRetention"]
        _put_lock(
            s3, inputs["bucket"], {"DefaultRetention": pick(retention, {"mode": "Mode", "days": "Days"})}
        )

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the default retention; versions that are locked stay locked."""
        _put_lock(context.client("s3"), existing.id, None)


class Lifecycle(BucketSetting):
    """When versions expire."""

    type = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    updates = frozenset({"rules.filter.prefix", "rules.id", "rules.status"})
    ignored: ClassVar[Mapping[str, str]] = {
        "rules.abortIncompleteMultipartUpload.daysAfterInitiation": "recorded; an upload waits for ever",
        "rules.expiration.days": "recorded; nothing expires",
        "rules.expiration.expiredObjectDeleteMarker": "recorded; nothing expires",
        "rules.noncurrentVersionExpiration.noncurrentDays": "recorded; nothing expires",
    }

    def put(self, s3: Any, inputs: Inputs) -> None:
        """Set the rules."""
        s3.put_bucket_lifecycle_configuration(
            Bucket=inputs["bucket"],
            LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in inputs["rules"]]},
        )

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the rules, after which nothing expires."""
        context.client("s3").delete_bucket_lifecycle(Bucket=existing.id)


class Replication(BucketSetting):
    """Which versions are copied to which bucket."""

    type = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
    updates = frozenset(
        {
            "role",
            "rules.deleteMarkerReplication.status",
            "rules.destination.bucket",
            "rules.filter.prefix",
            "rules.id",
            "rules.priority",
            "rules.status",
        }
    )

    def put(self, s3: Any, inputs: Inputs) -> None:
        """Set the rules and the role that copies."""
        rules = [
            {
                **pick(rule, {"id": "ID", "priority": "Priority", "status": "Status"}),
                "Filter": {"Prefix": rule["filter"].get("prefix", "")},
                "DeleteMarkerReplication": {"Status": rule["deleteMarkerReplication"]["status"]},
                "Destination": {"Bucket": rule["destination"]["bucket"]},
            }
            for rule in inputs["rules"]
        ]
        s3.put_bucket_replication(
            Bucket=inputs["bucket"], ReplicationConfiguration={"Role": inputs["role"], "Rules": rules}
        )

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Remove the rules, after which nothing is copied."""
        context.client("s3").delete_bucket_replication(Bucket=existing.id)


RESOURCES: Final = (
    Versioning(),
    Encryption(),
    PublicAccessBlock(),
    Policy(),
    ObjectLock(),
    Lifecycle(),
    Replication(),
)


def _put_lock(s3: Any, bucket: str, rule: Mapping[str, Any] | None) -> None:
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **({"Rule": rule} if rule else {})},
    )


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """One rule in the form of the API."""
    named: dict[str, Any] = pick(rule, {"id": "ID", "status": "Status"})
    named["Filter"] = {"Prefix": rule["filter"].get("prefix", "")}
    if "expiration" in rule:
        named["Expiration"] = pick(
            rule["expiration"],
            {"days": "Days", "expiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"},
        )
    if "noncurrentVersionExpiration" in rule:
        days = rule["noncurrentVersionExpiration"]["noncurrentDays"]
        named["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    if "abortIncompleteMultipartUpload" in rule:
        days = rule["abortIncompleteMultipartUpload"]["daysAfterInitiation"]
        named["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    return named
