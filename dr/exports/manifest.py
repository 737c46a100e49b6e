"""What DynamoDB writes beside an export's data: the summary, the list of files, and their checksums.

`dr.exports.check` compares them with the data; restores and comparisons find their files by them. A manifest
is input from environment: sizes are bounded, types are checked, and a key must lie within the export's own
prefix.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from dr.exports.objects import ObjectMissingError, Objects

SUMMARY: Final = "manifest-summary.json"
FILES: Final = "manifest-files.json"
CHECKSUM_ENDINGS: Final = (".md5", ".checksum")
"""In place of a manifest's `.json`: `.md5` is what is written, `.checksum` what is documented."""

DYNAMODB_JSON: Final = "DYNAMODB_JSON"
INCREMENTAL: Final = "INCREMENTAL_EXPORT"
SUMMARY_BYTES_MAX: Final = 64 << 10
FILES_BYTES_MAX: Final = 64 << 20
FILES_MAX: Final = 200_000
_CHECKSUM_BYTES_MAX: Final = 256
_MD5: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
_ETAG: Final = re.compile(r"[0-9a-f]{32}(-[1-9][0-9]{0,4})?")


@dataclass(frozen=True)
class Finding:
    """One thing wrong: its name, the object or setting it is about, and the values in words."""

    code: str
    subject: str
    text: str


class Summary(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """`manifest-summary.json`. Times are ISO 8601 in UTC; those of a window only in an incremental export."""

    version: str
    export_arn: str
    table_arn: str
    table_id: str
    s3_bucket: str
    manifest_files_s3_key: str = msgspec.field(name="manifestFilesS3Key")
    item_count: int
    output_format: str
    start_time: str | None = None
    end_time: str | None = None
    export_time: str | None = None
    export_from_time: str | None = None
    export_to_time: str | None = None
    export_type: str | None = None
    output_view: str | None = None
    s3_prefix: str | None = None
    s3_sse_algorithm: str | None = None
    s3_sse_kms_key_id: str | None = None
    billed_size_bytes: int | None = None

    @property
    def incremental(self) -> bool:
        """Whether it holds changes, not items."""
        return self.export_type == INCREMENTAL or self.export_from_time is not None

    @property
    def shows(self) -> str | None:
        """The time of the state that it shows, or that its changes go to."""
        return self.export_to_time if self.incremental else self.export_time


class FileEntry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One line of `manifest-files.json`. `md5_checksum`: base64, of the compressed file."""

    data_file_s3_key: str = msgspec.field(name="dataFileS3Key")
    etag: str
    item_count: int
    md5_checksum: str = msgspec.field(name="md5Checksum")


@dataclass(frozen=True)
class Export:
    """An export as its manifests describe it. `root`: the key of its folder, which ends in its id."""

    root: str
    summary: Summary
    files: tuple[FileEntry, ...]

    @property
    def data_keys(self) -> tuple[str, ...]:
        """The keys of its data."""
        return tuple(entry.data_file_s3_key for entry in self.files)


def prefix_of(root: str) -> str:
    """The prefix that the export was asked to be written under, which its data must not leave."""
    return root.rpartition("AWSDynamoDB/")[0]


def read_export(objects: Objects, root: str) -> tuple[Export | None, list[Finding]]:
    """An export's manifests, and what is wrong with them; None where they do not say what was exported.

    Raises:
        ObjectsUnreadableError: the bucket does not answer.
    """
    findings: list[Finding] = []
    summary_bytes = _verified(objects, f"{root}/{SUMMARY}", SUMMARY_BYTES_MAX, findings)
    files_bytes = _verified(objects, f"{root}/{FILES}", FILES_BYTES_MAX, findings)
    summary = _summary(summary_bytes, f"{root}/{SUMMARY}", findings)
    entries = tuple(_entries(files_bytes, root, findings))
    return (Export(root, summary, entries) if summary else None), findings


def _verified(objects: Objects, key: str, limit_bytes: int, findings: list[Finding]) -> bytes | None:
    """A manifest's bytes, None if it is not there or too large; its checksum is compared."""
    try:
        content = objects.read(key, limit_bytes=limit_bytes + 1)
    except ObjectMissingError:
        findings.append(
            Finding("manifest-missing", key, "it is not there, so nothing says what was exported")
        )
        return None
    if len(content) > limit_bytes:
        findings.append(Finding("manifest-too-large", key, f"it is larger than {limit_bytes:,} bytes"))
        return None
    checksum = _checksum(objects, key)
    if checksum is None:
        findings.append(
            Finding("checksum-missing", key, f"no {' or '.join(CHECKSUM_ENDINGS)} lies beside it")
        )
    elif checksum != (computed := md5_base64(content)):
        findings.append(
            Finding("manifest-md5", key, f"its checksum says {checksum[:32]!r}, its content has {computed}")
        )
    return content


def _checksum(objects: Objects, key: str) -> str | None:
    for ending in CHECKSUM_ENDINGS:
        try:
            content = objects.read(f"{key.removesuffix('.json')}{ending}", limit_bytes=_CHECKSUM_BYTES_MAX)
        except ObjectMissingError:
            continue
        return content.decode("ascii", "replace").strip()
    return None


def md5_base64(content: bytes) -> str:
    """MD5 as the manifests write it: against damage, not against an enemy."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _summary(content: bytes | None, key: str, findings: list[Finding]) -> Summary | None:
    if content is None:
        return None
    try:
        summary = msgspec.json.decode(content, type=Summary)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        findings.append(Finding("summary-invalid", key, str(error)))
        return None
    if summary.output_format != DYNAMODB_JSON:
        findings.append(
            Finding(
                "format", key, f"outputFormat is {summary.output_format!r}; only {DYNAMODB_JSON} is read here"
            )
        )
    return summary


def _entries(content: bytes | None, root: str, findings: list[Finding]) -> Iterator[FileEntry]:
    """The lines that can be trusted so far as to be followed; each key once."""
    decoder, keys = msgspec.json.Decoder(FileEntry), set[str]()
    for number, line in enumerate((content or b"").splitlines(), 1):
        subject = f"{root}/{FILES}:{number}"
        if number > FILES_MAX:
            findings.append(Finding("files-too-many", subject, f"there are more than {FILES_MAX:,}"))
            return
        try:
            entry = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            findings.append(Finding("files-invalid", subject, str(error)))
            continue
        if wrong := _wrong_entry(entry, root):
            findings.append(Finding(*wrong[:1], subject, wrong[1]))
        elif entry.data_file_s3_key in keys:
            findings.append(Finding("file-listed-twice", entry.data_file_s3_key, "the manifest has it twice"))
        else:
            keys.add(entry.data_file_s3_key)
            yield entry


def _wrong_entry(entry: FileEntry, root: str) -> tuple[str, str] | None:
    """The code and the text of what is wrong with a line of the right types."""
    key = entry.data_file_s3_key
    allowed = f"{prefix_of(root)}AWSDynamoDB/"
    if not key.startswith(allowed) or ".." in key.split("/") or "\\" in key or not key.isprintable():
        return "key-outside", f"the key {key[:200]!r} is not under {allowed}"
    if not key.endswith(".json.gz"):
        return "files-invalid", f"the key {key[:200]!r} does not end in .json.gz"
    if entry.item_count < 0:
        return "files-invalid", f"itemCount is {entry.item_count}"
    if not _MD5.fullmatch(entry.md5_checksum) or not _decodes(entry.md5_checksum):
        return "files-invalid", f"md5Checksum is {entry.md5_checksum[:64]!r}, which is no MD5 in base64"
    if not _ETAG.fullmatch(entry.etag):
        return "files-invalid", f"etag is {entry.etag[:64]!r}, which is none of S3's"
    return None


def _decodes(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == hashlib.md5(usedforsecurity=False).digest_size
    except binascii.Error:
        return False
