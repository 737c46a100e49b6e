"""S3's retention where ministack leaves it out: on multipart uploads, on copies and on replicas, and its end.

`emulator.aws.host` installs it. On AWS a new version gets its bucket's default retention however it was
written, a copy gets its own and not its source's, and a replica gets the retention of what it is a replica
of; both buckets must have Object Lock.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

from datetime import UTC, datetime
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


def take_retention_off() -> None:
    """Take the retention off a version where it is put empty: under governance, for who may bypass it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-bypass
    """
    put = s3._put_object_retention

    def put_or_clear(
        bucket: str, key: str, body: bytes, headers: dict[str, str], query: dict[str, Any] | None = None
    ) -> Answer:
        if b"<Mode>" in body or not s3._bucket_object_lock.get(bucket):
            answer: Answer = put(bucket, key, body, headers, query)
            return answer
        version, missing = s3._object_lock_target(bucket, key, s3._ensure_bucket(bucket), query)
        kept = s3._object_retention.get(version)
        bypass = headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
        if missing:
            return missing  # type: ignore[no-any-return]  # ministack's own answer
        if kept and not (bypass and kept["Mode"] == "GOVERNANCE"):
            return s3._error("AccessDenied", "Access Denied because object protected by object lock.", 403)  # type: ignore[no-any-return]  # as above
        s3._object_retention.pop(version, None)
        return 200, {"Content-Type": "application/xml"}, b""

    s3._put_object_retention = put_or_clear


def refuse_past_retention() -> None:
    """Refuse to put a version with a retention that has ended, as S3 does.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
    """
    refuse = s3._object_lock_header_error

    def refuse_past(bucket: str, headers: dict[str, str]) -> Any:
        until = headers.get("x-amz-object-lock-retain-until-date", "")
        if until and datetime.fromisoformat(until) <= datetime.now(UTC):
            return s3._error("InvalidArgument", "The retain until date must be in the future!", 400)
        return refuse(bucket, headers)

    s3._object_lock_header_error = refuse_past


def _follow(bucket: str, key: str, obj: dict[str, Any]) -> None:
    """Give the replica of a version, if there is one, the version's retention."""
    replica_bucket, replica_version, _ = obj.get("_replica") or (None, None, None)
    if replica_bucket is None or not s3._bucket_object_lock.get(replica_bucket):
        return
    for store in (s3._object_retention, s3._object_legal_hold):
        kept = store.get((bucket, key, obj.get("version_id")))
        if kept is not None:
            store[replica_bucket, key, replica_version] = kept
