"""`responder dr export | exports | check | compare`: what is exported, if it is whole, how states differ."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from clients.deployment import Deployment
from clients.output_files import written_at_end
from dr.comparison.athena import comparison_sql, table_sql
from dr.comparison.items import Comparison
from dr.comparison.items import compare as compare_states
from dr.exports.check import Expected, check_export
from dr.exports.manifest import Finding
from dr.exports.objects import FolderObjects
from dr.exports.requests import (
    COMPLETED,
    ExportInfo,
    bucket_of,
    describe,
    expected_of,
    list_exports,
    start_export,
    wait_export,
)
from ops.dr.states import LATEST, LIVE, TABLE, UNTIL, moment, root_of, state
from ops.local import running
from ops.opened_stack import Outputs, asking, command_on, open_stack
from ops.options import AsJson, RunDir, check_writable_file, printable, verdict_kept
from ops.tables import make_table, print_table
from topology.tables import ALERTS

SHOWN: Final = 50

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
    with asking(deployment, where):
        arn = start_export(deployment, where, now=datetime.now(UTC), incremental_from=since)
        typer.echo(f"{arn} is under way", err=True)
        infos = [wait_export(deployment, where, arn) if wait else describe(deployment, where, arn)]
    _show_exports(infos, as_json=as_json)


def exports(
    *,
    region: Region = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """List the ledger's exports, the newest first, and the state that each shows. Exits 1 if none is good."""
    deployment = open_stack(run_dir, outputs).deployment
    where = region or deployment.primary.region
    with asking(deployment, where):
        infos = list_exports(deployment, where)
    if infos or as_json:
        _show_exports(infos, as_json=as_json)
    if not infos:
        make = command_on(f"responder dr export --region {where}", run_dir, outputs)
        typer.echo(f"no exports; `{make}` makes one", err=True)
    if not any(info.status == COMPLETED for info in infos):
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
        checked = check_export(FolderObjects(folder), root, expected=Expected(max_age=age))
    else:
        deployment = open_stack(run_dir, outputs).deployment
        where = region or deployment.primary.region
        with asking(deployment, where):
            checked = check_export(
                bucket_of(deployment, where),
                root_of(deployment, where, root),
                expected=expected_of(deployment, max_age=age),
            )
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "root": checked.root,
                    "items": checked.items,
                    "findings": list(map(asdict, checked.findings)),
                }
            )
        )
    else:
        show_findings(checked.findings, Console())
        typer.echo(
            f"{checked.root}: {checked.items:,} items, {checked.compressed_bytes / 1e6:,.1f} MB, "
            f"{'nothing wrong' if checked.good else f'{len(checked.findings)} findings'}"
        )
    if not checked.good:
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
    check_writable_file(differences, "--differences")
    deployment = open_stack(run_dir, outputs).deployment
    where = region or deployment.primary.region
    if athena:
        with asking(deployment, where):
            typer.echo(_athena(deployment, where, left, right))
        return
    with written_at_end(differences) as all_to:
        with tempfile.TemporaryDirectory(prefix="responder-dr-") as scratch, asking(deployment, where):
            folder = Path(scratch)
            sides = [state(deployment, where, spec, folder / str(n)) for n, spec in enumerate((left, right))]
            comparison = compare_states(
                sides[0], sides[1], key=ALERTS.hash_key, scratch=folder, all_to=all_to
            )
        with verdict_kept(f"{'the same' if comparison.same else 'NOT the same'}, item by item"):
            show_comparison(comparison, as_json=as_json)
    if not comparison.same:
        raise typer.Exit(1)


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


def show_comparison(comparison: Comparison, *, as_json: bool) -> None:
    """Print how two states differ."""
    if as_json:
        typer.echo(json.dumps({**asdict(comparison), "same": comparison.same}, indent=2))
        return
    console = Console()
    for difference in comparison.differences[:SHOWN]:
        values = ", ".join(
            f"{name} {there[0]} -> {there[1]}" for name, there in difference.attributes.items()
        )
        console.print(
            f"[red]{difference.kind}[/] {escape(printable(difference.key))} {escape(printable(values))}",
            soft_wrap=True,
            highlight=False,
        )
    if len(comparison.differences) > SHOWN:
        console.print("and more: --differences FILE writes every one")
    console.print(
        f"{comparison.left}: {comparison.left_items:,} items; "
        f"{comparison.right}: {comparison.right_items:,} items\n"
        f"changed {comparison.changed}  missing {comparison.missing}  extra {comparison.extra}  "
        f"broken {comparison.broken}  only written otherwise {comparison.written_otherwise}",
        highlight=False,
    )
    console.print("the same, item by item" if comparison.same else "NOT the same")


def _show_exports(infos: Sequence[ExportInfo], *, as_json: bool) -> None:
    """In the table nothing is cut, however narrow the terminal is: the id is what other commands take."""
    if as_json:
        rows = [{**asdict(info), "id": info.export_id, "root": info.root} for info in infos]
        typer.echo(json.dumps(rows, indent=2, default=datetime.isoformat))
        return
    headings = ("id", "shows (UTC)", "changes since", "items", "status")
    table = make_table(*headings, whole=headings, box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for info in infos:
        table.add_row(
            info.export_id,
            info.shows.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if info.shows else "unknown",
            info.since.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if info.since else "all items",
            "" if info.items is None else f"{info.items:,}",
            info.status,
            style=None if info.status == COMPLETED else "bold red",
        )
    console = Console()
    print_table(table, console)
    for info in infos:
        if info.reason:
            console.print(f"{info.export_id}: {escape(info.reason)}", soft_wrap=True, highlight=False)


def _athena(deployment: Deployment, region: str, left: str, right: str) -> str:
    """The two tables and the query, to be pasted."""
    if any(spec == LIVE or spec.startswith(TABLE) for spec in (left, right)):
        raise typer.BadParameter("Athena reads full exports: name two by their ids; `dr exports` has them")
    if any(spec == LATEST or spec.startswith(UNTIL) for spec in (left, right)):
        raise typer.BadParameter(
            "such a state is a full export with changes on top, and Athena reads full ones as they lie: name "
            "two of those by their ids; `dr exports` has them"
        )
    bucket = bucket_of(deployment, region).bucket
    tables = [
        table_sql(name=name, bucket=bucket, root=root_of(deployment, region, spec))
        for name, spec in (("expected_lines", left), ("found_lines", right))
    ]
    query = comparison_sql(key=ALERTS.hash_key, left="expected_lines", right="found_lines")
    return ";\n\n".join([*tables, query]) + ";"
