"""The exports of the ledger as DynamoDB knows them: starting one, waiting for it, and how far they reach.

`responder dr export | exports | status`, restores and drills use it. What lies in a bucket is
`dr.exports.sets`'s.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import passes
from clients.deployment import Deployment, RegionEndpoints
from clients.waiting import wait_for
from dr.exports.check import Expected
from dr.exports.objects import S3Objects
from topology.backups import export_prefix
from topology.errors import ExplainedError

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

_LIST_PAGE: Final = 25
_LIST_PAGES_MAX: Final = 200
_ARN_PARTS: Final = 6

Made = TypeVar("Made")


class ExportRefusedError(ExplainedError):
    """The export cannot be used, or cannot be made as asked; the message says why and what can."""


class ExportsUnknownError(ExplainedError):
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
    def export_id(self) -> str:
        """The last part of its ARN."""
        return _export_id(self.arn)

    @property
    def root(self) -> str:
        """The key of its folder."""
        path = f"AWSDynamoDB/{self.export_id}"
        return f"{self.prefix}/{path}" if self.prefix else path


@dataclass(frozen=True)
class Window(Generic[Made]):
    """An incremental export: it has the changes from `since` to `until`."""

    since: datetime
    until: datetime
    export: Made


def list_exports(deployment: Deployment, region: str) -> list[ExportInfo]:
    """The newest exports of the ledger's replica in a region, at most `LISTED_MAX`, the newest first.

    Raises:
        ExportsUnknownError: the region does not answer.
    """
    dynamodb = deployment.clients.client("dynamodb", region)
    try:
        newest = _listed(dynamodb, table_arn(deployment, region))[:LISTED_MAX]
        infos = [_described(dynamodb, summary) for summary in newest]
    except (BotoCoreError, ClientError) as error:
        raise ExportsUnknownError(f"the exports of {region} are unknown: {error}") from error
    return sorted(infos, key=lambda info: info.shows or datetime.min.replace(tzinfo=UTC), reverse=True)


def export_age_s(deployment: Deployment, region: str, now_s: float) -> int | None:
    """Seconds since the newest state that the region's exports can restore; None without a good full one.

    That is the newest full export and the incremental ones that go on from it without a gap: one that came
    after a gap makes nothing younger.

    Raises as `list_exports` does.
    """
    dynamodb = deployment.clients.client("dynamodb", region)
    try:
        good = [
            summary
            for summary in _listed(dynamodb, table_arn(deployment, region))
            if summary["ExportStatus"] == COMPLETED
        ]
        kinds = [summary.get("ExportType", FULL) for summary in good]
        if FULL not in kinds:
            return None
        full, *later = [_described(dynamodb, summary) for summary in reversed(good[: kinds.index(FULL) + 1])]
    except (BotoCoreError, ClientError) as error:
        raise ExportsUnknownError(f"the exports of {region} are unknown: {error}") from error
    if full.shows is None:
        return None
    _, reached = chained(
        full.shows,
        [
            Window(summary.since, summary.shows, summary)
            for summary in later
            if summary.since and summary.shows
        ],
    )
    return int(now_s - reached.timestamp())


def start_export(
    deployment: Deployment, region: str, *, now: datetime, incremental_from: datetime | None = None
) -> str:
    """Have DynamoDB export the ledger's replica into the region's own bucket; returns the export's ARN.

    A full export shows the state of now; an incremental one the changes from then to the latest that DynamoDB
    has, which is minutes ago.

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
    with _explained(region, arn):
        info = wait_for(
            lambda: _describe(deployment, region, arn),
            lambda info: info.status != IN_PROGRESS,
            within_s=within_s,
        )
    if info.status == IN_PROGRESS:
        raise ExportRefusedError(f"the export {arn} is still {info.status} after {within_s:.0f} s")
    if info.status != COMPLETED:
        raise ExportRefusedError(f"the export {arn} is {info.status}: {info.reason or 'no reason given'}")
    return info


def describe(deployment: Deployment, region: str, arn: str) -> ExportInfo:
    """One export. Raises as `wait_export` does."""
    with _explained(region, arn):
        return _describe(deployment, region, arn)


def _describe(deployment: Deployment, region: str, arn: str) -> ExportInfo:
    client = deployment.clients.client("dynamodb", region)
    return _info(client.describe_export(ExportArn=arn)["ExportDescription"])


@contextlib.contextmanager
def _explained(region: str, arn: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, BotoCoreError) or passes(error):
            raise ExportsUnknownError(f"{region} does not answer: {error}") from error
        raise ExportRefusedError(f"there is no export {arn} in {region}: {error}") from error


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


def chained(at: datetime, windows: Iterable[Window[Made]]) -> tuple[list[Made], datetime]:
    """The fewest exports that go on from a state without a gap, and the time that they reach."""
    waiting, chain = list(windows), list[Made]()
    while going_on := [window for window in waiting if window.since <= at < window.until]:
        furthest = max(going_on, key=lambda window: window.until)
        chain.append(furthest.export)
        at = furthest.until
    return chain, at


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
    """The ARN of the ledger's replica in a region; DynamoDB is not asked, as the table may be gone.

    Raises:
        ExportRefusedError: the stack is not in that region.
    """
    return table_arn_beside(
        endpoints_of(deployment, region).alarm_topic_arn, region=region, table=deployment.alerts_table
    )


def table_arn_beside(arn: str, *, region: str, table: str) -> str:
    """The ARN of a table in the account of another resource.

    Raises:
        ExportRefusedError: `arn` is none, so the account is unknown.
    """
    parts = arn.split(":")
    if len(parts) < _ARN_PARTS or parts[0] != "arn":
        raise ExportRefusedError(f"{arn!r} is no ARN, so nothing says whose the exports have to be")
    return f"arn:{parts[1]}:dynamodb:{region}:{parts[4]}:table/{table}"


def expected_of(deployment: Deployment, *, max_age: timedelta | None = None) -> Expected:
    """What an export of the stack may be: of either replica, in either bucket, as buckets are replicated.

    Raises:
        ExportRefusedError: the stack's outputs are not what they should be.
    """
    return Expected(
        table_arns=tuple(table_arn(deployment, endpoints.region) for endpoints in deployment.regions),
        buckets=tuple(endpoints.backup_bucket for endpoints in deployment.regions),
        max_age=max_age,
    )


def bucket_of(deployment: Deployment, region: str) -> S3Objects:
    """The region's backup bucket."""
    bucket = endpoints_of(deployment, region).backup_bucket
    return S3Objects(deployment.clients.client("s3", region), bucket)


def _listed(dynamodb: Any, arn: str) -> list[dict[str, Any]]:
    """All exports that DynamoDB knows, the newest first; boto3 has no paginator for them."""
    summaries: list[dict[str, Any]] = []
    request: dict[str, Any] = {"TableArn": arn, "MaxResults": _LIST_PAGE}
    for _ in range(_LIST_PAGES_MAX):
        answer = dynamodb.list_exports(**request)
        summaries += answer["ExportSummaries"]
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    return sorted(summaries, key=lambda summary: _export_id(summary["ExportArn"]), reverse=True)


def _described(dynamodb: Any, summary: dict[str, Any]) -> ExportInfo:
    return _info(dynamodb.describe_export(ExportArn=summary["ExportArn"])["ExportDescription"])


def _export_id(arn: str) -> str:
    """It begins with the epoch milliseconds of the export's start, so it sorts by time."""
    return arn.rpartition("/")[2]


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
