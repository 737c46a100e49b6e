"""Where backups lie: a bucket, or a folder that holds a part of one. `dr` reads them through it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from topology.errors import ExplainedError

PART_BYTES: Final = 1 << 20
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})


class ObjectMissingError(ExplainedError):
    """There is no such object."""


class ObjectsUnreadableError(ExplainedError):
    """The bucket does not answer, is not there, or may not be read; nothing is known of its objects."""


@dataclass(frozen=True)
class ObjectInfo:
    """One object. `etag` without its quotes; None where nobody reports one."""

    key: str
    size_bytes: int
    etag: str | None


class Objects(Protocol):
    """Reads objects by key."""

    def listed(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects whose keys start with `prefix`, in the order of their keys."""
        ...

    def read(self, key: str, *, limit_bytes: int) -> bytes:
        """The first `limit_bytes` of an object.

        Raises:
            ObjectMissingError: there is none.
        """
        ...

    def open(self, key: str) -> IO[bytes]:
        """An object as a stream, to be closed.

        Raises:
            ObjectMissingError: there is none.
        """
        ...


@dataclass(frozen=True)
class FolderObjects:
    """A folder whose files lie where their keys say."""

    root: Path

    def listed(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `Objects`; nobody reports etags."""
        start = self.root / prefix
        folder = start if start.is_dir() else start.parent
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(self.root).as_posix()
            if path.is_file() and key.startswith(prefix):
                yield ObjectInfo(key, path.stat().st_size, None)

    def read(self, key: str, *, limit_bytes: int) -> bytes:
        """See `Objects`."""
        with self.open(key) as stream:
            return stream.read(limit_bytes)

    def open(self, key: str) -> IO[bytes]:
        """See `Objects`; a key that leads out of the folder names no object."""
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root.resolve()) or not path.is_file():
            raise ObjectMissingError(f"{self.root} has no {key}")
        return path.open("rb")


@dataclass(frozen=True)
class S3Objects:
    """A bucket. `client`: boto3's, of the bucket's region."""

    client: Any
    bucket: str

    def listed(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `Objects`.

        Raises:
            ObjectsUnreadableError: the bucket cannot be read.
        """
        try:
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield ObjectInfo(entry["Key"], entry["Size"], entry["ETag"].strip('"'))
        except (BotoCoreError, ClientError) as error:
            raise ObjectsUnreadableError(f"{self.bucket} cannot be listed: {error}") from error

    def read(self, key: str, *, limit_bytes: int) -> bytes:
        """See `Objects`. Raises ObjectsUnreadableError too."""
        with self.open(key) as stream:
            return stream.read(limit_bytes)

    def open(self, key: str) -> IO[bytes]:
        """See `Objects`. Raises ObjectsUnreadableError too."""
        try:
            body: IO[bytes] = self.client.get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise ObjectMissingError(f"{self.bucket} has no {key}") from error
            raise ObjectsUnreadableError(f"{self.bucket}/{key} cannot be read: {error}") from error
        except BotoCoreError as error:
            raise ObjectsUnreadableError(f"{self.bucket}/{key} cannot be read: {error}") from error
        return body


def fetch(objects: Objects, keys: Iterator[str], folder: Path) -> FolderObjects:
    """Copy objects to where their keys say under `folder`.

    Raises:
        ObjectMissingError: there is no such object, or its key leads out of the folder.
        ObjectsUnreadableError: the bucket does not answer.
    """
    root = folder.resolve()
    for key in keys:
        target = (root / key).resolve()
        if not target.is_relative_to(root):
            raise ObjectMissingError(f"the key {key!r} leads out of {folder}; such an object is not fetched")
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.part")
        with objects.open(key) as source, unfinished.open("wb") as out:
            shutil.copyfileobj(source, out, PART_BYTES)
        unfinished.replace(target)
    return FolderObjects(folder)
