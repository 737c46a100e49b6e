"""Exports of the embedded AWS are what AWS's documentation says that they are, and refused when AWS refuses.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import base64
import gzip
import hashlib
import json
import re
from typing import Any

import pytest

from tests.fakes.in_process_aws import BUCKET, NOW_S, TABLE_ARN, InProcessAws, RefusedByAwsError

ENABLED_S = int(NOW_S) + 1
HOUR_S = 3_600


def export(aws: InProcessAws, **arguments: Any) -> dict[str, Any]:
    """Export the table, and how that went."""
    asked = {"TableArn": TABLE_ARN, "S3Bucket": BUCKET, "S3Prefix": "p/2026"} | arguments
    started = aws.call("ExportTableToPointInTime", **asked)["ExportDescription"]
    described: dict[str, Any] = aws.call("DescribeExport", ExportArn=started["ExportArn"])[
        "ExportDescription"
    ]
    return described


def incremental(aws: InProcessAws, from_s: float, **window: Any) -> dict[str, Any]:
    """Export a window of changes."""
    specification = {"ExportFromTime": from_s, **window}
    return export(aws, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=specification)


def lines(aws: InProcessAws, described: dict[str, Any]) -> list[dict[str, Any]]:
    """All records of an export, by its own manifests."""
    return [
        json.loads(line)
        for file in files(aws, described)
        for line in gzip.decompress(aws.object(file["dataFileS3Key"])["body"]).splitlines()
    ]


def files(aws: InProcessAws, described: dict[str, Any]) -> list[dict[str, Any]]:
    """What manifest-files.json lists."""
    summary = json.loads(aws.object(described["ExportManifest"])["body"])
    return [json.loads(line) for line in aws.object(summary["manifestFilesS3Key"])["body"].splitlines()]


def values(records: list[dict[str, Any]]) -> dict[str, str]:
    """What a full export's records say, by id."""
    return {record["Item"]["id"]["S"]: record["Item"]["v"]["S"] for record in records}


@pytest.fixture
def filled(aws: InProcessAws) -> InProcessAws:
    """A table of twenty items that were put an hour ago, with point-in-time recovery."""
    aws.make_table()
    aws.now_s += 10
    for number in range(20):
        aws.put(f"item-{number}", v="old")
    aws.now_s += HOUR_S
    return aws


def test_full_export_has_awss_layout(filled: InProcessAws) -> None:
    """The manifests last, each after its checksum; the summary is what tells that all is there."""
    described = export(filled)
    assert described["ExportStatus"] == "COMPLETED"
    assert re.fullmatch(rf"{TABLE_ARN}/export/\d{{14}}-[0-9a-f]{{8}}", described["ExportArn"])
    root = f"p/2026/AWSDynamoDB/{described['ExportArn'].rpartition('/')[2]}"
    names = [key.removeprefix(f"{root}/") for key in filled.keys()]  # noqa: SIM118 - a method of ours
    assert names[0] == "_started"
    assert all(re.fullmatch(r"data/[a-z2-7]{26}\.json\.gz", name) for name in names[1:-4])
    manifests = ["manifest-files.md5", "manifest-files.json", "manifest-summary.md5", "manifest-summary.json"]
    assert names[-4:] == manifests
    for name in manifests[::2]:
        body = filled.object(f"{root}/{name.replace('.md5', '.json')}")["body"]
        assert filled.object(f"{root}/{name}")["body"] == base64.b64encode(hashlib.md5(body).digest())  # noqa: S324 - AWS's checksum


def test_summary_of_a_full_export(filled: InProcessAws) -> None:
    """Every key of AWS's own, in its types."""
    described = export(filled)
    summary = json.loads(filled.object(described["ExportManifest"])["body"])
    assert summary == {
        "version": "2020-06-30",
        "exportArn": described["ExportArn"],
        "startTime": "2026-09-21T15:13:30.250Z",
        "endTime": "2026-09-21T15:13:30.250Z",
        "tableArn": TABLE_ARN,
        "tableId": described["TableId"],
        "exportTime": "2026-09-21T15:13:30.250Z",
        "s3Bucket": BUCKET,
        "s3Prefix": "p/2026",
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": described["ExportManifest"].replace("-summary", "-files"),
        "billedSizeBytes": described["BilledSizeBytes"],
        "itemCount": 20,
        "outputFormat": "DYNAMODB_JSON",
    }


def test_each_file_is_as_the_manifest_says(filled: InProcessAws) -> None:
    """Several files; md5 of the gzip bytes, S3's own etag, and the number of items."""
    listed = files(filled, export(filled))
    assert len(listed) == 4
    for file in listed:
        stored = filled.object(file["dataFileS3Key"])
        assert file["md5Checksum"] == base64.b64encode(hashlib.md5(stored["body"]).digest()).decode()  # noqa: S324 - AWS's checksum
        assert stored["etag"] == f'"{file["etag"]}"'
        assert file["etag"].endswith("-1")
        assert file["itemCount"] == len(gzip.decompress(stored["body"]).splitlines())
    assert sum(file["itemCount"] for file in listed) == 20


def test_full_export_has_what_was_there_at_its_time(filled: InProcessAws) -> None:
    """A change after ExportTime is not in it; one before the export is, without an ExportTime."""
    before = int(filled.now_s)
    filled.put("item-0", v="new")
    filled.delete("item-1")
    old = {f"item-{number}": "old" for number in range(20)}
    assert values(lines(filled, export(filled, ExportTime=before))) == old
    del old["item-1"]
    assert values(lines(filled, export(filled))) == old | {"item-0": "new"}


def test_incremental_export_has_the_changes_of_its_window(filled: InProcessAws) -> None:
    """One record an item; a delete has no new image; what came and went has none at all."""
    begin_s = int(filled.now_s)
    filled.now_s += 60
    filled.put("item-0", v="newer")
    filled.put("item-0", v="newest")
    filled.delete("item-1")
    filled.put("short")
    filled.delete("short")
    filled.now_s += HOUR_S
    described = incremental(filled, begin_s, ExportToTime=begin_s + HOUR_S)
    found = {line["Keys"]["id"]["S"]: line for line in lines(filled, described)}
    micros = str(int((begin_s + 60.25) * 1_000_000))
    metadata = {"WriteTimestampMicros": {"N": micros}}
    old, keys = {"v": {"S": "old"}}, {name: {"id": {"S": name}} for name in ("item-0", "item-1", "short")}
    assert found == {
        "item-0": {
            "Metadata": metadata,
            "Keys": keys["item-0"],
            "OldImage": keys["item-0"] | old,
            "NewImage": keys["item-0"] | {"v": {"S": "newest"}},
        },
        "item-1": {"Metadata": metadata, "Keys": keys["item-1"], "OldImage": keys["item-1"] | old},
        "short": {"Metadata": metadata, "Keys": keys["short"]},
    }


def test_incremental_exports_share_a_data_folder_and_say_their_window(filled: InProcessAws) -> None:
    """The summary has a version of its own, no exportTime, and the view."""
    begin_s = ENABLED_S + HOUR_S
    filled.now_s += HOUR_S
    described = incremental(filled, begin_s, ExportToTime=begin_s + 1800, ExportViewType="NEW_IMAGE")
    summary = json.loads(filled.object(described["ExportManifest"])["body"])
    assert summary["version"] == "2023-08-01"
    assert "exportTime" not in summary
    assert (summary["outputView"], summary["exportType"]) == ("NEW_IMAGE", "INCREMENTAL_EXPORT")
    assert (summary["exportFromTime"][:16], summary["exportToTime"][:16]) == (
        "2026-09-21T15:13",
        "2026-09-21T15:43",
    )
    assert {file["dataFileS3Key"].rpartition("/")[0] for file in files(filled, described)} == {
        "p/2026/AWSDynamoDB/data"
    }


def test_view_of_new_images_has_no_old_ones(filled: InProcessAws) -> None:
    """NEW_IMAGE halves the export."""
    begin_s = int(filled.now_s)
    filled.now_s += 60
    filled.put("item-0", v="new")
    filled.now_s += HOUR_S
    [line] = lines(filled, incremental(filled, begin_s, ExportViewType="NEW_IMAGE"))
    assert line.keys() == {"Metadata", "Keys", "NewImage"}


def test_deviation_window_may_begin_before_recovery_was_enabled(filled: InProcessAws) -> None:
    """Pinned: AWS refuses it, and no hourly export could ever be shown here."""
    assert incremental(filled, ENABLED_S - HOUR_S, ExportToTime=ENABLED_S + 1800)["ItemCount"] == 20


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"TableArn": TABLE_ARN + "x"}, "TableNotFoundException"),
        ({"ExportTime": ENABLED_S - 1}, "InvalidExportTimeException"),
        ({"ExportTime": ENABLED_S + 2 * HOUR_S}, "InvalidExportTimeException"),
        ({"ExportFormat": "ION"}, "ValidationException"),
        ({"ExportType": "INCREMENTAL_EXPORT"}, "ValidationException"),
    ],
)
def test_export_that_aws_would_refuse_is_refused(
    filled: InProcessAws, arguments: dict[str, Any], refusal: str
) -> None:
    """And nothing is written."""
    with pytest.raises(RefusedByAwsError, match=refusal):
        export(filled, **arguments)
    assert filled.keys() == []


@pytest.mark.parametrize(
    ("length_s", "refusal"),
    [(899, "ValidationException"), (900, None), (86_400, None), (86_401, "ValidationException")],
)
def test_window_has_awss_limits(filled: InProcessAws, length_s: int, refusal: str | None) -> None:
    """15 minutes to 24 hours."""
    filled.now_s += 2 * 86_400
    window = {"ExportToTime": ENABLED_S + length_s}
    if refusal is None:
        assert incremental(filled, ENABLED_S, **window)["ExportStatus"] == "COMPLETED"
        return
    with pytest.raises(RefusedByAwsError, match=refusal):
        incremental(filled, ENABLED_S, **window)


def test_window_that_is_not_over_is_refused(filled: InProcessAws) -> None:
    """It would miss what is still to come."""
    with pytest.raises(RefusedByAwsError, match="InvalidExportTimeException"):
        incremental(filled, ENABLED_S, ExportToTime=filled.now_s + 1)


def test_table_without_recovery_cannot_be_exported(aws: InProcessAws) -> None:
    """Exports read the history that recovery keeps."""
    aws.make_table(recovery=False)
    with pytest.raises(RefusedByAwsError, match="PointInTimeRecoveryUnavailableException"):
        export(aws)


def test_missing_bucket_fails_the_export_after_its_start(filled: InProcessAws) -> None:
    """As AWS: the call is taken, the export FAILED with S3's reason, and has no manifest."""
    described = export(filled, S3Bucket="nobodys")
    assert (described["ExportStatus"], described["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert "does not exist" in described["FailureMessage"]
    assert "ExportManifest" not in described


def test_same_token_gives_the_same_export(filled: InProcessAws) -> None:
    """A repeated call begins none; another one with the token is refused; after eight hours it is free."""
    first = export(filled, ClientToken="daily")
    assert export(filled, ClientToken="daily")["ExportArn"] == first["ExportArn"]
    with pytest.raises(RefusedByAwsError, match="ExportConflictException"):
        export(filled, ClientToken="daily", S3Prefix="elsewhere")
    filled.now_s += 8 * HOUR_S + 1
    assert export(filled, ClientToken="daily")["ExportArn"] != first["ExportArn"]


def test_exports_are_listed_newest_first_by_the_page(filled: InProcessAws) -> None:
    """Of the table that is asked for."""
    arns = []
    for _ in range(3):
        filled.now_s += 1
        arns.append(export(filled)["ExportArn"])
    page = filled.call("ListExports", TableArn=TABLE_ARN, MaxResults=2)
    rest = filled.call("ListExports", TableArn=TABLE_ARN, NextToken=page["NextToken"])
    listed = [one["ExportArn"] for one in (*page["ExportSummaries"], *rest["ExportSummaries"])]
    assert listed == arns[::-1]
    assert "NextToken" not in rest
    assert filled.call("ListExports", TableArn=TABLE_ARN + "x") == {"ExportSummaries": []}


def test_unknown_export_is_not_found(aws: InProcessAws) -> None:
    """By the name of AWS's exception."""
    with pytest.raises(RefusedByAwsError, match="ExportNotFoundException"):
        aws.call("DescribeExport", ExportArn=TABLE_ARN + "/export/none")
