"""S3 buckets and objects; `s3_settings` has what is set on a bucket."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from emulator.pulumi.provider.errors import ProtectedError
from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    pick,
    tag_list,
)

DEFAULT_REGION: Final = "us-east-1"
"""A bucket of this region is made without a location, which S3 refuses there.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"""

DELETED_AT_ONCE: Final = 1_000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


_LOCK: Final = {
    "objectLockMode": "ObjectLockMode",
    "objectLockRetainUntilDate": "ObjectLockRetainUntilDate",
}
_RETENTION: Final = {"objectLockMode": "Mode", "objectLockRetainUntilDate": "RetainUntilDate"}


class Bucket(ResourceType):
    """A bucket; its id is its name. It is deleted with what is in it where the program says so."""

    type = "aws:s3/bucket:Bucket"
    identity = frozenset({"bucket"})
    autonamed = "bucket"
    updates = frozenset({"forceDestroy", "tags"})
    replaces = frozenset({"bucket", "objectLockEnabled"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the bucket in its region, with or without Object Lock."""
        name = inputs["bucket"]
        where = {} if context.region == DEFAULT_REGION else {"LocationConstraint": context.region}
        context.client("s3").create_bucket(
            Bucket=name,
            ObjectLockEnabledForBucket=inputs.get("objectLockEnabled", False),
            **({"CreateBucketConfiguration": where} if where else {}),
        )
        return Created(name, {"arn": f"arn:aws:s3:::{name}"})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Set the tags."""
        if "tags" in inputs:
            _tag(context, created.id, inputs)
        return {}

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the tags, all at once. What happens at the deletion matters only then."""
        if "tags" in changed:
            _tag(context, existing.id, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the bucket, with every version in it, locked or not, where `forceDestroy` is on."""
        if existing.inputs.get("forceDestroy"):
            for versions in _versions(context, existing.id):
                _delete_versions(context, existing.id, versions)
        context.client("s3").delete_bucket(Bucket=existing.id)


class BucketObject(ResourceType):
    """An object from a text or a file; its id is `<bucket>/<key>`. Each change is a version of its own.

    As by the real provider's, AWS's lock of the current version counts as an argument: one that the program
    leaves out is taken off by an update of nothing else, with the permission to bypass governance, and one
    that it ignores is put on the next version as it was, however old.
    https://github.com/hashicorp/terraform-provider-aws/blob/033c721bf1eda7db79395cd73acb54c7efa57ffc/internal/service/s3/object.go
    """

    type = "aws:s3/bucketObjectv2:BucketObjectv2"
    identity = frozenset({"bucket", "key"})
    updates = frozenset({"content", "contentType", "forceDestroy", "source", *_LOCK})
    replaces = frozenset({"bucket", "key"})
    read_back = frozenset(_LOCK)

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Put the object."""
        return Created(f"{inputs['bucket']}/{inputs['key']}", _put(context, inputs))

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Put the object again, or set or clear the lock of its current version."""
        if set(changed) - {"forceDestroy", *_LOCK}:
            return _put(context, inputs)
        if _LOCK.keys() & changed:
            context.client("s3").put_object_retention(
                Bucket=inputs["bucket"],
                Key=inputs["key"],
                Retention=pick(inputs, _RETENTION),
                BypassGovernanceRetention=True,
            )
            return _read(context, inputs)
        return existing.outputs

    def unsettled(self, inputs: Inputs, changed: Collection[str]) -> frozenset[str]:
        """The new version and its digest."""
        del inputs
        return frozenset({"etag", "versionId"} if set(changed) - {"forceDestroy"} else ())

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete every version of it; locked ones only where `forceDestroy` is on."""
        bucket, key = existing.inputs["bucket"], existing.inputs["key"]
        for versions in _versions(context, bucket, prefix=key):
            own = [version for version in versions if version["Key"] == key]
            _delete_versions(context, bucket, own, bypass=existing.inputs.get("forceDestroy", False))


RESOURCES: Final = (Bucket(), BucketObject())


def _tag(context: ResourceContext, bucket: str, inputs: Inputs) -> None:
    context.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_list(inputs)})


def _put(context: ResourceContext, inputs: Inputs) -> dict[str, Any]:
    body = Path(inputs["source"].path).read_bytes() if "source" in inputs else inputs["content"].encode()
    context.client("s3").put_object(
        Bucket=inputs["bucket"],
        Key=inputs["key"],
        Body=body,
        **pick(inputs, {"contentType": "ContentType", **_LOCK}),
    )
    return _read(context, inputs)


def _read(context: ResourceContext, inputs: Inputs) -> dict[str, Any]:
    """The object as it is, with the lock of its current version, if it has one."""
    head = context.client("s3").head_object(Bucket=inputs["bucket"], Key=inputs["key"])
    until = head.get("ObjectLockRetainUntilDate")
    return {
        "etag": head["ETag"].strip('"'),
        "versionId": head.get("VersionId", ""),
        "objectLockMode": head.get("ObjectLockMode"),
        "objectLockRetainUntilDate": until.strftime("%Y-%m-%dT%H:%M:%SZ") if until else None,
    }


def _versions(context: ResourceContext, bucket: str, *, prefix: str = "") -> Iterator[list[dict[str, str]]]:
    """Keys and ids of the versions and delete markers of a bucket, a page at a time."""
    for page in (
        context.client("s3")
        .get_paginator("list_object_versions")
        .paginate(Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": DELETED_AT_ONCE})
    ):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if versions:
            yield [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]


def _delete_versions(
    context: ResourceContext, bucket: str, versions: list[dict[str, str]], *, bypass: bool = True
) -> None:
    """Delete versions by id, with the permission to bypass a governance lock or without.

    Raises:
        ProtectedError: S3 kept some, which a lock protects.
    """
    if not versions:
        return
    answer = context.client("s3").delete_objects(
        Bucket=bucket, Delete={"Objects": versions, "Quiet": True}, BypassGovernanceRetention=bypass
    )
    if answer.get("Errors"):
        first = answer["Errors"][0]
        raise ProtectedError(
            f"{len(answer['Errors'])} objects of {bucket} cannot be deleted, such as {first['Key']}: "
            f"{first['Code']}; wait until their lock ends, or deploy with forceDestroy"
        )
