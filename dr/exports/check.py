"""Whether an export is whole and the one that was asked for: every fault found is named, not the first only.

Restores, drills and `responder dr check` run it before they believe a file. Each is read once, as a stream.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from dr.exports.manifest import FILES, Export, FileEntry, Finding, Summary, read_export
from dr.exports.objects import ObjectMissingError, Objects
from dr.exports.row_schema import other_schema, refusal
from topology.tables import ALERTS

CHUNK_BYTES: Final = 1 << 20
LINE_BYTES_MAX: Final = 4 << 20
"""An item has 400 KB at most, which escapes and types make several times as long in JSON.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""

CLOCKS_APART: Final = timedelta(minutes=5)
"""How far the clock here may be behind DynamoDB's."""

STARTED: Final = "_started"
WORKERS: Final = 2
_GZIP: Final = 31
"""`wbits` of zlib: a gzip header and the largest window."""

Progress = Callable[[int, int], None]
"""Called with the files done and all files."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What was asked for: one of these tables and buckets; empty or None where anything will do.

    `max_age` is counted back from `now`.
    """

    table_arns: Collection[str] = ()
    buckets: Collection[str] = ()
    max_age: timedelta | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def latest(self) -> datetime:
        """No export shows a later state; a manifest that says so was not written by DynamoDB."""
        return self.now + CLOCKS_APART


@dataclass(frozen=True)
class Checked:
    """What an export is, and everything that is wrong with it. `export` None: its manifests do not say."""

    root: str
    export: Export | None
    findings: tuple[Finding, ...]
    items: int
    compressed_bytes: int

    @property
    def good(self) -> bool:
        """Whether it may be restored from."""
        return self.export is not None and not self.findings


_Value = Annotated[
    dict[Literal["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"], object],
    Meta(min_length=1, max_length=1),
]
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html"""
_Item = dict[str, _Value]


class _ItemLine(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    item: _Item


class _Micros(msgspec.Struct):
    N: Annotated[str, Meta(pattern="^[0-9]{1,18}$")]


class _Metadata(msgspec.Struct, rename="pascal"):
    write_timestamp_micros: _Micros


class _ChangeLine(msgspec.Struct, rename="pascal"):
    """Without its key or its time a change would be lost, or would hide others; either image may lack."""

    metadata: _Metadata
    keys: Annotated[_Item, Meta(min_length=1)]
    new_image: _Item | None = None


@dataclass
class _Read:
    """What came of reading one data file. `other_schema`: the first number of a row that is not ours."""

    findings: list[Finding]
    other_schema: str | None = None
    items: int = 0
    size_bytes: int = 0


def check_export(
    objects: Objects,
    root: str,
    *,
    expected: Expected,
    reported_etags: Mapping[str, str] | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Checked:
    """Check the manifests, then every file that they list.

    `root`: the key of the export's folder. `reported_etags`: S3's, where `objects` is a copy without them.

    Raises:
        ObjectsUnreadableError: the bucket does not answer.
    """
    export, findings = read_export(objects, root)
    if export is None:
        lacking = any(finding.code == "manifest-missing" for finding in findings)
        if lacking and _is_there(objects, f"{root}/{STARTED}"):
            findings.append(
                Finding(
                    "not-completed", root, f"{STARTED} is there and no summary: it runs still, or it failed"
                )
            )
        return Checked(root, None, tuple(findings), 0, 0)
    findings += _of_summary(export.summary, root, expected)
    listed = {info.key: info for info in objects.listed(f"{root}/data/")}
    etags = {key: info.etag for key, info in listed.items() if info.etag} | dict(reported_etags or {})
    findings += [
        Finding("file-extra", key, "it lies among the data, and the manifest does not have it")
        for key in listed.keys() - set(export.data_keys)
    ]
    reads: list[_Read] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for read in pool.map(lambda entry: _check_file(objects, entry, export, etags), export.files):
            reads.append(read)
            progress(len(reads), len(export.files))
    for read in reads:
        findings += read.findings
    findings += _of_counts(export)
    findings += _of_schema(root, reads)
    return Checked(
        root, export, tuple(findings), sum(r.items for r in reads), sum(r.size_bytes for r in reads)
    )


def _of_summary(summary: Summary, root: str, expected: Expected) -> Iterator[Finding]:
    """What the summary says against what was asked for and against where it lies."""
    subject = f"{root} summary"
    export_id = root.rpartition("/")[2]
    if summary.export_arn.rpartition("/")[2] != export_id:
        yield Finding(
            "other-export", subject, f"exportArn is {summary.export_arn}, the folder is {export_id}"
        )
    if summary.manifest_files_s3_key != f"{root}/{FILES}":
        yield Finding("other-files", subject, f"manifestFilesS3Key is {summary.manifest_files_s3_key}")
    if expected.buckets and summary.s3_bucket not in expected.buckets:
        asked = " or ".join(expected.buckets)
        yield Finding("other-bucket", subject, f"s3Bucket is {summary.s3_bucket}, asked for {asked}")
    if expected.table_arns and summary.table_arn not in expected.table_arns:
        accounts = {arn.split(":")[4] for arn in expected.table_arns}
        code = "other-table" if {*summary.table_arn.split(":")[4:5]} <= accounts else "other-account"
        asked = " or ".join(expected.table_arns)
        yield Finding(code, subject, f"tableArn is {summary.table_arn}, asked for {asked}")
    at, text = moment(summary.shows), summary.shows
    if at is None:
        yield Finding("time-invalid", subject, f"the time that it shows is {text!r}")
    elif at > expected.latest:
        yield Finding("time-future", subject, f"it shows {text}, which is not yet")
    elif expected.max_age is not None and expected.now - at > expected.max_age:
        yield Finding("too-old", subject, f"it shows {text}, more than {expected.max_age} ago")


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time with its offset, or None."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _of_counts(export: Export) -> Iterator[Finding]:
    listed = sum(entry.item_count for entry in export.files)
    if listed != export.summary.item_count:
        yield Finding(
            "summary-count",
            f"{export.root} summary",
            f"itemCount is {export.summary.item_count:,}, the files have {listed:,} by their manifest",
        )


def _of_schema(root: str, reads: Iterable[_Read]) -> Iterator[Finding]:
    """One finding for the whole export, since all of its rows are likely to be of that form."""
    numbers = sorted({read.other_schema for read in reads if read.other_schema is not None})
    if numbers:
        yield Finding("other-schema", root, refusal(" and ".join(numbers)))


def _check_file(objects: Objects, entry: FileEntry, export: Export, etags: Mapping[str, str]) -> _Read:
    """Read one file to its end: checksum, etag, gzip, lines."""
    key = entry.data_file_s3_key
    try:
        stream = objects.open(key)
    except ObjectMissingError:
        return _Read([Finding("file-missing", key, "the manifest has it, and it is not there")])
    with stream:
        read, digest = _read_lines(stream, key, incremental=export.summary.incremental)
    md5 = base64.b64encode(digest).decode()
    if md5 != entry.md5_checksum:
        read.findings.append(
            Finding("file-md5", key, f"md5Checksum is {entry.md5_checksum}, the file has {md5}")
        )
    etag = etags.get(key)
    if etag is None and export.summary.s3_sse_algorithm == "AES256":
        etag = _etag_of(entry, digest)
    if etag is not None and etag != entry.etag:
        read.findings.append(Finding("file-etag", key, f"the manifest has {entry.etag}, the object {etag}"))
    if read.items != entry.item_count:
        read.findings.append(
            Finding("file-count", key, f"itemCount is {entry.item_count:,}, the file has {read.items:,}")
        )
    return read


def _etag_of(entry: FileEntry, digest: bytes) -> str | None:
    """What S3 gives an object that was uploaded in one part: of several, the parts' sizes would be needed.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    if entry.etag.endswith("-1"):
        return f"{hashlib.md5(digest, usedforsecurity=False).hexdigest()}-1"
    return None if "-" in entry.etag else digest.hex()


def _read_lines(stream: IO[bytes], key: str, *, incremental: bool) -> tuple[_Read, bytes]:
    """Count a file's lines, and name the first that is none of an export's; with the MD5 of the file."""
    read, lines = _Read([]), _Lines(incremental=incremental)
    md5 = hashlib.md5(usedforsecurity=False)
    unzip, broken, ended = zlib.decompressobj(_GZIP), False, True
    while chunk := stream.read(CHUNK_BYTES):
        md5.update(chunk)
        read.size_bytes += len(chunk)
        while chunk and not broken:
            if unzip.eof:
                unzip = zlib.decompressobj(_GZIP)
            try:
                lines.add(unzip.decompress(chunk, LINE_BYTES_MAX))
            except zlib.error as error:
                read.findings.append(Finding("file-gzip", key, f"it cannot be decompressed: {error}"))
                broken = True
            ended, chunk = unzip.eof, unzip.unused_data if unzip.eof else unzip.unconsumed_tail
            broken = broken or lines.stopped
    if not read.size_bytes or (not ended and not broken):
        read.findings.append(
            Finding("file-truncated", key, f"its gzip stream does not end; {read.size_bytes:,} bytes")
        )
    lines.end()
    if lines.problem:
        read.findings.append(Finding("file-line", key, lines.problem))
    read.items, read.other_schema = lines.count, lines.other_schema
    return read, md5.digest()


class _Lines:
    """Counts lines and reads each to its end: one that only begins as an item would be lost in a restore.

    `other_schema`: the first number of a row's form that is not this release's.
    """

    def __init__(self, *, incremental: bool) -> None:
        self._decoder: msgspec.json.Decoder[_ItemLine | _ChangeLine] = msgspec.json.Decoder(
            _ChangeLine if incremental else _ItemLine
        )
        self._rest = b""
        self.count = 0
        self.problem = ""
        self.other_schema: str | None = None
        self.stopped = False

    def add(self, text: bytes) -> None:
        """Take the next part of the file."""
        whole, newline, rest = (self._rest + text).rpartition(b"\n")
        self._rest = rest
        if newline:
            self._take(whole + b"\n")
        if len(rest) > LINE_BYTES_MAX:
            self.problem = self.problem or f"line {self.count + 1} is longer than {LINE_BYTES_MAX:,} bytes"
            self._rest, self.stopped = b"", True

    def end(self) -> None:
        """The last line may lack its end."""
        if self._rest:
            self._take(self._rest + b"\n")

    def _take(self, block: bytes) -> None:
        if not self.problem:
            self._parse(block)
        self.count += block.count(b"\n")

    def _parse(self, block: bytes) -> None:
        decode, key = self._decoder.decode, ALERTS.hash_key
        for number, line in enumerate(block.split(b"\n")[:-1], self.count + 1):
            try:
                entry = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self.problem = f"line {number} is none of an export: {error}"
                return
            keys, item = (entry.item,) * 2 if isinstance(entry, _ItemLine) else (entry.keys, entry.new_image)
            if not keys.get(key.name, {}).get(key.type):
                self.problem = f"line {number} is none of an export: no key {key.name} of type {key.type}"
                return
            if item is not None and self.other_schema is None:
                self.other_schema = other_schema(item)


def _is_there(objects: Objects, key: str) -> bool:
    return any(info.key == key for info in objects.listed(key))
