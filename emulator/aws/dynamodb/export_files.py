"""The files of a DynamoDB export, byte for byte in AWS's layout.

`emulator.aws.dynamodb.exports` writes them to S3; nothing here does any I/O.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from emulator.aws.dynamodb.table_history import Change, Item

FILES: Final = 4
"""Data files of an export. AWS writes at least one for each partition, also for an empty one; a new on-demand
table has four partitions."""

FOLDER: Final = "AWSDynamoDB"
FULL: Final = "FULL_EXPORT"
INCREMENTAL: Final = "INCREMENTAL_EXPORT"
FULL_VERSION: Final = "2020-06-30"
INCREMENTAL_VERSION: Final = "2023-08-01"
"""Versions of the manifest's form."""

NAME_CHARS: Final = 26
"""Length of a data file's name before `.json.gz`."""


@dataclass(frozen=True)
class DataFile:
    """One gzip file of JSON lines."""

    key: str
    body: bytes
    item_count: int

    @property
    def line(self) -> str:
        """The file's line in manifest-files.json. The etag is S3's for an object of one uploaded part."""
        md5 = hashlib.md5(self.body, usedforsecurity=False).digest()
        etag = hashlib.md5(md5, usedforsecurity=False).hexdigest()
        return _json(
            {
                "itemCount": self.item_count,
                "md5Checksum": base64.b64encode(md5).decode(),
                "etag": f"{etag}-1",
                "dataFileS3Key": self.key,
            }
        )


def folder_of(prefix: str | None, export_id: str) -> str:
    """The folder of an export's manifests."""
    return f"{_under(prefix)}{FOLDER}/{export_id}"


def data_folder_of(prefix: str | None, export_id: str, export_type: str) -> str:
    """The folder of an export's data; incremental exports share one."""
    if export_type == INCREMENTAL:
        return f"{_under(prefix)}{FOLDER}/data"
    return f"{folder_of(prefix, export_id)}/data"


def item_line(item: Item) -> str:
    """An item as a full export has it."""
    return _json({"Item": item})


def change_line(change: Change, *, old_images: bool) -> str:
    """A changed item as an incremental export has it; one put and deleted in the window has no image."""
    micros = int(change.written_at_s * 1_000_000)
    line: dict[str, Any] = {"Metadata": {"WriteTimestampMicros": {"N": str(micros)}}, "Keys": change.keys}
    if old_images and change.before is not None:
        line["OldImage"] = change.before
    if change.after is not None:
        line["NewImage"] = change.after
    return _json(line)


def data_files(lines: Iterable[tuple[str, str]], *, folder: str, export_id: str) -> list[DataFile]:
    """Spread lines, each with its partition key, over files by a hash of that key, as AWS does."""
    spread: list[list[str]] = [[] for _ in range(FILES)]
    for partition_key, line in lines:
        digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).digest()
        spread[digest[0] * FILES // 256].append(line)
    return [
        DataFile(
            key=f"{folder}/{_name(export_id, number)}.json.gz",
            body=gzip.compress("".join(f"{line}\n" for line in part).encode(), compresslevel=6, mtime=0),
            item_count=len(part),
        )
        for number, part in enumerate(spread)
    ]


def manifests(
    described: Mapping[str, Any], files: Sequence[DataFile], *, folder: str
) -> list[tuple[str, bytes]]:
    """Keys and bodies of the two manifests, each after its checksum; `described` is the export's description.

    The summary comes last: when it is there, so is all the rest.
    """
    listed = "".join(f"{file.line}\n" for file in files).encode()
    summary = _json(_summary(described, folder)).encode()
    written: list[tuple[str, bytes]] = []
    for name, body in (("manifest-files", listed), ("manifest-summary", summary)):
        checksum = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
        written += [(f"{folder}/{name}.md5", checksum), (f"{folder}/{name}.json", body)]
    return written


def _summary(described: Mapping[str, Any], folder: str) -> dict[str, Any]:
    incremental = described["ExportType"] == INCREMENTAL
    window = described.get("IncrementalExportSpecification", {})
    times = (
        {"exportFromTime": _iso(window["ExportFromTime"]), "exportToTime": _iso(window["ExportToTime"])}
        if incremental
        else {"exportTime": _iso(described["ExportTime"])}
    )
    summary = {
        "version": INCREMENTAL_VERSION if incremental else FULL_VERSION,
        "exportArn": described["ExportArn"],
        "startTime": _iso(described["StartTime"]),
        "endTime": _iso(described["EndTime"]),
        "tableArn": described["TableArn"],
        "tableId": described["TableId"],
        **times,
        "s3Bucket": described["S3Bucket"],
        "s3Prefix": described.get("S3Prefix"),
        "s3SseAlgorithm": described["S3SseAlgorithm"],
        "s3SseKmsKeyId": described.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "billedSizeBytes": described["BilledSizeBytes"],
        "itemCount": described["ItemCount"],
        "outputFormat": described["ExportFormat"],
    }
    if incremental:
        summary |= {"outputView": window["ExportViewType"], "exportType": INCREMENTAL}
    return summary


def _under(prefix: str | None) -> str:
    return f"{prefix.strip('/')}/" if prefix else ""


def _name(export_id: str, number: int) -> str:
    """The name of a data file: independent of the content, as on AWS, and the same for the same export."""
    digest = hashlib.sha256(f"{export_id}/{number}".encode()).digest()
    return base64.b32encode(digest).decode().lower()[:NAME_CHARS]


def _iso(time_s: float) -> str:
    moment = datetime.fromtimestamp(time_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
