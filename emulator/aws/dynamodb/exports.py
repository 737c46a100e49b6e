"""DynamoDB's export to S3, emulated: ministack says COMPLETED and writes nothing.

`emulator.aws.host` installs it in each AWS process. An export reads the table's history
(`emulator.aws.dynamodb.point_in_time`), so it holds what was there at its time, and writes what AWS writes
(`export_files` beside it), as S3 multipart uploads of one part, which is why AWS's etags end in `-1`.

It differs from AWS: it takes about a second, its window may begin before point-in-time recovery was enabled
(else no hourly export could succeed in the first hours) and goes up to now, and it writes DYNAMODB_JSON only.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import asyncio
import contextlib
import json
import secrets
from typing import Any, Final
from xml.etree import ElementTree as ET

from ministack.core import iam_actions
from ministack.services import dynamodb, s3

from emulator.aws.answers import Answer, RefusalError, answering
from emulator.aws.dynamodb import export_files
from emulator.aws.dynamodb.export_files import FULL, INCREMENTAL, DataFile
from emulator.aws.dynamodb.point_in_time import Recovery
from emulator.aws.dynamodb.table_history import History

WINDOW_MIN_S: Final = 15 * 60
WINDOW_MAX_S: Final = 24 * 3600
"""Limits of an incremental export's window.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html"""

TOKEN_VALID_S: Final = 8 * 3600
"""How long a client token refers to the export that it began."""

PAGE_MAX: Final = 25
"""Exports that ListExports gives at once."""

VIEWS: Final = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")

SSE_HEADERS: Final = {"AES256": "AES256", "KMS": "aws:kms"}

HTTP_ERROR: Final = 300


class S3RefusedError(Exception):
    """S3 refused an object; `code` as DescribeExport gives it."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code and the message for the export's description."""
        super().__init__(message)
        self.code = code


class Exports:
    """The exports of this process."""

    def __init__(self, recovery: Recovery) -> None:
        """`recovery` has the histories that exports read."""
        self._recovery = recovery
        self._requests: dict[str, tuple[float, dict[str, Any], str]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def install(self) -> None:
        """Have the calls of exports answered here and not by ministack."""
        dynamodb._export_table_to_point_in_time = answering(self._start)
        dynamodb._describe_export = answering(self._describe)
        dynamodb._list_exports = answering(self._list)
        resources = iam_actions.dynamodb_resource_arns

        def resources_of(body: bytes, region: str, account: str) -> list[str]:
            """The resources that IAM decides about; ministack reads only a table's name, not an ARN."""
            with contextlib.suppress(ValueError):
                asked = json.loads(body)
                if named := [str(asked[name]) for name in ("ExportArn", "TableArn") if name in asked]:
                    return named
            return list(resources(body, region, account))

        iam_actions.dynamodb_resource_arns = resources_of

    def _start(self, data: dict[str, Any]) -> dict[str, Any]:
        name = dynamodb._table_name_from_arn(data.get("TableArn"))
        table = dynamodb._tables.get(name) if name else None
        if table is None:
            raise RefusalError("TableNotFoundException", f"Table not found: {data.get('TableArn')}")
        if not data.get("S3Bucket"):
            raise RefusalError("ValidationException", "Value null at 's3Bucket': Member must not be null")
        if data.get("ExportFormat", "DYNAMODB_JSON") != "DYNAMODB_JSON":
            raise RefusalError("ValidationException", "the embedded AWS exports DYNAMODB_JSON only")
        if data.get("S3SseAlgorithm", "AES256") not in SSE_HEADERS:
            raise RefusalError("ValidationException", f"S3SseAlgorithm must be one of {[*SSE_HEADERS]}")
        history = self._recovery.required_history_of(table)
        described = self._known(table["TableArn"], data)
        if described is not None:
            return {"ExportDescription": described}
        described = self._describe_new(data, table, self._times(data, history))
        dynamodb._exports[described["ExportArn"]] = described
        if token := data.get("ClientToken"):
            made = (self._recovery.now_s(), dict(data), described["ExportArn"])
            self._requests[f"{table['TableArn']} {token}"] = made
        task = asyncio.get_running_loop().create_task(self._run(described, table, history))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return {"ExportDescription": described}

    def _known(self, table_arn: str, data: dict[str, Any]) -> dict[str, Any] | None:
        """The export that the same request began before; a different request with its token is refused."""
        made_at_s, before, arn = self._requests.get(f"{table_arn} {data.get('ClientToken')}", (0.0, {}, ""))
        if not data.get("ClientToken") or self._recovery.now_s() - made_at_s > TOKEN_VALID_S:
            return None
        if before != data:
            raise RefusalError("ExportConflictException", "The ClientToken was used with other parameters")
        described: dict[str, Any] = dynamodb._exports[arn]
        return described

    def _times(self, data: dict[str, Any], history: History) -> dict[str, Any]:
        """The times of the export, for its description.

        Raises:
            RefusalError: such times cannot be exported.
        """
        now_s = self._recovery.now_s()
        if data.get("ExportType", FULL) == FULL:
            at_s = data.get("ExportTime")
            if at_s is not None and not history.earliest_s <= at_s <= self._recovery.latest_s(history):
                raise _outside("ExportTime")
            return {"ExportTime": now_s if at_s is None else at_s}
        window = data.get("IncrementalExportSpecification", {})
        from_s, to_s = window.get("ExportFromTime"), window.get("ExportToTime", now_s)
        view = window.get("ExportViewType", VIEWS[0])
        if from_s is None or view not in VIEWS:
            message = f"an incremental export needs ExportFromTime, and a view that is one of {VIEWS}"
            raise RefusalError("ValidationException", message)
        if to_s > now_s or from_s >= to_s:
            raise _outside("export window")
        if not WINDOW_MIN_S <= to_s - from_s <= WINDOW_MAX_S:
            message = "The export window must be between 15 minutes and 24 hours"
            raise RefusalError("ValidationException", message)
        times = {"ExportFromTime": from_s, "ExportToTime": to_s, "ExportViewType": view}
        return {"IncrementalExportSpecification": times}

    def _describe_new(
        self, data: dict[str, Any], table: dict[str, Any], times: dict[str, Any]
    ) -> dict[str, Any]:
        now_s = self._recovery.now_s()
        optional = ("ClientToken", "S3BucketOwner", "S3Prefix", "S3SseKmsKeyId")
        return {
            "ExportArn": f"{table['TableArn']}/export/{int(now_s * 1000):014d}-{secrets.token_hex(4)}",
            "ExportStatus": "IN_PROGRESS",
            "StartTime": now_s,
            "TableArn": table["TableArn"],
            "TableId": table["TableId"],
            "S3Bucket": data["S3Bucket"],
            "S3SseAlgorithm": data.get("S3SseAlgorithm", "AES256"),
            "ExportFormat": "DYNAMODB_JSON",
            "ExportType": data.get("ExportType", FULL),
            **{name: data[name] for name in optional if data.get(name)},
            **times,
        }

    async def _run(self, described: dict[str, Any], table: dict[str, Any], history: History) -> None:
        """Write the files; the outcome is in the description."""
        prefix, export_id = described.get("S3Prefix"), described["ExportArn"].rpartition("/")[2]
        folder = export_files.folder_of(prefix, export_id)
        try:
            await _put(described, f"{folder}/_started", b"")
            files, size = await asyncio.to_thread(
                _files, described, history, partition_key=table["pk_name"], export_id=export_id
            )
            for file in files:
                await _put(described, file.key, file.body)
            described |= {
                "EndTime": self._recovery.now_s(),
                "ItemCount": sum(file.item_count for file in files),
                "BilledSizeBytes": size,
                "ExportManifest": f"{folder}/manifest-summary.json",
            }
            for key, body in export_files.manifests(described, files, folder=folder):
                await _put(described, key, body)
            described["ExportStatus"] = "COMPLETED"
        except Exception as error:  # noqa: BLE001 - nobody awaits the task: who polls the export has to see it
            described |= {
                "ExportStatus": "FAILED",
                "EndTime": self._recovery.now_s(),
                "FailureCode": error.code if isinstance(error, S3RefusedError) else "UNKNOWN",
                "FailureMessage": str(error),
            }

    def _describe(self, data: dict[str, Any]) -> dict[str, Any]:
        described = dynamodb._exports.get(data.get("ExportArn"))
        if described is None:
            raise RefusalError("ExportNotFoundException", f"Export not found: {data.get('ExportArn')}")
        return {"ExportDescription": described}

    def _list(self, data: dict[str, Any]) -> dict[str, Any]:
        """List exports, the newest first; a page's token is the index of the next page."""
        asked = data.get("TableArn")
        exports = [each for each in dynamodb._exports.values() if asked in (None, each["TableArn"])]
        exports.sort(key=lambda export: export["StartTime"], reverse=True)
        begin, limit = int(data.get("NextToken", "0")), min(int(data.get("MaxResults", PAGE_MAX)), PAGE_MAX)
        names = ("ExportArn", "ExportStatus", "ExportType")
        page = [{name: export[name] for name in names} for export in exports[begin : begin + limit]]
        more = {"NextToken": str(begin + limit)} if begin + limit < len(exports) else {}
        return {"ExportSummaries": page, **more}


def _files(
    described: dict[str, Any], history: History, *, partition_key: str, export_id: str
) -> tuple[list[DataFile], int]:
    """The data files, and the size that AWS would bill."""
    kind = described["ExportType"]
    folder = export_files.data_folder_of(described.get("S3Prefix"), export_id, kind)
    if kind == INCREMENTAL:
        window = described["IncrementalExportSpecification"]
        old_images = window["ExportViewType"] == VIEWS[0]
        changes = list(history.between(window["ExportFromTime"], window["ExportToTime"]))
        lines = [
            (change.key[0], export_files.change_line(change, old_images=old_images)) for change in changes
        ]
        size = sum(dynamodb._item_size_bytes(change.after or change.keys) for change in changes)
    else:
        items = history.as_of(described["ExportTime"])
        lines = [
            (str(dynamodb._extract_key_val(item[partition_key])), export_files.item_line(item))
            for item in items
        ]
        size = sum(dynamodb._item_size_bytes(item) for item in items)
    return export_files.data_files(lines, folder=folder, export_id=export_id), size


async def _put(described: dict[str, Any], key: str, body: bytes) -> None:
    """Write one object as a multipart upload of one part."""
    path = f"/{described['S3Bucket']}/{key}"
    headers = {"x-amz-server-side-encryption": SSE_HEADERS[described["S3SseAlgorithm"]]}
    if kms_key := described.get("S3SseKmsKeyId"):
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = kms_key
    begun = await _call("POST", path, headers, b"", {"uploads": [""]})
    upload = {"uploadId": [_text(begun[2], "UploadId")]}
    part = await _call("PUT", path, {}, body, {**upload, "partNumber": ["1"]})
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{part[1]['ETag']}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    await _call("POST", path, {}, document.encode(), upload)


async def _call(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> Answer:
    answer: Answer = await s3.handle_request(method, path, headers, body, query, internal=True)
    if answer[0] >= HTTP_ERROR:
        raise S3RefusedError(f"S3{_text(answer[2], 'Code')}", _text(answer[2], "Message"))
    return answer


def _text(document: bytes, name: str) -> str:
    """The text of the only element of that name in S3's own answer."""
    root = ET.fromstring(document)  # noqa: S314 - this process made it
    element = next((each for each in root.iter() if each.tag.endswith(name)), None)
    return "" if element is None else element.text or ""


def _outside(what: str) -> RefusalError:
    message = f"The specified {what} is outside of the point in time recovery window"
    return RefusalError("InvalidExportTimeException", message)
