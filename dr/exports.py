"""The exports of the ledger: starting one, waiting for it, and finding those that are there.

`responder dr export | exports | status`, restores, drills and rebuilds use it. Where DynamoDB answers it is
asked; a rebuild, which has nothing but a bucket, goes by the manifests.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment, RegionEndpoints
from dr.check import moment
from dr.manifest import SUMMARY, Export, read_export
from dr.objects import ObjectInfo, Objects, S3Objects, fetch
from dr.states import Side
from topology.backups import EXPORTS, export_prefix

FULL: Final = "FULL_EXPORT"
INCREMENTAL: Final = "INCREMENTAL_EXPORT"
COMPLETED: Final = "COMPLETED"
IN_PROGRESS: Final = "IN_PROGRESS"

EXPORT_WITHIN_S: Final = 6 * 3_600
"""AWS takes minutes to hours, whatever the table's size is.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html"""

WINDOW: Final = (timedelta(minutes=15), timedelta(hours=24))
"""Of an incremental export.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html"""

LISTED_MAX: Final = 100
"""DynamoDB knows those of the last 90 days, hourly ones and all; each takes a call to describe."""

_LIST_PAGES_MAX: Final = 200

POLLS_S: Final = (0.2, 15.0)
"""First and longest pause between two questions after an export's state; each is half as long again."""


class ExportRefusedError(Exception):
    """The export cannot be used, or cannot be made as asked; the message says why and what can."""


class ExportsUnknownError(Exception):
    """DynamoDB does not answer in that region, so nothing is known of its exports."""


@dataclass(frozen=True, kw_only=True)
class ExportInfo:
    """One export as DynamoDB knows it. `shows`: the state at that time. `reason`: why it failed."""

    arn: str
    status: str
    type: str
    table_arn: str
    bucket: str
    prefix: str
    since: datetime | None
    shows: datetime | None
    items: int | None
    reason: str

    @property
    def root(self) -> str:
        """The key of its folder."""
        path = f"AWSDynamoDB/{_export_id(self.arn)}"
        return f"{self.prefix}/{path}" if self.prefix else path


@dataclass(frozen=True)
class ExportSet:
    """A full export and the incremental ones that go on from it without a gap."""

    full: Export
    incrementals: tuple[Export, ...]
    exported_to: datetime

    @property
    def exports(self) -> tuple[Export, ...]:
        """All of them, the oldest first."""
        return self.full, *self.incrementals


def list_exports(deployment: Deployment, region: str) -> list[ExportInfo]:
    """The newest exports of the ledger's replica in a region, at most `LISTED_MAX`, the newest first.

    Raises:
        ExportsUnknownError: the region does not answer.
    """
    dynamodb = deployment.clients.client("dynamodb", region)
    try:
        arn = table_arn(deployment, region)
        newest = sorted(_listed(dynamodb, arn), key=_export_id, reverse=True)[:LISTED_MAX]
        infos = [_info(dynamodb.describe_export(ExportArn=one)["ExportDescription"]) for one in newest]
    except (BotoCoreError, ClientError) as error:
        raise ExportsUnknownError(f"the exports of {region} are unknown: {error}") from error
    return sorted(infos, key=lambda info: info.shows or datetime.min.replace(tzinfo=UTC), reverse=True)


def export_age_s(deployment: Deployment, region: str, now_s: float) -> int | None:
    """Seconds since the state that the newest good export shows; None without one.

    Raises as `list_exports` does.
    """
    good = [
        info.shows for info in list_exports(deployment, region) if info.status == COMPLETED and info.shows
    ]
    return int(now_s - max(good).timestamp()) if good else None


def start_export(
    deployment: Deployment, region: str, *, now: datetime, incremental_from: datetime | None = None
) -> str:
    """Have DynamoDB export the ledger's replica into the region's own bucket; returns the export's ARN.

    A full export shows the state of now; an incremental one the changes from then to now.

    Raises:
        ExportRefusedError: DynamoDB refuses it, such as for a window that is too short or for PITR being off.
        ExportsUnknownError: the region does not answer.
    """
    endpoints = endpoints_of(deployment, region)
    request: dict[str, Any] = {
        "TableArn": table_arn(deployment, region),
        "S3Bucket": endpoints.backup_bucket,
        "S3Prefix": export_prefix(now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        "ExportFormat": "DYNAMODB_JSON",
    }
    if incremental_from is not None:
        if not WINDOW[0] <= now - incremental_from <= WINDOW[1]:
            raise ExportRefusedError(
                f"an incremental export takes {WINDOW[0]} to {WINDOW[1]}, not {now - incremental_from}; "
                "give another start, or make a full export"
            )
        request |= {
            "ExportType": INCREMENTAL,
            "IncrementalExportSpecification": {
                "ExportFromTime": incremental_from,
                "ExportToTime": now,
                "ExportViewType": "NEW_AND_OLD_IMAGES",
            },
        }
    try:
        answer = deployment.clients.client("dynamodb", region).export_table_to_point_in_time(**request)
    except ClientError as error:
        raise ExportRefusedError(f"DynamoDB refuses the export: {error}") from error
    except BotoCoreError as error:
        raise ExportsUnknownError(f"{region} does not answer: {error}") from error
    return str(answer["ExportDescription"]["ExportArn"])


def wait_export(
    deployment: Deployment, region: str, arn: str, *, within_s: float = EXPORT_WITHIN_S
) -> ExportInfo:
    """Wait until an export is COMPLETED.

    Raises:
        ExportRefusedError: it failed, or it was not finished in time; it may still go on.
        ExportsUnknownError: the region does not answer.
    """
    deadline, pause_s = time.monotonic() + within_s, POLLS_S[0]
    while True:
        info = describe(deployment, region, arn)
        if info.status == COMPLETED:
            return info
        if info.status != IN_PROGRESS:
            raise ExportRefusedError(f"the export {arn} is {info.status}: {info.reason or 'no reason given'}")
        if time.monotonic() > deadline:
            raise ExportRefusedError(f"the export {arn} is still {info.status} after {within_s:.0f} s")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, POLLS_S[1])


def describe(deployment: Deployment, region: str, arn: str) -> ExportInfo:
    """One export. Raises as `wait_export` does."""
    try:
        answer = deployment.clients.client("dynamodb", region).describe_export(ExportArn=arn)
    except ClientError as error:
        raise ExportRefusedError(f"there is no export {arn} in {region}: {error}") from error
    except BotoCoreError as error:
        raise ExportsUnknownError(f"{region} does not answer: {error}") from error
    return _info(answer["ExportDescription"])


def usable(info: ExportInfo, *, max_age: timedelta | None, now: datetime) -> ExportInfo:
    """The export, if a restore may start from it.

    Raises:
        ExportRefusedError: it is not COMPLETED, or older than asked.
    """
    if info.status != COMPLETED:
        raise ExportRefusedError(
            f"the export {info.arn} is {info.status}, not {COMPLETED}; wait for it, or take another one"
        )
    if max_age is not None and (info.shows is None or now - info.shows > max_age):
        raise ExportRefusedError(
            f"the export {info.arn} shows {info.shows}, which is more than {max_age} ago; "
            "make a new one, or allow an older one by --max-age"
        )
    return info


def latest_set(objects: Objects, table: str, *, full_only: bool = False) -> ExportSet:
    """The newest full export of a table in a bucket, and the incremental ones that go on from it.

    It goes by the summaries alone; `dr.check` says whether the files are what they say. The table is meant by
    its name, in whatever region.

    Raises:
        ExportRefusedError: there is no full export of that table.
        ObjectsUnreadableError: the bucket does not answer.
    """
    found = list(_summarised(objects, table))
    fulls = [(at, export) for at, export in found if not export.summary.incremental]
    if not fulls:
        raise ExportRefusedError(
            f"there is no full export of {table} under {EXPORTS}/; nothing can be restored"
        )
    exported_to, full = max(fulls, key=lambda one: one[0])
    chain: list[Export] = []
    later = sorted((one for one in found if one[1].summary.incremental), key=lambda one: one[0])
    for at, export in () if full_only else later:
        begins = moment(export.summary.export_from_time)
        if begins is not None and begins <= exported_to < at:
            chain.append(export)
            exported_to = at
    return ExportSet(full, tuple(chain), exported_to)


def side_of(exports: ExportSet, folder: Path) -> Side:
    """The state that exports show, of files that lie where their keys say under `folder`."""
    return Side(
        label=f"export to {exports.exported_to.isoformat()}",
        items=tuple(folder / key for key in exports.full.data_keys),
        changes=tuple(folder / key for export in exports.incrementals for key in export.data_keys),
    )


def fetch_export(objects: Objects, export: Export, folder: Path) -> dict[str, str]:
    """Copy an export to where its keys say under `folder`; returns the etags that S3 reports, by key.

    What lies among its data and is not in its manifest comes along, for the check to name it.

    Raises:
        ObjectMissingError: a file is not there.
        ObjectsUnreadableError: the bucket does not answer.
    """
    there = {found.key: found.etag for found in objects.listed(f"{export.root}/")}
    if export.summary.incremental:
        there |= {found.key: found.etag for found in _of_changes(objects, export)}
    fetch(objects, iter(there), folder)
    return {key: etag for key, etag in there.items() if etag}


def endpoints_of(deployment: Deployment, region: str) -> RegionEndpoints:
    """What a region of the stack offers.

    Raises:
        ExportRefusedError: the stack is not in that region.
    """
    for endpoints in deployment.regions:
        if endpoints.region == region:
            return endpoints
    names = " and ".join(endpoints.region for endpoints in deployment.regions)
    raise ExportRefusedError(f"the stack is in {names}, not in {region}")


def table_arn(deployment: Deployment, region: str) -> str:
    """The ARN of the ledger's replica in a region, asked of DynamoDB; botocore's errors pass."""
    described = deployment.clients.client("dynamodb", region).describe_table(
        TableName=deployment.alerts_table
    )
    return str(described["Table"]["TableArn"])


def bucket_of(deployment: Deployment, region: str) -> S3Objects:
    """The region's backup bucket."""
    bucket = endpoints_of(deployment, region).backup_bucket
    return S3Objects(deployment.clients.client("s3", region), bucket)


def _listed(dynamodb: Any, arn: str) -> list[str]:
    """The ARNs of all exports that DynamoDB knows; boto3 has no paginator for them."""
    arns: list[str] = []
    request: dict[str, Any] = {"TableArn": arn}
    for _ in range(_LIST_PAGES_MAX):
        answer = dynamodb.list_exports(**request)
        arns += [found["ExportArn"] for found in answer["ExportSummaries"]]
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    return arns


def _export_id(arn: str) -> str:
    """It begins with the epoch milliseconds of the export's start, so it sorts by time."""
    return arn.rpartition("/")[2]


def _of_changes(objects: Objects, export: Export) -> Iterator[ObjectInfo]:
    wanted = set(export.data_keys)
    folder = f"{export.root.rpartition('/')[0]}/data/"
    return (found for found in objects.listed(folder) if found.key in wanted)


def _summarised(objects: Objects, table: str) -> Iterator[tuple[datetime, Export]]:
    """The exports of a table that have a summary, with the time that each shows."""
    for found in objects.listed(f"{EXPORTS}/"):
        if not found.key.endswith(f"/{SUMMARY}"):
            continue
        export, _ = read_export(objects, found.key.removesuffix(f"/{SUMMARY}"))
        if export is None or export.summary.table_arn.rpartition("table/")[2] != table:
            continue
        summary = export.summary
        at = moment(summary.export_to_time if summary.incremental else summary.export_time)
        if at is not None:
            yield at, export


def _info(described: dict[str, Any]) -> ExportInfo:
    window = described.get("IncrementalExportSpecification", {})
    return ExportInfo(
        arn=described["ExportArn"],
        status=described["ExportStatus"],
        type=described.get("ExportType", FULL),
        table_arn=described["TableArn"],
        bucket=described["S3Bucket"],
        prefix=described.get("S3Prefix", ""),
        since=window.get("ExportFromTime"),
        shows=window.get("ExportToTime") or described.get("ExportTime"),
        items=described.get("ItemCount"),
        reason=": ".join(filter(None, (described.get("FailureCode"), described.get("FailureMessage")))),
    )
