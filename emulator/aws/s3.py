"""S3's retention where ministack leaves it out: on multipart uploads, on copies and on replicas.

`emulator.aws.host` installs it. On AWS a new version gets its bucket's default retention however it was
written, a copy gets its own and not its source's, and a replica gets the retention of what it is a replica
of; both buckets must have Object Lock.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

from typing import Any, Final

from ministack.services import s3

from emulator.aws.answers import Answer

HTTP_ERROR: Final = 300


def keep_retention() -> None:
    """Give every new version the retention of its bucket's configuration."""
    record, apply, copy = s3._record_object_version, s3._apply_object_lock_from_headers, s3._copy_object

    def recorded(bucket: str, key: str, prior: Any, obj: dict[str, Any], data: Any) -> Any:
        version = record(bucket, key, prior, obj, data)
        apply(bucket, key, {}, obj.get("version_id"))
        _follow(bucket, key, obj)
        return version

    def applied(bucket: str, key: str, headers: dict[str, str], version: str | None) -> None:
        apply(bucket, key, headers, version)
        obj = s3._buckets[bucket]["objects"].get(key)
        if obj is not None:
            _follow(bucket, key, obj)

    def copied(bucket: str, key: str, headers: dict[str, str]) -> Answer:
        answer: Answer = copy(bucket, key, headers)
        if answer[0] < HTTP_ERROR:
            version = s3._buckets[bucket]["objects"][key].get("version_id")
            for store in (s3._object_retention, s3._object_legal_hold):
                store.pop((bucket, key, version), None)
            applied(bucket, key, headers, version)
        return answer

    s3._record_object_version, s3._apply_object_lock_from_headers, s3._copy_object = recorded, applied, copied


def _follow(bucket: str, key: str, obj: dict[str, Any]) -> None:
    """Give the replica of a version, if there is one, the version's retention."""
    replica_bucket, replica_version, _ = obj.get("_replica") or (None, None, None)
    if replica_bucket is None or not s3._bucket_object_lock.get(replica_bucket):
        return
    for store in (s3._object_retention, s3._object_legal_hold):
        kept = store.get((bucket, key, obj.get("version_id")))
        if kept is not None:
            store[replica_bucket, key, replica_version] = kept
