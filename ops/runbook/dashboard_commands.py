"""`responder dashboard`: the stack's figures in the terminal, and where CloudWatch shows them."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from clients.deployment import Deployment
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, say_unknown
from ops.people_options import moment_ms
from ops.tables import make_table, print_table
from runbook.figures import SINCE_MAX_S, Figures, read_figures

Since = Annotated[str, typer.Option(help="From when: 30m, 12h or 2d ago, or ISO 8601.")]


def dashboard(
    *,
    since: Since = "3h",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Draw the figures of the stack's CloudWatch dashboard, of both regions, and say where it is.

    What has no data is unknown, and never 0. Exits 1 if a region could not be read.
    """
    until = datetime.now(UTC)
    since_s = round(until.timestamp() - moment_ms(since, now_ms=round(until.timestamp() * 1_000)) / 1_000)
    if not 0 < since_s <= SINCE_MAX_S:
        raise typer.BadParameter(
            f"--since {since}: CloudWatch keeps minutes for 15 days; name a time in them"
        )
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    figures = read_figures(deployment, until=until, since_s=since_s)
    if as_json:
        typer.echo(json.dumps(_document(deployment, figures), indent=2))
    else:
        _print(deployment, figures)
    say_unknown("CloudWatch was not read", figures.unread)
    if figures.unread:
        raise typer.Exit(1)


def _link(deployment: Deployment) -> str | None:
    """Where the console shows the dashboard; the embedded AWS has none."""
    if deployment.clients.endpoint_url is not None:
        return None
    region = deployment.primary.region
    address = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    return f"{address}#dashboards/dashboard/{deployment.names.dashboard}"


def _document(deployment: Deployment, figures: Figures) -> dict[str, Any]:
    return {
        "dashboard": deployment.names.dashboard,
        "link": _link(deployment),
        "unread": dict(figures.unread),
        "figures": [
            {
                "panel": panel.title,
                "unit": panel.unit,
                "figure": series.label,
                "region": endpoints.region,
                "last": figures.last(endpoints.region, panel, series.label),
                "points": [
                    [point.at.isoformat(), point.value]
                    for point in figures.of(endpoints.region, panel, series.label)
                ],
            }
            for panel in figures.panels
            for series in panel.series
            for endpoints in deployment.regions
        ],
    }


def _print(deployment: Deployment, figures: Figures) -> None:
    regions = [endpoints.region for endpoints in deployment.regions]
    headings = [heading for region in regions for heading in (region, "last")]
    table = make_table("figure", *headings, whole=("figure", *headings), box=None, pad_edge=False)
    for panel in figures.panels:
        table.add_row(f"[bold]{escape(panel.title)}[/] ({panel.unit})")
        for series in panel.series:
            cells = [
                cell
                for region in regions
                for cell in (
                    figures.bars(region, panel, series.label),
                    _shown(figures.last(region, panel, series.label)),
                )
            ]
            table.add_row(f"  {escape(series.label)}", *cells)
    console = Console(highlight=False)
    print_table(table, console)
    console.print(_link(deployment) or f"in CloudWatch: {deployment.names.dashboard}", soft_wrap=True)


def _shown(value: float | None) -> str:
    return "[dim]unknown[/]" if value is None else f"{value:,.0f}"
