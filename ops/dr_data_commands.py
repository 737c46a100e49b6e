"""`responder dr export | exports | check | compare`: what is exported, if it is whole, how states differ."""

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clients.deployment import Deployment
from dr.comparison.athena import comparison_sql, table_sql
from dr.comparison.items import Comparison
from dr.comparison.items import compare as compare_states
from dr.comparison.states import Side
from dr.exports.check import Expected, check_export
from dr.exports.manifest import Export, Finding, read_export
from dr.exports.objects import FolderObjects
from dr.exports.requests import (
    COMPLETED,
    ExportInfo,
    ExportRefusedError,
    bucket_of,
    expected_of,
    list_exports,
    start_export,
    usable,
    wait_export,
)
from dr.exports.sets import fetch_good as fetch_and_check
from dr.exports.sets import good_set, latest_set, side_of
from dr.restores.table_items import spool_table
from ops import running
from ops.audit_command import moment_ms
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir
from ops.terminal import printable
from topology.tables import ALERTS

SHOWN: Final = 50
LATEST: Final = "latest"
LIVE: Final = "live"
_UNTIL: Final = "to:"
_TABLE: Final = "table:"

Region = Annotated[
    str, typer.Option(help="Region whose replica, bucket and vault are meant; by default the primary.")
]
MaxAge = Annotated[
    float | None,
    typer.Option("--max-age", min=0.01, help="Hours: an export that shows an older state is refused."),
]


def export(
    *,
    incremental_from: Annotated[
        str | None, typer.Option(help="Only the changes since then: 30m, 2h or ISO 8601.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it is COMPLETED.")] = True,
    region: Region = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Have DynamoDB export the ledger into the backup bucket now. Exits 1 if the export fails."""
    deployment = open_stack(run_dir, outputs).deployment
    where = region or deployment.primary.region
    since = moment(incremental_from) if incremental_from else None
    arn = start_export(deployment, where, now=datetime.now(UTC), incremental_from=since)
    typer.echo(f"{arn} is under way", err=True)
    found = [wait_export(deployment, where, arn)] if wait else list_exports(deployment, where)[:1]
    _show_exports(found, as_json=as_json)


def exports(
    *,
    region: Region = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """List the ledger's exports, the newest first, and the state that each shows. Exits 1 if none is good."""
    deployment = open_stack(run_dir, outputs).deployment
    found = list_exports(deployment, region or deployment.primary.region)
    _show_exports(found, as_json=as_json)
    if not any(info.status == COMPLETED for info in found):
        raise typer.Exit(1)


def check(
    root: Annotated[
        str, typer.Argument(help="An export's id, or the key of its folder; by default the newest full one.")
    ] = LATEST,
    *,
    max_age: MaxAge = None,
    folder: Annotated[
        Path | None, typer.Option(help="Check a copy of the bucket in this folder; no stack is asked.")
    ] = None,
    region: Region = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Check an export's manifests and all its files, and name everything wrong. Exits 1 if anything is."""
    age = timedelta(hours=max_age) if max_age else None
    if folder is not None:
        if root == LATEST:
            raise typer.BadParameter("name the key of the export's folder")
        found = check_export(FolderObjects(folder), root, expected=Expected(max_age=age))
    else:
        deployment = open_stack(run_dir, outputs).deployment
        where = region or deployment.primary.region
        found = check_export(
            bucket_of(deployment, where),
            root_of(deployment, where, root),
            expected=expected_of(deployment, max_age=age),
        )
    if as_json:
        typer.echo(
            json.dumps(
                {"root": found.root, "items": found.items, "findings": list(map(asdict, found.findings))}
            )
        )
    else:
        show_findings(found.findings, Console())
        typer.echo(
            f"{found.root}: {found.items:,} items, {found.compressed_bytes / 1e6:,.1f} MB, "
            f"{'nothing wrong' if found.good else f'{len(found.findings)} findings'}"
        )
    if not found.good:
        raise typer.Exit(1)


def compare(
    left: Annotated[
        str, typer.Argument(help="What should be there: latest, to:TIME, live, table:NAME or an export.")
    ],
    right: Annotated[str, typer.Argument(help="What is compared with it, named likewise.")],
    *,
    differences: Annotated[
        Path | None, typer.Option(help="Write every difference there, one JSON object a line.")
    ] = None,
    athena: Annotated[
        bool,
        typer.Option("--athena", help="Print the comparison as SQL for Athena instead (never run here)."),
    ] = False,
    region: Region = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Compare two states of the ledger, item by item. Exits 1 if they are not the same.

    `latest` is the newest good full export with the incremental ones that go on from it, `to:TIME` the same
    without those that go beyond a time; an export is named by its id or the key of its folder. Exports are
    checked before. Athena compares full exports only.
    """
    deployment = open_stack(run_dir, outputs).deployment
    where = region or deployment.primary.region
    if athena:
        typer.echo(_athena(deployment, where, left, right))
        return
    with tempfile.TemporaryDirectory(prefix="responder-dr-") as scratch:
        folder = Path(scratch)
        sides = [state(deployment, where, spec, folder / str(n)) for n, spec in enumerate((left, right))]
        found = compare_states(sides[0], sides[1], key=ALERTS.hash_key, scratch=folder, all_to=differences)
    show_comparison(found, as_json=as_json)
    if not found.same:
        raise typer.Exit(1)


def state(
    deployment: Deployment, region: str, spec: str, folder: Path, *, max_age: timedelta | None = None
) -> Side:
    """The state that a person names, as files in `folder`; exports are checked.

    Raises:
        ExportRefusedError: an export is not there, not good, or shows an older state than `max_age`.
        TableUnreadableError: a table is not there.
    """
    if spec == LIVE or spec.startswith(_TABLE):
        table = deployment.alerts_table if spec == LIVE else spec.removeprefix(_TABLE)
        return spool_table(deployment.clients.client("dynamodb", region), table, folder)
    if spec == LATEST or spec.startswith(_UNTIL):
        found = good_set(
            bucket_of(deployment, region),
            deployment.alerts_table,
            folder,
            expected=expected_of(deployment),
            until=moment(spec.removeprefix(_UNTIL)) if spec != LATEST else None,
        )
        for why in found.passed_over:
            typer.echo(f"passed over: {printable(why)}", err=True)
        exported_to = found.exports.exported_to
        if max_age is not None and datetime.now(UTC) - exported_to > max_age:
            raise ExportRefusedError(
                f"the good exports go to {exported_to}, which is more than {max_age} ago; "
                "make a new one, or allow an older one by --max-age"
            )
        return side_of(found.exports, folder)
    export = fetch_good(deployment, region, root_of(deployment, region, spec), folder, max_age=max_age)
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
        shown = "; ".join(f"{one.code}: {one.text}" for one in findings)
        raise ExportRefusedError(f"the export {root} is not good: {shown}; see `responder dr check`")
    fetch_and_check(bucket, listed, folder, expected=expected_of(deployment, max_age=max_age))
    return listed


def root_of(deployment: Deployment, region: str, spec: str) -> str:
    """The key of the folder of an export that is named by its id, its ARN, that key, or `latest`.

    Raises:
        ExportRefusedError: there is no such export, or it is not COMPLETED.
    """
    if spec == LATEST:
        objects, expected = bucket_of(deployment, region), expected_of(deployment)
        return latest_set(objects, deployment.alerts_table, full_only=True, expected=expected).full.root
    if "/AWSDynamoDB/" in spec:
        return spec.rstrip("/")
    export_id = spec.rpartition("/")[2]
    for info in list_exports(deployment, region):
        if info.arn.rpartition("/")[2] == export_id:
            return usable(info, max_age=None, now=datetime.now(UTC)).root
    raise ExportRefusedError(f"{region} has no export {export_id}; see `responder dr exports`")


def moment(text: str) -> datetime:
    """The time that `text` means: `30m` or `2h` ago, or ISO 8601."""
    return datetime.fromtimestamp(moment_ms(text, now_ms=time.time_ns() // 1_000_000) / 1_000, tz=UTC)


def show_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print what is wrong, a line each."""
    for finding in findings[:SHOWN]:
        console.print(
            f"[red]{finding.code}[/] {escape(printable(finding.subject))}: {escape(printable(finding.text))}",
            soft_wrap=True,
            highlight=False,
        )
    if len(findings) > SHOWN:
        console.print(f"and {len(findings) - SHOWN} more: --json has all")


def show_comparison(found: Comparison, *, as_json: bool) -> None:
    """Print how two states differ."""
    if as_json:
        typer.echo(json.dumps({**asdict(found), "same": found.same}, indent=2))
        return
    console = Console()
    for one in found.differences[:SHOWN]:
        values = ", ".join(f"{name} {there[0]} -> {there[1]}" for name, there in one.attributes.items())
        console.print(
            f"[red]{one.kind}[/] {escape(printable(one.key))} {escape(printable(values))}",
            soft_wrap=True,
            highlight=False,
        )
    if len(found.differences) > SHOWN:
        console.print("and more: --differences FILE writes every one")
    console.print(
        f"{found.left}: {found.left_items:,} items; {found.right}: {found.right_items:,} items\n"
        f"changed {found.changed}  missing {found.missing}  extra {found.extra}  broken {found.broken}  "
        f"only written otherwise {found.written_otherwise}",
        highlight=False,
    )
    console.print("the same, item by item" if found.same else "NOT the same")


def _show_exports(found: Sequence[ExportInfo], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([{**asdict(info), "root": info.root} for info in found], indent=2, default=str))
        return
    table = Table("shows the state of", "type", "status", "items", "folder")
    for info in found:
        table.add_row(
            info.shows.astimezone(UTC).isoformat(timespec="seconds") if info.shows else "unknown",
            "full" if info.since is None else f"changes since {info.since.astimezone(UTC):%H:%M:%S}",
            info.status if not info.reason else f"{info.status}: {escape(info.reason)}",
            "" if info.items is None else f"{info.items:,}",
            info.root,
            style=None if info.status == COMPLETED else "bold red",
        )
    Console().print(table)


def _athena(deployment: Deployment, region: str, left: str, right: str) -> str:
    """The two tables and the query, to be pasted."""
    if any(spec == LIVE or spec.startswith(_TABLE) for spec in (left, right)):
        raise typer.BadParameter("Athena reads full exports: name two of them")
    if any(spec == LATEST or spec.startswith(_UNTIL) for spec in (left, right)):
        raise typer.BadParameter(
            "such a state is a full export with changes on top, and Athena reads full ones as they lie: name "
            "those by their ids, see `responder dr exports`"
        )
    bucket = bucket_of(deployment, region).bucket
    tables = [
        table_sql(name=name, bucket=bucket, root=root_of(deployment, region, spec))
        for name, spec in (("expected_lines", left), ("found_lines", right))
    ]
    query = comparison_sql(key=ALERTS.hash_key, left="expected_lines", right="found_lines")
    return ";\n\n".join([*tables, query]) + ";"
