"""Which exports make a state: what goes on from what, what is passed over, and how old the state is."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.deployment import Deployment
from dr.exports.check import Expected
from dr.exports.manifest import FILES, SUMMARY, md5_base64
from dr.exports.objects import FolderObjects
from dr.exports.requests import (
    COMPLETED,
    FULL,
    INCREMENTAL,
    ExportRefusedError,
    expected_of,
    export_age_s,
    table_arn,
)
from dr.exports.sets import ExportSet, good_set, latest_set, side_of
from topology.backups import EXPORTS
from topology.outputs import ALL

TABLE = "alerts"
PRIMARY, FAILOVER = "us-east-1", "us-west-2"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACCOUNT = "123456789012"


def arn(region: str = PRIMARY, account: str = ACCOUNT) -> str:
    """A replica's."""
    return f"arn:aws:dynamodb:{region}:{account}:table/{TABLE}"


EXPECTED = Expected(table_arns=(arn(), arn(FAILOVER)), now=NOW)


def export(folder: Path, name: str, *, to: str, since: str = "", of: str = "", table_id: str = "t") -> str:
    """An export without items, of times on the day of NOW; incremental with `since`. Returns its root."""
    root = f"{EXPORTS}/2026-11-23/AWSDynamoDB/{name}"
    (folder / root).mkdir(parents=True)
    times = (
        {"exportFromTime": f"2026-11-23T{since}:00Z", "exportToTime": f"2026-11-23T{to}:00Z"}
        if since
        else {"exportTime": f"2026-11-23T{to}:00Z"}
    )
    summary = {
        "version": "2023-08-01",
        "exportArn": f"{of or arn()}/export/{name}",
        "tableArn": of or arn(),
        "tableId": table_id,
        "s3Bucket": "b",
        "manifestFilesS3Key": f"{root}/{FILES}",
        "itemCount": 0,
        "outputFormat": "DYNAMODB_JSON",
        "exportType": INCREMENTAL if since else FULL,
        **times,
    }
    for file, text in ((SUMMARY, json.dumps(summary)), (FILES, "")):
        path = folder / root / file
        path.write_text(text, encoding="utf-8")
        path.with_suffix(".md5").write_text(md5_base64(text.encode()), encoding="ascii")
    return root


def spoil(folder: Path, root: str) -> None:
    """A manifest that its checksum does not fit."""
    path = folder / root / FILES
    path.with_suffix(".md5").write_text(md5_base64(b"other"), encoding="ascii")


def names(found: ExportSet) -> list[str]:
    """The exports of a set, by id."""
    return [one.root.rpartition("/")[2] for one in found.exports]


def test_the_chain_ends_at_a_gap(tmp_path: Path) -> None:
    """What lies behind the gap would lack changes."""
    export(tmp_path, "full", to="03:00")
    for since, to in (("02:30", "03:30"), ("03:30", "04:30"), ("01:00", "02:00"), ("05:00", "06:00")):
        export(tmp_path, since, since=since, to=to)
    found = latest_set(FolderObjects(tmp_path), TABLE)
    assert names(found) == ["full", "02:30", "03:30"]
    assert found.exported_to == datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
    assert names(latest_set(FolderObjects(tmp_path), TABLE, full_only=True)) == ["full"]
    with pytest.raises(ExportRefusedError, match="no full export of other"):
        latest_set(FolderObjects(tmp_path), "other")


@pytest.mark.parametrize("lost", [{6}, {6, 7}])
def test_overlapping_windows_make_up_for_exports_that_failed(tmp_path: Path, lost: set[int]) -> None:
    """And no more of them are read than are needed."""
    export(tmp_path, "full", to="03:00")
    for hour in range(4, 11):
        if hour not in lost:
            export(tmp_path, f"{hour:02}", since=f"{hour - 3:02}:00", to=f"{hour:02}:00")
    found = latest_set(FolderObjects(tmp_path), TABLE)
    assert found.exported_to.hour == 10
    assert len(found.incrementals) <= 4


def test_exports_of_two_replicas_are_never_mixed(tmp_path: Path) -> None:
    """What one had not got from the other when it was exported is in no later window of the other's."""
    export(tmp_path, "east", to="03:00")
    export(tmp_path, "west-later", since="02:00", to="05:00", of=arn(FAILOVER))
    assert names(latest_set(FolderObjects(tmp_path), TABLE)) == ["east"]
    export(tmp_path, "west", to="02:30", of=arn(FAILOVER))
    assert names(latest_set(FolderObjects(tmp_path), TABLE)) == ["west", "west-later"]


def test_exports_of_a_table_made_anew_under_the_name_do_not_go_on_from_the_old_one(tmp_path: Path) -> None:
    """Its changes say nothing of the old one's rows."""
    export(tmp_path, "old", to="03:00")
    export(tmp_path, "new", since="02:00", to="05:00", table_id="u")
    assert names(latest_set(FolderObjects(tmp_path), TABLE)) == ["old"]


@pytest.mark.parametrize(
    "planted",
    [
        {"to": "12:06"},
        {"to": "11:00", "of": arn(account="999999999999")},
        {"to": "11:00", "of": arn("eu-west-1")},
    ],
    ids=["a time to come", "another account", "another region"],
)
def test_what_cannot_be_the_stacks_own_is_not_taken(tmp_path: Path, planted: dict[str, str]) -> None:
    """However new it looks."""
    export(tmp_path, "own", to="03:00")
    export(tmp_path, "planted", **planted)
    found = good_set(FolderObjects(tmp_path), TABLE, tmp_path / "copy", expected=EXPECTED)
    assert names(found.exports) == ["own"]
    assert names(latest_set(FolderObjects(tmp_path), TABLE, expected=EXPECTED)) == ["own"]


def test_a_bad_export_is_passed_over_and_named(tmp_path: Path) -> None:
    """An overlapping one goes on in its place; an older full export stands in for a newer one."""
    bucket, copy = tmp_path / "bucket", tmp_path / "copy"
    export(bucket, "yesterdays", to="01:00")
    bad_full = export(bucket, "todays", to="03:00")
    export(bucket, "a", since="00:30", to="03:30")
    bad = export(bucket, "b", since="02:30", to="05:30")
    export(bucket, "c", since="01:30", to="04:30")
    for root in (bad_full, bad):
        spoil(bucket, root)
    found = good_set(FolderObjects(bucket), TABLE, copy, expected=EXPECTED)
    assert names(found.exports) == ["yesterdays", "a", "c"]
    assert [bad_full in found.passed_over[0], bad in found.passed_over[1]] == [True, True]
    assert all("manifest-md5" in why for why in found.passed_over)


def test_without_a_good_full_export_nothing_is_taken(tmp_path: Path) -> None:
    """The message says what is wrong with those that are there."""
    spoil(tmp_path / "bucket", export(tmp_path / "bucket", "full", to="03:00"))
    with pytest.raises(ExportRefusedError, match=r"no full export.*manifest-md5"):
        good_set(FolderObjects(tmp_path / "bucket"), TABLE, tmp_path / "copy", expected=EXPECTED)


def test_a_set_can_be_taken_again_though_newer_ones_have_come(tmp_path: Path) -> None:
    """By its time, or export by export; one that is lost meanwhile is missed."""
    bucket = FolderObjects(tmp_path / "bucket")
    roots = [
        export(bucket.root, "full", to="03:00"),
        export(bucket.root, "04", since="02:00", to="04:00"),
    ]
    before = good_set(bucket, TABLE, tmp_path / "copy", expected=EXPECTED).exports
    export(bucket.root, "05", since="02:00", to="05:00")
    until = datetime(2026, 11, 23, 4, tzinfo=UTC)
    for chosen in ({"until": until}, {"roots": roots}):
        again: Any = good_set(bucket, TABLE, tmp_path / "copy", expected=EXPECTED, **chosen)
        assert again.exports == before
        assert side_of(again.exports, tmp_path).label == side_of(before, tmp_path).label
    latest = latest_set(bucket, TABLE)
    assert side_of(latest, tmp_path).label != side_of(before, tmp_path).label
    (bucket.root / roots[1] / SUMMARY).unlink()
    with pytest.raises(ExportRefusedError, match="not all good any more: only 1 of 2"):
        good_set(bucket, TABLE, tmp_path / "copy", expected=EXPECTED, roots=roots)


class FakeDynamo:
    """DynamoDB that knows exports, in no order, two a page."""

    def __init__(self, *exports: tuple[str, str, int | None, int]) -> None:
        """Of each the kind, the status, and the hours that it goes from and to."""
        self.described = {
            f"{arn()}/export/{number:014}-aa": {
                "ExportArn": f"{arn()}/export/{number:014}-aa",
                "ExportType": kind,
                "ExportStatus": status,
                "TableArn": arn(),
                "S3Bucket": "b",
                **(
                    {"ExportTime": hour(to)}
                    if since is None
                    else {
                        "IncrementalExportSpecification": {
                            "ExportFromTime": hour(since),
                            "ExportToTime": hour(to),
                        }
                    }
                ),
            }
            for number, (kind, status, since, to) in enumerate(exports)
        }
        self.asked = 0

    def client(self, _service: str, _region: str) -> "FakeDynamo":
        """As `AwsClients`."""
        return self

    def list_exports(self, *, TableArn: str, MaxResults: int, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - AWS's names
        """A page of summaries."""
        assert (TableArn, MaxResults) == (arn(), 25)
        every, begin = list(self.described.values()), int(NextToken)
        more = {"NextToken": str(begin + 2)} if begin + 2 < len(every) else {}
        return {"ExportSummaries": every[begin : begin + 2], **more}

    def describe_export(self, *, ExportArn: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """One of them."""
        self.asked += 1
        return {"ExportDescription": self.described[ExportArn]}


def window(since: int, to: int) -> dict[str, Any]:
    """Of an incremental export."""
    return {"IncrementalExportSpecification": {"ExportFromTime": hour(since), "ExportToTime": hour(to)}}


def hour(number: int) -> datetime:
    """Of the day."""
    return NOW.replace(hour=0) + timedelta(hours=number)


def deployment(clients: Any) -> Deployment:
    """A stack of this account."""
    outputs: dict[str, object] = dict.fromkeys(ALL, "unused")
    outputs |= {
        "Stack": "dev",
        "PrimaryRegion": PRIMARY,
        "FailoverRegion": FAILOVER,
        "AlertsTableName": TABLE,
        "AlarmTopicArn": f"arn:aws:sns:{PRIMARY}:{ACCOUNT}:alarms",
        "FailoverAlarmTopicArn": f"arn:aws:sns:{FAILOVER}:{ACCOUNT}:alarms",
        "BackupBucketName": "b",
        "FailoverBackupBucketName": "c",
    }
    return Deployment.from_outputs(outputs, clients)


@pytest.mark.parametrize(
    ("exports", "age_h"),
    [
        ([], None),
        ([(INCREMENTAL, COMPLETED, 8, 11)], None),
        ([(FULL, "FAILED", None, 3), (INCREMENTAL, COMPLETED, 8, 11)], None),
        ([(FULL, COMPLETED, None, 3)], 9),
        ([(FULL, COMPLETED, None, 3), (INCREMENTAL, COMPLETED, 1, 4), (INCREMENTAL, COMPLETED, 2, 5)], 7),
        ([(FULL, COMPLETED, None, 3), (INCREMENTAL, "FAILED", 1, 4), (INCREMENTAL, COMPLETED, 5, 11)], 9),
        ([(FULL, COMPLETED, None, 3), (INCREMENTAL, COMPLETED, 1, 4), (FULL, "IN_PROGRESS", None, 11)], 8),
        ([(FULL, COMPLETED, None, 1), (INCREMENTAL, COMPLETED, 0, 4), (FULL, COMPLETED, None, 10)], 2),
    ],
    ids=[
        "none",
        "changes of nothing",
        "the full one failed",
        "a full one",
        "a chain",
        "a gap",
        "one that runs",
        "a newer full one",
    ],
)
def test_the_age_is_that_of_what_can_be_restored(exports: list[Any], age_h: int | None) -> None:
    """Not of the newest export: behind a gap, or without a full one, it is of no use."""
    stack = deployment(FakeDynamo(*exports))
    age_s = export_age_s(stack, PRIMARY, NOW.timestamp())
    assert age_s == (None if age_h is None else age_h * 3_600)


def test_only_the_exports_that_count_are_described() -> None:
    """DynamoDB lists those of 90 days, and each takes a call."""
    clients = FakeDynamo(
        *((INCREMENTAL, COMPLETED, 0, 1),) * 30, (FULL, COMPLETED, None, 3), (INCREMENTAL, COMPLETED, 2, 4)
    )
    assert export_age_s(deployment(clients), PRIMARY, NOW.timestamp()) == 8 * 3_600
    assert clients.asked == 2


def test_the_exports_of_a_deleted_table_are_still_the_stacks_own() -> None:
    """DynamoDB is not asked whose it was: the account is the alarm topic's."""
    stack = deployment(None)
    assert table_arn(stack, FAILOVER) == arn(FAILOVER)
    expected = expected_of(stack)
    assert (expected.table_arns, expected.buckets) == ((arn(), arn(FAILOVER)), ("b", "c"))
    with pytest.raises(ExportRefusedError, match="not in eu-west-1"):
        table_arn(stack, "eu-west-1")
    unknown = replace(stack, primary=replace(stack.primary, alarm_topic_arn="unused"))
    with pytest.raises(ExportRefusedError, match="is no ARN"):
        table_arn(unknown, PRIMARY)
