"""How people name a time, an export or a state of the ledger: for `responder dr check | compare` and more."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import typer

from clients.deployment import Deployment
from dr.comparison.states import Side
from dr.exports.manifest import Export, read_export
from dr.exports.requests import ExportRefusedError, bucket_of, expected_of, list_exports, usable
from dr.exports.sets import GoodSet, good_set, latest_set, side_of
from dr.exports.sets import fetch_good as fetch_and_check
from dr.restores.table_items import spool_table
from ops.hints import hinted
from ops.options import printable
from ops.people_options import moment_ms

LATEST: Final = "latest"
LIVE: Final = "live"
UNTIL: Final = "to:"
TABLE: Final = "table:"


def state(
    deployment: Deployment, region: str, spec: str, folder: Path, *, max_age: timedelta | None = None
) -> Side:
    """The state that a person names, as files in `folder`; exports are checked.

    Raises:
        ExportRefusedError: an export is not there, not good, or shows an older state than `max_age`.
        TableUnreadableError: a table is not there.
        OtherSchemaError: a table has rows that this release does not read; such an export is not good.
    """
    if spec == LIVE or spec.startswith(TABLE):
        table = deployment.alerts_table if spec == LIVE else spec.removeprefix(TABLE)
        return spool_table(deployment.clients.client("dynamodb", region), table, folder)
    if spec == LATEST or spec.startswith(UNTIL):
        good = good_set(
            bucket_of(deployment, region),
            deployment.alerts_table,
            folder,
            expected=expected_of(deployment),
            until=moment(spec.removeprefix(UNTIL)) if spec != LATEST else None,
        )
        _name_passed_over(good)
        exported_to = good.exports.exported_to
        if max_age is not None and datetime.now(UTC) - exported_to > max_age:
            raise ExportRefusedError(
                f"the good exports go to {exported_to}, which is more than {max_age} ago; "
                "make a new one, or allow an older one by --max-age"
            )
        return side_of(good.exports, folder)
    root = root_of(deployment, region, spec, hint=f"; if it is a table, write `{TABLE}{spec}`")
    export = fetch_good(deployment, region, root, folder, max_age=max_age)
    if export.summary.incremental:
        raise ExportRefusedError(f"{spec} is an incremental export, which is no state; name a full one")
    return Side(f"export {spec}", tuple(folder / key for key in export.data_keys))


def fetch_good(
    deployment: Deployment, region: str, root: str, folder: Path, *, max_age: timedelta | None = None
) -> Export:
    """Copy an export of the ledger into `folder`, and check the copy.

    Raises:
        ExportRefusedError: something is wrong with it; the message has the first findings.
        ObjectsUnreadableError: the bucket does not answer.
    """
    bucket = bucket_of(deployment, region)
    listed, findings = read_export(bucket, root)
    if listed is None:
        shown = "; ".join(f"{finding.code}: {finding.text}" for finding in findings)
        raise ExportRefusedError(f"the export {root} is not good: {shown}; take another one")
    fetch_and_check(bucket, listed, folder, expected=expected_of(deployment, max_age=max_age))
    return listed


def fetch_latest(
    deployment: Deployment, region: str, folder: Path, *, max_age: timedelta | None = None
) -> Export:
    """Copy the newest good full export of the ledger into `folder`; newer ones that are not good are named.

    Raises:
        ExportRefusedError: none is good, or none is younger than `max_age`.
        ObjectsUnreadableError: the bucket does not answer.
    """
    expected = expected_of(deployment, max_age=max_age)
    bucket = bucket_of(deployment, region)
    found = good_set(bucket, deployment.alerts_table, folder, expected=expected, full_only=True)
    _name_passed_over(found)
    return found.exports.full


def _name_passed_over(found: GoodSet) -> None:
    for why in found.passed_over:
        typer.echo(f"passed over: {hinted(printable(why))}", err=True)


def root_of(deployment: Deployment, region: str, spec: str, *, hint: str = "") -> str:
    """The key of the folder of an export that is named by its id, its ARN, that key, or `latest`.

    `hint`: what else the name may stand for, said if there is no such export.

    Raises:
        ExportRefusedError: there is no such export, or it is not COMPLETED.
    """
    if spec == LATEST:
        objects, expected = bucket_of(deployment, region), expected_of(deployment)
        return latest_set(objects, deployment.alerts_table, full_only=True, expected=expected).full.root
    if "/AWSDynamoDB/" in spec:
        return spec.rstrip("/")
    export_id = spec.rpartition("/")[2]
    infos = {info.export_id: info for info in list_exports(deployment, region)}
    if export_id in infos:
        return usable(infos[export_id], max_age=None, now=datetime.now(UTC)).root
    newest = f"the newest is {next(iter(infos))}" if infos else "it has none at all"
    raise ExportRefusedError(f"{region} has no export {export_id}, {newest}{hint}")


def moment(text: str) -> datetime:
    """The time that `text` means: `30m` or `2h` ago, or ISO 8601."""
    return datetime.fromtimestamp(moment_ms(text, now_ms=time.time_ns() // 1_000_000) / 1_000, tz=UTC)
